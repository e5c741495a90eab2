package main

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/internal/testlog"
)

// What goes wrong on the first day is said with what to do about it.
func TestDoctorAndHealthSayWhatIsWrongAndWhatToDo(t *testing.T) {
	refusing := func(status int, code string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			if code != "" {
				w.Header().Set("X-Minio-Error-Code", code)
			}
			w.WriteHeader(status)
		}))
		t.Cleanup(server.Close)
		return "S3_ENDPOINT_URL=" + server.URL
	}
	named := []string{"S3_ENABLED=true", "S3_BUCKET_NAME=pictures", "S3_ACCESS_KEY_ID=AK", "S3_SECRET_ACCESS_KEY=secret-of-the-backend"}
	for _, c := range []struct {
		name           string
		environ        []string
		doctor, health string
	}{
		{"settings are missing", []string{"S3_ENABLED=true"}, "nothing is set for S3_BUCKET_NAME and S3_REGION", "nothing is set for S3_BUCKET_NAME and S3_REGION"},
		{"switched off", []string{"S3_ENABLED=false"}, "set S3_ENABLED=true", "set S3_ENABLED=true"},
		{"no such bucket", append(named, refusing(404, "")), "The bucket pictures is not there: create it, or set S3_BUCKET_NAME", "The bucket pictures is not there"},
		{"another access key", append(named, refusing(403, "InvalidAccessKeyId")), "see S3_ACCESS_KEY_ID", "Access denied to S3 bucket"},
		{"another secret", append(named, refusing(403, "SignatureDoesNotMatch")), "see S3_SECRET_ACCESS_KEY", "Access denied to S3 bucket"},
		{"a clock", append(named, refusing(403, "RequestTimeTooSkewed")), "set the clock of this machine", "Access denied to S3 bucket"},
		{"another region", append(named, refusing(400, "AuthorizationHeaderMalformed")), "see S3_REGION", "Access denied to S3 bucket"},
		{"no right", append(named, refusing(403, "")), "grant them s3:ListBucket", "Access denied to S3 bucket"},
		{"not an S3", append(named, refusing(401, "")), "see S3_ENDPOINT_URL", "Access denied to S3 bucket"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if code, out := commandWith(t, c.environ, "doctor"); code == exitOK || !strings.Contains(out, c.doctor) || strings.Contains(out, "secret-of-the-backend") {
				t.Errorf("doctor: %d %s", code, out)
			}
			s := start(t, t.TempDir(), c.environ)
			health := do(t, newRequest(t, "GET", s.url+"/api/v1/upload/health", nil))
			if detail, _ := health.json(t)["detail"].(string); health.status != 503 || !strings.Contains(detail, c.health) {
				t.Errorf("health: %d %s", health.status, health.body)
			}
		})
	}
}

func TestAStartThatFailsSaysWhatToDo(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ setting, want string }{
		"a port in use":     {"LISTEN_ADDR=" + taken.Addr().String(), "end what listens there, or set another port"},
		"a foreign address": {"LISTEN_ADDR=192.0.2.1:8000", "this machine has no such address"},
		"no folder":         {"DATA_DIR=" + file, "set DATA_DIR to a folder that this user may write to"},
	} {
		t.Run(name, func(t *testing.T) {
			// Of two lines for one setting the first counts.
			environ := []string{c.setting, "LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=off", "DATA_DIR=" + t.TempDir()}
			if code, out := commandWith(t, environ, "serve"); code == exitOK || !strings.Contains(out, c.want) {
				t.Errorf("%d %s", code, out)
			}
		})
	}
}

func TestOnATerminalAnAuditRecordIsALineLikeOthers(t *testing.T) {
	var out testlog.Buffer
	w := console(&out)
	w.NoColor = true
	line, err := json.Marshal(map[string]any{"log": "audit", "outcome": "refused", "caller": "web", "key": "a.png"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(line); err != nil {
		t.Fatal(err)
	}
	if got := out.String(); !strings.Contains(got, "INF audit caller=web ") || !strings.Contains(got, "outcome=refused") || strings.Contains(got, "???") {
		t.Error(got)
	}
}

// commandWith runs one command line with these settings, in a folder of its own.
func commandWith(t *testing.T, environ []string, args ...string) (code int, out string) {
	t.Helper()
	t.Chdir(t.TempDir())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var written testlog.Buffer
	code = run(ctx, process{args: args, environ: environ, stdout: &written, stderr: &written})
	return code, written.String()
}
