package kills

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

// uploader is a client of the upload API with files that no other client
// touches.
type uploader struct {
	name string
	base string
	http *http.Client
	rnd  *rand.Rand
	stop func() bool
	bad  func(workload.Class, string, ...any)
	n    int
	// badNetwork is one between the gateway and its store.
	badNetwork bool
	done       int // acknowledged steps

	files map[string][]byte // by file id: they are there, with these bytes
	// maybe has the files whose upload was not answered, by their names.
	maybe map[string][]byte
}

const uploadPath = "/api/v1/upload"

// run uploads, reads and deletes until stop. A request that a kill broke off is
// repeated until it is answered.
func (u *uploader) run(ctx context.Context) {
	steps := []func(context.Context){u.direct, u.direct, u.form, u.once, u.copy, u.resumable, u.link, u.remove, u.remove, u.read}
	for !u.stop() && ctx.Err() == nil {
		steps[u.rnd.IntN(len(steps))](ctx)
	}
}

func (u *uploader) bytes() (name string, b []byte) {
	u.n++
	b = make([]byte, []int{0, 1, 100, 3000, 40_000, 70_000, 400_000}[u.rnd.IntN(7)])
	for i := range b {
		b[i] = byte(u.rnd.Uint32())
	}
	return fmt.Sprintf("%s-%d.bin", u.name, u.n), b
}

// answer is a response with its body.
type answer struct {
	status int // 0: none came
	header http.Header
	body   []byte
}

func (a answer) member(name string) string {
	m := map[string]any{}
	_ = json.Unmarshal(a.body, &m)
	s, _ := m[name].(string)
	return s
}

func (u *uploader) send(ctx context.Context, method, at string, body []byte, header ...string) answer {
	if !strings.HasPrefix(at, "http") {
		at = u.base + at
	}
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return answer{}
	}
	req.Header.Set("X-API-Key", apiKey)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := u.http.Do(req)
	if err != nil {
		return answer{}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return answer{}
	}
	return answer{resp.StatusCode, resp.Header, b}
}

// insists is how often a request is sent before a client gives up.
const insists = 1000

// insist repeats a request until it is answered with something but 5xx. before
// is called before each attempt but the first.
func (u *uploader) insist(ctx context.Context, before func(), method, at string, body []byte, header ...string) answer {
	for i := 1; ; i++ {
		a := u.send(ctx, method, at, body, header...)
		if !u.again(a) || ctx.Err() != nil {
			u.done++
			return a
		}
		if i == insists {
			u.bad(workload.BadAnswer, "%s %s was never answered: status %d: %v %s", method, at, a.status, a.header, a.body)
			return a
		}
		time.Sleep(5 * time.Millisecond)
		before()
	}
}

// again reports whether a client sends a request again. Behind a bad network that
// is so after a 400 or 403 too: a flipped byte in the head of a request makes the
// store say so, and nobody can tell it from a refusal of the client.
func (u *uploader) again(a answer) bool {
	return a.status < 200 || a.status >= 500 || u.badNetwork && (a.status == 400 || a.status == 403)
}

func nothing() {}

func (u *uploader) expect(ctx context.Context, a answer, what string, allowed ...int) bool {
	for _, s := range allowed {
		if a.status == s {
			return true
		}
	}
	if ctx.Err() == nil {
		u.bad(workload.BadAnswer, "%s: status %d: %s", what, a.status, a.body)
	}
	return false
}

// direct stores a file. It is sent once: an attempt that is not answered may have
// stored it.
func (u *uploader) direct(ctx context.Context) {
	name, b := u.bytes()
	a := u.send(ctx, http.MethodPut, uploadPath+"/direct?filename="+name, b, "Content-Type", "application/octet-stream")
	u.stored(ctx, "direct upload", name, b, a)
}

// stored notes what an answer to an upload means.
func (u *uploader) stored(ctx context.Context, what, name string, b []byte, a answer, allowed ...int) {
	switch {
	case a.status == 0 || a.status >= 500 || slices.Contains(allowed, a.status):
		u.maybe[name] = b
	case u.expect(ctx, a, what, 201):
		u.done++
		u.files[a.member("file_id")] = b
	}
}

// form stores a file as browsers do.
func (u *uploader) form(ctx context.Context) {
	name, b := u.bytes()
	var body bytes.Buffer
	w := multipart.NewWriter(&body)
	if part, err := w.CreateFormFile("file", name); err == nil {
		_, _ = part.Write(b)
	}
	_ = w.Close()
	a := u.send(ctx, http.MethodPost, uploadPath+"/direct", body.Bytes(), "Content-Type", w.FormDataContentType())
	u.stored(ctx, "form", name, b, a)
}

// once stores a file under an Idempotency-Key: repeated or not, there is never a
// second one. While the gateway takes the killed request for one that still runs,
// it answers 409.
func (u *uploader) once(ctx context.Context) {
	name, b := u.bytes()
	at, key := uploadPath+"/direct?filename="+name, fmt.Sprintf("%s-%x", name, u.rnd.Uint64())
	a := u.insist(ctx, nothing, http.MethodPut, at, b, "Content-Type", "application/octet-stream", "Idempotency-Key", key)
	u.stored(ctx, "upload with Idempotency-Key", name, b, a, 409)
}

func (u *uploader) copy(ctx context.Context) {
	id, b := u.pick()
	if id == "" {
		return
	}
	u.n++
	name := fmt.Sprintf("%s-%d.bin", u.name, u.n)
	ask, _ := json.Marshal(map[string]any{"file_id": id, "filename": name})
	a := u.send(ctx, http.MethodPost, uploadPath+"/copy", ask, "Content-Type", "application/json")
	u.stored(ctx, "copy of "+id, name, b, a)
}

// resumable stores a file in chunks, and goes on where the server says.
func (u *uploader) resumable(ctx context.Context) {
	name, b := u.bytes()
	tus := []string{"Tus-Resumable", "1.0.0"}
	meta := "filename " + base64.StdEncoding.EncodeToString([]byte(name))
	lost := func() {
		if len(b) == 0 {
			u.maybe[name] = b // complete when it is created
		}
	}
	a := u.insist(ctx, lost, http.MethodPost, uploadPath+"/resumable", nil,
		append(tus, "Upload-Length", strconv.Itoa(len(b)), "Upload-Metadata", meta)...)
	if !u.expect(ctx, a, "create resumable upload", 201) {
		return
	}
	at := a.header.Get("Location")
	id := a.header.Get("X-File-Id")
	for ctx.Err() == nil && id == "" {
		a = u.insist(ctx, nothing, http.MethodHead, at, nil, tus...)
		if !u.expect(ctx, a, "HEAD of resumable upload "+name, 200, 204) {
			return
		}
		id = a.header.Get("X-File-Id")
		offset, err := strconv.Atoi(a.header.Get("Upload-Offset"))
		if err != nil || offset > len(b) {
			u.bad(workload.Corrupt, "resumable upload %s has offset %q of %d", name, a.header.Get("Upload-Offset"), len(b))
			return
		}
		if id != "" && offset == len(b) {
			break
		}
		id = u.chunk(ctx, at, b, offset)
	}
	if id, err := url.PathUnescape(id); err == nil && id != "" {
		u.files[id] = b
	}
}

// chunk sends what follows an offset, or a part of it, once. It returns the id of
// the file when that is complete.
func (u *uploader) chunk(ctx context.Context, at string, b []byte, offset int) string {
	end := len(b)
	if u.rnd.IntN(2) == 0 {
		end = offset + (len(b)-offset)/2
	}
	a := u.send(ctx, http.MethodPatch, at, b[offset:end], "Tus-Resumable", "1.0.0",
		"Upload-Offset", strconv.Itoa(offset), "Content-Type", "application/offset+octet-stream")
	switch {
	case u.again(a), a.status == 409, a.status == 423:
		time.Sleep(5 * time.Millisecond)
	default:
		u.expect(ctx, a, "PATCH of resumable upload", 204)
	}
	return a.header.Get("X-File-Id")
}

// link stores a file through a presigned link: its id is known before.
func (u *uploader) link(ctx context.Context) {
	name, b := u.bytes()
	ask, _ := json.Marshal(map[string]any{"filename": name, "content_type": "application/octet-stream"})
	a := u.insist(ctx, nothing, http.MethodPost, uploadPath+"/presigned", ask, "Content-Type", "application/json")
	if !u.expect(ctx, a, "presigned", 200) {
		return
	}
	id, at := a.member("file_id"), a.member("upload_url")
	a = u.insist(ctx, nothing, http.MethodPut, at, b, "Content-Type", "application/octet-stream")
	if !u.expect(ctx, a, "PUT by link", 200) {
		return
	}
	u.files[id] = b
	a = u.insist(ctx, nothing, http.MethodPost, uploadPath+"/complete/"+escape(id), nil)
	u.expect(ctx, a, "complete of "+id, 200, 201)
}

func escape(id string) string { return strings.ReplaceAll(url.PathEscape(id), "%2F", "/") }

func (u *uploader) pick() (id string, b []byte) {
	i := 0
	if len(u.files) > 0 {
		i = u.rnd.IntN(len(u.files))
	}
	for id, b := range u.files {
		if i == 0 {
			return id, b
		}
		i--
	}
	return "", nil
}

func (u *uploader) remove(ctx context.Context) {
	if len(u.files) < 5 {
		return
	}
	id, _ := u.pick()
	a := u.insist(ctx, nothing, http.MethodDelete, uploadPath+"/"+escape(id)+"?missing_ok=true", nil)
	if u.expect(ctx, a, "delete of "+id, 204) {
		delete(u.files, id)
	}
}

func (u *uploader) read(ctx context.Context) {
	id, b := u.pick()
	if id == "" {
		return
	}
	a := u.insist(ctx, nothing, http.MethodGet, uploadPath+"/download/"+escape(id), nil)
	switch {
	case ctx.Err() != nil:
	case a.status == 404:
		u.bad(workload.Lost, "file %s: 404", id)
	case a.status != 200 || !bytes.Equal(a.body, b):
		u.bad(workload.Corrupt, "file %s: status %d, %d bytes, wanted %d", id, a.status, len(a.body), len(b))
	}
}
