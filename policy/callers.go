package policy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

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
}

// Format prints the key for every verb without its secret.
func (k AccessKey) Format(w fmt.State, _ rune) {
	_, _ = io.WriteString(w, k.ID+" of "+k.Caller)
}

// APIKey is a key of the REST door. It prints without the key.
type APIKey struct {
	Caller string // the caller's name
	Key    string `json:"-"`
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
}

// Format prints nothing of the options, for every verb.
func (CallersOptions) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "[redacted]") }

// Callers are the callers that exist and their credentials. It is immutable and
// may be used concurrently; a change of callers is a new Callers. A nil
// *Callers knows nobody.
type Callers struct {
	master     string
	names      map[string]bool
	accessKeys map[string]AccessKey
	apiKeys    []apiKey
}

type apiKey struct {
	digest [sha256.Size]byte
	caller string
}

// Format prints nothing of the credentials, for every verb.
func (Callers) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, "[callers]") }

// NewCallers checks and takes the callers. It reports every problem at once,
// without a secret in it.
func NewCallers(o CallersOptions) (*Callers, error) {
	c := &Callers{master: o.Master, names: map[string]bool{}, accessKeys: map[string]AccessKey{}}
	var problems []error
	for _, k := range o.AccessKeys {
		problems = append(problems, c.addAccessKey(k))
	}
	for _, k := range o.APIKeys {
		problems = append(problems, c.addAPIKey(k))
	}
	for _, name := range o.Keyless {
		if !keyless(name) {
			problems = append(problems, fmt.Errorf("caller %q needs a key", name))
		}
		c.names[name] = true
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
	return c.addName(k.Caller)
}

func (c *Callers) addAPIKey(k APIKey) error {
	if k.Key == "" || strings.ContainsAny(k.Key, " \t\r\n") {
		return fmt.Errorf("API key of caller %q: it is empty or has a space", k.Caller)
	}
	if _, ok := c.ByAPIKey(k.Key); ok {
		return fmt.Errorf("API key of caller %q: another key is the same", k.Caller)
	}
	c.apiKeys = append(c.apiKeys, apiKey{digest: sha256.Sum256([]byte(k.Key)), caller: k.Caller})
	return c.addName(k.Caller)
}

// addName takes a caller's name: printable ASCII, because it stands in logs,
// metrics and, encoded, in access keys.
func (c *Callers) addName(name string) error {
	if keyless(name) {
		return fmt.Errorf("caller %q: the name is the gateway's own", name)
	}
	if name == "" || len(name) > maxName {
		return fmt.Errorf("caller %q: a name has 1 to %d characters", name, maxName)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("caller %q: a name has printable ASCII characters only", name)
	}
	c.names[name] = true
	return nil
}

func keyless(name string) bool { return name == LocalUser || name == OpenUser }

// Secret gives the secret access key of an access key ID, a link credential's
// too. It is the lookup of the signature check, and false for an unknown one.
func (c *Callers) Secret(accessKeyID string) (string, bool) {
	if c == nil {
		return "", false
	}
	if k, ok := c.accessKeys[accessKeyID]; ok {
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
	if k, ok := c.accessKeys[id]; ok {
		return gateway.Caller{Name: k.Caller}, true
	}
	name, ok := c.linkCaller(id)
	return gateway.Caller{Name: name, Link: ok}, ok
}

// ByAPIKey gives the caller of an API key. The time it takes tells nothing
// about the keys but their number: digests are compared, and always all.
func (c *Callers) ByAPIKey(key string) (gateway.Caller, bool) {
	var found gateway.Caller
	if c == nil {
		return found, false
	}
	digest := sha256.Sum256([]byte(key))
	for i := range c.apiKeys {
		if hmac.Equal(digest[:], c.apiKeys[i].digest[:]) {
			found.Name = c.apiKeys[i].caller
		}
	}
	return found, !found.Anonymous()
}

// HasAPIKeys reports whether anybody can use the REST door with an API key.
func (c *Callers) HasAPIKeys() bool { return c != nil && len(c.apiKeys) > 0 }

// LinkCredential gives the key pair that signs the links of a caller. Nothing
// of it is stored: the access key is the caller's name, the secret is derived
// from the master, and a caller that is no longer there has none. Both are ""
// when there is no master or no such caller.
func (c *Callers) LinkCredential(caller gateway.Caller) (accessKeyID, secret string) {
	if c == nil || c.master == "" || !c.names[caller.Name] {
		return "", ""
	}
	return linkPrefix + linkEncoding.EncodeToString([]byte(caller.Name)), c.linkSecret(caller.Name)
}

// linkEncoding has letters and digits only, so that a link can be pasted.
var linkEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// linkCaller gives the name in a link credential's access key, if that caller
// exists. Only the one spelling that we make counts: decoders skip line breaks.
func (c *Callers) linkCaller(accessKeyID string) (string, bool) {
	encoded, ok := strings.CutPrefix(accessKeyID, linkPrefix)
	if !ok || c.master == "" {
		return "", false
	}
	name, err := linkEncoding.DecodeString(encoded)
	if err != nil || linkEncoding.EncodeToString(name) != encoded || !c.names[string(name)] {
		return "", false
	}
	return string(name), true
}

func (c *Callers) linkSecret(name string) string {
	return base64.RawURLEncoding.EncodeToString(DeriveKey(c.master, "link "+name, 32))
}
