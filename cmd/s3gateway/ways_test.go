package main

import (
	"bytes"
	"encoding/base64"
	"io"
	"mime/multipart"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/api"
	"github.com/codeguardians/s3gateway/proxy"
)

// way is one way to store bytes under a name.
type way struct {
	name string
	// covers are the operations of the S3 door, or the routes of the REST
	// door, that the way goes through.
	covers []string
	put    func(w *world, key, contentType string, body []byte) refusal
}

var ways = []way{
	{"PutObject with a signed hash", []string{"PutObject"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.s3Refusal(do(w.t, w.signedPut(key, body, "Content-Type", contentType)))
	}},
	{"PutObject with UNSIGNED-PAYLOAD", []string{"PutObject"}, func(w *world, key, contentType string, body []byte) refusal {
		r := newRequest(w.t, http.MethodPut, w.url+"/"+w.bucket+"/"+key, bytes.NewReader(body), "Content-Type", contentType)
		sign(w.t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
		return w.s3Refusal(do(w.t, r))
	}},
	{"PutObject in signed chunks", []string{"PutObject"}, inChunks(chunking{})},
	{"PutObject in signed chunks with a trailer", []string{"PutObject"}, inChunks(chunking{trailer: true})},
	{"PutObject in unsigned chunks with a trailer", []string{"PutObject"}, inChunks(chunking{unsigned: true, trailer: true})},
	{"PutObject by a presigned URL of an S3 client", []string{"PutObject"}, (*world).putPresigned},
	{"browser form", []string{"PostObject"}, (*world).putForm},
	{"multipart upload", []string{"CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload"}, (*world).putMultipart},
	{"UploadPartCopy", []string{"UploadPartCopy"}, (*world).putPartCopy},
	{"CopyObject", []string{"CopyObject"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putCopy(key, &s3.CopyObjectInput{}, contentType, body)
	}},
	{"CopyObject with REPLACE", []string{"CopyObject"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putCopy(key, &s3.CopyObjectInput{MetadataDirective: types.MetadataDirectiveReplace, ContentType: &contentType}, "application/x-other", body)
	}},
	{"form to the upload API", []string{"POST /direct"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putDirect(key, contentType, body, true)
	}},
	{"form of unknown length to the upload API", []string{"POST /direct"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putDirect(key, contentType, body, false)
	}},
	{"file itself to the upload API", []string{"PUT /direct"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putRaw(key, contentType, body, true)
	}},
	{"file of unknown length to the upload API", []string{"PUT /direct"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putRaw(key, contentType, body, false)
	}},
	{"resumable upload in one chunk", []string{"POST /resumable", "PATCH /resumable/{id:.*}"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putResumable(key, contentType, body, len(body), "PATCH", "Upload-Length", strconv.Itoa(len(body)))
	}},
	{"resumable upload in small chunks", []string{"POST /resumable", "PATCH /resumable/{id:.*}"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putResumable(key, contentType, body, len(body)/7, "PATCH", "Upload-Length", strconv.Itoa(len(body)))
	}},
	{"resumable upload of unknown length", []string{"POST /resumable", "PATCH /resumable/{id:.*}"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putResumable(key, contentType, body, len(body)/2, "PATCH", "Upload-Defer-Length", "1")
	}},
	{"resumable upload by POST alone", []string{"POST /resumable/{id:.*}"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putResumable(key, contentType, body, len(body)/2, "POST", "Upload-Length", strconv.Itoa(len(body)))
	}},
	{"resumable upload with its creation", []string{"POST /resumable"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putResumable(key, contentType, body, 0, "", "Upload-Length", strconv.Itoa(len(body)))
	}},
	{"link of the upload API", []string{"POST /presigned"}, (*world).putByLink},
	{"form of the upload API", []string{"POST /presigned"}, (*world).putByLinkForm},
	{"copy by the upload API", []string{"POST /copy"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putAgain("POST", "copy", `{"file_id":"`+copySource+`","filename":"`+key+`"}`, contentType, body)
	}},
	{"move by the upload API", []string{"POST /copy"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putAgain("POST", "copy", `{"file_id":"`+copySource+`","filename":"`+key+`","move":true}`, contentType, body)
	}},
	{"new name by the upload API", []string{"PATCH /metadata/{id:.*}"}, func(w *world, key, contentType string, body []byte) refusal {
		return w.putAgain("PATCH", "metadata/"+copySource, `{"filename":"`+key+`"}`, contentType, body)
	}},
}

// bytesElsewhere are the operations that write and store no bytes of an object,
// with the reason. Whoever adds an operation adds a way or a reason.
var bytesElsewhere = map[string]string{
	"RestoreObject":        "brings back what is stored; an output location is refused",
	"AbortMultipartUpload": "takes away",
	"PutObjectTagging":     "tags only",
	"DeleteObjectTagging":  "tags only",

	"POST /complete/{id:.*}": "answers for a file that came by a link",
	"POST /delete":           "takes away",
	"DELETE /{id:.*}":        "takes away",

	"OPTIONS /resumable":         "tells what is offered",
	"OPTIONS /resumable/{id:.*}": "tells what is offered",
	"HEAD /resumable/{id:.*}":    "tells the offset",
	"DELETE /resumable/{id:.*}":  "takes away",
}

// A new operation that writes and has no row above fails here.
func TestEveryWayToStoreBytesHasItsRow(t *testing.T) {
	var known []string
	for _, way := range ways {
		known = append(known, way.covers...)
	}
	var writing []string
	for _, op := range proxy.NewTable().Operations() {
		if op.Action == gateway.Write && op.Method != http.MethodGet || op.Body == proxy.ObjectBody {
			writing = append(writing, op.Name)
		}
	}
	for _, route := range api.Routes() {
		if route.Method != http.MethodGet {
			writing = append(writing, route.Method+" "+route.Path)
		}
	}
	for _, name := range writing {
		if reason, elsewhere := bytesElsewhere[name]; slices.Contains(known, name) == (elsewhere && reason != "") {
			t.Errorf("%s: it needs a row in ways, or a reason in bytesElsewhere, and not both", name)
		}
	}
	for _, name := range known {
		if !slices.Contains(writing, name) {
			t.Errorf("%s is no operation", name)
		}
	}
}

// refusals of the door that a way ends at.
func (w way) refusals() (tooLarge, wrongType refusal) {
	for _, name := range w.covers {
		if strings.Contains(name, " /") && name != "POST /presigned" { // links lead to the S3 door
			return refusal{413, "EntityTooLarge"}, refusal{415, "TypeNotAllowed"}
		}
	}
	return refusal{400, "EntityTooLarge"}, refusal{403, "AccessDenied"}
}

func TestThePolicyHoldsOnEveryWayToStoreBytes(t *testing.T) {
	settings := []string{"MAX_FILE_SIZE=" + strconv.Itoa(limit), "ALLOWED_FILE_TYPES=image/png"}
	for _, way := range ways {
		tooLarge, wrongType := way.refusals()
		for _, c := range []struct {
			name        string
			contentType string
			body        []byte
			want        refusal
		}{
			{"exactly the limit", "image/png", png(limit), refusal{}},
			{"one byte over", "image/png", png(limit + 1), tooLarge},
			{"HTML declared as a picture", "image/png", page(1000), wrongType},
		} {
			store := func(t *testing.T, w *world) {
				got := way.put(w, "picture.png", c.contentType, c.body)
				if got != c.want {
					t.Fatalf("got %+v, want %+v", got, c.want)
				}
				if c.want != (refusal{}) {
					w.unchanged()
					return
				}
				w.holds(limit, method(way) == http.MethodPatch)
			}
			t.Run(way.name+"/"+c.name, func(t *testing.T) { store(t, newWorld(t, settings...)) })
			t.Run(way.name+"/"+c.name+", HTTP/2", func(t *testing.T) { store(t, newWorld(t, append(settings, secure(t)...)...)) })
		}
	}
}

// method is that of a route which the way goes through.
func method(w way) string { m, _, _ := strings.Cut(w.covers[0], " "); return m }

// holds checks that something was stored, and nothing of another size. A copy of
// an object onto itself shows in nothing but its metadata.
func (w *world) holds(size int64, inPlace bool) {
	w.t.Helper()
	stored := 0
	for key, info := range w.store.Snapshot(w.t, w.bucket) {
		if w.before[key] == info {
			continue
		}
		stored++
		if info.Size != size {
			w.t.Errorf("%s has %d bytes", key, info.Size)
		}
	}
	if stored == 0 && !inPlace {
		w.t.Error("nothing was stored")
	}
}

func inChunks(c chunking) func(w *world, key, contentType string, body []byte) refusal {
	return func(w *world, key, contentType string, body []byte) refusal {
		return w.s3Refusal(do(w.t, w.chunkedPut(key, body, c, "Content-Type", contentType)))
	}
}

func (w *world) putPresigned(key, contentType string, body []byte) refusal {
	r := newRequest(w.t, http.MethodPut, w.url+"/"+w.bucket+"/"+key+"?X-Amz-Expires=60", nil, "Content-Type", contentType)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	keys := aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: testSecret}
	url, _, err := signer.PresignHTTP(w.t.Context(), keys, r, "UNSIGNED-PAYLOAD", "s3", "us-east-1", time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return w.s3Refusal(do(w.t, newRequest(w.t, http.MethodPut, url, bytes.NewReader(body), "Content-Type", contentType)))
}

func (w *world) putForm(key, contentType string, body []byte) refusal {
	fields := map[string]string{"key": key, "Content-Type": contentType}
	return w.s3Refusal(do(w.t, w.postForm(`,["starts-with","$key",""],["starts-with","$Content-Type",""]`, body, fields, nil)))
}

// plant puts an object into the bucket, past the gateway.
func (w *world) plant(key, contentType string, body []byte) {
	_, err := w.store.Client(w.t).PutObject(w.t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: &key, Body: bytes.NewReader(body), ContentType: &contentType})
	if err != nil {
		w.t.Fatal(err)
	}
	w.before = w.store.Snapshot(w.t, w.bucket)
}

func (w *world) putCopy(key string, in *s3.CopyObjectInput, sourceType string, body []byte) refusal {
	w.plant("source.png", sourceType, body)
	in.Bucket, in.Key, in.CopySource = &w.bucket, &key, aws.String(w.bucket+"/source.png")
	_, err := w.s3().CopyObject(w.t.Context(), in)
	return sdkRefusal(err)
}

// unsized hides the length of a reader from the client.
type unsized struct{ *bytes.Reader }

func (w *world) putDirect(key, contentType string, body []byte, sized bool) refusal {
	content, formType := form(w.t, key, contentType, body)
	r := newRequest(w.t, "POST", w.rest("direct"), unsized{bytes.NewReader(content.Bytes())}, "Content-Type", formType)
	if sized {
		r.ContentLength = int64(content.Len())
	}
	return problemRefusal(w.t, do(w.t, r))
}

func (w *world) putRaw(key, contentType string, body []byte, sized bool) refusal {
	r := newRequest(w.t, "PUT", w.rest("direct?filename="+key), unsized{bytes.NewReader(body)}, "Content-Type", contentType)
	if sized {
		r.ContentLength = int64(len(body))
	}
	return problemRefusal(w.t, do(w.t, r))
}

// putResumable sends a file by tus, in chunks of a size, the first of which is the
// creation's when method is empty. A refused upload must not be there any more.
func (w *world) putResumable(key, contentType string, body []byte, size int, method string, lengthName, length string) refusal {
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	const chunked = "application/offset+octet-stream"
	create := newRequest(w.t, "POST", w.rest("resumable"), nil, "Tus-Resumable", "1.0.0", lengthName, length,
		"Upload-Metadata", "filename "+encoded(key)+",filetype "+encoded(contentType))
	if method == "" {
		create.Body, create.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
		create.Header.Set("Content-Type", chunked)
	}
	a := do(w.t, create)
	if a.status != 201 {
		return problemRefusal(w.t, a)
	}
	at := w.url + a.header.Get("Location")[strings.Index(a.header.Get("Location"), "/api/"):]
	for from := 0; from < len(body) && method != ""; {
		to := min(from+size, len(body))
		r := newRequest(w.t, method, at, bytes.NewReader(body[from:to]), "Tus-Resumable", "1.0.0", "Content-Type", chunked,
			"Upload-Offset", strconv.Itoa(from), "X-HTTP-Method-Override", "PATCH")
		if to == len(body) {
			r.Header.Set("Upload-Length", strconv.Itoa(to))
		}
		if a := do(w.t, r); a.status != 204 {
			if head := do(w.t, newRequest(w.t, "HEAD", at, nil, "Tus-Resumable", "1.0.0")); head.status != 404 {
				w.t.Errorf("the refused upload is still there: %d", head.status)
			}
			return problemRefusal(w.t, a)
		}
		from = to
	}
	if a := do(w.t, newRequest(w.t, "DELETE", at, nil, "Tus-Resumable", "1.0.0")); a.status != 204 {
		w.t.Errorf("end of the upload: %d %s", a.status, a.body)
	}
	return refusal{}
}

const copySource = "uploads/2027/01/31/0c2b3f5e-9d1a-4b7c-8e2f-0123456789ab-source.png"

// putAgain has the upload API store a planted file anew.
func (w *world) putAgain(method, path, document, contentType string, body []byte) refusal {
	w.plant(copySource, contentType, body)
	a := do(w.t, newRequest(w.t, method, w.rest(path), strings.NewReader(document), "Content-Type", "application/json"))
	if a.status < 300 && a.json(w.t)["filename"] != "picture.png" {
		w.t.Errorf("the name was not stored: %s", a.body)
	}
	return problemRefusal(w.t, a)
}

// putByLinkForm sends a form that the upload API made.
func (w *world) putByLinkForm(key, contentType string, body []byte) refusal {
	link := do(w.t, newRequest(w.t, "POST", w.rest("presigned"), strings.NewReader(`{"filename":"`+key+`","content_type":"`+contentType+`","method":"POST"}`),
		"Content-Type", "application/json"))
	if link.status != 200 {
		return problemRefusal(w.t, link)
	}
	answer := link.json(w.t)
	fields, _ := answer["fields"].(map[string]any)
	url, _ := answer["upload_url"].(string)
	content, formType := formOf(w.t, fields, body)
	return w.s3Refusal(do(w.t, newRequest(w.t, "POST", url, content, "Content-Type", formType)))
}

// formOf is a form with fields and, last, its file.
func formOf(t *testing.T, fields map[string]any, file []byte) (*bytes.Buffer, string) {
	t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	for name, value := range fields {
		if text, ok := value.(string); !ok || m.WriteField(name, text) != nil {
			t.Fatalf("field %s: %v", name, value)
		}
	}
	part, err := m.CreateFormFile("file", "picture.png")
	if err != nil {
		t.Fatal(err)
	}
	part.Write(file)
	m.Close()
	return &b, m.FormDataContentType()
}
