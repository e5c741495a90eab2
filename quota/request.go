package quota

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// kind is what a request to a backend changes.
type kind int

const (
	changesNothing kind = iota
	putsObject
	copiesObject
	putsPart
	copiesPart
	completes
	aborts
	deletes
	deletesMany
)

// request is a request to a backend, as far as quotas go.
type request struct {
	kind        kind
	bucket, key string
	query       url.Values
	header      http.Header
	length      int64 // decoded bytes of the body
	// record says that length is what a record of the gateway counts for.
	record bool
}

// subresources are the query keys that make a PUT or DELETE one of something
// else than an object's bytes. What is not known is taken for an object's.
var subresources = []string{"acl", "tagging", "retention", "legal-hold"}

// read tells what a request changes.
func read(r *http.Request, bucket, key string) request {
	q := request{bucket: bucket, key: key, header: r.Header}
	q.query, _ = url.ParseQuery(r.URL.RawQuery)
	q.length = r.ContentLength
	if n, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64); err == nil &&
		strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-") { // a plain body has the length that it has
		q.length = n
	}
	q.kind = q.kindOf(r.Method)
	return q
}

func (q *request) kindOf(method string) kind {
	copies := q.header.Get("X-Amz-Copy-Source") != ""
	upload := q.query.Has("uploadId")
	switch {
	case q.key == "":
		if method == http.MethodPost && q.query.Has("delete") {
			return deletesMany
		}
		return changesNothing
	case q.aboutObject():
		return changesNothing
	case method == http.MethodPut && upload && copies:
		return copiesPart
	case method == http.MethodPut && upload:
		return putsPart
	case method == http.MethodPut && copies:
		return copiesObject
	case method == http.MethodPut:
		return putsObject
	case method == http.MethodPost && upload:
		return completes
	case method == http.MethodDelete && upload:
		return aborts
	case method == http.MethodDelete:
		return deletes
	}
	return changesNothing
}

func (q *request) aboutObject() bool {
	for _, name := range subresources {
		if q.query.Has(name) {
			return true
		}
	}
	return false
}

// version is the version that the request names, "" for none. "null" is the one
// that is there where versions are off.
func (q *request) version() string {
	if v := q.query.Get("versionId"); v != "null" {
		return v
	}
	return ""
}

// source is what a copy reads.
func (q *request) source() (bucket, key, version string, err error) {
	text, params, _ := strings.Cut(q.header.Get("X-Amz-Copy-Source"), "?")
	text, err = url.PathUnescape(text)
	bucket, key, ok := strings.Cut(strings.TrimPrefix(text, "/"), "/")
	if err != nil || !ok {
		return "", "", "", gateway.Errorf(gateway.InvalidArgument, "The copy source is not bucket/key.")
	}
	values, err := url.ParseQuery(params)
	return bucket, key, values.Get("versionId"), err
}

// copied is how many bytes of a source of some size a part takes.
func (q *request) copied(size int64) int64 {
	first, last, ok := strings.Cut(strings.TrimPrefix(q.header.Get("X-Amz-Copy-Source-Range"), "bytes="), "-")
	from, err1 := strconv.ParseInt(first, 10, 64)
	to, err2 := strconv.ParseInt(last, 10, 64)
	if !ok || err1 != nil || err2 != nil || from < 0 || to < from || to-from >= size {
		return size
	}
	return to - from + 1
}

// customerKey are the headers without which nothing is told of an object under a
// key of the client's.
func (q *request) customerKey() (algorithm, key, sum *string) {
	get := func(name string) *string {
		if v := q.header.Get("X-Amz-Server-Side-Encryption-Customer-" + name); v != "" {
			return &v
		}
		return nil
	}
	return get("Algorithm"), get("Key"), get("Key-Md5")
}

// named is one entry of DeleteObjects
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html).
type named struct {
	Key       string
	VersionID string `xml:"VersionId"`
}

// maxDocument bounds the document of DeleteObjects: 1,000 keys of 1,024 bytes,
// each byte of which may be a reference of six.
const maxDocument = 8 << 20

// names reads the document of DeleteObjects, and puts it back.
func names(r *http.Request) ([]named, error) {
	if r.Body == nil {
		return nil, nil
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(raw) > maxDocument {
		return nil, errors.New("a DeleteObjects without end")
	}
	_ = r.Body.Close()
	r.Body = io.NopCloser(bytes.NewReader(raw))
	var doc struct {
		Object []named
	}
	if err := xml.Unmarshal(raw, &doc); err != nil {
		return nil, err
	}
	return doc.Object, nil
}

func decimal(n int64) string { return strconv.FormatInt(n, 10) }
