package main

import (
	"encoding/json"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

const tusFolder = "../../tests/clients/tus"

// tusSeen is what a tus client saw of one flow (tests/clients/tus).
type tusSeen struct {
	Error    string `json:"error"`
	Status   int    `json:"status"`
	Requests int    `json:"requests"`
	FileID   string `json:"fileId"`
	Body     string `json:"body"`
	Size     int    `json:"size"`
	SHA256   string `json:"sha256"`
	Found    int    `json:"found"`
	First    int    `json:"first"`
}

func needTus(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("clients of their own take their time")
	}
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed: tests/clients/install.sh does")
	}
	if _, err := os.Stat(filepath.Join(tusFolder, "node_modules", "tus-js-client")); err != nil {
		t.Skip("tus-js-client is not installed: tests/clients/install.sh does")
	}
}

// tusClient runs one of the scripts.
func tusClient(t *testing.T, script string, wish map[string]any) map[string]tusSeen {
	t.Helper()
	arg, err := json.Marshal(wish)
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "node", script, string(arg))
	command.Dir, command.WaitDelay = tusFolder, 5*time.Second
	var complaints strings.Builder
	command.Stderr = &complaints
	out, err := command.Output()
	results := map[string]tusSeen{}
	if err == nil {
		err = json.Unmarshal(out, &results)
	}
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", script, err, out, complaints.String())
	}
	return results
}

// breaking is a way to the gateway that breaks each connection after some bytes
// of the client's, until it has done so often enough.
func breaking(t *testing.T, to string, most int64, times int32) (url string, broken *atomic.Int32) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	broken = &atomic.Int32{}
	random := rand.New(rand.NewPCG(1, 2))
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			after := int64(1<<62 - 1)
			if broken.Load() < times {
				after = 1000 + random.Int64N(most)
			}
			go func() {
				defer client.Close()
				server, err := net.Dial("tcp", strings.TrimPrefix(to, "http://"))
				if err != nil {
					return
				}
				defer server.Close()
				go func() { _, _ = io.Copy(client, server) }()
				if n, _ := io.CopyN(server, client, after); n == after {
					broken.Add(1)
				}
			}()
		}
	}()
	return "http://" + listener.Addr().String(), broken
}

func TestTusClientsInNode(t *testing.T) {
	needTus(t)
	w := newWorld(t, "MAX_FILE_SIZE=20MiB", "ALLOWED_FILE_TYPES=image/png", "API_KEYS=page="+browserKey)
	cut, broken := breaking(t, w.url, 1<<20, 25)
	results := tusClient(t, "node.mjs", map[string]any{
		"gateway": w.url, "cut": cut, "headers": map[string]string{"Authorization": "Bearer " + browserKey},
	})
	if n := broken.Load(); n < 10 {
		t.Errorf("the network broke %d times only", n)
	}
	stored := []string{"one request", "bytes with the creation", "cut connections", "cut connections and small chunks",
		"a stream of unknown length", "found again", "an empty file"}
	w.checkTusFiles(results, stored)
	if got := results["found again"]; got.Found != 1 || got.First < 3<<20 {
		t.Errorf("found again: %+v", got)
	}
	for name, want := range map[string]struct {
		status int
		text   string
	}{
		"terminated":            {404, ""},
		"in parallel":           {501, "Upload-Concat"},
		"too large":             {413, "File too large. Maximum size: 20971520 bytes"},
		"another type":          {415, "File type not allowed"},
		"bytes of another type": {415, "File type not allowed"},
		"no key":                {401, "API_KEYS"},
	} {
		if got := results[name]; got.Status != want.status || !strings.Contains(got.Body, want.text) {
			t.Errorf("%s: want %d %q, got %+v", name, want.status, want.text, got)
		}
	}
	w.onlyFiles(len(stored))
}

// checkTusFiles compares what is stored with what the client sent.
func (w *world) checkTusFiles(results map[string]tusSeen, names []string) {
	w.t.Helper()
	for _, name := range names {
		got := results[name]
		if got.Error != "" || got.FileID == "" {
			w.t.Errorf("%s: %+v", name, got)
			continue
		}
		file := do(w.t, newRequest(w.t, "GET", w.rest("download/"+got.FileID), nil, "X-Api-Key", browserKey))
		if file.status != 200 || len(file.body) != got.Size || hexSHA256(file.body) != got.SHA256 {
			w.t.Errorf("%s: %d, %d bytes of %d, sha256 %s of %s", name, file.status, len(file.body), got.Size, hexSHA256(file.body), got.SHA256)
		}
		if about := do(w.t, newRequest(w.t, "GET", w.rest("metadata/"+got.FileID), nil, "X-Api-Key", browserKey)).json(w.t); about["sha256"] != got.SHA256 || about["filename"] != "Käse 1.png" {
			w.t.Errorf("%s: %v", name, about)
		}
	}
}

// onlyFiles fails the test unless so many files are stored and no upload is
// under way.
func (w *world) onlyFiles(n int) {
	w.t.Helper()
	files := 0
	for key := range w.store.Snapshot(w.t, w.bucket) {
		if strings.HasPrefix(key, "uploads/") {
			files++
		}
	}
	if files != n {
		w.t.Errorf("%d files, want %d", files, n)
	}
	if left := w.store.Uploads(w.t, w.bucket); len(left) > 0 {
		w.t.Errorf("multipart uploads left: %v", left)
	}
}

func TestUppyInABrowser(t *testing.T) {
	needTus(t)
	if _, err := exec.LookPath("chromium"); err != nil {
		t.Skip("chromium is not installed: tests/clients/install.sh does")
	}
	page := elsewhere(t)
	w := newWorld(t, "MAX_FILE_SIZE=20MiB", "ALLOWED_FILE_TYPES=image/png", "API_KEYS=page="+browserKey, "CORS_ALLOWED_ORIGINS="+page)
	cut, broken := breaking(t, w.url, 1<<20, 25)
	results := tusClient(t, "uppy.mjs", map[string]any{
		"page": page, "gateway": w.url, "cut": cut, "headers": map[string]string{"Authorization": "Bearer " + browserKey},
	})
	if n := broken.Load(); n < 10 {
		t.Errorf("the network broke %d times only", n)
	}
	stored := []string{"several 1", "several 2", "several 3", "cut", "cut, in chunks"}
	w.checkTusFiles(results, stored)
	if got := results["too large"]; !strings.Contains(got.Error, "File too large. Maximum size: 20971520 bytes") {
		t.Errorf("%+v", got)
	}
	w.onlyFiles(len(stored))
}
