package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/testbed"
)

// A key with a percent sign is no other key: it is listed as it is, and does not
// take the place of a marker.
func TestAKeyThatDecodesToAReservedOneIsListed(t *testing.T) {
	w := newWorld(t, open...)
	for _, key := range []string{"%252es3gateway/.s3gateway", "-after", "+after", "0"} {
		if a := do(t, w.signedPut(strings.ReplaceAll(key, "+", "%2B"), []byte("x"))); a.status != 200 {
			t.Fatal(key, a.status, string(a.body))
		}
	}
	for _, query := range []string{"", "?list-type=2", "?versions", "?list-type=2&encoding-type=url", "?encoding-type=url"} {
		a := w.signed("GET", query)
		if n := strings.Count(string(a.body), "<Key>"); n != 4 {
			t.Errorf("%s: %d of 4 keys: %s", query, n, a.body)
		}
	}
	seen, marker := []string{}, ""
	for range 10 {
		out, err := w.s3().ListObjects(t.Context(), &s3.ListObjectsInput{Bucket: &w.bucket, MaxKeys: aws.Int32(1), Marker: &marker})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.Contents {
			seen = append(seen, *o.Key)
		}
		if !aws.ToBool(out.IsTruncated) {
			break
		}
		if marker = aws.ToString(out.NextMarker); marker == "" {
			marker = seen[len(seen)-1]
		}
	}
	if len(seen) != 4 {
		t.Errorf("page by page: %q", seen)
	}
}

// Whoever may write below one prefix leads no listing of others back to where it was.
func TestAWriterOfAPrefixMakesNoListingEndless(t *testing.T) {
	w := newFiled(t, `
callers:
  - name: reader
    access_keys: [{id: READER, secret: the-secret-of-reader}]
    grants: [{bucket: BUCKET, actions: [list, read]}]
  - name: writer
    access_keys: [{id: WRITER, secret: the-secret-of-writer}]
    grants: [{bucket: BUCKET, prefix: user/u1/, actions: [write]}]
`)
	for _, key := range []string{"a", "b", "user/u2/x", "zz"} {
		if a := do(t, w.signedPut(key, []byte("x"))); a.status != 200 {
			t.Fatal(key, a.status, string(a.body))
		}
	}
	if a := w.as("writer", "PUT", "/user/u1/%252f..%252f..%252f..%252f.s3gateway/", "x"); a.status != 200 {
		t.Fatal(a.status, string(a.body))
	}
	for _, list := range []string{"", "versions"} {
		seen, marker, ended := []string{}, "", false
		for range 20 {
			name := map[string]string{"": "marker", "versions": "key-marker"}[list]
			a := w.as("reader", "GET", "?"+list+"&max-keys=1&"+name+"="+strings.ReplaceAll(strings.ReplaceAll(marker, "%", "%25"), "+", "%2B"), "")
			body := string(a.body)
			_, rest, _ := strings.Cut(body, "<Key>")
			key, _, _ := strings.Cut(rest, "</Key>")
			_, rest, _ = strings.Cut(body, map[string]string{"": "<NextMarker>", "versions": "<NextKeyMarker>"}[list])
			next, _, _ := strings.Cut(rest, "</Next")
			seen = append(seen, key)
			if !strings.Contains(body, "<IsTruncated>true") {
				ended = true
				break
			}
			if marker = next; marker == "" {
				marker = key
			}
		}
		if seen = slices.DeleteFunc(seen, func(key string) bool { return key == "" }); !ended || len(seen) != 5 {
			t.Errorf("list %q: ended %v: %q", list, ended, seen)
		}
	}
}

// guardBefore does something before each request to the backend.
type guardBefore struct {
	backend.Guard
	before func(r *http.Request, key string)
}

// RoundTrip passes the request on.
func (g guardBefore) RoundTrip(r *http.Request, bucket, key string, next http.RoundTripper) (*http.Response, error) {
	g.before(r, key)
	return g.Guard.RoundTrip(r, bucket, key, next)
}

// A file that is refused when it is read is deleted, and not the one that took its
// place meanwhile.
func TestARefusedFileTakesNoNewerOneWithIt(t *testing.T) {
	for _, versioning := range []types.BucketVersioningStatus{"", types.BucketVersioningStatusEnabled, types.BucketVersioningStatusSuspended} {
		t.Run(string(versioning), func(t *testing.T) {
			w := newWorld(t, viaBackend...)
			if versioning != "" {
				setVersioning(t, w.store, w.bucket, versioning)
			}
			l := w.presign(`{"filename":"a.png","content_type":"image/png"}`)
			w.arrive(l, []byte("this is no picture at all"))
			var once bool
			stored := make(chan answer, 1)
			good := w.signedPut(l.ID, png(1000), "Content-Type", "image/png")
			w.app.client.Guard = guardBefore{w.app.client.Guard, func(r *http.Request, key string) {
				if r.Method == "DELETE" && key == l.ID && !once {
					once = true
					go func() { stored <- do(t, good) }()
					select { // where the deletion holds the key, the good one comes after it
					case a := <-stored:
						stored <- a
					case <-time.After(time.Second):
					}
				}
			}}
			a := w.signed("GET", l.ID)
			if g := <-stored; g.status != 200 {
				t.Errorf("the good one: %d %s", g.status, g.body)
			}
			b := w.signed("GET", l.ID)
			if !once || b.status != 200 || len(b.body) != 1000 {
				t.Errorf("%v: %d; an acknowledged good file is gone: %d %s", once, a.status, b.status, b.body)
			}
		})
	}
}

// The end of a finished resumable upload ends no upload of others to its file's key.
func TestTheEndOfAResumableUploadEndsNoOther(t *testing.T) {
	w := newWorld(t, open...)
	r := newRequest(t, "POST", w.url+rest+"/resumable", strings.NewReader("hello"), "Tus-Resumable", "1.0.0", "Upload-Length", "5",
		"Upload-Metadata", "filename YS50eHQ=", "Content-Type", "application/offset+octet-stream")
	made := do(t, r)
	id := strings.ReplaceAll(made.header.Get("X-File-Id"), "%2F", "/")
	at := made.header.Get("Location")
	if made.status != 201 || id == "" {
		t.Fatal(made.status, string(made.body), made.header)
	}
	mine, err := w.s3().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: &id})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(at, "http") {
		at = w.url + at
	}
	end := do(t, newRequest(t, "DELETE", at, nil, "Tus-Resumable", "1.0.0"))
	_, err = w.s3().UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &w.bucket, Key: &id, UploadId: mine.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("x")})
	if err != nil {
		t.Errorf("terminate %d: a multipart upload of an S3 client to the finished file's key: %v", end.status, err)
	}
}

// A key that is a token of a listing when it is read so is a key all the same.
func TestAKeyThatReadsLikeATokenEndsNoListing(t *testing.T) {
	store := testbed.Open(t)
	target := store.Bucket(t)
	w := newWorldOn(t, store, target, append(open, yamlFile(t, "buckets:\n  - {name: pictures, bucket: "+target+"}\n"))...)
	w.bucket = "pictures"
	for _, key := range []string{"A", "LnMzZ2F0ZXdheS94", "Z"} {
		if a := do(t, w.signedPut(key, []byte("x"))); a.status != 200 {
			t.Fatal(key, a.status, string(a.body))
		}
	}
	seen, marker := []string{}, ""
	for range 8 {
		out, err := w.s3().ListObjects(t.Context(), &s3.ListObjectsInput{Bucket: &w.bucket, MaxKeys: aws.Int32(1), Marker: &marker, Delimiter: aws.String("/")})
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range out.Contents {
			seen = append(seen, *o.Key)
		}
		if !aws.ToBool(out.IsTruncated) {
			break
		}
		marker = aws.ToString(out.NextMarker)
	}
	w.bucket = target
	if len(seen) != 3 {
		t.Errorf("%s: %q", store.Name, seen)
	}
}

// A batch of long keys that have to be escaped is no longer for the store than it was.
func TestABatchOfLongKeysWithQuotesIsDeleted(t *testing.T) {
	w := newWorld(t, open...)
	var doc strings.Builder
	doc.WriteString("<Delete><Quiet>true</Quiet>")
	for i := range 1000 {
		doc.WriteString("<Object><Key>" + strings.Repeat(strings.Repeat(`"`, 180)+"/", 5) + strconv.Itoa(i) + "</Key></Object>")
	}
	doc.WriteString("</Delete>")
	if a := w.document("POST", "?delete", []byte(doc.String())); a.status != http.StatusOK || strings.Contains(string(a.body), "<Error>") {
		t.Errorf("%d %.300s", a.status, a.body)
	}
}
