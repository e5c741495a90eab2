package main

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/internal/testlog"
)

// gatewayProcess makes the test binary be the gateway.
const gatewayProcess = "gateway-process"

// holding stands before a store. It stops the first CompleteMultipartUpload,
// before it is passed on or behind it, and never answers.
type holding struct {
	*testbed.Store
	reached chan struct{}
}

func hold(t *testing.T, store *testbed.Store, passOn bool) holding {
	t.Helper()
	h := holding{reached: make(chan struct{})}
	var once sync.Once
	end := make(chan struct{})
	h.Store = store.Front(t, func(pass http.Handler) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			held := false
			if r.Method == http.MethodPost && r.URL.Query().Has("uploadId") {
				once.Do(func() { held = true })
			}
			if held && passOn {
				pass.ServeHTTP(httptest.NewRecorder(), r)
			}
			if held {
				close(h.reached)
				<-end
				return
			}
			pass.ServeHTTP(w, r)
		}
	})
	t.Cleanup(func() { close(end) })
	return h
}

// startProcess runs a gateway as a process of its own, on a unix socket.
func startProcess(t *testing.T, settings ...string) (*exec.Cmd, *http.Transport, *testlog.Buffer) {
	t.Helper()
	dir, err := os.MkdirTemp("", "killed") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket, said := filepath.Join(dir, "s"), &testlog.Buffer{}
	cmd := exec.Command(os.Args[0], gatewayProcess)
	cmd.Dir, cmd.Stderr = dir, said
	cmd.Env = append(settings, "LISTEN_ADDR=unix:"+socket, "ADMIN_ADDR=off", "HOME="+dir)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	client := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(func() {
		client.CloseIdleConnections()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("the process said:\n%s", said)
		}
	})
	eventually(t, "the process serves", func() bool {
		resp, err := client.RoundTrip(newRequest(t, "GET", "http://localhost/api/v1/upload/health", nil))
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return cmd, client, said
}

// TestAnUploadOutlivesAKillBeforeItsEnd kills the gateway when all bytes are
// stored and the file is just to be made of them: another process finishes it.
func TestAnUploadOutlivesAKillBeforeItsEnd(t *testing.T) {
	for name, passOn := range map[string]bool{"before the store heard of the end": false, "before the gateway heard that it is done": true} {
		t.Run(name, func(t *testing.T) {
			store := testbed.Open(t)
			bucket := store.Bucket(t)
			before := hold(t, store, passOn)
			settings := append([]string{"S3_ENABLED=true", "S3_BUCKET_NAME=" + bucket, "S3_ENDPOINT_URL=" + before.Endpoint.String(), "S3_REGION=" + store.Region,
				"S3_ACCESS_KEY_ID=" + store.AccessKeyID, "S3_SECRET_ACCESS_KEY=" + store.SecretAccessKey,
				"GATEWAY_ACCESS_KEY_ID=" + testKeyID, "GATEWAY_SECRET_ACCESS_KEY=" + testSecret}, open...)
			process, client, _ := startProcess(t, settings...)
			body := bytes.Repeat([]byte("0123456789abcdef"), 12<<20/16)
			created := doBy(t, client, newRequest(t, "POST", "http://localhost/api/v1/upload/resumable", nil,
				"Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(len(body)), "Upload-Metadata", "filename YS5iaW4="))
			at, err := url.Parse(created.header.Get("Location"))
			if created.status != 201 || err != nil {
				t.Fatalf("%d %s", created.status, created.body)
			}
			sent := newRequest(t, "PATCH", "http://localhost"+at.Path, bytes.NewReader(body), "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
			over := make(chan error, 1)
			go func() {
				resp, err := client.RoundTrip(sent)
				if err == nil {
					resp.Body.Close()
				}
				over <- err
			}()
			<-before.reached
			if err := process.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := <-over; err == nil {
				t.Error("the client was answered by a dead process")
			}
			_, client, said := startProcess(t, settings...)
			var head answer
			eventually(t, "another process has finished it", func() bool {
				head = doBy(t, client, newRequest(t, "HEAD", "http://localhost"+at.Path, nil, "Tus-Resumable", "1.0.0"))
				return head.status != http.StatusLocked
			})
			id := head.header.Get("X-File-Id")
			if head.status != 200 || head.header.Get("Upload-Offset") != strconv.Itoa(len(body)) || id == "" {
				t.Fatalf("%d %v", head.status, head.header)
			}
			finished := regexp.MustCompile(`"log":"audit".*"outcome":"changed".*"action":"write".*"key":"` + regexp.QuoteMeta(id) + `"`)
			eventually(t, "the audit log says that the HEAD made the file", func() bool { return finished.MatchString(said.String()) })
			got := doBy(t, client, newRequest(t, "GET", "http://localhost/api/v1/upload/download/"+id, nil))
			if got.status != 200 || !bytes.Equal(got.body, body) {
				t.Errorf("%d, %d bytes of %d", got.status, len(got.body), len(body))
			}
			if left := store.Uploads(t, bucket); len(left) != 0 {
				t.Errorf("multipart uploads left: %v", left)
			}
			files := 0
			for key := range store.Snapshot(t, bucket) {
				if strings.HasPrefix(key, "uploads/") {
					files++
				}
			}
			if files != 1 {
				t.Errorf("%d files", files)
			}
		})
	}
}
