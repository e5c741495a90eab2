//go:build linux

package embedded

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"testing"
)

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// peakMemory gives the largest resident set that pid ever had, in bytes.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	match := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if match == nil {
		t.Fatal("no VmHWM in /proc/*/status")
	}
	kib, err := strconv.ParseInt(string(match[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return kib << 10
}

func TestLargeBodiesAreNotHeldInMemory(t *testing.T) {
	const size, most = 300 << 20, 100 << 20
	s := start(t, dataDir(t))
	pid := childOf(t, os.Getpid())
	before := peakMemory(t, pid)
	req := signed(t, s, http.MethodPut, "/files/large", "UNSIGNED-PAYLOAD", io.LimitReader(zeros{}, size), size, nil)
	if status, text := send(t, s, req); status != 200 {
		t.Fatalf("put: %d %s", status, text)
	}
	resp, err := transport(t, s).RoundTrip(signed(t, s, http.MethodGet, "/files/large", sha(""), nil, 0, nil))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Fatalf("get: %d bytes, %v", n, err)
	}
	if grown := peakMemory(t, pid) - before; grown > most {
		t.Errorf("300 MiB up and down took %d MiB of memory", grown>>20)
	} else {
		t.Logf("peak %d MiB, %d MiB more than at the start", peakMemory(t, pid)>>20, grown>>20)
	}
}
