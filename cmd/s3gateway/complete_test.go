package main

import (
	"bytes"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
)

// The name that presign was given is the file's, by every kind of link.
func TestALinkKeepsTheOriginalName(t *testing.T) {
	const name = "été test.png"
	for _, via := range []string{"gateway", "backend"} {
		for _, method := range []string{"PUT", "POST"} {
			t.Run(method+" via "+via, func(t *testing.T) {
				w := newWorld(t, "PRESIGN_VIA="+via, "MAX_FILE_SIZE=3000", "ALLOWED_FILE_TYPES=image/png")
				if via == "backend" && method == "POST" && w.store.Name == "embedded" {
					t.Skip("the store in the process is sent no forms")
				}
				wish, err := json.Marshal(map[string]string{"filename": name, "content_type": "image/png", "method": method})
				if err != nil {
					t.Fatal(err)
				}
				l := w.presign(string(wish))
				w.useLink(l, via, png(2000))
				got := w.ask("POST", "/complete/"+escaped(l.ID), "")
				if got.status != 201 || got.json(t)["filename"] != name {
					t.Errorf("complete: %d %s", got.status, got.body)
				}
				if about := w.ask("GET", "/metadata/"+l.ID, "").json(t); about["filename"] != name || strings.Contains(l.ID, "é") {
					t.Errorf("metadata: %v", about)
				}
				down := w.ask("GET", "/download/"+l.ID, "")
				if said := down.header.Get("Content-Disposition"); !strings.HasSuffix(said, "filename*=UTF-8''%C3%A9t%C3%A9%20test.png") {
					t.Errorf("Content-Disposition %q", said)
				}
				if seen := w.signed("HEAD", l.ID); seen.header.Get("x-amz-meta-s3gateway-filename") != "" {
					t.Errorf("the S3 door shows the gateway's own metadata: %v", seen.header)
				}
			})
		}
	}
}

// useLink sends a file as the client of a link does.
func (w *world) useLink(l link, via string, file []byte) {
	w.t.Helper()
	if l.Method == http.MethodPut && via == "backend" {
		w.arrive(l, file)
		return
	}
	r := newRequest(w.t, http.MethodPut, l.URL, bytes.NewReader(file))
	for name, value := range l.Headers {
		r.Header.Set(name, value)
	}
	if l.Method == http.MethodPost {
		r = w.filledForm(l, file)
	}
	if got := do(w.t, r); got.status >= 300 {
		w.t.Fatalf("the link: %d %s", got.status, got.body)
	}
}

// filledForm is the form of a link with a file, as a browser posts it.
func (w *world) filledForm(l link, file []byte) *http.Request {
	w.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range l.Fields {
		_ = form.WriteField(name, value)
	}
	part, err := form.CreateFormFile("file", "whatever.png")
	if err != nil {
		w.t.Fatal(err)
	}
	_, _ = part.Write(file)
	form.Close()
	return newRequest(w.t, http.MethodPost, l.URL, &body, "Content-Type", form.FormDataContentType())
}

// The name is the gateway's word: nobody changes it in a link, or sends one.
func TestTheNameOfALinkCannotBeChanged(t *testing.T) {
	w := newWorld(t, "MAX_FILE_SIZE=3000", "ALLOWED_FILE_TYPES=image/png")
	l := w.presign(`{"filename":"a.png","content_type":"image/png"}`)
	put := func(url string, headers ...string) answer {
		return do(t, newRequest(t, "PUT", url, bytes.NewReader(png(2000)), append(headers, "Content-Type", "image/png")...))
	}
	put(strings.Replace(l.URL, "Filename=a.png", "Filename=b.png", 1)).isS3Error(t, 403, "SignatureDoesNotMatch")
	put(l.URL, "X-Amz-Meta-S3gateway-Filename", "b.png").isS3Error(t, 400, "InvalidRequest")
	put(strings.Replace(l.URL, "&X-Amz-Meta-S3gateway-Filename=a.png", "", 1), "X-Amz-Meta-S3gateway-Filename", "a.png").isS3Error(t, 403, "AccessDenied")
	w.signed("PUT", "uploads/x.png", "X-Amz-Meta-S3gateway-Filename", "b.png").isS3Error(t, 403, "AccessDenied")
	w.unchanged()
}

// Whoever may write the file may say that it is complete; nobody else learns of it.
func TestCompleteByAnotherCaller(t *testing.T) {
	file := "callers:\n"
	for name, actions := range map[string]string{"dropper": "[write]", "writer": "[write]", "reader": "[read, list]", "elsewhere": "[write, read]"} {
		prefix := "uploads/"
		if name == "elsewhere" {
			prefix = "other/"
		}
		file += "  - name: " + name + "\n    api_keys: [{key: k-" + name + "-0123456789}]\n    grants: [{bucket: BUCKET, prefix: " + prefix + ", actions: " + actions + "}]\n"
	}
	w := newFiled(t, file)
	as := func(name string) []string { return []string{"Authorization", "Bearer k-" + name + "-0123456789"} }
	wish := newRequest(t, "POST", w.rest("presigned"), strings.NewReader(`{"filename":"a.png","content_type":"image/png"}`), append(as("dropper"), "Content-Type", "application/json")...)
	var l link
	got := do(t, wish)
	if err := json.Unmarshal(got.body, &l); got.status != 200 || err != nil {
		t.Fatalf("%d %s", got.status, got.body)
	}
	complete := func(name string) answer {
		return do(t, newRequest(t, "POST", w.rest("complete/"+l.ID), nil, as(name)...))
	}
	complete("dropper").isProblem(t, 404, "no file")
	for _, name := range []string{"reader", "elsewhere"} {
		complete(name).isProblem(t, 403, "")
	}
	w.useLink(l, "gateway", png(2000))
	for _, name := range []string{"dropper", "writer", "writer"} {
		if got := complete(name); got.status != 201 || got.json(t)["file_id"] != l.ID || got.json(t)["file_size"] != 2000.0 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	for _, name := range []string{"reader", "elsewhere"} {
		complete(name).isProblem(t, 403, "")
	}
}
