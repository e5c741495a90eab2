package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const browserFolder = "../../tests/clients/browser"

// seen is what a page saw of one flow (tests/clients/browser/flows.mjs).
type seen struct {
	Error       string         `json:"error"`
	Status      int            `json:"status"`
	Complete    int            `json:"complete"`
	Metadata    int            `json:"metadata"`
	Body        map[string]any `json:"body"`
	Link        map[string]any `json:"link"`
	ETag        any            `json:"etag"`
	Location    string         `json:"location"`
	Seen        []int          `json:"seen"`
	Same        bool           `json:"same"`
	Linked      bool           `json:"linked"`
	Range       []any          `json:"range"`
	Disposition string         `json:"disposition"`
}

const browserKey = "a-key-of-the-browser"

// browse runs the flows in Chromium, in a page of the gateway's own origin or of
// another.
func browse(t *testing.T, page, gateway string, headers map[string]string) map[string]seen {
	t.Helper()
	wish, err := json.Marshal(map[string]any{"page": page, "gateway": gateway, "headers": headers, "limit": 10 << 20})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "node", "flows.mjs", string(wish))
	command.Dir, command.WaitDelay = browserFolder, 5*time.Second
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.Output()
	results := map[string]seen{}
	if err == nil {
		err = json.Unmarshal(out, &results)
	}
	if err != nil {
		t.Fatalf("the browser: %v\n%s\n%s", err, out, complaints.String())
	}
	return results
}

func needBrowser(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes its time")
	}
	for _, program := range []string{"node", "chromium"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skipf("%s is not installed: tests/clients/install.sh does", program)
		}
	}
	if _, err := os.Stat(filepath.Join(browserFolder, "node_modules", "playwright-core")); err != nil {
		t.Skip("playwright-core is not installed: tests/clients/install.sh does")
	}
}

// elsewhere is a page of another origin.
func elsewhere(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>an application</title>"))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestAWebApplicationInABrowser(t *testing.T) {
	needBrowser(t)
	for _, c := range []struct {
		name     string
		settings func(t *testing.T) []string
		backend  bool
	}{
		{"links of the gateway", func(*testing.T) []string { return nil }, false},
		{"over HTTP/2", secure, false},
		{"links straight to the backend", func(*testing.T) []string { return []string{"PRESIGN_VIA=backend"} }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			page := elsewhere(t)
			w := newWorld(t, append(c.settings(t), "CORS_ALLOWED_ORIGINS="+page, "API_KEYS=page="+browserKey)...)
			if c.backend && w.store.Name == "embedded" {
				t.Skip("the embedded store answers pages of other origins by a bucket's CORS rules alone, and this bucket has none")
			}
			results := browse(t, page, w.url, map[string]string{"Authorization": "Bearer " + browserKey})
			checkFlows(t, results)
			if url, _ := results["upload by link"].Link["upload_url"].(string); strings.HasPrefix(url, w.url) == c.backend {
				t.Errorf("the link leads to %s", url)
			}
			refusedAsAnswer(t, results, "no key", 401, "API_KEYS")
		})
	}
}

// The page's own origin needs neither a key nor CORS on the same machine.
func TestAWebApplicationOfTheSameOrigin(t *testing.T) {
	needBrowser(t)
	w := newWorld(t)
	results := browse(t, w.url+"/", w.url, map[string]string{})
	checkFlows(t, results)
	if got := results["no key"]; got.Status != 201 {
		t.Errorf("%+v", got)
	}
}

func checkFlows(t *testing.T, results map[string]seen) {
	t.Helper()
	for name, got := range results {
		if got.Error != "" {
			t.Errorf("%s: %s", name, got.Error)
		}
	}
	if got := results["direct upload"]; got.Status != 201 || got.Body["filename"] != "Käse 1.png" || got.Body["file_size"] != 4000.0 ||
		got.Body["content_type"] != "image/png" || got.ETag == nil || !strings.HasPrefix(got.Location, "/api/v1/upload/metadata/uploads/") {
		t.Errorf("direct upload: %+v", got)
	}
	if got := results["raw upload"]; got.Status != 201 || got.Body["filename"] != "raw.png" {
		t.Errorf("raw upload: %+v", got)
	}
	if got := results["upload with progress"]; got.Status != 201 || len(got.Seen) == 0 || got.Seen[len(got.Seen)-1] < 2<<20 {
		t.Errorf("upload with progress: %+v", got)
	}
	if got := results["upload by link"]; got.Status != 200 || got.Complete != 201 || got.Body["file_size"] != 4000.0 {
		t.Errorf("upload by link: %+v", got)
	}
	if got := results["upload by form"]; got.Status != 204 || got.Metadata != 200 || got.Body["content_type"] != "image/png" {
		t.Errorf("upload by form: %+v", got)
	}
	if got := results["download"]; got.Status != 200 || !got.Same || !got.Linked || got.ETag != true || len(got.Range) != 3 || got.Range[0] != 206.0 ||
		got.Range[1] != "bytes 2-5/4000" || !strings.Contains(got.Disposition, "K%C3%A4se%202.png") {
		t.Errorf("download: %+v", got)
	}
	refusedAsAnswer(t, results, "a form that is much too large", 413, "File too large. Maximum size: 10485760 bytes")
	refusedAsAnswer(t, results, "a body that is much too large", 413, "File too large. Maximum size: 10485760 bytes")
	refusedAsAnswer(t, results, "a large file of another type", 415, "File type not allowed")
}

func refusedAsAnswer(t *testing.T, results map[string]seen, name string, status int, detail string) {
	t.Helper()
	got := results[name]
	if said, _ := got.Body["detail"].(string); got.Status != status || !strings.Contains(said, detail) {
		t.Errorf("%s: want %d %q, got %+v", name, status, detail, got)
	}
}
