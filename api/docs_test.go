package api

import (
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var fence = regexp.MustCompile("(?ms)^```(\\w+)\n(.*?)^```$")

// blocks are the fenced blocks of one language in docs/upload-api.md.
func blocks(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("../docs/upload-api.md")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
		if m[1] == language {
			all = append(all, m[2])
		}
	}
	if len(all) == 0 {
		t.Fatalf("docs/upload-api.md has no %s", language)
	}
	return all
}

// documented is the gateway that the documentation speaks of.
func documented(t *testing.T) *both {
	return newBoth(t, testLimit, []string{"image/jpeg", "image/png", "text/plain"})
}

func runIn(t *testing.T, b *both, name string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "GATEWAY="+b.srv.URL, "API_KEY="+testKey)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestTheDocumentedCommandsWork(t *testing.T) {
	for _, tool := range []string{"sh", "curl", "openssl", "sha256sum"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the commands need %s: %v", tool, err)
		}
	}
	runIn(t, documented(t), "sh", "-c", "set -eux\n"+strings.Join(blocks(t, "sh"), "\n"))
}

func TestTheDocumentedPythonWorks(t *testing.T) {
	if err := exec.CommandContext(t.Context(), "python3", "-c", "import requests").Run(); err != nil {
		t.Skipf("python3 has no requests: %v", err)
	}
	lead := "import os\ngateway, key = os.environ['GATEWAY'], os.environ['API_KEY']\nopen('photo.png', 'wb').write(b'\\x89PNG\\r\\n\\x1a\\nnot much')\n"
	runIn(t, documented(t), "python3", "-c", lead+strings.Join(blocks(t, "python"), "\n"))
}

// A page's fetch sends what browsers add to a form, after a preflight because of
// the key's header.
func TestAPageOfAnAllowedOriginUploads(t *testing.T) {
	const origin = "https://app.example"
	b := newBoth(t, testLimit, []string{"image/png"}, func(o *Options) { o.CORSAllowedOrigins = []string{origin} })
	preflight := b.do("OPTIONS", Root+"/direct", http.Header{"Origin": {origin},
		"Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"x-api-key"}}, nil)
	if preflight.status >= 300 || preflight.header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(strings.ToLower(preflight.header.Get("Access-Control-Allow-Headers")), "x-api-key") {
		t.Fatalf("%d %v", preflight.status, preflight.header)
	}
	header, body := formOf(t, filePart("photo.png", "image/png", png))
	header.Set("Origin", origin)
	header.Set("Sec-Fetch-Site", "cross-site")
	header.Set("Sec-Fetch-Mode", "cors")
	got := b.do("POST", Root+"/direct", header, strings.NewReader(body))
	if got.status != 201 || got.header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(got.header.Get("Access-Control-Expose-Headers"), "Repr-Digest") {
		t.Errorf("%d %v", got.status, got.header)
	}
	header.Set("Accept", "*/*")
	refused := b.do("POST", Root+"/direct", header, strings.NewReader(strings.Replace(body, png, "<html>", 1)))
	if refused.status != 415 || refused.header.Get("Access-Control-Allow-Origin") != origin {
		t.Errorf("a page cannot read the refusal: %d %v", refused.status, refused.header)
	}
}
