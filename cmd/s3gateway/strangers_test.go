package main

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// resume sends a request of tus.
func (w *world) resume(method, target string, body []byte, headers ...string) answer {
	w.t.Helper()
	r := newRequest(w.t, method, target, bytes.NewReader(body), append([]string{"Tus-Resumable", "1.0.0"}, headers...)...)
	if body != nil {
		r.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	return do(w.t, r)
}

// A page that ends among the gateway's own keys neither names them nor loses
// what is behind them.
func TestNoPageOfAListingNamesTheUploadsOfOthers(t *testing.T) {
	w := newWorld(t, open...)
	ids := []string{}
	for range 3 {
		at := w.resume("POST", w.rest("resumable"), nil, "Upload-Length", "30").header.Get("Location")
		ids = append(ids, at[strings.LastIndex(at, "/")+1:])
	}
	want := []string{"!first", "a b/c", "last"}
	for _, key := range want {
		if _, err := w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String(key), Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
	type page struct {
		IsTruncated                                                                bool
		NextMarker, NextContinuationToken, NextKeyMarker, NextVersionIdMarker, Key string
		Contents, Version                                                          []struct{ Key string }
		CommonPrefixes                                                             []struct{ Prefix string }
	}
	for name, c := range map[string]struct{ query, next string }{
		"ListObjects with a delimiter":   {"?max-keys=1&delimiter=us%2F", "marker"},
		"ListObjects in URL encoding":    {"?max-keys=1&delimiter=us%2F&encoding-type=url", "marker"},
		"ListObjectsV2":                  {"?list-type=2&max-keys=1", "continuation-token"},
		"ListObjectsV2 with a delimiter": {"?list-type=2&max-keys=1&delimiter=us%2F", "continuation-token"},
		"ListObjectVersions":             {"?versions&max-keys=2", "key-marker"},
	} {
		t.Run(name, func(t *testing.T) {
			var found []string
			for query, pages := c.query, 0; query != ""; pages++ {
				got := w.signed("GET", query)
				var p page
				if err := xml.Unmarshal(got.body, &p); err != nil || got.status != 200 || pages > 5 {
					t.Fatalf("page %d: %d %v %s", pages, got.status, err, got.body)
				}
				for _, id := range ids {
					if plain := decodedTokens(p.NextContinuationToken); strings.Contains(string(got.body)+plain, id) {
						t.Errorf("it names an upload: %s", got.body)
					}
				}
				for _, o := range append(p.Contents, p.Version...) {
					key, _ := url.QueryUnescape(o.Key)
					found = append(found, key)
				}
				next := p.NextMarker + p.NextContinuationToken + p.NextKeyMarker
				if query = ""; p.IsTruncated {
					if strings.Contains(c.query, "encoding-type") {
						next, _ = url.QueryUnescape(next)
					}
					query = c.query + "&" + c.next + "=" + url.QueryEscape(next)
					if p.NextVersionIdMarker != "" {
						query += "&version-id-marker=" + url.QueryEscape(p.NextVersionIdMarker)
					}
				}
			}
			if !slices.Equal(found, want) {
				t.Errorf("found %q, want %q", found, want)
			}
		})
	}
}

func decodedTokens(token string) string {
	raw, _ := base64.StdEncoding.DecodeString(token)
	return string(raw)
}

// What is answered in the place of the object's own type says nothing of
// whether the object was judged.
func TestAnObjectThatWasCheckedIsServedUnderAnotherType(t *testing.T) {
	w := newWorld(t, viaBackend...)
	l := w.presign(`{"filename":"a.png","content_type":"image/png"}`)
	w.arrive(l, png(2000))
	for _, method := range []string{"GET", "HEAD", "GET"} {
		got := w.signed(method, l.ID+"?response-content-type=text%2Fplain&response-cache-control=no-store")
		if got.status != 200 || got.header.Get("Content-Type") != "text/plain" || got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %d %v %.200s", method, got.status, got.header, got.body)
		}
	}
	w.arrive(l, page(2000))
	w.signed("GET", l.ID+"?response-content-type=image%2Fpng").isS3Error(t, 403, "AccessDenied")
}

// The file's own mark, which a link straight to the backend shows, does not go
// with other bytes.
func TestAFilesOwnMarkCannotBeSentAlongWithOtherBytes(t *testing.T) {
	w := newWorld(t, viaBackend...)
	l := w.presign(`{"filename":"a.png","content_type":"image/png"}`)
	w.arrive(l, png(2000))
	w.signed("GET", l.ID)
	head, err := w.store.Client(t).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &w.bucket, Key: &l.ID})
	if err != nil || head.Metadata["s3gateway-mark"] == "" {
		t.Fatalf("%v %v", head, err)
	}
	for _, name := range []string{"X-Amz-Meta-S3gateway-Mark", "X-Minio-Meta-S3gateway-Mark", "S3gateway-Mark"} {
		do(t, newRequest(t, "PUT", l.URL, bytes.NewReader(page(2000)), "Content-Type", "image/png", name, head.Metadata["s3gateway-mark"]))
		if got := w.signed("GET", l.ID); bytes.Contains(got.body, page(2000)[:40]) {
			t.Errorf("%s: the other bytes were served", name)
		}
	}
}

// A type that no store can be told of would leave an upload that is whole and
// can never be finished.
func TestATusFiletypeThatNoHeaderHoldsIsRefusedAtOnce(t *testing.T) {
	w := newWorld(t, open...)
	for _, filetype := range []string{"text/plain\r\nx-amz-acl: public-read", "text/\x00plain", "a/b; c=\x7f", "a\tb", "\x01"} {
		for _, body := range [][]byte{nil, []byte("abc")} {
			got := w.resume("POST", w.rest("resumable"), body, "Upload-Length", "3", "Upload-Metadata",
				"filename "+base64.StdEncoding.EncodeToString([]byte("a.txt"))+",filetype "+base64.StdEncoding.EncodeToString([]byte(filetype)))
			got.isProblem(t, 400, "Upload-Metadata has a filetype with a control character.")
			if got.header.Get("Location") != "" {
				t.Errorf("%q: %v", filetype, got.header)
			}
		}
	}
	w.unchanged()
}

func TestATusCreationUnderASlashRefusesTheIdempotencyKeyToo(t *testing.T) {
	w := newWorld(t, open...)
	w.resume("POST", w.rest("resumable/"), nil, "Upload-Length", "3", "Idempotency-Key", "k").isProblem(t, 501, "Idempotency-Key")
	w.unchanged()
}

// A request without a byte does not have up to 5 MiB written anew.
func TestAnEmptyTusChunkWritesNothing(t *testing.T) {
	w := newWorld(t, open...)
	at := w.resume("POST", w.rest("resumable"), []byte("abc"), "Upload-Defer-Length", "1").header.Get("Location")
	record := ".s3gateway/tus/" + at[strings.LastIndex(at, "/")+1:]
	before := w.store.Snapshot(t, w.bucket)[record]
	for range 3 {
		if got := w.resume("PATCH", at, []byte{}, "Upload-Offset", "3"); got.status != 204 || got.header.Get("Upload-Offset") != "3" || got.header.Get("Upload-Expires") == "" {
			t.Fatalf("%d %v %s", got.status, got.header, got.body)
		}
	}
	if after := w.store.Snapshot(t, w.bucket)[record]; after != before {
		t.Errorf("the record was written: %v, before %v", after, before)
	}
	if got := w.resume("PATCH", at, []byte{}, "Upload-Offset", "3", "Upload-Length", "5"); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := w.resume("HEAD", at, nil); got.header.Get("Upload-Length") != "5" {
		t.Errorf("a length that came with no byte was not kept: %v", got.header)
	}
	if got := w.resume("PATCH", at, []byte("de"), "Upload-Offset", "3"); got.status != 204 || got.header.Get("X-File-Id") == "" {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
}

// What a caller may is asked when the answer is given again, not only when it
// was given first.
func TestAReplayedUploadIsUnderThePolicyOfNow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	rules := func(deny string) {
		write(t, path, "callers:\n  - name: web\n    api_keys: [{key: web-api-key-of-16-or-more}]\n    grants:\n      - {bucket: \"*\", actions: [list, read, write]}\n"+deny)
	}
	rules("")
	w := newWorld(t, append(slices.Clone(open), "CONFIG_FILE="+path)...)
	send := func() answer {
		return w.ask("PUT", "/direct?filename=a.txt", "abc", "X-API-Key", "web-api-key-of-16-or-more", "Idempotency-Key", "k")
	}
	first := send()
	if again := send(); first.status != 201 || again.status != 201 || !bytes.Equal(first.body, again.body) {
		t.Fatalf("%d %s, then %d %s", first.status, first.body, again.status, again.body)
	}
	id, _ := first.json(t)["file_id"].(string)
	rules("      - {bucket: \"*\", actions: [write], prefix: \"" + id + "\", deny: true}\n")
	w.app.reload(w.load)
	send().isProblem(t, 403, "")
}

// A tab is in no signature the same way everywhere; the gateway's own must hold.
func TestATabInAHeaderIsNoFaultOfTheGateway(t *testing.T) {
	w := newWorld(t, open...)
	want := "a\tb"
	if w.store.Name == "minio" {
		want = "a b" // its signature takes a tab for a space, so the gateway sends one
	}
	for _, name := range []string{"Content-Type", "Cache-Control", "X-Amz-Meta-A"} {
		if got := do(t, w.signedPut("k", []byte("abc"), name, "a\tb")); got.status != 200 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
		if got := w.signed(http.MethodHead, "k").header.Get(name); got != want {
			t.Errorf("%s came back as %q", name, got)
		}
	}
	if got := w.ask("PUT", "/direct?filename=a", "abc", "Content-Type", "a\tb"); got.status != 201 {
		t.Errorf("upload API: %d %s", got.status, got.body)
	}
}

// A file that is nested without end does not end a gateway that serves.
func TestAnEndlesslyNestedFileIsRefusedOnReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, "max_file_size: 1001\n")
	g := start(t, t.TempDir(), []string{"CONFIG_FILE=" + path})
	g.healthy(t)
	for _, hostile := range []string{"callers: " + strings.Repeat("[", 300_000), "callers:\n  " + strings.Repeat("- ", 300_000)} {
		write(t, path, "max_file_size: 1002\n"+hostile+"\n")
		refusals := strings.Count(g.stderr.String(), "too deeply nested")
		eventually(t, "the refusal in the log", func() bool { return strings.Count(g.stderr.String(), "too deeply nested") > refusals })
		if most := mostOf(t, g.url); most != "1001" {
			t.Error(most)
		}
		write(t, path, "max_file_size: 1001\n")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
