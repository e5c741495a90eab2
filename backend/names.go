package backend

import (
	"encoding/base64"
	"regexp"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// Names says how a store spells what it names: versions, uploads and keys. Two
// spellings of one thing would otherwise be two things to quotas, locks and
// caches, and one to the store. The zero value is a store of which nothing is
// known. The functions are called concurrently.
type Names struct {
	// Version returns the name of the version that the store takes an id for.
	// ok is false for a spelling that the store never returns. Nil accepts what
	// no known store reads as another spelling.
	Version func(id string) (name string, ok bool)
	// Upload is the same for the ids of multipart uploads. Nil accepts all.
	Upload func(id string) (name string, ok bool)
	// Keys says which keys are one.
	Keys KeyNames
}

// KeyNames says which keys of a store name the same object.
type KeyNames int

const (
	// KeysUnknown is a store that may clean keys, or keep them apart.
	KeysUnknown KeyNames = iota
	// KeysExact is a store that keeps every key as it is, byte for byte.
	KeysExact
	// KeysCleaned is a store that drops empty and dot segments, as MinIO does.
	KeysCleaned
)

// MinIONames returns the names of MinIO. It reads version ids with
// github.com/google/uuid, which ignores letter case, dashes, braces and a
// prefix, and decodes upload ids from base64 that it does not check, to use
// what follows the first dot.
func MinIONames() Names {
	return Names{Version: uuidVersion, Upload: minioUpload, Keys: KeysCleaned}
}

// LocalNames returns the names of the store in the process. It knows one spelling
// of each.
func LocalNames() Names {
	return Names{Version: exact, Keys: KeysExact}
}

func exact(id string) (string, bool) { return id, true }

// nullVersion is the id of what was stored while versioning was off.
const nullVersion = "null"

func uuidVersion(id string) (string, bool) {
	canonical, ok := parseUUID(id)
	return id, id == nullVersion || ok && canonical == id
}

// anyVersion takes an id of a store of which nothing is known, unless it is one
// that MinIO would read as another. 32 digits are SeaweedFS's ids, and on MinIO
// another spelling of one with dashes: they are taken and have the same name.
func anyVersion(id string) (string, bool) {
	if id == "" || strings.TrimSpace(id) != id || strings.ContainsFunc(id, func(c rune) bool { return c < ' ' || c == 0x7f }) {
		return id, false
	}
	canonical, ok := parseUUID(id)
	if !ok {
		return id, true
	}
	return canonical, id == canonical || id == strings.ReplaceAll(canonical, "-", "")
}

// looseUUID are the spellings of a UUID that github.com/google/uuid accepts: it
// looks at no brace, and at no letter case.
var looseUUID = regexp.MustCompile(`^(?:(?i:urn:uuid:)|.)??([0-9A-Fa-f]{8})-?([0-9A-Fa-f]{4})-?([0-9A-Fa-f]{4})-?([0-9A-Fa-f]{4})-?([0-9A-Fa-f]{12}).?$`)

// parseUUID returns the canonical spelling of what may be read as a UUID.
func parseUUID(s string) (canonical string, ok bool) {
	digits := looseUUID.FindStringSubmatch(s)
	if digits == nil {
		return "", false
	}
	return strings.ToLower(strings.Join(digits[1:], "-")), true
}

// minioUploadID is a decoded upload id: the deployment, and the name of a folder.
var minioUploadID = regexp.MustCompile(`^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}x[0-9]{1,20})$`)

// minioUpload returns the folder of an upload. The deployment is not compared:
// MinIO does not look at it either.
func minioUpload(id string) (name string, ok bool) {
	decoded, err := base64.RawURLEncoding.Strict().DecodeString(id)
	if err != nil || base64.RawURLEncoding.EncodeToString(decoded) != id { // it skips line breaks
		return "", false
	}
	found := minioUploadID.FindStringSubmatch(string(decoded))
	if found == nil {
		return "", false
	}
	return found[1], true
}

// names returns the names of this client's store: those of its endpoint, or of
// MinIO once an answer came from it.
func (c *Client) names() Names {
	n := c.Names
	if n.Version == nil && n.Upload == nil && n.Keys == KeysUnknown {
		switch {
		case c.isMinIO.Load():
			n = MinIONames()
		case c.Transport != nil:
			n = LocalNames()
		case onAWS(c.URL):
			n.Keys = KeysExact
		}
	}
	if n.Version == nil {
		n.Version = anyVersion
	}
	if n.Upload == nil {
		n.Upload = exact
	}
	return n
}

// CheckVersion refuses an id that is not spelled as the store spells it.
func (c *Client) CheckVersion(id string) error {
	if _, ok := c.names().Version(id); !ok {
		return gateway.Errorf(gateway.InvalidArgument, "Invalid version id specified").
			With("ArgumentName", "versionId").With("ArgumentValue", id)
	}
	return nil
}

// CheckUpload is CheckVersion for the id of a multipart upload. No upload has
// another spelling of its id.
func (c *Client) CheckUpload(id string) error {
	if _, ok := c.names().Upload(id); !ok {
		return gateway.Errorf(gateway.NoSuchUpload, "")
	}
	return nil
}

// VersionName returns the one name of a version, whatever the spelling of its id.
func (c *Client) VersionName(id string) string {
	name, _ := c.names().Version(id)
	return name
}

// UploadName returns the one name of a multipart upload.
func (c *Client) UploadName(id string) string {
	name, ok := c.names().Upload(id)
	if !ok {
		return id
	}
	return name
}

// KeyName returns the one name of an object, and a name that it shares with
// every key that may be the same object at the store: the same where that is
// known.
func (c *Client) KeyName(key string) (name, alias string) {
	switch c.names().Keys {
	case KeysExact:
		return key, key
	case KeysCleaned:
		key = gateway.CleanKey(key)
		return key, key
	}
	return key, gateway.CleanKey(key)
}
