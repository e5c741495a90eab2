package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// largest is MAX_FILE_SIZE as it is without a setting.
const largest = 10485760

const flowKey = "a-key-of-the-application"

// eachVia runs a flow with links of both kinds.
func eachVia(t *testing.T, flow func(t *testing.T, w *world, via string)) {
	for _, via := range []string{"gateway", "backend"} {
		t.Run("links via "+via, func(t *testing.T) {
			w := newWorld(t, "API_KEYS=app="+flowKey, "PRESIGN_VIA="+via)
			flow(t, w, via)
		})
	}
}

// What an application with Python's requests does, without any knowledge of S3.
func TestAnApplicationInPython(t *testing.T) {
	const python = "python3"
	if out, err := exec.Command(python, "-c", "import requests").CombinedOutput(); err != nil {
		t.Skipf("no requests library for %s (tests/clients/install.sh installs it): %s", python, out)
	}
	eachVia(t, func(t *testing.T, w *world, via string) {
		command := exec.CommandContext(t.Context(), python, "../../tests/clients/py/requests_flows.py", w.url, flowKey, fmt.Sprint(largest), via)
		var complaints strings.Builder
		command.Stderr, command.WaitDelay = &complaints, 5*time.Second
		out, err := command.Output()
		var got struct {
			Health                                     string
			List                                       bool
			Deleted                                    []int
			Direct, Presigned, Download, URL, Metadata map[string]any
			LargeForm                                  map[string]any `json:"large form"`
			LargeBody                                  map[string]any `json:"large body"`
			LargeStream                                map[string]any `json:"large stream"`
			LargeLink                                  map[string]any `json:"large link"`
			Page                                       map[string]any
		}
		if err == nil {
			err = json.Unmarshal(out, &got)
		}
		if err != nil {
			t.Fatalf("%v\n%s\n%s", err, out, complaints.String())
		}
		for _, name := range []string{"file_id", "filename", "file_url", "file_size", "content_type", "upload_timestamp", "etag"} {
			if got.Direct[name] == nil {
				t.Errorf("direct upload: no %s in %v", name, got.Direct)
			}
		}
		for _, name := range []string{"upload_url", "file_url", "file_id", "filename", "expires_in", "expires_at"} {
			if got.Presigned[name] == nil {
				t.Errorf("presigned: no %s in %v", name, got.Presigned)
			}
		}
		if got.Health != "healthy" || got.Direct["status"] != 201.0 || got.Direct["content_type"] != "image/png" || got.Presigned["status"] != 200.0 || got.Presigned["expires_in"] != 3600.0 ||
			got.Download["same"] != true || got.Download["type"] != "image/png" || got.URL["same"] != true || got.URL["expires_in"] != 3600.0 || got.Metadata["hash"] != true || !got.List {
			t.Errorf("%s", out)
		}
		tooLarge := fmt.Sprintf("File too large. Maximum size: %d bytes", largest)
		for name, refusal := range map[string]map[string]any{"form": got.LargeForm, "body": got.LargeBody, "stream": got.LargeStream} {
			if refusal["status"] != 413.0 || refusal["detail"] != tooLarge {
				t.Errorf("a large %s: %v", name, refusal)
			}
		}
		if got.Page["status"] != 415.0 || !strings.Contains(fmt.Sprint(got.Page["detail"]), "File type not allowed") {
			t.Errorf("a page: %v", got.Page)
		}
		if via == "gateway" && (got.LargeLink["status"] != 400.0 || !strings.Contains(fmt.Sprint(got.LargeLink["detail"]), "EntityTooLarge")) {
			t.Errorf("a link: %v", got.LargeLink)
		}
		if len(got.Deleted) != 2 || got.Deleted[0] != 204 || got.Deleted[1] != 404 {
			t.Errorf("deleted twice: %v", got.Deleted)
		}
	})
}

// curl runs curl and gives the status and the body.
func curl(t *testing.T, args ...string) (status, body string) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "answer")
	command := exec.CommandContext(t.Context(), "curl", append([]string{"--silent", "--show-error", "--insecure", "-o", out, "-w", "%{http_code}"}, args...)...)
	var complaints strings.Builder
	command.Stderr = &complaints
	code, err := command.Output()
	if err != nil {
		t.Errorf("curl %s: %v %s", strings.Join(args, " "), err, complaints.String())
	}
	raw, _ := os.ReadFile(out)
	return string(code), string(raw)
}

func member(t *testing.T, doc, name string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(doc), &all); err != nil {
		t.Fatalf("%v: %s", err, doc)
	}
	return fmt.Sprint(all[name])
}

func TestAnApplicationWithCurl(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	folder := t.TempDir()
	small, large := filepath.Join(folder, "test.png"), filepath.Join(folder, "large.png")
	for path, size := range map[string]int{small: 3000, large: 6 * largest} {
		if err := os.WriteFile(path, png(size), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	eachVia(t, func(t *testing.T, w *world, via string) {
		api, auth := w.url+rest, "Authorization: Bearer "+flowKey
		if status, body := curl(t, api+"/health"); status != "200" || member(t, body, "status") != "healthy" {
			t.Errorf("health: %s %s", status, body)
		}
		status, body := curl(t, "-X", "POST", "-H", auth, "-F", "file=@"+small, api+"/direct")
		if status != "201" || member(t, body, "file_size") != "3000" || member(t, body, "content_type") != "image/png" {
			t.Fatalf("direct: %s %s", status, body)
		}
		id := member(t, body, "file_id")
		status, body = curl(t, "-X", "POST", "-H", auth, "-H", "Content-Type: application/json", "-d", `{"filename":"test.png","content_type":"image/png"}`, api+"/presigned")
		if status != "200" || member(t, body, "expires_in") != "3600" {
			t.Fatalf("presigned: %s %s", status, body)
		}
		linked := member(t, body, "file_id")
		if status, body := curl(t, "-T", small, "-H", "Content-Type: image/png", member(t, body, "upload_url")); status != "200" {
			t.Errorf("link: %s %s", status, body)
		}
		for _, id := range []string{id, linked} {
			if status, body := curl(t, "-H", auth, api+"/download/"+id); status != "200" || body != string(png(3000)) {
				t.Errorf("download: %s, %d bytes", status, len(body))
			}
			status, body := curl(t, "-H", auth, api+"/download/"+id+"/url?expires_in=3600")
			if status != "200" || member(t, body, "file_id") != id {
				t.Errorf("url: %s %s", status, body)
			}
			if status, body := curl(t, member(t, body, "download_url")); status != "200" || body != string(png(3000)) {
				t.Errorf("by link: %s, %d bytes", status, len(body))
			}
			if status, body := curl(t, "-H", auth, "-X", "DELETE", api+"/"+id); status != "204" {
				t.Errorf("delete: %s %s", status, body)
			}
		}
		for name, more := range map[string][]string{"with Expect": {"-H", "Expect: 100-continue"}, "without Expect": {"-H", "Expect:"}} {
			for way, args := range map[string][]string{
				"form":   {"-F", "file=@" + large, api + "/direct"},
				"body":   {"-X", "PUT", "-T", large, "-H", "Content-Type: image/png", api + "/direct?filename=large.png"},
				"stream": {"-X", "PUT", "-T", large, "-H", "Content-Type: image/png", "-H", "Transfer-Encoding: chunked", api + "/direct?filename=large.png"},
			} {
				if status, body := curl(t, append(append([]string{"-H", auth}, more...), args...)...); status != "413" || !strings.Contains(body, "File too large. Maximum size: 10485760 bytes") {
					t.Errorf("a large %s %s: %s %s", way, name, status, body)
				}
			}
		}
		w.unchanged()
	})
}

// A client in Go that is still sending reads the refusal, and no broken pipe.
func TestAGoClientReadsItsRefusal(t *testing.T) {
	for name, settings := range map[string]func(*testing.T) []string{"HTTP/1.1": func(*testing.T) []string { return nil }, "HTTP/2": secure} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, append(settings(t), "API_KEYS=app="+flowKey)...)
			for _, expect := range []string{"", "100-continue"} {
				for way, make := range map[string]func() (io.Reader, int64, string, string){
					"form": func() (io.Reader, int64, string, string) {
						var b bytes.Buffer
						form := multipart.NewWriter(&b)
						part, err := form.CreateFormFile("file", "large.png")
						if err != nil {
							t.Fatal(err)
						}
						_, _ = part.Write(png(6 * largest))
						_ = form.Close()
						return &b, int64(b.Len()), form.FormDataContentType(), "/direct"
					},
					"body": func() (io.Reader, int64, string, string) {
						return bytes.NewReader(png(6 * largest)), 6 * largest, "image/png", "/direct?filename=a.png"
					},
					"stream": func() (io.Reader, int64, string, string) {
						return onlyReader{bytes.NewReader(png(6 * largest))}, -1, "image/png", "/direct?filename=a.png"
					},
				} {
					t.Run(way+" "+expect, func(t *testing.T) {
						body, length, kind, path := make()
						r := newRequest(t, http.MethodPost, w.url+rest+path, body, "Authorization", "Bearer "+flowKey, "Content-Type", kind)
						r.ContentLength = length
						if expect != "" {
							r.Header.Set("Expect", expect)
						}
						do(t, r).isProblem(t, 413, "File too large. Maximum size: 10485760 bytes")
					})
				}
			}
			w.unchanged()
		})
	}
}
