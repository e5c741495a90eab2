package main

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// What a hostile client sends is the client's fault: no 5xx, nothing stored,
// and never an answer that blames the gateway's own keys.
func TestHostileInputIsTheClientsFault(t *testing.T) {
	for _, c := range []struct {
		name    string
		request func(*world) *http.Request
		status  int
		code    string
	}{
		{"a key that is not UTF-8", func(w *world) *http.Request { return w.rawPut("%ff%fe.png") }, 400, "InvalidArgument"},
		{"a NUL in a key", func(w *world) *http.Request { return w.rawPut("a%00b") }, 400, "InvalidArgument"},
		{"a checksum that nobody compares", func(w *world) *http.Request {
			return w.signedPut("a.txt", []byte("x"), "X-Amz-Checksum-Foo", "AAAAAA==")
		}, 501, "NotImplemented"},
		{"two checksums", func(w *world) *http.Request {
			return w.signedPut("a.txt", []byte("hello"), "X-Amz-Checksum-Crc32", "NhCmhg==", "X-Amz-Checksum-Sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00=")
		}, 400, "InvalidRequest"},
		{"a checksum that is none", func(w *world) *http.Request {
			return w.signedPut("a.txt", []byte("hello"), "X-Amz-Checksum-Crc32", "AAAA")
		}, 400, "InvalidRequest"},
		{"an announced checksum that does not come", func(w *world) *http.Request {
			return w.signedPut("a.txt", []byte("hello"), "X-Amz-Sdk-Checksum-Algorithm", "CRC32")
		}, 400, "InvalidRequest"},
		{"another checksum than was announced", func(w *world) *http.Request {
			return w.signedPut("a.txt", []byte("hello"), "X-Amz-Sdk-Checksum-Algorithm", "SHA256", "X-Amz-Checksum-Crc32", "NhCmhg==")
		}, 400, "InvalidRequest"},
		{"a NUL in an override", func(w *world) *http.Request { return w.signedGet("?response-content-type=a%00b") }, 400, "InvalidArgument"},
		{"a line break in an override", func(w *world) *http.Request {
			return w.signedGet("?response-content-disposition=a%0D%0AX-Evil%3A%201")
		}, 400, "InvalidArgument"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, open...)
			got := do(t, c.request(w))
			got.isS3Error(t, c.status, c.code)
			if got.header.Get("X-Evil") != "" {
				t.Error("a header was written by a parameter")
			}
			w.unchanged()
		})
	}
}

// rawPut is a signed PUT of a path as it stands.
func (w *world) rawPut(path string) *http.Request {
	r := newRequest(w.t, "PUT", w.url+"/"+w.bucket+"/"+path, strings.NewReader("x"))
	sign(w.t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
	return r
}

func (w *world) signedGet(query string) *http.Request {
	r := newRequest(w.t, "GET", w.url+"/"+w.bucket+"/a.txt"+query, nil)
	sign(w.t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
	return r
}

// MinIO's router overlooks a parameter whose value has a line break: what was
// judged as one operation would be another there.
func TestALineBreakInAParameterMakesNoOtherOperation(t *testing.T) {
	w := newWorld(t, open...)
	if got := do(t, w.signedPut("a.txt", []byte("kept"))); got.status != 200 {
		t.Fatalf("put: %d %s", got.status, got.body)
	}
	w.before = w.store.Snapshot(t, w.bucket)
	for _, c := range []struct{ method, target, body string }{
		{"PUT", "a.txt?partNumber=2&uploadId=%0A", "a whole object"},
		{"PUT", "new.txt?partNumber=2&uploadId=u%0D%0A", "a whole object"},
		{"DELETE", "a.txt?uploadId=%0A", ""},
		{"DELETE", "a.txt?tagging=%0A", ""},
		{"GET", "a.txt?uploadId=%0A", ""},
		{"DELETE", "?policy=%0A", ""},
		{"DELETE", "?tagging=%0A", ""},
		{"GET", "?location=%0A", ""},
	} {
		t.Run(c.method+" "+c.target, func(t *testing.T) {
			r := newRequest(t, c.method, w.url+"/"+w.bucket+"/"+c.target, strings.NewReader(c.body))
			sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
			do(t, r).isS3Error(t, 400, "InvalidArgument")
			w.unchanged()
		})
	}
}

// A caller that may read and write in every bucket does not reach the store's own
// administration, which MinIO serves beside them, with the gateway's signature.
func TestTheAdministrationOfTheStoreIsOutOfReach(t *testing.T) {
	w := newWorld(t, append(open, "S3_EXPOSE_BUCKETS=*")...)
	for _, path := range []string{"/minio/admin/v3/info", "/minio/admin/v3/list-users", "/minio/admin/v3/export-iam", "/minio/health/live", "/minio/x", "/%6dinio/admin/v3/info"} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			r := newRequest(t, method, w.url+path, strings.NewReader(""))
			sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
			do(t, r).isS3Error(t, 403, "AccessDenied")
		}
	}
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, "backend call") && strings.Contains(line, "/minio") {
			t.Error(line)
		}
	}
}

// MinIO makes a path of what stands behind the dot of a decoded upload ID. None of
// the paths that a client can make up leads to another key.
func TestAnUploadIDLeadsToNoOtherKey(t *testing.T) {
	w := newWorld(t, open...)
	if got := do(t, w.signedPut("theirs.txt", []byte(strings.Repeat("kept", 1<<16)))); got.status != 200 {
		t.Fatalf("put: %d %s", got.status, got.body)
	}
	request := func(method, target, body string) answer {
		r := newRequest(t, method, w.url+"/"+w.bucket+target, strings.NewReader(body))
		sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
		return do(t, r)
	}
	if got := request("POST", "/other.txt?uploads", ""); got.status != 200 {
		t.Fatalf("create an upload: %d %s", got.status, got.body)
	}
	w.before = w.store.Snapshot(t, w.bucket)
	encoded := func(path string) string { return base64.RawURLEncoding.EncodeToString([]byte("x." + path)) }
	sum := sha256.Sum256([]byte(w.bucket + "/other.txt"))
	for name, id := range map[string]string{
		"an object":                 encoded("../../../" + w.bucket + "/theirs.txt"),
		"the uploads of a key":      encoded(fmt.Sprintf("../%x", sum)),
		"the folder of the key":     encoded("./"),
		"the same with backslashes": encoded(`..\..\..\` + w.bucket + `\theirs.txt`),
		"a path as it stands":       "..%2F..%2F..%2Ftheirs.txt",
	} {
		t.Run(name, func(t *testing.T) {
			request("GET", "/a.txt?uploadId="+id, "").isS3Error(t, 404, "NoSuchUpload")
			request("PUT", "/a.txt?partNumber=1&uploadId="+id, strings.Repeat("evil", 1<<16)).isS3Error(t, 404, "NoSuchUpload")
			request("POST", "/a.txt?uploadId="+id, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>e</ETag></Part></CompleteMultipartUpload>").isS3Error(t, 404, "NoSuchUpload")
			request("DELETE", "/a.txt?uploadId="+id, "").isS3Error(t, 404, "NoSuchUpload")
			if now := w.store.Snapshot(t, w.bucket); !maps.Equal(now, w.before) {
				t.Errorf("the bucket has changed: %v", now)
			}
			if left := w.store.Uploads(t, w.bucket); len(left) != 1 {
				t.Errorf("of the other key's upload is left: %v", left)
			}
		})
	}
}

// MinIO writes the rest of a listing where the note in its marker says, and such a
// note can be made up.
func TestAMarkerLeadsToNoOtherBucket(t *testing.T) {
	w := newWorld(t, open...)
	for _, key := range []string{"a", "b", "c"} {
		if got := do(t, w.signedPut(key, []byte("kept"))); got.status != 200 {
			t.Fatalf("put: %d %s", got.status, got.body)
		}
	}
	w.before = w.store.Snapshot(t, w.bucket)
	note := "a[minio_cache:v2,return:,id:../../../../" + w.bucket + "/z,p:0,s:0]"
	for _, query := range []string{
		"list-type=2&max-keys=1&continuation-token=" + url.QueryEscape(base64.StdEncoding.EncodeToString([]byte(note))),
		"list-type=2&max-keys=1&start-after=" + url.QueryEscape(note),
		"max-keys=1&marker=" + url.QueryEscape(note),
		"versions&max-keys=1&key-marker=" + url.QueryEscape(note),
	} {
		r := newRequest(t, "GET", w.url+"/"+w.bucket+"?"+query, nil)
		sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
		do(t, r).isS3Error(t, 400, "InvalidArgument")
		w.unchanged()
	}
}
