package cache

import (
	"hash/fnv"
	"strconv"
	"time"
)

// Shared are generations that replicas count together. A write begins a new
// one before it is forwarded and again before its answer; an entry is served
// only while the generation that it was filled under is still the one of now.
type Shared interface {
	// Generations gives the epoch and the generation of each shard as they are
	// now. ok is false when nobody can say: nothing is served or kept then.
	Generations(shards ...string) (epoch int64, generations []int64, ok bool)
	// Bump begins new generations; with block above 0 the shards are kept out
	// for that long.
	Bump(block time.Duration, shards ...string)
}

// stamp is what the shared generations of an object were at a moment.
type stamp struct{ epoch, object, bucket int64 }

// stamp asks for them; ok without any.
func (m *Metadata) stamp(o object) (stamp, bool) {
	if m.shared == nil {
		return stamp{}, true
	}
	epoch, at, ok := m.shared.Generations(o.shard(), o.bucket.shard())
	if !ok || len(at) != 2 {
		return stamp{}, false
	}
	return stamp{epoch, at[0], at[1]}, true
}

func (m *Metadata) bump(block time.Duration, shards ...string) {
	if m.shared != nil {
		m.shared.Bump(block, shards...)
	}
}

// The names of shards are the same on every replica. Who finds keys that share
// one costs each of them a fill.
func (o object) shard() string { return "o" + shardOf(o.backend, o.bucket.name, o.name) }
func (b bucket) shard() string { return "b" + shardOf(b.backend, b.name) }

func shardOf(names ...string) string {
	h := fnv.New64a()
	for _, n := range names {
		_, _ = h.Write([]byte(n)) // never fails
		_, _ = h.Write([]byte{0})
	}
	return strconv.FormatUint(h.Sum64()%shards, 10)
}
