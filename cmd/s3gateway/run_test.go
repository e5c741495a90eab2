package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/internal/testlog"
)

// started is a whole gateway process, but for the process.
type started struct {
	url    string
	stderr *testlog.Buffer
	stop   context.CancelFunc
	code   chan int
	// hangups ask it to read its configuration again.
	hangups chan os.Signal
}

// start runs the command line in a working folder of its own.
func start(t *testing.T, dir string, environ []string, args ...string) *started {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	s := &started{stderr: &testlog.Buffer{}, stop: cancel, code: make(chan int, 1), hangups: make(chan os.Signal, 1)}
	up := make(chan []string, 1)
	environ = append([]string{"LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=off", "DATA_DIR=" + dir}, environ...)
	go func() {
		s.code <- run(ctx, process{args: args, environ: environ, stdout: s.stderr, stderr: s.stderr, started: func(a []string) { up <- a }, hangups: s.hangups})
	}()
	select {
	case addresses := <-up:
		s.url = "http://" + addresses[0]
	case code := <-s.code:
		s.code <- code
	case <-time.After(time.Minute):
		t.Fatalf("did not start:\n%s", s.stderr)
	}
	t.Cleanup(func() { s.end(t) })
	return s
}

// end stops the gateway and gives its exit code.
func (s *started) end(t *testing.T) int {
	t.Helper()
	s.stop()
	select {
	case code := <-s.code:
		s.code <- code
		return code
	case <-time.After(time.Minute):
		t.Fatalf("did not stop:\n%s", s.stderr)
		return -1
	}
}

func (s *started) healthy(t *testing.T) {
	t.Helper()
	eventually(t, "health", func() bool {
		return do(t, newRequest(t, "GET", s.url+"/api/v1/upload/health", nil)).status == 200
	})
}

func TestFilesSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir, nil)
	first.healthy(t)
	content, formType := form(t, "a.png", "image/png", png(200))
	stored := do(t, newRequest(t, "POST", first.url+"/api/v1/upload/direct", content, "Content-Type", formType))
	if stored.status != 201 {
		t.Fatalf("%d %s", stored.status, stored.body)
	}
	keys, err := os.ReadFile(filepath.Join(dir, "gateway-keys.env"))
	if err != nil {
		t.Fatal(err)
	}
	if code := first.end(t); code != exitOK {
		t.Fatalf("exit code %d:\n%s", code, first.stderr)
	}
	_, secret, _ := strings.Cut(string(keys), "SECRET_ACCESS_KEY=")
	if secret = strings.TrimSpace(secret); secret == "" || strings.Contains(first.stderr.String(), secret) {
		t.Error("the secret is not there, or was printed where no terminal is")
	}

	second := start(t, dir, nil)
	second.healthy(t)
	id := stored.json(t)["file_id"].(string)
	got := do(t, newRequest(t, "GET", second.url+"/api/v1/upload/download/"+id, nil))
	if got.status != 200 || !bytes.Equal(got.body, png(200)) {
		t.Errorf("%d, %d bytes", got.status, len(got.body))
	}
	if again, _ := os.ReadFile(filepath.Join(dir, "gateway-keys.env")); !bytes.Equal(keys, again) {
		t.Error("the key pair changed")
	}
}

func TestASecondGatewayOnTheSameFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	start(t, dir, nil).healthy(t)
	second := start(t, dir, nil)
	if code := second.end(t); code != exitFailed || !strings.Contains(second.stderr.String(), dir) {
		t.Errorf("exit code %d: %s", code, second.stderr)
	}
}

func TestWrongSettingsAreAllReported(t *testing.T) {
	s := start(t, t.TempDir(), []string{"MAX_FILE_SIZE=ten", "S3_ENDPOINT_URL=minio:9000", "S3_ENABLED=true", "RATE_LIMIT=fast", "S3_ACCESS_KEY_ID=AK", "S3_SECRET_ACCESS_KEY="})
	text := s.stderr.String()
	if code := s.end(t); code != exitSettings {
		t.Errorf("exit code %d", code)
	}
	for _, name := range []string{"MAX_FILE_SIZE", "S3_ENDPOINT_URL", "RATE_LIMIT", "S3_SECRET_ACCESS_KEY"} {
		if !strings.Contains(text, name) {
			t.Errorf("%s is not named in:\n%s", name, text)
		}
	}
}

func TestSwitchedOffAnswers503OnBothDoors(t *testing.T) {
	s := start(t, t.TempDir(), []string{"S3_ENABLED=false"})
	bothUnavailable(t, s.url, "S3 file storage is not enabled or not properly configured")
	health := do(t, newRequest(t, "GET", s.url+"/api/v1/upload/health", nil))
	if health.status != 503 || health.json(t)["s3_enabled"] != false {
		t.Errorf("%d %s", health.status, health.body)
	}
}

// bothUnavailable checks that neither door serves.
func bothUnavailable(t *testing.T, url, detail string) {
	t.Helper()
	rest := do(t, newRequest(t, "GET", url+"/api/v1/upload/list", nil))
	rest.isProblem(t, 503, detail)
	s3 := do(t, newRequest(t, "GET", url+"/files/x", nil))
	s3.isS3Error(t, 503, "ServiceUnavailable")
	for _, a := range []answer{rest, s3} {
		if a.header.Get("Retry-After") == "" {
			t.Error("503 without Retry-After")
		}
	}
}

func TestABackendThatIsAwayAnswers503UntilItIsThere(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	s := start(t, t.TempDir(), []string{"S3_ENABLED=true", "S3_BUCKET_NAME=files", "S3_ENDPOINT_URL=http://" + address,
		"S3_ACCESS_KEY_ID=AK", "S3_SECRET_ACCESS_KEY=secret-of-the-backend"})
	bothUnavailable(t, s.url, "not properly configured")
	eventually(t, "the first probe has failed", func() bool { return strings.Contains(s.stderr.String(), "does not accept the gateway yet") })

	if l, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(200) })}
	go server.Serve(l)
	defer server.Close()
	s.healthy(t)
	if text := s.stderr.String(); strings.Contains(text, "secret-of-the-backend") || !strings.Contains(text, "does not accept the gateway yet") {
		t.Error(text)
	}
}

func TestABackendThatRefusesTheGatewaySaysAccessDenied(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(403) })}
	go server.Serve(l)
	defer server.Close()
	s := start(t, t.TempDir(), []string{"S3_ENABLED=true", "S3_BUCKET_NAME=files", "S3_ENDPOINT_URL=http://" + l.Addr().String(),
		"S3_ACCESS_KEY_ID=AK", "S3_SECRET_ACCESS_KEY=secret-of-the-backend"})
	eventually(t, "the refusal is known", func() bool {
		return strings.Contains(string(do(t, newRequest(t, "GET", s.url+"/api/v1/upload/list", nil)).body), "Access denied to S3 bucket")
	})
	bothUnavailable(t, s.url, "Access denied to S3 bucket")
}

func TestCommands(t *testing.T) {
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--help"}, exitOK, "config"},
		{[]string{"version"}, exitOK, "s3gateway"},
		{[]string{"config"}, exitOK, "MAX_FILE_SIZE"},
		{[]string{"config", "--reference"}, exitOK, "| "},
		{[]string{"nonsense"}, exitSettings, "--help"},
		{[]string{"--config", "/does/not/exist.yaml", "config"}, exitSettings, "/does/not/exist.yaml"},
	} {
		var out bytes.Buffer
		code := run(t.Context(), process{args: c.args, environ: []string{"GATEWAY_ACCESS_KEY_ID=TESTKEY", "GATEWAY_SECRET_ACCESS_KEY=" + testSecret}, stdout: &out, stderr: &out})
		if code != c.code || !strings.Contains(out.String(), c.want) || strings.Contains(out.String(), testSecret) {
			t.Errorf("%q: exit code %d\n%s", c.args, code, out.String())
		}
	}
}

func TestDoorsAreChosenByTheRawRequestLine(t *testing.T) {
	w := newWorld(t, open...)
	for _, c := range []struct {
		path, accept string
		wantType     string
	}{
		{"/api/v1/upload/health", "", "application/json"},
		{"/api/v1/upload", "", "application/problem+json"},
		{"/api/v1/uploads", "", "application/xml"},
		{"/api/v1/%75pload/health", "", "application/xml"},
		{"/api/v1%2Fupload/health", "", "application/xml"},
		{"//api/v1/upload/health", "", "application/xml"},
		{"/api/v1/./upload/health", "", "application/xml"},
		{"/", "text/html", "text/plain; charset=utf-8"},
		{"/", "", "application/xml"},
	} {
		r := newRequest(t, "GET", w.url, nil)
		r.URL.Opaque = c.path
		if strings.HasPrefix(c.path, "//") {
			r.URL.Opaque = "http://" + r.URL.Host + c.path
		}
		if c.accept != "" {
			r.Header.Set("Accept", c.accept)
		}
		if got := do(t, r).header.Get("Content-Type"); got != c.wantType {
			t.Errorf("%s: %s, want %s", c.path, got, c.wantType)
		}
	}
}

// A secret that cannot be asked for now is no mistake in the settings: a
// supervisor that starts the gateway again is right to.
func TestSecretsManagerThatIsAway(t *testing.T) {
	for name, value := range map[string]string{
		"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_MAX_ATTEMPTS": "1",
	} {
		t.Setenv(name, value)
	}
	const callers = "callers:\n  - name: web\n    access_keys: [{id: WEBKEY, secret_aws: web-secret}]\n"
	for more, want := range map[string]int{"": exitFailed, "max_file_siz: 1\n": exitSettings} {
		path := filepath.Join(t.TempDir(), "c.yaml")
		write(t, path, callers+more)
		code, out := command(t, "--config", path, "config")
		if code != want || !strings.Contains(out, "c.yaml:3:") || !strings.Contains(out, "AWS Secrets Manager cannot be asked") {
			t.Errorf("%q: %d %s", more, code, out)
		}
	}
}
