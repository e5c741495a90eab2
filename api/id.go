package api

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// maxKey is the longest key that S3 takes, in bytes of UTF-8.
const maxKey = 1024

// prefix is the folder that all ids lie in: "" or a path that ends in a slash.
type prefix string

func newPrefix(folder string) prefix {
	folder = strings.Trim(folder, "/")
	if folder == "" {
		return ""
	}
	return prefix(folder + "/")
}

// parseID decodes a file id out of a URL, once, and checks it. It is never
// cleaned: a store that maps keys to files would take "a/../b" for "b", and then
// what was authorised is not what is served.
func (p prefix) parseID(escaped string) (string, error) {
	id, err := url.PathUnescape(escaped)
	if err != nil {
		return "", badID(gateway.InvalidArgument, "file_id has a percent sign that begins no escape")
	}
	return id, p.checkID(id)
}

// checkID refuses what is no id of a file here.
func (p prefix) checkID(id string) error {
	if err := checkKey("file_id", id); err != nil {
		return err
	}
	if !strings.HasPrefix(id, string(p)) || len(id) == len(p) {
		return badID(gateway.AccessDenied, fmt.Sprintf("file_id is outside of %s", p))
	}
	return nil
}

func badID(code gateway.Code, why string) error {
	err := gateway.Errorf(code, "%s.", why)
	err.Field = "file_id"
	return err
}

// checkKey refuses what no id or listing prefix may hold. field is its name in
// the refusal.
func checkKey(field, key string) error {
	refuse := func(code gateway.Code, why string) error {
		err := gateway.Errorf(code, "%s %s.", field, why)
		err.Field = field
		return err
	}
	switch {
	case key == "":
		return refuse(gateway.InvalidArgument, "is empty")
	case len(key) > maxKey:
		return refuse(gateway.KeyTooLong, fmt.Sprintf("is longer than %d bytes", maxKey))
	case !utf8.ValidString(key):
		return refuse(gateway.InvalidArgument, "is not UTF-8")
	case strings.ContainsFunc(key, unicode.IsControl):
		return refuse(gateway.InvalidArgument, "has a control character")
	case gateway.IsFolderAlias(key):
		return refuse(gateway.InvalidArgument, "has a segment that ends in __XLDIR__, which some stores read as a folder")
	case key[0] == '/':
		return refuse(gateway.InvalidArgument, "begins with a slash: ids are relative")
	}
	for segment := range strings.SplitSeq(key, "/") {
		switch segment {
		case "":
			return refuse(gateway.InvalidArgument, "has an empty segment")
		case ".", "..":
			return refuse(gateway.InvalidArgument, fmt.Sprintf("has the segment %q", segment))
		}
	}
	return nil
}

// newID makes the id of a new file. The random part keeps two files of one name
// apart, and ids from being guessed.
func (p prefix) newID(random io.Reader, now time.Time, safeName string) (string, error) {
	id, err := uuid4(random)
	if err != nil {
		return "", err
	}
	return p.dayOf(now) + id + "-" + safeName, nil
}

// dayOf is the folder of the files of a day: what is known of a new id before
// its name is.
func (p prefix) dayOf(now time.Time) string { return string(p) + now.UTC().Format("2006/01/02/") }

// uuidLength is that of a UUID in text.
const uuidLength = 36

// uuid4 is a random UUID (RFC 9562 section 5.4). A nil random is crypto/rand.
func uuid4(random io.Reader) (string, error) {
	if random == nil {
		random = rand.Reader
	}
	var u [16]byte
	if _, err := io.ReadFull(random, u[:]); err != nil {
		return "", fmt.Errorf("random bytes for a file id: %w", err)
	}
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:]), nil
}

// safeNameOf is the readable end of an id: what stands behind the UUID, or the
// last segment of a key that another client made.
func safeNameOf(id string) string {
	base := id[strings.LastIndexByte(id, '/')+1:]
	if len(base) > uuidLength+1 && base[uuidLength] == '-' && isUUID(base[:uuidLength]) {
		return base[uuidLength+1:]
	}
	return base
}

func isUUID(s string) bool {
	for i := range len(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		hex := s[i] >= '0' && s[i] <= '9' || s[i] >= 'a' && s[i] <= 'f'
		if dash != (s[i] == '-') || !dash && !hex {
			return false
		}
	}
	return true
}

// idPath writes an id into a URL path so that the routes read it back: a last
// segment "url" would ask for a link, so its slash is escaped.
func idPath(id string) string {
	escaped := signer.EncodePath(id)
	if before, ok := strings.CutSuffix(escaped, linkSuffix); ok {
		return before + "%2Furl"
	}
	return escaped
}
