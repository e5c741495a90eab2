package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const limitsFile = `
callers:
  - name: web
    access_keys: [{id: WEBKEY, secret: web-secret-of-16-or-more}]
    api_keys: [{key: web-api-key-of-16-or-more}]
    grants: [{bucket: "*", actions: [list, read, write]}]
    limits:
      - {min_file_size: 10, denied_extensions: [php]}
      - {prefix: named/, allowed_names: ["a-*.bin"], allowed_extensions: [bin]}
      - {prefix: types/, denied_file_types: [text/html], verify_content: true}
`

var webKeys = aws.Credentials{AccessKeyID: "WEBKEY", SecretAccessKey: "web-secret-of-16-or-more"}

// signedPutBy is signedPut by another caller.
func (w *world) signedPutBy(keys aws.Credentials, key string, body []byte, headers ...string) *http.Request {
	r := newRequest(w.t, http.MethodPut, w.url+"/"+w.bucket+"/"+key, bytes.NewReader(body), headers...)
	signAs(w.t, r, hexSHA256(body), keys, time.Now())
	return r
}

// finish uploads one part and completes the upload with it.
func (w *world) finish(client *s3.Client, create *s3.CreateMultipartUploadOutput, body []byte) refusal {
	part, err := client.UploadPart(w.t.Context(), &s3.UploadPartInput{Bucket: create.Bucket, Key: create.Key, UploadId: create.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(body)})
	if err != nil {
		return sdkRefusal(err)
	}
	_, err = client.CompleteMultipartUpload(w.t.Context(), &s3.CompleteMultipartUploadInput{Bucket: create.Bucket, Key: create.Key, UploadId: create.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1)}}}})
	return sdkRefusal(err)
}

func TestLimitsOfAPrefixOnTheS3Door(t *testing.T) {
	w := newWorld(t, append(open, yamlFile(t, limitsFile))...)
	for _, tt := range []struct {
		name, key, kind string
		body            []byte
		status          int
		code            string
	}{
		{"too small", "a.bin", "", []byte("123456789"), 400, "EntityTooSmall"},
		{"empty", "a.bin", "", nil, 400, "EntityTooSmall"},
		{"denied extension", "a.php.png", "", []byte("0123456789"), 403, "AccessDenied"},
		{"name that is not allowed", "named/b.bin", "", []byte("0123456789"), 403, "AccessDenied"},
		{"extension that is not allowed", "named/a-1.txt", "", []byte("0123456789"), 403, "AccessDenied"},
		{"denied declaration", "types/a", "text/html", []byte("0123456789"), 403, "AccessDenied"},
		{"denied bytes", "types/a", "application/octet-stream", page(100), 403, "AccessDenied"},
		{"bytes of another type", "types/a", "image/png", []byte("%PDF-1.7 0123456789"), 403, "AccessDenied"},
		{"as small as is allowed", "a.bin", "", []byte("0123456789"), 200, ""},
		{"a name that is allowed", "named/a-1.bin", "", []byte("0123456789"), 200, ""},
		{"bytes of the declared type", "types/a", "image/png", png(100), 200, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := do(t, w.signedPutBy(webKeys, tt.key, tt.body, "Content-Type", tt.kind))
			if tt.code != "" {
				a.isS3Error(t, tt.status, tt.code)
				w.unchanged()
			} else if a.status != tt.status {
				t.Errorf("%d %s", a.status, a.body)
			}
			w.before = w.store.Snapshot(t, w.bucket)
		})
	}
}

// A multipart upload that is too small in sum ends with its Complete, and none
// of its parts is left.
func TestASmallestSizeIsTheSumOfTheParts(t *testing.T) {
	w := newWorld(t, append(open, yamlFile(t, limitsFile))...)
	for size, want := range map[int]refusal{9: {400, "EntityTooSmall"}, 10: {}} {
		client := w.s3(func(o *s3.Options) {
			o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return webKeys, nil })
		})
		create, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("m.bin")})
		if err != nil {
			t.Fatal(err)
		}
		if got := w.finish(client, create, bytes.Repeat([]byte("x"), size)); got != want {
			t.Errorf("%d bytes: %+v", size, got)
		}
		if want != (refusal{}) {
			w.unchanged()
		}
		w.before = w.store.Snapshot(t, w.bucket)
	}
}

func TestLimitsOfAPrefixOnTheRESTDoor(t *testing.T) {
	w := newWorld(t, append(open, yamlFile(t, limitsFile))...)
	auth := []string{"Authorization", "Bearer web-api-key-of-16-or-more"}
	for _, tt := range []struct {
		name, query string
		length      int64
		body        string
		status      int
		detail      string
	}{
		{"too small", "?filename=a.bin", 9, "123456789", 400, "File too small. Minimum size: 10 bytes"},
		{"too small without a length", "?filename=a.bin", -1, "123456789", 400, "File too small. Minimum size: 10 bytes"},
		{"empty without a length", "?filename=a.bin", -1, "", 400, "File too small. Minimum size: 10 bytes"},
		{"denied extension", "?filename=a.php", 10, "0123456789", 422, "File extension not allowed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newRequest(t, http.MethodPut, w.rest("direct"+tt.query), struct{ *bytes.Reader }{bytes.NewReader([]byte(tt.body))}, auth...)
			r.ContentLength = tt.length
			do(t, r).isProblem(t, tt.status, tt.detail)
			w.unchanged()
		})
	}
	link := newRequest(t, http.MethodPost, w.rest("presigned"), bytes.NewReader([]byte(`{"filename":"a.php","content_type":"image/png"}`)), append(auth, "Content-Type", "application/json")...)
	do(t, link).isProblem(t, 422, "File extension not allowed")
	link = newRequest(t, http.MethodPost, w.rest("presigned"), bytes.NewReader([]byte(`{"filename":"a.bin","content_type":"image/png","size":9}`)), append(auth, "Content-Type", "application/json")...)
	do(t, link).isProblem(t, 400, "File too small")
	content, kind := form(t, "a.bin", "image/png", []byte("0123456789"))
	if a := do(t, newRequest(t, http.MethodPost, w.rest("direct"), content, append(auth, "Content-Type", kind)...)); a.status != 201 {
		t.Errorf("as small as is allowed: %d %s", a.status, a.body)
	}
}

// A file is downloaded under the name that it came with, so what is denied in
// names is denied there too, where the key has lost it.
func TestWhatIsDeniedInANameIsDeniedInTheOneThatAFileIsDownloadedBy(t *testing.T) {
	w := newWorld(t, append(open, yamlFile(t, limitsFile))...)
	auth := []string{"Authorization", "Bearer web-api-key-of-16-or-more"}
	tus := append(slices.Clone(auth), "Tus-Resumable", "1.0.0", "Upload-Length", "10", "Upload-Metadata")
	w.plant("uploads/a.png", "image/png", png(100))
	for _, name := range []string{strings.Repeat("a", 118) + ".php.png", strings.Repeat("a", 130) + ".php.abcdefghijklmnopqrst", ".php", ".PHP .png"} {
		content, kind := form(t, name, "image/png", png(100))
		named := base64.StdEncoding.EncodeToString([]byte(name))
		for way, r := range map[string]*http.Request{
			"file":    newRequest(t, "PUT", w.rest("direct?filename="+url.QueryEscape(name)), bytes.NewReader(png(100)), append(auth, "Content-Type", "image/png")...),
			"form":    newRequest(t, "POST", w.rest("direct"), content, append(auth, "Content-Type", kind)...),
			"link":    newRequest(t, "POST", w.rest("presigned"), strings.NewReader(`{"filename":"`+name+`","content_type":"image/png"}`), append(auth, "Content-Type", "application/json")...),
			"tus":     newRequest(t, "POST", w.rest("resumable"), nil, append(tus, "filename "+named)...),
			"copy":    newRequest(t, "POST", w.rest("copy"), strings.NewReader(`{"file_id":"uploads/a.png","filename":"`+name+`"}`), append(auth, "Content-Type", "application/json")...),
			"renamed": newRequest(t, "PATCH", w.rest("metadata/uploads/a.png"), strings.NewReader(`{"filename":"`+name+`"}`), append(auth, "Content-Type", "application/json")...),
		} {
			got := do(t, r)
			if got.status != 422 {
				t.Errorf("%s, %s: %d %s", way, name, got.status, got.body)
				continue
			}
			got.isProblem(t, 422, "File extension not allowed")
		}
	}
	w.unchanged()
}
