package cache

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

const ttl = 30 * time.Second

type clock struct {
	mu sync.Mutex
	t  time.Time
}

func newClock() *clock { return &clock{t: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)} }

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

func newCache(entries int) (*Metadata, *clock) {
	c := newClock()
	return New(Options{Entries: entries, TTL: ttl, Now: c.now}), c
}

func key(object string) Key { return Key{Backend: "b", Bucket: "files", Object: object} }

func etag(v int) Entry { return Entry{Header: http.Header{"Etag": {strconv.Itoa(v)}}} }

func version(t interface{ Fatalf(string, ...any) }, e Entry) int {
	v, err := strconv.Atoi(e.Header.Get("Etag"))
	if err != nil {
		t.Fatalf("entry without a version: %v", e)
	}
	return v
}

func wantHit(t *testing.T, m *Metadata, k Key, v int) {
	t.Helper()
	e, ok := m.Get(k)
	if !ok {
		t.Fatalf("%+v: miss, want version %d", k, v)
	}
	if got := version(t, e); got != v {
		t.Fatalf("%+v: version %d, want %d", k, got, v)
	}
}

func wantMiss(t *testing.T, m *Metadata, k Key) {
	t.Helper()
	if e, ok := m.Get(k); ok {
		t.Fatalf("%+v: hit %v, want a miss", k, e)
	}
}

func TestEntryIsServedUntilItsTTLCountedFromFill(t *testing.T) {
	m, c := newCache(10)
	f := m.Fill(key("a"))
	c.advance(10 * time.Second)
	f.Put(etag(1))
	wantHit(t, m, key("a"), 1)
	c.advance(20*time.Second - 1)
	wantHit(t, m, key("a"), 1)
	c.advance(1)
	wantMiss(t, m, key("a"))
}

func TestKeysAreTakenApart(t *testing.T) {
	m, _ := newCache(10)
	keys := []Key{
		{"b", "x", "y/z", ""}, {"b", "x/y", "z", ""}, {"bx", "", "y/z", ""},
		{"b", "x", "y", "z"}, {"b", "x", "y//z", ""}, {"b", "x", "Y/z", ""},
	}
	for i, k := range keys {
		m.Fill(k).Put(etag(i))
	}
	for i, k := range keys {
		wantHit(t, m, k, i)
	}
}

func TestPutCopiesTheHeader(t *testing.T) {
	m, _ := newCache(10)
	e := etag(1)
	m.Fill(key("a")).Put(e)
	e.Header.Set("Etag", "9")
	wantHit(t, m, key("a"), 1)
}

func TestPutIsDroppedWhenAChange(t *testing.T) {
	for name, steps := range map[string]func(*Metadata, func() *Change) *Filling{
		"began before the fill and is under way": func(m *Metadata, change func() *Change) *Filling {
			change()
			return m.Fill(key("a"))
		},
		"began after the fill and is under way": func(m *Metadata, change func() *Change) *Filling {
			f := m.Fill(key("a"))
			change()
			return f
		},
		"began and ended after the fill": func(m *Metadata, change func() *Change) *Filling {
			f := m.Fill(key("a"))
			change().Done(true)
			return f
		},
		"began before the fill and ended after it": func(m *Metadata, change func() *Change) *Filling {
			c := change()
			f := m.Fill(key("a"))
			c.Done(true)
			return f
		},
		"of two ended and one is under way": func(m *Metadata, change func() *Change) *Filling {
			change()
			change().Done(true)
			return m.Fill(key("a"))
		},
		"ended twice while another is under way": func(m *Metadata, change func() *Change) *Filling {
			change()
			c := change()
			c.Done(true)
			c.Done(true)
			return m.Fill(key("a"))
		},
		"ended unknown": func(m *Metadata, change func() *Change) *Filling {
			change().Done(false)
			return m.Fill(key("a"))
		},
	} {
		t.Run(name+" (object)", func(t *testing.T) {
			m, _ := newCache(10)
			steps(m, func() *Change { return m.Change("b", "files", "a") }).Put(etag(1))
			wantMiss(t, m, key("a"))
		})
		t.Run(name+" (bucket)", func(t *testing.T) {
			m, _ := newCache(10)
			steps(m, func() *Change { return m.ChangeBucket("b", "files") }).Put(etag(1))
			wantMiss(t, m, key("a"))
		})
	}
}

func TestChangeDropsEveryVariantAtOnce(t *testing.T) {
	m, _ := newCache(10)
	checksum := key("a")
	checksum.Variant = "checksum"
	m.Fill(key("a")).Put(etag(1))
	m.Fill(checksum).Put(etag(2))
	m.Fill(key("other")).Put(etag(3))
	c := m.Change("b", "files", "a")
	wantMiss(t, m, key("a"))
	wantMiss(t, m, checksum)
	wantHit(t, m, key("other"), 3)
	c.Done(true)
	m.Fill(key("a")).Put(etag(4))
	wantHit(t, m, key("a"), 4)
	wantMiss(t, m, checksum)
}

func TestChangeOfABucketLeavesOthersAlone(t *testing.T) {
	m, _ := newCache(10)
	inside, outside := key("a"), Key{Backend: "b", Bucket: "other", Object: "a"}
	m.Fill(inside).Put(etag(1))
	m.Fill(outside).Put(etag(2))
	c := m.ChangeBucket("b", "files")
	wantMiss(t, m, inside)
	c.Done(true)
	wantMiss(t, m, inside)
	wantHit(t, m, outside, 2)
	m.Fill(inside).Put(etag(3))
	wantHit(t, m, inside, 3)
}

func TestUnknownOutcomeKeepsTheObjectOutForTheTTL(t *testing.T) {
	m, c := newCache(10)
	change := m.Change("b", "files", "a")
	c.advance(time.Minute)
	change.Done(false)
	change.Done(true) // only the first counts
	c.advance(ttl - 1)
	m.Fill(key("a")).Put(etag(1))
	wantMiss(t, m, key("a"))
	c.advance(1)
	m.Fill(key("a")).Put(etag(2))
	wantHit(t, m, key("a"), 2)
}

// The write may take effect between the reader's look and the end of the wait.
func TestFillTakenWhileTheOutcomeIsUnknownIsDroppedLaterToo(t *testing.T) {
	m, c := newCache(10)
	m.Change("b", "files", "a").Done(false)
	f := m.Fill(key("a"))
	c.advance(ttl + 1)
	f.Put(etag(1))
	wantMiss(t, m, key("a"))
}

func TestDeferredUnknownDoesNothingAfterAKnownEnd(t *testing.T) {
	m, _ := newCache(10)
	func() {
		c := m.Change("b", "files", "a")
		defer c.Done(false)
		c.Done(true)
	}()
	m.Fill(key("a")).Put(etag(1))
	wantHit(t, m, key("a"), 1)
}

func TestMemoryIsBounded(t *testing.T) {
	m, _ := newCache(3)
	for i := range 100 {
		m.Fill(key(strconv.Itoa(i))).Put(etag(i))
	}
	for i := range 100 {
		k := key("a")
		k.Variant = strconv.Itoa(i)
		m.Fill(k).Put(etag(i))
	}
	if n := m.lru.Len(); n != 3 {
		t.Errorf("%d objects kept, want 3", n)
	}
	if v, _ := m.lru.Get(key("a").object()); len(v) > maxVariants {
		t.Errorf("%d variants kept, want at most %d", len(v), maxVariants)
	}
	for i := range 1000 {
		m.Change("b", "files", strconv.Itoa(i)).Done(i%2 == 0)
		m.ChangeBucket("b", strconv.Itoa(i)).Done(i%2 == 0)
	}
	if n := len(m.objects.changes) + len(m.buckets.changes); n != 0 {
		t.Errorf("%d changes remembered after all ended", n)
	}
	big := Entry{Header: http.Header{"X-Amz-Meta-A": {strings.Repeat("x", maxHeaderBytes)}}}
	m.Fill(key("big")).Put(big)
	wantMiss(t, m, key("big"))
}

func TestCacheThatIsOffForgetsEverything(t *testing.T) {
	for name, o := range map[string]Options{
		"no entries": {TTL: ttl}, "negative entries": {Entries: -1, TTL: ttl}, "no TTL": {Entries: 5},
	} {
		t.Run(name, func(t *testing.T) {
			m := New(o)
			m.Change("b", "files", "a").Done(true)
			m.ChangeBucket("b", "files").Done(false)
			m.Fill(key("a")).Put(etag(1))
			wantMiss(t, m, key("a"))
		})
	}
}

func BenchmarkGet(b *testing.B) {
	m := New(Options{Entries: 10000, TTL: time.Hour, Now: time.Now})
	keys := make([]Key, 1000)
	for i := range keys {
		keys[i] = key(fmt.Sprintf("uploads/2026/01/02/%d.jpg", i))
		m.Fill(keys[i]).Put(etag(i))
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, ok := m.Get(keys[i%len(keys)]); !ok {
				b.Error("miss")
			}
		}
	})
}

func BenchmarkChange(b *testing.B) {
	m := New(Options{Entries: 10000, TTL: time.Hour, Now: time.Now})
	b.ReportAllocs()
	for b.Loop() {
		m.Change("b", "files", "a").Done(true)
	}
}
