package wire

import (
	"encoding/base64"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/signer"
)

// maxMetadata bounds the names and values of an object's user metadata, in bytes
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
const maxMetadata = 2 << 10

const (
	metaPrefix         = "X-Amz-Meta-"
	defaultContentType = "binary/octet-stream"
)

// plainHeaders are the headers that an object keeps.
var plainHeaders = []struct {
	name, override string // of the query of a read
	field          func(*localstore.Meta) *string
}{
	{"Content-Type", "response-content-type", func(m *localstore.Meta) *string { return &m.ContentType }},
	{"Content-Encoding", "response-content-encoding", func(m *localstore.Meta) *string { return &m.ContentEncoding }},
	{"Content-Language", "response-content-language", func(m *localstore.Meta) *string { return &m.ContentLanguage }},
	{"Content-Disposition", "response-content-disposition", func(m *localstore.Meta) *string { return &m.ContentDisposition }},
	{"Cache-Control", "response-cache-control", func(m *localstore.Meta) *string { return &m.CacheControl }},
	{"Expires", "response-expires", func(m *localstore.Meta) *string { return &m.Expires }},
}

// storageClasses are those that S3 knows. All are kept and shown; the bytes of
// each are on the same disk.
var storageClasses = []string{
	"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA", "ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER", "DEEP_ARCHIVE",
	"OUTPOSTS", "GLACIER_IR", "SNOW", "EXPRESS_ONEZONE", "FSX_OPENZFS", "FSX_ONTAP",
}

// readMeta returns what the request's headers say of a new object, after refusing
// those headers that would change who may read it or how it is kept.
func (x *exchange) readMeta() (localstore.Meta, error) {
	m := localstore.Meta{WebsiteRedirect: x.header.Get("X-Amz-Website-Redirect-Location"), StorageClass: x.header.Get("X-Amz-Storage-Class")}
	if err := checkACL(x.header); err != nil {
		return m, err
	}
	for _, h := range plainHeaders {
		*h.field(&m) = strings.Join(x.header[h.name], ",")
	}
	m.ContentEncoding = signer.ContentEncoding(x.header["Content-Encoding"]) // without aws-chunked
	if m.StorageClass != "" && !slices.Contains(storageClasses, m.StorageClass) {
		return m, refuse("InvalidStorageClass", "The storage class you specified is not valid").with("StorageClassRequested", m.StorageClass)
	}
	if to := m.WebsiteRedirect; to != "" && !strings.HasPrefix(to, "/") && !strings.HasPrefix(to, "http://") && !strings.HasPrefix(to, "https://") {
		return m, refuse("InvalidRedirectLocation", "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.")
	}
	var err error
	m.User, err = readUserMeta(x.header)
	return m, err
}

// readUserMeta returns the user metadata of a request, sorted by name.
func readUserMeta(h http.Header) ([]localstore.Pair, error) {
	var user []localstore.Pair
	size := 0
	for name, values := range h {
		if len(name) <= len(metaPrefix) || !strings.EqualFold(name[:len(metaPrefix)], metaPrefix) {
			continue
		}
		p := localstore.Pair{Name: strings.ToLower(name[len(metaPrefix):]), Value: decodeMeta(strings.Join(values, ","))}
		size += len(p.Name) + len(p.Value)
		user = append(user, p)
	}
	if size > maxMetadata {
		return nil, refuse("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size").
			with("Size", strconv.Itoa(size)).with("MaxSizeAllowed", strconv.Itoa(maxMetadata))
	}
	slices.SortFunc(user, func(a, b localstore.Pair) int { return strings.Compare(a.Name, b.Name) })
	return user, nil
}

// decodeMeta returns the value of user metadata as UTF-8. Encoded words of RFC
// 2047 are decoded, bytes that are not UTF-8 are Latin-1. A word that cannot be
// decoded stays as it was sent.
func decodeMeta(value string) string {
	value = strings.Trim(value, " \t")
	if !utf8.ValidString(value) {
		latin := make([]rune, len(value))
		for i := range len(value) {
			latin[i] = rune(value[i])
		}
		value = string(latin)
	}
	if !strings.Contains(value, "=?") {
		return value
	}
	if decoded, err := new(mime.WordDecoder).DecodeHeader(value); err == nil && utf8.ValidString(decoded) {
		return decoded
	}
	return value
}

// encodeMeta returns a value as S3 answers it: as one encoded word of RFC 2047
// where it does not fit a header, or would be decoded by a client.
func encodeMeta(value string) string {
	beyondHeader := func(r rune) bool { return r > '~' || r < ' ' && r != '\t' }
	if !strings.ContainsFunc(value, beyondHeader) && !strings.Contains(value, "=?") && strings.TrimSpace(value) == value {
		return value
	}
	return "=?UTF-8?B?" + base64.StdEncoding.EncodeToString([]byte(value)) + "?="
}

// writeMeta sets the headers that an object keeps, with a read's overrides of
// them.
func (x *exchange) writeMeta(h http.Header, v *localstore.Version) {
	m := v.Meta
	for _, p := range plainHeaders {
		value := *p.field(&m)
		if override := x.get(p.override); override != "" {
			value = override
		}
		if value != "" {
			h[p.name] = []string{value}
		}
	}
	if h["Content-Type"] == nil {
		h["Content-Type"] = []string{defaultContentType}
	}
	for _, p := range m.User {
		h.Set(metaPrefix+p.Name, encodeMeta(p.Value))
	}
	setUnlessEmpty(h, "X-Amz-Website-Redirect-Location", m.WebsiteRedirect)
	if m.StorageClass != "STANDARD" {
		setUnlessEmpty(h, "X-Amz-Storage-Class", m.StorageClass)
	}
	if len(v.Tags) > 0 {
		h["X-Amz-Tagging-Count"] = []string{strconv.Itoa(len(v.Tags))}
	}
	writeLock(h, v.Lock)
}

// setChecksum sets the headers of a checksum.
func setChecksum(h http.Header, c localstore.Checksum) {
	if known, ok := findChecksum(c.Algorithm); ok && c.Value != "" {
		h[known.header] = []string{c.Value}
		setUnlessEmpty(h, "X-Amz-Checksum-Type", c.Type)
	}
}

// setVersion names the version of an answer, in buckets that keep versions.
func setVersion(h http.Header, v localstore.Version) {
	if v.Versioned {
		h["X-Amz-Version-Id"] = []string{v.ID}
	}
}

func setUnlessEmpty(h http.Header, name, value string) {
	if value != "" {
		h[name] = []string{value}
	}
}

// setNewVersion names the version that a write made. S3 does not name the null
// version there.
func setNewVersion(h http.Header, v localstore.Version) {
	if v.ID != localstore.NullVersion {
		setVersion(h, v)
	}
}

// about returns an answer without a body that names a version.
func about(status int, v localstore.Version) *answer {
	a := empty(status)
	setVersion(a.header, v)
	return a
}

// written returns the answer to a write that made version v.
func written(v localstore.Version) *answer {
	a := empty(http.StatusOK)
	setNewVersion(a.header, v)
	a.header["Etag"] = []string{quoted(v.ETag)}
	setChecksum(a.header, v.Checksum)
	return a
}
