package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/rs/zerolog"
)

// mostOf asks a gateway for its largest file, by sending one that is too large.
func mostOf(t *testing.T, url string) string {
	t.Helper()
	r := newRequest(t, http.MethodPut, url+"/api/v1/upload/direct?filename=a.png", bytes.NewReader(png(100_000)), "Content-Type", "image/png")
	a := do(t, r)
	if a.status != http.StatusRequestEntityTooLarge {
		return fmt.Sprintf("status %d: %s", a.status, a.body)
	}
	most, _ := a.json(t)["max_size_allowed"].(string)
	return most
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Every way in which a file is replaced is noticed, a broken file is refused
// with its place, and the policy in force stays.
func TestTheConfigurationIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "policy.yaml")
	write(t, path, "max_file_size: 1001\n")
	g := start(t, t.TempDir(), []string{"CONFIG_FILE=" + path})
	g.healthy(t)
	becomes := func(how, most string) {
		t.Helper()
		eventually(t, how, func() bool { return mostOf(t, g.url) == most })
	}
	becomes("the first configuration", "1001")

	write(t, path, "max_file_size: 1002\n")
	becomes("a file that is written anew", "1002")

	write(t, path+"~", "max_file_size: 1003\n")
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
	becomes("a file that is renamed into place", "1003")

	write(t, path, "max_file_size: 1004\nlisten_addr: 127.0.0.1:1\ndata_dir: /elsewhere\n")
	becomes("a file with settings that need a start", "1004")
	if log := g.stderr.String(); strings.Contains(log, `"settings"`) && !strings.Contains(log, "LISTEN_ADDR") {
		t.Errorf("what needs a start is not named: %s", log)
	}

	write(t, path, "max_file_size: 1005\nallowed_file_typs: image/png\n")
	refused := "policy.yaml:2:1: allowed_file_typs: unknown; did you mean allowed_file_types?"
	eventually(t, "the refusal in the log", func() bool { return strings.Contains(g.stderr.String(), refused) })
	becomes("a broken file leaves the earlier policy", "1004")
	health := do(t, newRequest(t, "GET", g.url+"/api/v1/upload/health", nil))
	if detail, _ := health.json(t)["detail"].(string); health.status != 200 || !strings.Contains(detail, "refused") || strings.Contains(detail, "policy.yaml") {
		t.Errorf("health: %d %s", health.status, health.body)
	}
	for _, cut := range []string{"", "\n# max_file_size: 1005\n", "callers:\n"} {
		refusals := strings.Count(g.stderr.String(), "policy.yaml:1:1: the file is empty")
		write(t, path, cut)
		eventually(t, "the refusal of an empty file in the log", func() bool {
			return strings.Count(g.stderr.String(), "policy.yaml:1:1: the file is empty") > refusals
		})
		becomes("an empty file leaves the earlier policy", "1004")
	}
	write(t, path, "max_file_size: 1006\n")
	becomes("a file that was mended", "1006")
	if health := do(t, newRequest(t, "GET", g.url+"/api/v1/upload/health", nil)); health.json(t)["detail"] != nil {
		t.Errorf("health: %s", health.body)
	}
}

func TestAHangupReadsTheConfigurationAgain(t *testing.T) {
	g := start(t, t.TempDir(), []string{"MAX_FILE_SIZE=1001"})
	g.healthy(t)
	g.hangups <- syscall.SIGHUP
	eventually(t, "the log", func() bool { return strings.Contains(g.stderr.String(), "the changed configuration is in force") })
	if most := mostOf(t, g.url); most != "1001" {
		t.Error(most)
	}
}

// Kubernetes mounts a file as a link to ..data/file, and ..data as a link that
// it swaps.
func TestASwappedLinkIsNoticed(t *testing.T) {
	dir := t.TempDir()
	version := func(name, content string) {
		t.Helper()
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, name, "policy.yaml"), content)
		if err := os.Symlink(name, filepath.Join(dir, "..tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..tmp"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..one", "max_file_size: 1001\n")
	path := filepath.Join(dir, "policy.yaml")
	if err := os.Symlink(filepath.Join("..data", "policy.yaml"), path); err != nil {
		t.Fatal(err)
	}
	g := start(t, t.TempDir(), []string{"CONFIG_FILE=" + path})
	g.healthy(t)
	version("..two", "max_file_size: 1002\n")
	eventually(t, "the swapped link", func() bool { return mostOf(t, g.url) == "1002" })
}

// A file that changed while the gateway started is read again.
func TestAChangeBeforeTheWatchIsNoticed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, "max_file_size: 1001\n")
	files := func() []string { return []string{path} }
	read := contentOf(files())
	write(t, path, "max_file_size: 1002\n")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	noticed := 0
	watchFiles(ctx, zerolog.Nop(), files, read, nil, func() {
		noticed++
		stop()
	})
	if noticed != 1 {
		t.Error("it was not noticed")
	}
}

// A new secret file is watched from the moment that the configuration names it.
func TestASecretFileThatRotates(t *testing.T) {
	dir := t.TempDir()
	path, secret := filepath.Join(dir, "policy.yaml"), filepath.Join(t.TempDir(), "key")
	write(t, secret, "first-api-key-of-web")
	write(t, path, "max_file_size: 1000\n")
	g := start(t, t.TempDir(), []string{"CONFIG_FILE=" + path, "API_KEYS=other=another-api-key-of-it"})
	g.healthy(t)
	write(t, path, "callers: [{name: web, api_keys: [{key_file: "+secret+"}], grants: [{bucket: files, actions: list}]}]\n")
	listWith := func(key string) int {
		return do(t, newRequest(t, "GET", g.url+"/api/v1/upload/list", nil, "X-Api-Key", key)).status
	}
	eventually(t, "the key", func() bool { return listWith("first-api-key-of-web") == 200 })
	write(t, secret, "second-api-key-of-web")
	eventually(t, "the new key", func() bool { return listWith("second-api-key-of-web") == 200 })
	if status := listWith("first-api-key-of-web"); status != 401 {
		t.Errorf("the old key: %d", status)
	}
}

// Under load, while the configuration changes all the time, each request sees
// one policy wholly: its rate and its largest size are of the same version.
func TestEachRequestSeesOnePolicy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	policyOf := func(n int64) string {
		return fmt.Sprintf("max_file_size: %d\nrate_limit: 1000000000/s:%d\n", n, n)
	}
	write(t, path, policyOf(1_000_000))
	w := newWorld(t, "CONFIG_FILE="+path)
	var wg sync.WaitGroup
	var stop atomic.Bool
	var mixed, asked, versions atomic.Int64
	for range 4 {
		wg.Go(func() {
			last := ""
			for !stop.Load() {
				a := do(t, newRequest(t, http.MethodPost, w.rest("presigned"), strings.NewReader(`{"filename":"a.png","size":3000000}`), "Content-Type", "application/json"))
				most, _ := a.json(t)["max_size_allowed"].(string)
				asked.Add(1)
				if _, quota, _ := strings.Cut(a.header.Get("RateLimit-Policy"), "q="); a.status != 413 || !strings.HasPrefix(quota, most) || len(most) != 7 {
					if mixed.Add(1) == 1 {
						t.Errorf("%d, at most %q, rates %q", a.status, most, a.header.Get("RateLimit-Policy"))
					}
				}
				if most != last {
					versions.Add(1)
					last = most
				}
			}
		})
	}
	for n := int64(1); asked.Load() < 3000 && !t.Failed(); n++ {
		write(t, path, policyOf(1_000_000+n))
		w.app.reload(w.load)
	}
	stop.Store(true)
	wg.Wait()
	if mixed.Load() > 0 || versions.Load() < 20 {
		t.Errorf("%d of %d requests saw two policies; %d changes were seen", mixed.Load(), asked.Load(), versions.Load())
	}
	t.Logf("%d requests saw %d changes", asked.Load(), versions.Load())
	w.unchanged()
}

// A request that began under one policy ends under it.
func TestARequestEndsUnderThePolicyItBeganWith(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, "max_file_size: 100000\n")
	w := newWorld(t, "CONFIG_FILE="+path)
	body, rest := png(50_000), make(chan struct{})
	reader := &pausing{first: body[:10_000], second: body[10_000:], at: rest, paused: make(chan struct{})}
	done := make(chan answer, 1)
	go func() {
		r := newRequest(t, http.MethodPut, w.rest("direct?filename=a.png"), reader, "Content-Type", "image/png")
		done <- do(t, r)
	}()
	<-reader.paused
	eventually(t, "the request has reached its doors", func() bool { return strings.Contains(w.scrape(), "s3gateway_requests_in_flight 1") })
	write(t, path, "max_file_size: 20000\n")
	w.app.reload(w.load)
	if most := mostOf(t, w.url); most != "20000" {
		t.Errorf("a new request is under %s", most)
	}
	close(rest)
	if a := <-done; a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Who is taken out of the file is out at once: its keys, its links, and the
// uploads that it had begun.
func TestARemovedCallerIsOut(t *testing.T) {
	const caller = `
callers:
  - name: web
    access_keys: [{id: WEBKEY, secret: web-secret-of-16-or-more}]
    api_keys: [{key: web-api-key-of-16-or-more}]
    grants: [{bucket: "*", actions: [list, read, write, delete]}]
`
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, caller)
	w := newWorld(t, append(open, "CONFIG_FILE="+path, "UPLOAD_AUTH=required", "API_KEYS=other=another-api-key-of-it")...)
	rest := func(method, path, body string, headers ...string) answer {
		return do(t, newRequest(t, method, w.rest(path), strings.NewReader(body), append([]string{"X-Api-Key", "web-api-key-of-16-or-more"}, headers...)...))
	}
	link, _ := rest("POST", "presigned", `{"filename":"a.bin","content_type":"application/octet-stream"}`, "Content-Type", "application/json").json(t)["upload_url"].(string)
	made := rest("POST", "resumable", "", "Tus-Resumable", "1.0.0", "Upload-Length", "4")
	at := strings.TrimPrefix(made.header.Get("Location"), w.url+"/api/v1/upload/")
	if link == "" || made.status != 201 {
		t.Fatal(link, made.status, string(made.body))
	}
	patch := func() answer {
		return rest("PATCH", at[strings.Index(at, "resumable/"):], "abcd", "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	}
	put := func() answer {
		return do(t, newRequest(t, "PUT", link, strings.NewReader("abcd"), "Content-Type", "application/octet-stream"))
	}
	w.before = w.store.Snapshot(t, w.bucket)
	write(t, path, "max_file_size: 0\n")
	w.app.reload(w.load)
	patch().isProblem(t, http.StatusUnauthorized, "API_KEYS")
	put().isS3Error(t, http.StatusForbidden, "InvalidAccessKeyId")
	do(t, w.signedPutBy(webKeys, "a", []byte("x"))).isS3Error(t, http.StatusForbidden, "InvalidAccessKeyId")
	w.store.Unchanged(t, w.bucket, w.before)

	write(t, path, caller)
	w.app.reload(w.load)
	if a := patch(); a.status != http.StatusNoContent {
		t.Errorf("the upload of one who came back: %d %s", a.status, a.body)
	}
	if a := put(); a.status != http.StatusOK {
		t.Errorf("the link of one who came back: %d %s", a.status, a.body)
	}
}

// pausing gives its first bytes, tells of it, and waits before the others.
type pausing struct {
	first, second []byte
	at, paused    chan struct{}
	once          sync.Once
}

func (p *pausing) Read(b []byte) (int, error) {
	if len(p.first) > 0 {
		n := copy(b, p.first)
		p.first = p.first[n:]
		return n, nil
	}
	p.once.Do(func() { close(p.paused) })
	<-p.at
	if len(p.second) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.second)
	p.second = p.second[n:]
	return n, nil
}
