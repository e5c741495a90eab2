package api

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// ObjectStore is what the door needs of the store behind it. All keys are whole
// object keys. Errors are *gateway.Error, or the body's own. Store is the real
// one.
type ObjectStore interface {
	// Put stores body under key. The object appears only after body gave
	// io.EOF; on any other error of body, and when ctx ends before, there is
	// neither an object nor an unfinished upload.
	Put(ctx context.Context, key string, body io.Reader, o PutOptions) (Object, error)
	// Head gives what is known of an object. hit says that the answer came out
	// of the cache.
	Head(ctx context.Context, key string) (o Object, hit bool, err error)
	// Get gives the backend's answer to a GET or HEAD, whatever its status, of
	// an object that is checked first where it is Unverified. The caller closes
	// its body.
	Get(ctx context.Context, method, key string, header http.Header) (*http.Response, error)
	// Check judges an object that is Unverified, and does nothing for any other.
	// A refusal is the policy's; Head then tells a new state.
	Check(ctx context.Context, key string) error
	// Unverified gives those of the keys, of a listing, that are Unverified.
	Unverified(ctx context.Context, keys []string) (map[string]bool, error)
	// Delete removes an object; one that does not exist is no error. With an etag,
	// without quotes, another object under the key is PreconditionFailed.
	Delete(ctx context.Context, key, etag string) error
	// DeleteAll removes up to 1,000 objects and gives what failed, by key.
	DeleteAll(ctx context.Context, keys []string) (failed map[string]error, err error)
	// Copy makes an object, or from itself, out of from, with another original
	// name. It is refused when from has another ETag by now.
	Copy(ctx context.Context, from Object, key, filename string) error
	// SetTags replaces the tags of an object. etag is as for Delete.
	SetTags(ctx context.Context, key, etag string, tags map[string]string) error
	// List gives at most limit objects whose keys begin with prefix and sort
	// behind after.
	List(ctx context.Context, prefix, after string, limit int) (Page, error)
	// URL is the object's plain URL at the backend.
	URL(key string) *url.URL
}

// PutOptions go along with an upload.
type PutOptions struct {
	ContentType string
	// Filename is the original name, kept with the object.
	Filename string
	// AtMost is an upper bound of the body's length in bytes, so that a small
	// file takes a small buffer; -1 when none is known.
	AtMost int64
	// Exact says that AtMost is the body's length, so that nothing of it needs
	// to be kept.
	Exact bool
	// New refuses to replace an object (If-None-Match: *). Only a single
	// PutObject goes by it.
	New bool
	// Budget is where the buffers come from; nil is no bound.
	Budget *Budget
	// Now is the time of the upload, where the backend does not tell its own.
	Now time.Time
}

// Object is one stored file.
type Object struct {
	Key, ContentType string
	ContentEncoding  string // "" for none
	Size             int64
	Modified         time.Time
	ETag             string // without quotes
	SHA256           string // hex, "" when not known
	VersionID        string // "" on a bucket without versions
	Filename         string // original name, "" when not known
	Metadata         map[string]string
	Tags             map[string]string
	// Unverified is true for an object that came past the gateway and must not
	// be served before Check passed.
	Unverified bool
}

// Page is a piece of a listing. More says that there are further objects.
type Page struct {
	Objects []Object
	More    bool
}

// The user metadata that the gateway keeps for itself.
const (
	metaPrefix    = "X-Amz-Meta-"
	reservedMeta  = "s3gateway-"
	filenameMeta  = metaPrefix + "S3gateway-Filename"
	sha256Tag     = "sha256"
	checksumSHA   = "X-Amz-Checksum-Sha256"
	checksumCRC64 = "X-Amz-Checksum-Crc64nvme"
)

// objectFrom reads the headers of a HEAD or GET answer.
func objectFrom(key string, h http.Header) Object {
	o := Object{
		Key:             key,
		ContentType:     h.Get("Content-Type"),
		ContentEncoding: h.Get("Content-Encoding"),
		ETag:            bareETag(h.Get("Etag")),
		SHA256:          wholeSHA256(h),
		VersionID:       versionID(h),
		Filename:        originalName(h),
		Metadata:        map[string]string{},
		Tags:            map[string]string{},
	}
	o.Size, _ = strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	o.Modified, _ = http.ParseTime(h.Get("Last-Modified"))
	for name, values := range h {
		if name, ok := strings.CutPrefix(name, metaPrefix); ok {
			if name = strings.ToLower(name); !strings.HasPrefix(name, reservedMeta) {
				o.Metadata[name] = strings.Join(values, ",")
			}
		}
	}
	return o
}

func bareETag(etag string) string { return strings.Trim(strings.TrimPrefix(etag, "W/"), `"`) }

// versionID leaves out "null", the version of an unversioned object.
func versionID(h http.Header) string {
	if v := h.Get("X-Amz-Version-Id"); v != "null" {
		return v
	}
	return ""
}

func originalName(h http.Header) string {
	name, err := url.PathUnescape(h.Get(filenameMeta))
	if err != nil {
		return ""
	}
	return name
}

// wholeSHA256 is the checksum of the whole object in hex. A composite one, of a
// multipart upload, is a checksum of checksums and carries a part count.
func wholeSHA256(h http.Header) string {
	sum, err := base64.StdEncoding.DecodeString(h.Get(checksumSHA))
	if err != nil || len(sum) != 32 || h.Get("X-Amz-Checksum-Type") == "COMPOSITE" {
		return ""
	}
	return hex.EncodeToString(sum)
}
