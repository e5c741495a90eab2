package cache

import (
	"sync"
	"testing"
	"time"
)

// counters are shared generations in memory.
type counters struct {
	mu      sync.Mutex
	epoch   int64
	at      map[string]int64
	blocked map[string]bool
	away    bool
	bumps   int // calls
}

func (c *counters) Generations(shards ...string) (int64, []int64, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []int64
	for _, s := range shards {
		if c.away || c.blocked[s] {
			return 0, nil, false
		}
		out = append(out, c.at[s])
	}
	return c.epoch, out, true
}

func (c *counters) Bump(block time.Duration, shards ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bumps++
	for _, s := range shards {
		c.at[s]++
		c.blocked[s] = c.blocked[s] || block > 0
	}
}

func replicas() (a, b *Metadata, c *counters) {
	c = &counters{at: map[string]int64{}, blocked: map[string]bool{}}
	o := Options{Entries: 10, TTL: ttl, Now: newClock().now, Shared: c}
	return New(o), New(o), c
}

func TestAWriteByAnotherReplicaEndsAnEntry(t *testing.T) {
	for name, write := range map[string]func(*Metadata) *Change{
		"of the object": func(m *Metadata) *Change { return m.Change("b", "files", "a") },
		"of the bucket": func(m *Metadata) *Change { return m.ChangeBucket("b", "files") },
	} {
		t.Run(name, func(t *testing.T) {
			a, b, _ := replicas()
			a.Fill(key("a")).Put(etag(1))
			wantHit(t, a, key("a"), 1)
			change := write(b)
			wantMiss(t, a, key("a"))
			// What was read while the write was under way is old when it ends.
			a.Fill(key("a")).Put(etag(1))
			change.Done(true)
			wantMiss(t, a, key("a"))
			a.Fill(key("a")).Put(etag(2))
			wantHit(t, a, key("a"), 2)
		})
	}
}

func TestAFillThatBeganBeforeAnotherReplicasWriteIsNotServed(t *testing.T) {
	a, b, _ := replicas()
	f := a.Fill(key("a"))
	b.Change("b", "files", "a").Done(true)
	f.Put(etag(1))
	wantMiss(t, a, key("a"))
}

func TestAnUnknownOutcomeKeepsTheObjectOutOnEveryReplica(t *testing.T) {
	a, b, c := replicas()
	b.Change("b", "files", "a").Done(false)
	a.Fill(key("a")).Put(etag(1))
	wantMiss(t, a, key("a"))
	clear(c.blocked)
	wantMiss(t, a, key("a")) // it was read too early
}

func TestNoHitsWhileNobodyCanSay(t *testing.T) {
	a, _, c := replicas()
	a.Fill(key("a")).Put(etag(1))
	c.away = true
	wantMiss(t, a, key("a"))
	a.Fill(key("b")).Put(etag(1))
	c.away = false
	wantHit(t, a, key("a"), 1) // nothing was written
	wantMiss(t, a, key("b"))
	c.epoch++ // something may have been
	wantMiss(t, a, key("a"))
}

// A change of many objects is told in two calls, and ends the entries of all.
func TestAChangeOfManyObjectsIsToldAtOnce(t *testing.T) {
	a, b, c := replicas()
	names := []string{"a", "b", "c"}
	for i, name := range names {
		b.Fill(key(name)).Put(etag(i))
		wantHit(t, b, key(name), i)
	}
	change := a.Change("b", "files", names...)
	for _, name := range names {
		wantMiss(t, b, key(name))
	}
	change.Done(true)
	if c.bumps != 2 {
		t.Errorf("%d calls", c.bumps)
	}
}
