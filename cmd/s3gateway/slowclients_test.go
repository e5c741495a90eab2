package main

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// unreadMost is what an answer that its client does not read may take, in bytes:
// almost half of it are stacks of its four goroutines, which are twice as large
// under the race detector.
func unreadMost() int64 {
	if info, ok := debug.ReadBuildInfo(); ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"}) {
		return 112 << 10
	}
	return 64 << 10
}

// dialSlow opens n connections and writes the same text on each.
func (w *world) dialSlow(n int, text string) {
	w.t.Helper()
	u, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	for range 50 {
		all.Go(func() {
			for range n / 50 {
				conn, err := net.Dial("tcp", u.Host)
				if err != nil {
					w.t.Error(err)
					return
				}
				mu.Lock()
				conns = append(conns, conn)
				mu.Unlock()
				_, _ = io.WriteString(conn, strings.ReplaceAll(text, "HOST", u.Host))
			}
		})
	}
	all.Wait()
	w.t.Cleanup(func() {
		for _, c := range conns {
			c.Close()
		}
	})
}

// inUse is what the process has from the system for heap and stacks, after a
// collection.
func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// goroutinesSettle waits until no goroutine starts or ends any more.
func goroutinesSettle(t *testing.T) {
	t.Helper()
	last := 0
	eventually(t, "all clients are served", func() bool {
		time.Sleep(300 * time.Millisecond)
		now := runtime.NumGoroutine()
		settled := now == last
		last = now
		return settled
	})
}

// An answer that its client does not read takes little memory.
func TestAnUnreadAnswerTakesLittleMemory(t *testing.T) {
	const clients = 1000
	w := newFiled(t, "buckets: [{name: BUCKET, public: read}]\n")
	if a := do(t, w.signedPut("large", make([]byte, 12<<20))); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	before := inUse()
	w.dialSlow(clients, "GET /"+w.bucket+"/large HTTP/1.1\r\nHost: HOST\r\n\r\n")
	goroutinesSettle(t)
	each := (inUse() - before) / clients
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	t.Logf("heap %d KiB, stacks %d KiB, %d goroutines", m.HeapAlloc>>10, m.StackInuse>>10, runtime.NumGoroutine())
	t.Logf("%d bytes for each of %d unread answers", each, clients)
	if most := unreadMost(); each > most {
		t.Errorf("more than %d", most)
	}
}

// percentile99 measures how long a small download takes.
func (w *world) percentile99(requests int) time.Duration {
	w.t.Helper()
	took := make([]time.Duration, requests)
	for i := range took {
		began := time.Now()
		if a := do(w.t, newRequest(w.t, "GET", w.url+"/"+w.bucket+"/small", nil)); a.status != http.StatusOK {
			w.t.Fatal(a.status)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return took[requests*99/100]
}

// 7,000 clients that are slow to send their headers, their bodies, or to read
// their answers leave the others their time.
func TestMeasuredSlowClients(t *testing.T) {
	measured(t)
	w := newFiled(t, "buckets: [{name: BUCKET, public: read}]\n")
	for key, size := range map[string]int{"large": 12 << 20, "small": 1000} {
		if a := do(t, w.signedPut(key, make([]byte, size))); a.status != http.StatusOK {
			t.Fatal(a.status)
		}
	}
	const requests = 2000
	w.percentile99(requests)
	alone := w.percentile99(requests)
	began, before := time.Now(), inUse()
	w.dialSlow(1000, "GET /"+w.bucket+"/large HTTP/1.1\r\nHost: HOST\r\n\r\n")
	w.dialSlow(3000, "PUT /api/v1/upload/direct?filename=a.bin HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nsome")
	w.dialSlow(3000, "GET /"+w.bucket+"/small HTTP/1.1\r\nHost: HOST\r\nX-Slow")
	time.Sleep(2 * time.Second)
	beside := w.percentile99(requests)
	t.Logf("7,000 slow clients: p99 %v alone, %v beside them; %d KiB each; measured %v after the first", alone, beside,
		(inUse()-before)/7000>>10, time.Since(began).Round(time.Second))
	if beside > 2*alone {
		t.Errorf("p99 is %s times as long", strconv.FormatFloat(float64(beside)/float64(alone), 'f', 1, 64))
	}
}
