package policy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/codeguardians/s3gateway"
)

// The names of the callers that have no key. They are callers like others in
// grants, limits, logs and links, and no key may be given to them.
const (
	// LocalUser is the user of the gateway's own machine (UPLOAD_AUTH=auto
	// without keys).
	LocalUser = "local"
	// OpenUser is everybody (UPLOAD_AUTH=none).
	OpenUser = "open"
)

const (
	linkPrefix = "GWL" // begins the access key of a link credential
	maxName    = 64    // bytes of a caller's name
)

// AccessKey is a key pair of the S3 door. It prints without its secret.
type AccessKey struct {
	ID     string
	Secret string `json:"-"`
	Caller string // the caller's name
	Validity
}

// Validity says when a key is known. The zero value is always.
type Validity struct {
	// Expires is the moment from which on the key is not known; zero: never.
	Expires time.Time
	// Disabled keys are not known.
	Disabled bool
}

// At reports whether the key is known at a moment.
func (v Validity) At(now time.Time) bool {
	return !v.Disabled && (v.Expires.IsZero() || now.Before(v.Expires))
}

// Format prints the key for every verb without its secret.
func (k AccessKey) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, k.ID+" of "+k.Caller)
}

// APIKey is a key of the REST door. It prints without the key.
type APIKey struct {
	Caller string // the caller's name
	// Key is the key itself; "" when Digest stands for it.
	Key string `json:"-"`
	// Digest is the SHA-256 of the key, in a configuration without secrets. A
	// digest does not hide a key that can be guessed: keys are made at random.
	Digest [sha256.Size]byte `json:"-"`
	Validity
}

// Format prints the caller of the key for every verb.
func (k APIKey) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "key of "+k.Caller) }

// CallersOptions are the callers of a gateway.
type CallersOptions struct {
	// Master is the secret that link credentials are derived from. Empty:
	// there are none.
	Master     string `json:"-"`
	AccessKeys []AccessKey
	APIKeys    []APIKey
	// Keyless are the callers without a key that exist: LocalUser or OpenUser,
	// by UPLOAD_AUTH. A caller that is not listed here has no links either.
	Keyless []string
	// Tokens are the callers who come with tokens of the issuer.
	Tokens []TokenCaller
	// Now is the clock that expiry goes by. Nil: no key may have one.
	Now func() time.Time `json:"-"`
}

// Format prints nothing of the options, for every verb.
func (CallersOptions) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "[redacted]") }

// Callers are the callers that exist and their credentials. It is immutable and
// may be used concurrently; a change of callers is a new Callers. A nil
// *Callers knows nobody.
type Callers struct {
	master     string
	now        func() time.Time
	names      map[string][]Validity // of every key; of a caller without keys one that always holds
	accessKeys map[string]AccessKey
	apiKeys    map[[sha256.Size]byte]APIKey
	tokens     []TokenCaller
}

// Format prints nothing of the credentials, for every verb.
func (Callers) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "[callers]") }

// NewCallers checks and takes the callers. It reports every problem at once,
// without a secret in it.
func NewCallers(o CallersOptions) (*Callers, error) {
	c := &Callers{master: o.Master, now: o.Now, names: map[string][]Validity{},
		accessKeys: map[string]AccessKey{}, apiKeys: map[[sha256.Size]byte]APIKey{}}
	var problems []error
	for _, k := range o.AccessKeys {
		problems = append(problems, c.addAccessKey(k))
	}
	for _, k := range o.APIKeys {
		problems = append(problems, c.addAPIKey(k))
	}
	for _, t := range o.Tokens {
		problems = append(problems, c.addName(t.Caller, Validity{}))
		c.tokens = append(c.tokens, t)
	}
	for _, name := range o.Keyless {
		if !keyless(name) {
			problems = append(problems, fmt.Errorf("caller %q needs a key", name))
		}
		c.names[name] = []Validity{{}}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Callers) addAccessKey(k AccessKey) error {
	switch {
	case k.ID == "" || k.Secret == "":
		return fmt.Errorf("caller %q: access key ID and secret access key go together", k.Caller)
	case strings.ContainsAny(k.ID, "/, ="):
		return fmt.Errorf("caller %q: an access key ID has no slash, comma, space or equals sign", k.Caller)
	case strings.HasPrefix(k.ID, linkPrefix):
		return fmt.Errorf("access key ID %q: those beginning with %s are the gateway's own, for links", k.ID, linkPrefix)
	case c.accessKeys[k.ID].ID != "":
		return fmt.Errorf("access key ID %q is given twice", k.ID)
	}
	c.accessKeys[k.ID] = k
	return c.addName(k.Caller, k.Validity)
}

func (c *Callers) addAPIKey(k APIKey) error {
	if k.Key != "" && k.Digest == ([sha256.Size]byte{}) {
		k.Digest = sha256.Sum256([]byte(k.Key))
	}
	switch {
	case k.Digest == [sha256.Size]byte{} || strings.ContainsAny(k.Key, " \t\r\n"):
		return fmt.Errorf("API key of caller %q: it is empty or has a space", k.Caller)
	case k.Key != "" && k.Digest != sha256.Sum256([]byte(k.Key)):
		return fmt.Errorf("API key of caller %q: it has another digest", k.Caller)
	case c.apiKeys[k.Digest].Caller != "":
		return fmt.Errorf("API key of caller %q: another key is the same", k.Caller)
	}
	k.Key = "" // the digest is all that is compared
	c.apiKeys[k.Digest] = k
	return c.addName(k.Caller, k.Validity)
}

// addName takes a caller's name: printable ASCII, because it stands in logs,
// metrics and, encoded, in access keys.
func (c *Callers) addName(name string, v Validity) error {
	if keyless(name) {
		return fmt.Errorf("caller %q: the name is the gateway's own", name)
	}
	if name == "" || len(name) > maxName {
		return fmt.Errorf("caller %q: a name has 1 to %d characters", name, maxName)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("caller %q: a name has printable ASCII characters only", name)
	}
	if !v.Expires.IsZero() && c.now == nil {
		return fmt.Errorf("caller %q: a key expires, but there is no clock", name)
	}
	c.names[name] = append(c.names[name], v)
	return nil
}

// known reports whether a key is at this moment.
func (c *Callers) known(v Validity) bool {
	var now time.Time
	if c.now != nil {
		now = c.now()
	}
	return v.At(now)
}

// exists reports whether a caller has a key that is known at this moment, or
// needs none: with the last key its links end too.
func (c *Callers) exists(name string) bool { return slices.ContainsFunc(c.names[name], c.known) }

func keyless(name string) bool { return name == LocalUser || name == OpenUser }

// Secret gives the secret access key of an access key ID, a link credential's
// too. It is the lookup of the signature check, and false for one that is
// unknown, expired or disabled.
func (c *Callers) Secret(accessKeyID string) (string, bool) {
	if c == nil {
		return "", false
	}
	if k, ok := c.accessKeys[accessKeyID]; ok && c.known(k.Validity) {
		return k.Secret, true
	}
	if name, ok := c.linkCaller(accessKeyID); ok {
		return c.linkSecret(name), true
	}
	return "", false
}

// ByAccessKey gives the caller of an access key ID whose signature was checked.
// Link is true for a link credential, which only a presigned request may use:
// the one who checks the signature sees to that.
func (c *Callers) ByAccessKey(id string) (gateway.Caller, bool) {
	if c == nil {
		return gateway.Caller{}, false
	}
	if k, ok := c.accessKeys[id]; ok && c.known(k.Validity) {
		return gateway.Caller{Name: k.Caller}, true
	}
	name, ok := c.linkCaller(id)
	return gateway.Caller{Name: name, Link: ok}, ok
}

// ByAPIKey gives the caller of an API key. Digests are looked up, not keys: what
// the time of a lookup tells about a digest says nothing about its key.
func (c *Callers) ByAPIKey(key string) (gateway.Caller, bool) {
	if c == nil {
		return gateway.Caller{}, false
	}
	digest := sha256.Sum256([]byte(key))
	k, ok := c.apiKeys[digest]
	if !ok || !hmac.Equal(digest[:], k.Digest[:]) || !c.known(k.Validity) {
		return gateway.Caller{}, false
	}
	return gateway.Caller{Name: k.Caller}, true
}

// HasAPIKeys reports whether the REST door has API keys. Expired and disabled
// ones count: the door does not open to the local user when its last key ends.
func (c *Callers) HasAPIKeys() bool { return c != nil && len(c.apiKeys) > 0 }

// LinkCredential gives the key pair that signs the links of a caller. Nothing
// of it is stored: the access key is the caller's name with a tag that proves it,
// the secret is derived from the master, and a caller that is no longer there has none. Both are ""
// when there is no master or no such caller.
func (c *Callers) LinkCredential(caller gateway.Caller) (accessKeyID, secret string) {
	if c == nil || c.master == "" || !c.exists(caller.Name) {
		return "", ""
	}
	return linkPrefix + linkEncoding.EncodeToString(append(c.linkTag(caller.Name), caller.Name...)), c.linkSecret(caller.Name)
}

// linkTag proves that an access key was made here: without it, the answer to a
// wrong signature would tell a stranger which callers exist.
func (c *Callers) linkTag(name string) []byte {
	return DeriveKey(c.master, "link id "+name, linkTagSize)
}

const linkTagSize = 10

// linkEncoding has letters and digits only, so that a link can be pasted.
var linkEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// linkCaller gives the name in a link credential's access key, if that caller
// exists. Only the one spelling that we make counts: decoders skip line breaks.
func (c *Callers) linkCaller(accessKeyID string) (string, bool) {
	encoded, ok := strings.CutPrefix(accessKeyID, linkPrefix)
	if !ok || c.master == "" {
		return "", false
	}
	raw, err := linkEncoding.DecodeString(encoded)
	if err != nil || len(raw) < linkTagSize || linkEncoding.EncodeToString(raw) != encoded {
		return "", false
	}
	name := string(raw[linkTagSize:])
	if !hmac.Equal(raw[:linkTagSize], c.linkTag(name)) || !c.exists(name) {
		return "", false
	}
	return name, true
}

func (c *Callers) linkSecret(name string) string {
	return base64.RawURLEncoding.EncodeToString(DeriveKey(c.master, "link "+name, 32))
}
