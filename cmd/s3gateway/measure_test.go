package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/policy"
)

// measureFor is how long a rate is measured, after its burst was used up.
const measureFor = 20 * time.Second

// measured skips a test that takes minutes unless it was asked for.
func measured(t *testing.T) {
	t.Helper()
	if os.Getenv("S3GATEWAY_MEASURE") == "" {
		t.Skip("measures for minutes: make test-rates")
	}
}

// inRealTime lets a world's clock run.
func inRealTime(worlds ...*world) {
	for _, w := range worlds {
		w.clock.mu.Lock()
		w.clock.live = true
		w.clock.mu.Unlock()
	}
}

// during runs a client several times in parallel and gives what each count rose
// by in each second of the measured time.
func during(t *testing.T, clients int, client func(ctx context.Context, i int), counts ...*atomic.Int64) []float64 {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for ctx.Err() == nil {
				client(ctx, i)
			}
		})
	}
	time.Sleep(2 * time.Second) // the burst
	began, rates := time.Now(), make([]float64, len(counts))
	for i, c := range counts {
		rates[i] = -float64(c.Load())
	}
	time.Sleep(measureFor)
	for i, c := range counts {
		rates[i] = (rates[i] + float64(c.Load())) / time.Since(began).Seconds()
	}
	cancel()
	wg.Wait()
	return rates
}

func report(t *testing.T, what string, configured, achieved float64, unit string) {
	t.Helper()
	off := (achieved/configured - 1) * 100
	fmt.Printf("%-44s configured %8.1f, achieved %8.1f %s, %+.1f %%\n", what, configured, achieved, unit, off)
	if off > 5 || off < -5 {
		t.Errorf("%s: %+.1f %%, want at most 5 %% away", what, off)
	}
}

// fleets are one gateway alone, and three with one Redis.
func fleets(t *testing.T, test func(t *testing.T, name string, start func(settings ...string) []*world)) {
	t.Run("one", func(t *testing.T) {
		test(t, "one replica", func(settings ...string) []*world {
			return []*world{newWorld(t, append(append([]string{}, open...), settings...)...)}
		})
	})
	t.Run("three", func(t *testing.T) {
		test(t, "three replicas with Redis", func(settings ...string) []*world {
			all, _ := newReplicas(t, 3, settings...)
			return all
		})
	})
}

func TestMeasuredRequestRate(t *testing.T) {
	measured(t)
	fleets(t, func(t *testing.T, name string, start func(...string) []*world) {
		all := start("RATE_LIMIT=150/s:15", "LOG_LEVEL=OFF")
		inRealTime(all...)
		var count atomic.Int64
		achieved := during(t, 6, func(_ context.Context, i int) {
			if got := all[i%len(all)].signed("GET", "missing"); got.status == 404 {
				count.Add(1)
			} else {
				time.Sleep(10 * time.Millisecond)
			}
		}, &count)
		report(t, "requests, "+name, 150, achieved[0], "/s")
	})
}

// countedReader gives zeros and counts them.
type countedReader struct {
	left  int
	count *atomic.Int64
}

func (r *countedReader) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), r.left, 16<<10)
	clear(p[:n])
	r.left -= n
	r.count.Add(int64(n))
	return n, nil
}

func TestMeasuredByteRate(t *testing.T) {
	measured(t)
	const size, perSecond = 2 << 20, 4 << 20
	for _, way := range []string{"up", "down"} {
		t.Run(way, func(t *testing.T) {
			fleets(t, func(t *testing.T, name string, start func(...string) []*world) {
				all := start("RATE_LIMIT_BYTES=4MiB/s:512KiB", "LOG_LEVEL=OFF")
				inRealTime(all...)
				do(t, newRequest(t, "PUT", all[0].rest("direct?filename=a.bin"), &countedReader{size, &atomic.Int64{}}))
				id := fileID(t, all[0])
				var count atomic.Int64
				achieved := during(t, 6, func(ctx context.Context, i int) {
					w := all[i%len(all)]
					if way == "up" {
						r, _ := http.NewRequestWithContext(ctx, "PUT", w.rest("direct?filename=a.bin"), &countedReader{size, &count})
						r.ContentLength = size
						if resp, err := transport().RoundTrip(r); err == nil {
							_, _ = io.Copy(io.Discard, resp.Body)
							resp.Body.Close()
						}
						return
					}
					r, _ := http.NewRequestWithContext(ctx, "GET", w.rest("download/"+id), nil)
					if resp, err := transport().RoundTrip(r); err == nil {
						_, _ = io.Copy(countingWriter{&count}, resp.Body)
						resp.Body.Close()
					}
				}, &count)
				report(t, "bytes "+way+", "+name, perSecond/1e6, achieved[0]/1e6, "MB/s")
			})
		})
	}
}

type countingWriter struct{ n *atomic.Int64 }

func (w countingWriter) Write(p []byte) (int, error) {
	w.n.Add(int64(len(p)))
	return len(p), nil
}

func fileID(t *testing.T, w *world) string {
	t.Helper()
	files, _ := do(t, newRequest(t, "GET", w.rest("list"), nil)).json(t)["files"].([]any)
	if len(files) == 0 {
		t.Fatal("nothing was stored")
	}
	return files[0].(map[string]any)["file_id"].(string)
}

func TestMeasuredFairness(t *testing.T) {
	measured(t)
	w := newFiled(t, `
callers:
  - {name: limited, rate: "50/s:5", api_keys: [{key: key-of-the-limited}], grants: [{bucket: BUCKET, actions: [list, read]}]}
  - {name: free, api_keys: [{key: key-of-the-free-one}], grants: [{bucket: BUCKET, actions: [list, read]}]}
`, "LOG_LEVEL=OFF")
	inRealTime(w)
	ask := func(key string) int {
		return do(t, newRequest(t, "GET", w.rest("metadata/uploads/missing"), nil, "X-API-Key", key)).status
	}
	var free, alongside, limited atomic.Int64
	freely := func(count *atomic.Int64) {
		if ask("key-of-the-free-one") == 404 {
			count.Add(1)
		}
		time.Sleep(20 * time.Millisecond)
	}
	alone := during(t, 4, func(context.Context, int) { freely(&free) }, &free)
	both := during(t, 8, func(_ context.Context, i int) {
		if i < 4 {
			freely(&alongside)
			return
		}
		if ask("key-of-the-limited") == 404 {
			limited.Add(1)
		}
		time.Sleep(20 * time.Millisecond)
	}, &limited, &alongside)
	report(t, "a limited caller beside an unlimited one", 50, both[0], "/s")
	// No bound: both share this machine's processors with the clients.
	fmt.Printf("%-44s alone %8.1f, beside it %8.1f /s\n", "the unlimited one", alone[0], both[1])
}

func TestMeasuredMemoryOfAMillionAddresses(t *testing.T) {
	measured(t)
	heap := func() float64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	l := policy.NewLimiter(limiterEntries, time.Now, nil)
	before, after := heap(), map[int]float64{}
	for i := range 2_000_000 {
		if i == limiterEntries || i == 1_000_000 {
			after[i] = heap()
		}
		a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		l.Allow(t.Context(), policy.Key{Kind: "address", Name: policy.AddressKey(a.String())}, policy.Rate{PerSecond: 20})
	}
	last := heap()
	fmt.Printf("addresses: %.1f MiB before, %.1f MiB after 100000, %.1f MiB after 1000000, %.1f MiB after 2000000\n",
		before, after[limiterEntries], after[1_000_000], last)
	if last > after[1_000_000]+1 {
		t.Error("memory grows with the number of addresses")
	}
	runtime.KeepAlive(l)
}
