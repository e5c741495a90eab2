package testbed

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

// Redis is a real redis-server of a test's own, on a unix socket.
type Redis struct {
	// URL is what REDIS_URL takes.
	URL string

	t      testing.TB
	socket string
	mu     sync.Mutex
	cmd    *exec.Cmd
}

// StartRedis starts one that ends with the test. Without the program the test
// is skipped.
func StartRedis(t testing.TB) *Redis {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("redis-server is not installed (make redis)")
	}
	dir, err := os.MkdirTemp("", "redis") // short: a socket's path has a bound
	if err != nil {
		t.Fatal(err)
	}
	r := &Redis{t: t, socket: filepath.Join(dir, "s")}
	r.URL = "unix://" + r.socket
	r.Start()
	t.Cleanup(func() {
		r.Stop()
		_ = os.RemoveAll(dir)
	})
	return r
}

// Start starts it (again, empty) and waits until it can be reached.
func (r *Redis) Start() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cmd = exec.Command("redis-server", "--port", "0", "--unixsocket", r.socket, "--save", "", "--appendonly", "no", "--dir", filepath.Dir(r.socket))
	if err := r.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("unix", r.socket); err == nil {
			_ = conn.Close()
			return
		}
	}
	r.t.Fatal("redis-server cannot be reached after 10 s")
}

// Stop ends it; what it held is lost.
func (r *Redis) Stop() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
	_ = os.Remove(r.socket)
	r.cmd = nil
}

// Has reports whether a key is there that a pattern of KEYS matches.
func (r *Redis) Has(pattern string) bool {
	r.t.Helper()
	client := redis.NewClient(&redis.Options{Network: "unix", Addr: r.socket})
	defer client.Close()
	keys, err := client.Keys(r.t.Context(), pattern).Result()
	if err != nil {
		r.t.Fatal(err)
	}
	return len(keys) > 0
}
