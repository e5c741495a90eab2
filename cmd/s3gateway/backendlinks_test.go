package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// viaBackend are the settings of links that go past the gateway.
var viaBackend = []string{"PRESIGN_VIA=backend", "MAX_FILE_SIZE=3000", "ALLOWED_FILE_TYPES=image/png"}

const rest = "/api/v1/upload"

// link is the answer to a wish for an upload link.
type link struct {
	URL       string            `json:"upload_url"`
	ID        string            `json:"file_id"`
	FileURL   string            `json:"file_url"`
	ExpiresIn int               `json:"expires_in"`
	Method    string            `json:"method"`
	Headers   map[string]string `json:"headers"`
	Fields    map[string]string `json:"fields"`
}

func (w *world) presign(wish string) (l link) {
	w.t.Helper()
	got := do(w.t, newRequest(w.t, "POST", w.url+rest+"/presigned", strings.NewReader(wish), "Content-Type", "application/json"))
	if err := json.Unmarshal(got.body, &l); got.status != 200 || err != nil {
		w.t.Fatalf("%d %s", got.status, got.body)
	}
	return l
}

// arrive stores a file as a client with the link does.
func (w *world) arrive(l link, body []byte) {
	w.t.Helper()
	r := newRequest(w.t, "PUT", l.URL, bytes.NewReader(body))
	for name, value := range l.Headers {
		r.Header.Set(name, value)
	}
	if got := do(w.t, r); got.status != 200 {
		w.t.Fatalf("the link: %d %s", got.status, got.body)
	}
}

// putPast stores an object behind the gateway's back.
func (w *world) putPast(key string, body []byte, metadata map[string]string) {
	w.t.Helper()
	_, err := w.store.Client(w.t).PutObject(w.t.Context(), &s3.PutObjectInput{
		Bucket: &w.bucket, Key: &key, Body: bytes.NewReader(body), ContentType: aws.String("image/png"), Metadata: metadata,
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// there reports whether the bucket holds a key.
func (w *world) there(key string) bool {
	_, ok := w.store.Snapshot(w.t, w.bucket)[key]
	return ok
}

func (w *world) statuses() map[string]string {
	w.t.Helper()
	var l struct {
		Files []struct {
			ID     string `json:"file_id"`
			Status string `json:"status"`
		} `json:"files"`
	}
	got := do(w.t, newRequest(w.t, "GET", w.url+rest+"/list", nil))
	if err := json.Unmarshal(got.body, &l); err != nil {
		w.t.Fatal(err)
	}
	all := map[string]string{}
	for _, f := range l.Files {
		all[f.ID] = f.Status
	}
	return all
}

func escaped(id string) string { return strings.ReplaceAll(id, "/", "%2F") }

// reads are all ways in which an object could be shown.
var reads = map[string]func(w *world, id string) answer{
	"download":             func(w *world, id string) answer { return w.ask("GET", "/download/"+id, "") },
	"range of download":    func(w *world, id string) answer { return w.ask("GET", "/download/"+id, "", "Range", "bytes=0-9") },
	"several ranges":       func(w *world, id string) answer { return w.ask("GET", "/download/"+id, "", "Range", "bytes=0-9,20-29") },
	"metadata":             func(w *world, id string) answer { return w.ask("GET", "/metadata/"+id, "") },
	"download link":        func(w *world, id string) answer { return w.ask("GET", "/download/"+id+"/url", "") },
	"complete":             func(w *world, id string) answer { return w.ask("POST", "/complete/"+id, "") },
	"rename":               func(w *world, id string) answer { return w.ask("PATCH", "/metadata/"+id, `{"filename":"b.png"}`) },
	"copy":                 func(w *world, id string) answer { return w.ask("POST", "/copy", fmt.Sprintf(`{"file_id":%q}`, id)) },
	"GetObject":            func(w *world, id string) answer { return w.signed("GET", id) },
	"GetObject of a range": func(w *world, id string) answer { return w.signed("GET", id, "Range", "bytes=0-9") },
	"CopyObject": func(w *world, id string) answer {
		return w.signed("PUT", "elsewhere.png", "X-Amz-Copy-Source", w.bucket+"/"+id)
	},
	"UploadPartCopy": func(w *world, id string) answer {
		made, err := w.s3().CreateMultipartUpload(w.t.Context(), &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("big.png"), ContentType: aws.String("image/png")})
		if err != nil {
			w.t.Fatal(err)
		}
		defer w.s3().AbortMultipartUpload(w.t.Context(), &s3.AbortMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("big.png"), UploadId: made.UploadId})
		return w.signed("PUT", "big.png?partNumber=1&uploadId="+*made.UploadId, "X-Amz-Copy-Source", w.bucket+"/"+id)
	},
	"GetObjectAttributes": func(w *world, id string) answer {
		return w.signed("GET", id+"?attributes", "X-Amz-Object-Attributes", "ObjectSize")
	},
	"HeadObject":       func(w *world, id string) answer { return w.signed("HEAD", id) },
	"HEAD of download": func(w *world, id string) answer { return w.ask("HEAD", "/download/"+id, "") },
}

func (w *world) ask(method, path, body string, headers ...string) answer {
	w.t.Helper()
	r := newRequest(w.t, method, w.url+rest+path, strings.NewReader(body), headers...)
	if strings.HasPrefix(body, "{") {
		r.Header.Set("Content-Type", "application/json")
	}
	return do(w.t, r)
}

func TestAFileThatCamePastTheGatewayIsCheckedBeforeItIsShown(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(reads)) {
		read := reads[name]
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, viaBackend...)
			good := w.presign(`{"filename":"ein Bild.png","content_type":"image/png"}`)
			w.arrive(good, png(2000))
			if got := w.statuses(); got[good.ID] != "unverified" {
				t.Fatalf("before: %v", got)
			}
			if got := read(w, good.ID); got.status >= 300 {
				t.Fatalf("a good file: %d %s", got.status, got.body)
			}
			if got := w.statuses(); got[good.ID] != "" {
				t.Errorf("after: %v", got)
			}
			bad := w.presign(`{"filename":"b.png","content_type":"image/png"}`)
			w.arrive(bad, page(2000))
			got := read(w, bad.ID)
			if got.status != 415 && got.status != 403 || bytes.Contains(got.body, page(2000)[:40]) {
				t.Errorf("a page that says it is a picture: %d %s", got.status, got.body)
			}
			if w.there(bad.ID) || w.there("elsewhere.png") && name != "CopyObject" {
				t.Error("it is still there")
			}
			if !strings.Contains(w.log.String(), "breaks the policy") {
				t.Error("the log does not tell")
			}
		})
	}
}

func TestCompleteAnswersAsDirectUploadDoes(t *testing.T) {
	w := newWorld(t, viaBackend...)
	l := w.presign(`{"filename":"Bär.png","content_type":"image/png","size":2000}`)
	w.arrive(l, png(2000))
	got := w.ask("POST", "/complete/"+escaped(l.ID), "")
	doc := got.json(t)
	if got.status != 201 || doc["sha256"] != hexSHA256(png(2000)) || doc["file_size"] != 2000.0 || doc["content_type"] != "image/png" || doc["filename"] != "Bär.png" {
		t.Errorf("%d %s", got.status, got.body)
	}
	if strings.Contains(string(got.body)+fmt.Sprint(got.header), "s3gateway-") {
		t.Errorf("the mark shows: %s %v", got.body, got.header)
	}
	if again := w.ask("POST", "/complete/"+l.ID, ""); again.status != 201 {
		t.Errorf("again: %d", again.status)
	}
	w.ask("POST", "/complete/uploads/none.png", "").isProblem(t, 404, "no file")
}

func TestATooLargeFileThatCamePastTheGateway(t *testing.T) {
	w := newWorld(t, viaBackend...)
	l := w.presign(`{"filename":"a.png","content_type":"image/png"}`)
	w.arrive(l, png(3001))
	w.ask("POST", "/complete/"+l.ID, "").isProblem(t, 413, "File too large. Maximum size: 3000 bytes")
	w.unchanged()
	w.ask("GET", "/download/"+l.ID, "").isProblem(t, 404, "no file")
}

// Whoever has the link may send again until it ends.
func TestAFileThatIsReplacedAfterItsCheckIsCheckedAgain(t *testing.T) {
	w := newWorld(t, append(viaBackend, "CACHE_ENTRIES=1000")...)
	l := w.presign(`{"filename":"a.png","content_type":"image/png"}`)
	w.arrive(l, png(2000))
	if got := w.ask("POST", "/complete/"+l.ID, ""); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	w.arrive(l, page(2000))
	w.ask("GET", "/download/"+l.ID, "").isProblem(t, 415, "File type not allowed")
	w.signed("GET", l.ID).isS3Error(t, 404, "NoSuchKey")
	w.unchanged()
}

// The mode may be switched on over a bucket that is in use: what does not keep
// the rules of today is not shown, but nobody's to delete.
func TestObjectsFromBeforeAreCheckedAndKept(t *testing.T) {
	w := newWorld(t, viaBackend...)
	w.putPast("uploads/old.png", png(2000), map[string]string{"colour": "blue"})
	w.putPast("uploads/large.png", png(3001), nil)
	w.putPast("elsewhere/page.png", page(100), nil)
	if got := w.signed("GET", "uploads/old.png"); got.status != 200 || got.header.Get("X-Amz-Meta-Colour") != "blue" || !bytes.Equal(got.body, png(2000)) {
		t.Errorf("%d %v", got.status, got.header)
	}
	w.signed("GET", "uploads/large.png").isS3Error(t, 400, "EntityTooLarge")
	w.ask("GET", "/download/uploads/large.png", "").isProblem(t, 413, "File too large")
	if !w.there("uploads/large.png") {
		t.Error("a file that was there before is gone")
	}
	if got := w.signed("GET", "elsewhere/page.png"); got.status != 200 {
		t.Errorf("beside UPLOAD_PREFIX: %d %s", got.status, got.body)
	}
	if got := w.ask("DELETE", "/uploads/large.png", ""); got.status != 204 || w.there("uploads/large.png") {
		t.Errorf("delete without a check: %d", got.status)
	}
}

func TestWhatTheGatewayWritesNeedsNoCheck(t *testing.T) {
	w := newWorld(t, "PRESIGN_VIA=backend", "MAX_FILE_SIZE=20MiB", "ALLOWED_FILE_TYPES=*/*")
	client, ctx := w.s3(), t.Context()
	direct := w.ask("PUT", "/direct?filename=a.png", string(png(500)))
	id, _ := direct.json(t)["file_id"].(string)
	large := do(t, newRequest(t, "POST", w.url+rest+"/direct?filename=b.png", onlyReader{bytes.NewReader(png(9 << 20))}))
	copied := w.ask("POST", "/copy", fmt.Sprintf(`{"file_id":%q}`, id))
	for _, got := range []answer{direct, large, copied} {
		if got.status != 201 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if got := w.ask("PATCH", "/metadata/"+id, `{"filename":"neu.png"}`); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := do(t, w.signedPut("uploads/put.png", png(100), "Content-Type", "image/png", "X-Amz-Meta-Colour", "blue")); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	made, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("uploads/parts")})
	if err != nil {
		t.Fatal(err)
	}
	part, err := client.UploadPart(ctx, &s3.UploadPartInput{Bucket: &w.bucket, Key: aws.String("uploads/parts"), UploadId: made.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(png(100))})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("uploads/parts"), UploadId: made.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: part.ETag}}}}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []*s3.CopyObjectInput{
		{Key: aws.String("uploads/copied")},
		{Key: aws.String("uploads/renamed"), MetadataDirective: types.MetadataDirectiveReplace, Metadata: map[string]string{"colour": "red"}},
	} {
		c.Bucket, c.CopySource = &w.bucket, aws.String(w.bucket+"/uploads/put.png")
		if _, err := client.CopyObject(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	form := map[string]string{"key": "uploads/form.png", "Content-Type": "image/png"}
	if got := do(t, w.postForm(`,["starts-with","$key","uploads/"],["eq","$Content-Type","image/png"]`, png(100), form, nil)); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	all := w.statuses()
	if len(all) != 8 {
		t.Errorf("%d files: %v", len(all), all)
	}
	for id, status := range all {
		if status != "" {
			t.Errorf("%s is %s", id, status)
		}
		if got := w.signed("HEAD", id); got.status != 200 || strings.Contains(strings.ToLower(fmt.Sprint(got.header)), "s3gateway-") {
			t.Errorf("%s: %d %v", id, got.status, got.header)
		}
	}
	if got := w.signed("HEAD", "uploads/copied"); got.header.Get("X-Amz-Meta-Colour") != "blue" || got.header.Get("Content-Type") != "image/png" {
		t.Errorf("a copy lost what its source had: %v", got.header)
	}
	if got := w.signed("HEAD", "uploads/renamed"); got.header.Get("X-Amz-Meta-Colour") != "red" {
		t.Errorf("%v", got.header)
	}
	if strings.Contains(w.log.String(), "breaks the policy") {
		t.Error("something was checked")
	}
}

func TestAMarkCannotBeForged(t *testing.T) {
	w := newWorld(t, viaBackend...)
	if got := do(t, w.signedPut("uploads/a.png", png(100), "Content-Type", "image/png")); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	head, err := w.store.Client(t).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &w.bucket, Key: aws.String("uploads/a.png")})
	if err != nil || head.Metadata["s3gateway-mark"] == "" {
		t.Fatalf("no mark: %v %v", err, head)
	}
	mark := head.Metadata["s3gateway-mark"]
	for name, forged := range map[string]string{
		"of another file": mark, "of another kind": "c" + mark[1:], "cut": mark[:len(mark)-4], "empty": "", "words": "w.w.w",
	} {
		t.Run(name, func(t *testing.T) {
			w.putPast("uploads/b.png", page(100), map[string]string{"s3gateway-mark": forged})
			w.signed("GET", "uploads/b.png").isS3Error(t, 403, "AccessDenied")
		})
	}
	t.Run("by a client", func(t *testing.T) {
		do(t, w.signedPut("uploads/c.png", png(100), "Content-Type", "image/png", "X-Amz-Meta-S3gateway-Mark", mark)).isS3Error(t, 403, "AccessDenied")
	})
	t.Run("by whoever has a link", func(t *testing.T) {
		l := w.presign(`{"filename":"d.png","content_type":"image/png"}`)
		got := do(t, newRequest(t, "PUT", l.URL, bytes.NewReader(page(100)), "Content-Type", "image/png", "X-Amz-Meta-S3gateway-Mark", mark))
		if got.status < 400 || w.there(l.ID) {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
	t.Run("a link as a copy of another file", func(t *testing.T) {
		w.putPast("secret.png", png(100), nil)
		l := w.presign(`{"filename":"d.png","content_type":"image/png"}`)
		got := do(t, newRequest(t, "PUT", l.URL, nil, "Content-Type", "image/png", "X-Amz-Copy-Source", "/"+w.bucket+"/secret.png"))
		if got.status < 400 || w.there(l.ID) {
			t.Errorf("%d %s", got.status, got.body)
		}
	})
}

// A bucket of the map that shows the same keys under another name is no way
// around.
func TestAMappedNameOfTheSameFilesIsNoWayAround(t *testing.T) {
	w := newFiled(t, "buckets:\n  - {name: alias, bucket: BUCKET, prefix: uploads/}\n", "PRESIGN_VIA=backend")
	for name, path := range map[string]string{"a mapped bucket": "/alias/a.png", "another spelling": "/" + w.bucket + "//uploads/b.png"} {
		t.Run(name, func(t *testing.T) {
			key := "uploads" + path[strings.LastIndex(path, "/"):]
			w.putPast(key, png(100), nil)
			r := newRequest(t, "GET", w.url+path, nil)
			sign(t, r, hexSHA256(nil), testSecret, time.Now())
			if got := do(t, r); got.status == 200 && w.statuses()[key] != "" {
				t.Errorf("it was shown without a check: %v", w.statuses())
			}
		})
	}
	if got := w.statuses()["uploads/a.png"]; got != "" {
		t.Errorf("not checked under its other name: %q", got)
	}
}

func TestChecksOfOneFileAreOne(t *testing.T) {
	w := newWorld(t, append(viaBackend, "CACHE_ENTRIES=0")...)
	l := w.presign(`{"filename":"a.png","content_type":"image/png"}`)
	w.arrive(l, png(3000))
	done := make(chan int, 20)
	for range cap(done) {
		r := newRequest(t, "GET", w.url+rest+"/download/"+l.ID, nil)
		go func() {
			resp, err := transport().RoundTrip(r)
			if err != nil {
				done <- 0
				return
			}
			resp.Body.Close()
			done <- resp.StatusCode
		}()
	}
	for range cap(done) {
		if status := <-done; status != 200 {
			t.Errorf("status %d", status)
		}
	}
	writes := 0
	for line := range strings.SplitSeq(w.log.String(), "\n") {
		if strings.Contains(line, `"method":"PUT"`) && strings.Contains(line, l.ID) {
			writes++
		}
	}
	if writes != 1 {
		t.Errorf("%d writes for twenty readers", writes)
	}
}

func TestLinksKeepToWhatWasPromised(t *testing.T) {
	w := newWorld(t, viaBackend...)
	wish := fmt.Sprintf(`{"filename":"a.png","content_type":"image/png","size":2000,"sha256":%q}`, hexSHA256(png(2000)))
	for _, c := range []struct {
		name   string
		body   []byte
		header string
		status int
	}{
		{"another size", png(1999), "image/png", 403},
		{"another type", png(2000), "text/html", 403},
		{"other bytes", append(png(1999), 'x'), "image/png", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := w.presign(wish)
			r := newRequest(t, "PUT", l.URL, bytes.NewReader(c.body))
			for name, value := range l.Headers {
				r.Header.Set(name, value)
			}
			r.Header.Set("Content-Type", c.header)
			if got := do(t, r); got.status != c.status {
				t.Errorf("%d %s", got.status, got.body)
			}
			w.unchanged()
		})
	}
	l := w.presign(wish)
	w.arrive(l, png(2000))
	if !strings.HasPrefix(l.URL, w.store.Endpoint.String()+"/"+w.bucket+"/uploads/") || !strings.HasPrefix(l.FileURL, w.store.Endpoint.String()) {
		t.Errorf("%+v", l)
	}
	if got := w.ask("POST", "/complete/"+l.ID, ""); got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	answer := w.ask("GET", "/download/"+l.ID+"/url?disposition=inline&expires_in=60", "").json(t)
	got := do(t, newRequest(t, "GET", answer["download_url"].(string), nil))
	if got.status != 200 || !bytes.Equal(got.body, png(2000)) || !strings.HasPrefix(got.header.Get("Content-Disposition"), "inline") {
		t.Errorf("%d %v", got.status, got.header)
	}
}

func TestAFormStraightToTheBackend(t *testing.T) {
	w := newWorld(t, viaBackend...)
	if w.store.Name == "embedded" {
		t.Skip("the store in the process is sent no forms")
	}
	l := w.presign(`{"filename":"a.png","content_type":"image/png","method":"POST"}`)
	post := func(body []byte, change map[string]string) answer {
		return do(t, linkForm(t, l.URL, l.Fields, change, body))
	}
	if got := post(png(3001), nil); got.status != 400 || !bytes.Contains(got.body, []byte("EntityTooLarge")) {
		t.Errorf("too large: %d %s", got.status, got.body)
	}
	if got := post(png(100), map[string]string{"Content-Type": "text/html"}); got.status != 403 {
		t.Errorf("another type: %d %s", got.status, got.body)
	}
	if got := post(png(100), map[string]string{"x-amz-meta-s3gateway-mark": "w.a.b"}); got.status != 403 {
		t.Errorf("a mark: %d %s", got.status, got.body)
	}
	w.unchanged()
	if got := post(png(2000), nil); got.status != 204 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := w.ask("GET", "/download/"+l.ID, ""); got.status != 200 || !bytes.Equal(got.body, png(2000)) {
		t.Errorf("%d", got.status)
	}
}

// linkForm is a form with a link's fields, some of them changed.
func linkForm(t *testing.T, target string, fields, change map[string]string, file []byte) *http.Request {
	t.Helper()
	all := maps.Clone(fields)
	maps.Copy(all, change)
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for name, value := range all {
		_ = m.WriteField(name, value)
	}
	part, err := m.CreateFormFile("file", "a.png")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(file)
	m.Close()
	return newRequest(t, "POST", target, &b, "Content-Type", m.FormDataContentType())
}
