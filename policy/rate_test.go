package policy

import (
	"context"
	"math"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway"
)

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

// limited is a limiter with the rate of a test.
type limited struct {
	*Limiter
	rate Rate
}

func newLimited(r Rate, entries int, now func() time.Time) *limited {
	return &limited{NewLimiter(entries, now, nil), r}
}

func (l *limited) Allow(name string) Decision {
	return l.Limiter.Allow(context.Background(), Key{Kind: "caller", Name: name}, l.rate)
}

func allowed(l *limited, key string, tries int) (n int) {
	for range tries {
		if l.Allow(key).Allowed {
			n++
		}
	}
	return n
}

func TestNewKeyHasItsFullBurstAndGetsTokensBack(t *testing.T) {
	c := newClock()
	l := newLimited(Rate{PerSecond: 10, Burst: 25}, 100, c.now)
	if n := allowed(l, "a", 100); n != 25 {
		t.Errorf("%d allowed at first, want 25", n)
	}
	d := l.Allow("a")
	if d.Allowed || d.RetryAfter != 100*time.Millisecond || d.Remaining != 0 || d.Limit != 25 {
		t.Errorf("got %+v", d)
	}
	c.advance(d.RetryAfter)
	if n := allowed(l, "a", 5); n != 1 {
		t.Errorf("%d allowed after RetryAfter, want 1", n)
	}
	c.advance(time.Hour)
	if d := l.Allow("a"); !d.Allowed || d.Remaining != 24 {
		t.Errorf("after an hour: %+v", d)
	}
	if n := allowed(l, "b", 100); n != 25 {
		t.Errorf("another key: %d allowed, want 25", n)
	}
}

func TestEvictedKeyComesBackWithOneToken(t *testing.T) {
	c := newClock()
	l := newLimited(Rate{PerSecond: 1, Burst: 10}, 3, c.now)
	for _, key := range []string{"a", "b", "c"} {
		if n := allowed(l, key, 20); n != 10 {
			t.Errorf("%s: %d allowed before the limiter was full, want 10", key, n)
		}
	}
	for i := range 50 {
		l.Allow("flood" + strconv.Itoa(i))
	}
	if n := allowed(l, "a", 20); n != 1 {
		t.Errorf("evicted key: %d allowed, want 1", n)
	}
	if l.lru.Len() != 3 {
		t.Errorf("%d buckets kept, want 3", l.lru.Len())
	}
	c.advance(5 * time.Second)
	if n := allowed(l, "a", 20); n != 5 {
		t.Errorf("5 s later: %d allowed, want 5", n)
	}
}

func TestRateThatIsNoLimit(t *testing.T) {
	for _, r := range []Rate{{}, {Burst: 5}, {PerSecond: -1}, {PerSecond: math.NaN()}} {
		l := newLimited(r, 10, nil)
		if !l.Allow("a").Allowed || l.Allow("a").Err() != nil {
			t.Errorf("%+v limits", r)
		}
	}
}

func TestBurstIsOneSecondsWorthUnlessSaid(t *testing.T) {
	for rate, want := range map[float64]int64{100: 100, 2.5: 3, 0.001: 1, math.Inf(1): math.MaxInt32} {
		if d := newLimited(Rate{PerSecond: rate}, 0, newClock().now).Allow("a"); d.Limit != want || !d.Allowed {
			t.Errorf("%v/s: %+v, want burst %d", rate, d, want)
		}
	}
}

func TestRefusalSaysWhenAndWhichSetting(t *testing.T) {
	for _, tt := range []struct {
		rate    Rate
		after   time.Duration
		setting string
	}{
		{Rate{PerSecond: 10, Burst: 1}, time.Second, "RATE_LIMIT."},
		{Rate{PerSecond: 0.4, Burst: 1}, 3 * time.Second, "RATE_LIMIT."},
		{Rate{PerSecond: 1, Burst: 1, Setting: "RATE_LIMIT_ADDRESS"}, time.Second, "RATE_LIMIT_ADDRESS."},
		{Rate{PerSecond: 1e-300, Burst: 1}, 24 * time.Hour, "RATE_LIMIT."},
	} {
		l := newLimited(tt.rate, 1, newClock().now)
		if err := l.Allow("a").Err(); err != nil {
			t.Errorf("%+v: first: %v", tt.rate, err)
		}
		e := gateway.AsError(l.Allow("a").Err())
		if e.Code != gateway.SlowDown || e.RetryAfter != tt.after || !strings.HasSuffix(e.Message, tt.setting) {
			t.Errorf("%+v: %v after %v", tt.rate, e, e.RetryAfter)
		}
	}
}

func TestLimiterIsExactUnderConcurrency(t *testing.T) {
	l := newLimited(Rate{PerSecond: 1, Burst: 500}, 10, newClock().now)
	var n atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { n.Add(int64(allowed(l, "a", 200))) })
	}
	wg.Wait()
	if n.Load() != 500 {
		t.Errorf("%d allowed, want 500", n.Load())
	}
}

func TestAddressKey(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:5000": "192.0.2.1", "192.0.2.1": "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:5000": "2001:db8:1:2::/64", "2001:db8:1:2::1": "2001:db8:1:2::/64",
		"[2001:db8:1:3::1]:1": "2001:db8:1:3::/64", "[::ffff:192.0.2.1]:5000": "192.0.2.1",
		"[fe80::1%eth0]:80": "fe80::/64", "[::1]": "::/64",
		"@": "unix", "": "unix", "/run/s3gateway.sock": "unix",
	} {
		if got := AddressKey(remote); got != want {
			t.Errorf("%q: got %q, want %q", remote, got, want)
		}
	}
}

func TestClientAddress(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, tt := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "203.0.113.7:1", nil, "203.0.113.7"},
		{"header from a peer that is not trusted", "203.0.113.7:1", []string{"198.51.100.1"}, "203.0.113.7"},
		{"one proxy", "10.0.0.1:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"an address that the client made up, on the left", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1"}, "198.51.100.1"},
		{"two proxies", "10.0.0.1:1", []string{"1.1.1.1, 198.51.100.1, 10.2.3.4"}, "198.51.100.1"},
		{"two header lines", "10.0.0.1:1", []string{"1.1.1.1", "198.51.100.1"}, "198.51.100.1"},
		{"all are trusted", "10.0.0.1:1", []string{"10.9.9.9, 10.2.3.4"}, "10.9.9.9"},
		{"garbage in the place that counts", "10.0.0.1:1", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"garbage behind a trusted hop", "10.0.0.1:1", []string{"<script>, 10.2.3.4"}, "10.2.3.4"},
		{"empty header", "10.0.0.1:1", []string{""}, "10.0.0.1"},
		{"trusted peer without a header", "10.0.0.1:1", nil, "10.0.0.1"},
		{"hop with a port", "10.0.0.1:1", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		{"IPv6 all the way", "[fd00::1]:1", []string{"[2001:db8::5]:99"}, "2001:db8::5"},
		{"IPv4 proxy over an IPv6 socket", "[::ffff:10.0.0.1]:1", []string{"198.51.100.1"}, "198.51.100.1"},
		{"unix socket", "@", []string{"198.51.100.1"}, "unix"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr = tt.peer
			r.Header["X-Forwarded-For"] = tt.forwarded
			if got := ClientAddress(r, trusted); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLimitByAddress(t *testing.T) {
	served := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	var refusal error
	fail := func(w http.ResponseWriter, _ *http.Request, err error) {
		refusal = err
		w.WriteHeader(503)
	}
	limiter := newLimited(Rate{PerSecond: 1, Burst: 1, Setting: "RATE_LIMIT_ADDRESS"}, 10, newClock().now)
	h := LimitByAddress(limiter.Limiter, limiter.rate, nil, fail)(served)
	ask := func(h http.Handler, peer string) int {
		r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
		r.RemoteAddr = peer
		h.ServeHTTP(w, r)
		return w.Code
	}
	if got := []int{ask(h, "[2001:db8::1]:1"), ask(h, "[2001:db8::2]:1"), ask(h, "[2001:db8:0:1::1]:1")}; got[0] != 204 || got[1] != 503 || got[2] != 204 {
		t.Errorf("got %v: the second comes from the /64 of the first", got)
	}
	if gateway.CodeOf(refusal) != gateway.SlowDown {
		t.Errorf("got %v", refusal)
	}
	open := LimitByAddress(limiter.Limiter, Rate{}, nil, fail)(served)
	for range 10 {
		if got := ask(open, "192.0.2.1:1"); got != 204 {
			t.Errorf("no limit: %d", got)
		}
	}
}

func BenchmarkAllow(b *testing.B) {
	l := newLimited(Rate{PerSecond: 1e9, Burst: 1e9}, 1000, time.Now)
	keys := make([]string, 500)
	for i := range keys {
		keys[i] = "caller" + strconv.Itoa(i)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			l.Allow(keys[i%len(keys)])
		}
	})
}
