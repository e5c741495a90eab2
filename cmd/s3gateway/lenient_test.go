package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// Odd but harmless things that clients and those between send are passed over: a
// version number on a link, a CDN's header, a header that a client echoes, and a
// plus that stands for a space.
func TestOddButHarmlessRequestsAreServed(t *testing.T) {
	w := newFiled(t, "buckets: [{name: BUCKET, public: read}]\n")
	for _, key := range []string{"k", "a%20b/c"} {
		if a := do(t, w.signedPut(key, []byte("hello"))); a.status != http.StatusOK {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	want := func(name string, a answer, body string) {
		t.Helper()
		if a.status != http.StatusOK || !strings.Contains(string(a.body), body) {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	anonymous := func(path string, headers ...string) answer {
		return do(t, newRequest(t, "GET", w.url+"/"+w.bucket+path, nil, headers...))
	}
	want("a version number", anonymous("/k?v=3"), "hello")
	want("CloudFront", anonymous("/k", "X-Amz-Cf-Id", "a"), "hello")
	want("Libcloud", w.signed("GET", "k?Version=2006-03-01"), "hello")
	want("the Java SDK", w.signed("GET", "k", "X-Amz-Te", "append-md5"), "hello")
	_, err := w.s3().CopyObject(t.Context(), &s3.CopyObjectInput{Bucket: &w.bucket, Key: aws.String("copy"), CopySource: aws.String(w.bucket + "/k")}, echoing("X-Amz-Bucket-Region", "us-east-1"))
	if err != nil {
		t.Errorf("an echoed header: %v", err)
	}
	want("the copy", w.signed("GET", "copy"), "hello")

	// The list is signed over %20, and sent with a plus.
	r := newRequest(t, "GET", w.url+"/"+w.bucket+"?list-type=2&prefix=a%20b", nil)
	sign(t, r, hexSHA256(nil), testSecret, time.Now())
	r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "%20", "+")
	want("a plus for a space", do(t, r), "<Key>a b/c</Key>")
}

// echoing adds a header to a request before it is signed.
func echoing(name, value string) func(*s3.Options) {
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, smithyhttp.AddHeaderValue(name, value))
	}
}

// Forms as uploaders send them: metadata of FilePond under the file's own name, and
// a name with a quote as browsers write it.
func TestFormsOfUploaders(t *testing.T) {
	w := newWorld(t, open...)
	send := func(parts ...string) answer {
		body := ""
		for _, p := range parts {
			body += "--x\r\nContent-Disposition: form-data; " + p + "\r\n"
		}
		return do(t, newRequest(t, "POST", w.rest("direct"), strings.NewReader(body+"--x--\r\n"), "Content-Type", "multipart/form-data; boundary=x"))
	}
	const file = "name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nhello"
	send("name=\"file\"\r\n\r\n{}").isProblem(t, http.StatusBadRequest, "has no filename, so it is a field")
	for field, uploader := range map[string]string{"dzchunkindex": "Dropzone", "resumableChunkNumber": "resumable.js", "flowChunkNumber": "flow.js", "qqpartindex": "Fine Uploader", "chunk": "plupload"} {
		send("name=\""+field+"\"\r\n\r\n0", file).isProblem(t, http.StatusUnprocessableEntity, uploader)
		send(file, "name=\""+field+"\"\r\n\r\n0").isProblem(t, http.StatusUnprocessableEntity, "/api/v1/upload/resumable")
	}
	send(file, file).isProblem(t, http.StatusBadRequest, "second part named file")
	w.unchanged()
	if a := send("name=\"file\"\r\n\r\n{}", file, "name=\"file\"\r\n\r\n{}"); a.status != http.StatusCreated || a.json(t)["filename"] != "a.txt" {
		t.Errorf("%d %s", a.status, a.body)
	}
	a := send("name=\"file\"; filename=\"say %22hi%22 100%.txt\"\r\nContent-Type: text/plain\r\n\r\nhello")
	if a.status != http.StatusCreated || a.json(t)["filename"] != `say "hi" 100%.txt` {
		t.Errorf("%d %s", a.status, a.body)
	}
	send("name=\"file\"; filename=\"a%0D%0Ab.txt\"\r\n\r\nhello").isProblem(t, http.StatusUnprocessableEntity, "filename")
}

// A type under another of its names is shown as under the first.
func TestATypeIsShownUnderEachOfItsNames(t *testing.T) {
	w := newWorld(t, open...)
	for declared, want := range map[string]string{"image/jpg": "inline", "image/x-png": "inline", "image/svg+xml": "attachment", "text/html": "attachment"} {
		a := do(t, newRequest(t, "PUT", w.rest("direct?filename=a"), strings.NewReader("hello"), "Content-Type", declared))
		if a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		got := do(t, newRequest(t, "GET", w.rest("download/"+a.json(t)["file_id"].(string)+"?disposition=inline"), nil))
		if d := got.header.Get("Content-Disposition"); !strings.HasPrefix(d, want) {
			t.Errorf("%s: %s", declared, d)
		}
	}
}
