package cache

import (
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a store with its cache, driven one step at a time. A write has three
// moments (begun, took effect, answered), a read two (asked, answered); rapid
// puts them in any order.
type model struct {
	m      *Metadata
	clock  *clock
	stored map[Key]int // what the backend holds
	acked  map[Key]int // the newest version whose write was answered
	out    map[Key]time.Time
	last   int
	writes []*write // under way
	lost   []*write
	reads  []*read
}

type write struct {
	keys    []Key
	version int // the order in which writes took effect
	applied bool
	change  *Change
	until   time.Time // of a lost one: it takes effect before, or never
}

type read struct {
	key     Key
	filling *Filling
	asked   bool
	version int
}

func (s *model) key(t *rapid.T) Key {
	return Key{"b", rapid.SampledFrom([]string{"p", "q"}).Draw(t, "bucket"),
		rapid.SampledFrom([]string{"x", "y"}).Draw(t, "object"), ""}
}

func (s *model) beginWrite(t *rapid.T) {
	k := s.key(t)
	w := &write{keys: []Key{k}, change: s.m.Change(k.Backend, k.Bucket, k.Object)}
	s.writes = append(s.writes, w)
}

func (s *model) beginBucketWrite(t *rapid.T) {
	k := s.key(t)
	w := &write{change: s.m.ChangeBucket(k.Backend, k.Bucket)}
	for _, o := range []string{"x", "y"} {
		w.keys = append(w.keys, Key{"b", k.Bucket, o, ""})
	}
	s.writes = append(s.writes, w)
}

func (s *model) pickWrite(t *rapid.T) *write {
	if len(s.writes) == 0 {
		t.Skip("no write under way")
	}
	return rapid.SampledFrom(s.writes).Draw(t, "write")
}

func (s *model) apply(t *rapid.T) { s.applyWrite(s.pickWrite(t)) }

func (s *model) applyWrite(w *write) {
	if w.applied {
		return
	}
	s.last++
	w.applied, w.version = true, s.last
	for _, k := range w.keys {
		s.stored[k] = w.version
	}
}

func (s *model) answer(t *rapid.T) {
	w := s.pickWrite(t)
	s.applyWrite(w)
	w.change.Done(true)
	for _, k := range w.keys {
		s.acked[k] = max(s.acked[k], w.version)
	}
	s.forget(w)
}

func (s *model) loseAnswer(t *rapid.T) {
	w := s.pickWrite(t)
	w.change.Done(false)
	w.until = s.clock.now().Add(ttl)
	for _, k := range w.keys {
		s.out[k] = w.until
	}
	s.forget(w)
	s.lost = append(s.lost, w)
}

// applyLost lets a write whose answer was lost take effect late.
func (s *model) applyLost(t *rapid.T) {
	if len(s.lost) == 0 {
		t.Skip("no write was lost")
	}
	if w := rapid.SampledFrom(s.lost).Draw(t, "lost write"); s.clock.now().Before(w.until) {
		s.applyWrite(w)
	}
}

func (s *model) forget(w *write) {
	kept := s.writes[:0]
	for _, other := range s.writes {
		if other != w {
			kept = append(kept, other)
		}
	}
	s.writes = kept
}

func (s *model) get(t *rapid.T) {
	k := s.key(t)
	e, ok := s.m.Get(k)
	if !ok {
		s.reads = append(s.reads, &read{key: k, filling: s.m.Fill(k)})
		return
	}
	if got := version(t, e); got < s.acked[k] || got != s.stored[k] {
		t.Fatalf("%v: served version %d, but %d was acknowledged and %d is stored", k, got, s.acked[k], s.stored[k])
	}
	if s.clock.now().Before(s.out[k]) {
		t.Fatalf("%v: served while a write of unknown outcome may still take effect", k)
	}
	for _, w := range s.writes {
		for _, other := range w.keys {
			if other == k {
				t.Fatalf("%v: served while a write is under way", k)
			}
		}
	}
}

func (s *model) readStep(t *rapid.T) {
	if len(s.reads) == 0 {
		t.Skip("no read under way")
	}
	r := rapid.SampledFrom(s.reads).Draw(t, "read")
	if !r.asked {
		r.asked, r.version = true, s.stored[r.key]
		return
	}
	r.filling.Put(etag(r.version))
}

func (s *model) wait(t *rapid.T) {
	s.clock.advance(time.Duration(rapid.IntRange(1, 20).Draw(t, "seconds")) * time.Second)
}

func TestReadNeverSeesWhatAnAcknowledgedWriteReplaced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, c := newCache(3)
		s := &model{m: m, clock: c, stored: map[Key]int{}, acked: map[Key]int{}, out: map[Key]time.Time{}}
		t.Repeat(map[string]func(*rapid.T){
			"write": s.beginWrite, "write bucket": s.beginBucketWrite, "apply": s.apply,
			"answer": s.answer, "lose answer": s.loseAnswer, "apply lost": s.applyLost,
			"get": s.get, "get again": s.get, "read step": s.readStep, "read on": s.readStep, "wait": s.wait,
		})
	})
}

// TestConcurrentReadersAndWriters is the same with real goroutines: a version
// that is served is at least the one acknowledged before the read began.
func TestConcurrentReadersAndWriters(t *testing.T) {
	const objects, rounds = 4, 3000
	m := New(Options{Entries: objects, TTL: time.Hour, Now: time.Now})
	var stored, acked [objects]atomic.Int64
	var writeLock [objects]sync.Mutex
	var hits atomic.Int64
	var wg sync.WaitGroup
	for worker := range 8 {
		wg.Go(func() {
			for i := range rounds {
				n := (i*7 + worker) % objects
				k := key(strconv.Itoa(n))
				if worker == 0 && i%5 == 0 {
					writeLock[n].Lock()
					c := m.Change(k.Backend, k.Bucket, k.Object)
					v := stored[n].Add(1)
					runtime.Gosched()
					c.Done(true)
					acked[n].Store(v)
					writeLock[n].Unlock()
					continue
				}
				atLeast := acked[n].Load()
				e, ok := m.Get(k)
				if ok {
					hits.Add(1)
					if got := int64(version(t, e)); got < atLeast {
						t.Errorf("object %d: served version %d, %d was acknowledged", n, got, atLeast)
					}
					continue
				}
				f := m.Fill(k)
				v := stored[n].Load()
				runtime.Gosched()
				f.Put(etag(int(v)))
			}
		})
	}
	wg.Wait()
	if hits.Load() == 0 {
		t.Error("the cache was never hit: the test shows nothing")
	}
}
