package cache

import (
	"hash/maphash"
	"time"
)

// generations tells whether something changed since a reader last looked. It
// keeps a fixed number of counters, each shared by many names, and one entry
// per name with a change under way. Its user locks.
type generations[K comparable] struct {
	seed    maphash.Seed
	counter []uint64
	blocked []time.Time // nothing is kept until then
	changes map[K]int   // under way
}

func newGenerations[K comparable](seed maphash.Seed) generations[K] {
	return generations[K]{seed: seed, counter: make([]uint64, shards),
		blocked: make([]time.Time, shards), changes: map[K]int{}}
}

func (g *generations[K]) shard(k K) uint64 { return maphash.Comparable(g.seed, k) % shards }

// at gives the generation of a name now.
func (g *generations[K]) at(k K) uint64 { return g.counter[g.shard(k)] }

// unchanged reports whether nothing happened to a name since it was at a
// generation, and nothing is happening. since is when that was: a write of
// unknown outcome may take effect after the look of a reader who looked too
// early, however late he tells.
func (g *generations[K]) unchanged(k K, generation uint64, since time.Time) bool {
	s := g.shard(k)
	return g.changes[k] == 0 && g.counter[s] == generation && !since.Before(g.blocked[s])
}

func (g *generations[K]) begin(k K) {
	g.counter[g.shard(k)]++
	g.changes[k]++
}

func (g *generations[K]) end(k K) {
	g.counter[g.shard(k)]++
	if g.changes[k]--; g.changes[k] <= 0 {
		delete(g.changes, k)
	}
}

// block keeps a name out until a time. The whole shard waits with it, so that
// an outage of the backend costs no memory.
func (g *generations[K]) block(k K, until time.Time) {
	if s := g.shard(k); until.After(g.blocked[s]) {
		g.blocked[s] = until
	}
}
