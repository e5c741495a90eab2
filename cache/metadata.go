package cache

import (
	"hash/maphash"
	"net/http"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// shards is the number of generation counters for objects and for buckets.
	// Two names that share one cost each other a fill, never a wrong answer.
	shards = 4096
	// maxVariants is how many answers of one object are kept; then they start
	// anew.
	maxVariants = 8
	// maxHeaderBytes bounds one answer. S3 bounds user metadata at 2 KiB.
	maxHeaderBytes = 8 << 10
)

// Key names one answer about one object, as the backend names it: whatever
// names the same object has the same key.
type Key struct {
	Backend, Bucket, Object string
	// Variant tells different answers about the same object apart, such as
	// "checksum". A change of the object drops all of them.
	Variant string
}

// Entry is a successful answer about an object; refusals and 404 are not kept.
type Entry struct {
	// Header is shared by everyone who gets the entry: it must not be changed.
	Header http.Header
}

// Options of a Metadata.
type Options struct {
	// Entries is how many objects are kept; 0 or less turns the cache off.
	Entries int
	// TTL is how long an entry is served, counted from before the backend was
	// asked, and how long a write of unknown outcome keeps its object out. 0
	// or less turns the cache off.
	TTL time.Duration
	// Now is the clock, time.Now in a server.
	Now func() time.Time
	// Shared are the generations of all replicas; nil: this process is alone,
	// or others may see what it replaced until the TTL.
	Shared Shared
}

// object and bucket are what changes.
type (
	bucket struct{ backend, name string }
	object struct {
		bucket
		name string
	}
)

func (k Key) object() object {
	return object{bucket{k.Backend, k.Bucket}, k.Object}
}

// answer is an entry with what must still hold for it to be served.
type answer struct {
	entry   Entry
	expires time.Time
	bucket  uint64 // the bucket's generation
	shared  stamp
}

// Metadata is a least-recently-used cache. It is safe for concurrent use; its
// memory is bounded by Entries and by the requests in flight. A nil *Metadata
// is a cache that is off.
type Metadata struct {
	ttl    time.Duration
	now    func() time.Time
	shared Shared

	mu      sync.Mutex
	lru     *simplelru.LRU[object, map[string]answer]
	objects generations[object]
	buckets generations[bucket]
}

// New makes a cache, nil when the options turn it off.
func New(o Options) *Metadata {
	if o.Entries <= 0 || o.TTL <= 0 {
		return nil
	}
	lru, err := simplelru.NewLRU[object, map[string]answer](o.Entries, nil)
	if err != nil {
		panic("cache: " + err.Error()) // only for a size below one
	}
	seed := maphash.MakeSeed() // a client cannot choose names that share a shard
	return &Metadata{ttl: o.TTL, now: o.Now, lru: lru, shared: o.Shared,
		objects: newGenerations[object](seed), buckets: newGenerations[bucket](seed)}
}

// Get gives an entry that may be served now.
func (m *Metadata) Get(k Key) (Entry, bool) {
	if m == nil {
		return Entry{}, false
	}
	a, ok := m.local(k)
	if !ok || m.shared == nil {
		return a.entry, ok
	}
	// What is kept here may have been replaced by way of another replica.
	now, ok := m.stamp(k.object())
	if !ok {
		return Entry{}, false
	}
	if now != a.shared {
		m.drop(k, a.shared)
		return Entry{}, false
	}
	return a.entry, true
}

// local gives an answer that this process knows nothing against.
func (m *Metadata) local(k Key) (answer, bool) {
	o, now := k.object(), m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	variants, ok := m.lru.Get(o)
	if !ok {
		return answer{}, false
	}
	a, ok := variants[k.Variant]
	if !ok {
		return answer{}, false
	}
	if !now.Before(a.expires) || a.bucket != m.buckets.at(o.bucket) {
		delete(variants, k.Variant)
		return answer{}, false
	}
	return a, true
}

// drop forgets an answer of a shared generation that is over.
func (m *Metadata) drop(k Key, old stamp) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if variants, ok := m.lru.Peek(k.object()); ok && variants[k.Variant].shared == old {
		delete(variants, k.Variant)
	}
}

// Filling is the right to put one answer into the cache, if nothing changed
// since it was taken. A nil *Filling puts nothing.
type Filling struct {
	m              *Metadata
	key            Key
	since          time.Time
	object, bucket uint64 // generations
	shared         stamp
}

// Fill is taken before the backend is asked. It need not be used.
func (m *Metadata) Fill(k Key) *Filling {
	if m == nil {
		return nil
	}
	o, now := k.object(), m.now()
	shared, ok := m.stamp(o)
	if !ok {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return &Filling{m: m, key: k, since: now, shared: shared, object: m.objects.at(o), bucket: m.buckets.at(o.bucket)}
}

// Put keeps a copy of the backend's answer, unless a change of the object or of
// its bucket began or ended since Fill, or is under way, or had ended unknown less
// than the TTL before Fill.
func (f *Filling) Put(e Entry) {
	if f == nil || size(e.Header) > maxHeaderBytes {
		return
	}
	m, o := f.m, f.key.object()
	a := answer{Entry{Header: e.Header.Clone()}, f.since.Add(m.ttl), f.bucket, f.shared}
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.objects.unchanged(o, f.object, f.since) || !m.buckets.unchanged(o.bucket, f.bucket, f.since) {
		return
	}
	variants, ok := m.lru.Get(o)
	if !ok || len(variants) >= maxVariants {
		variants = make(map[string]answer, 1)
	}
	variants[f.key.Variant] = a
	m.lru.Add(o, variants)
}

func size(h http.Header) int {
	n := 0
	for name, values := range h {
		n += len(name)
		for _, v := range values {
			n += len(v)
		}
	}
	return n
}

// Change is a write under way. A nil *Change changes nothing.
type Change struct {
	done func(known bool)
	once sync.Once
}

// Change is taken before a write of objects of a bucket is forwarded: nothing of
// them is served or kept until Done. Other replicas are told of all in one call. Every Change is ended, also one whose request
// failed or panicked.
func (m *Metadata) Change(backendName, bucketName string, objectNames ...string) *Change {
	if m == nil {
		return nil
	}
	objects, shards := make([]object, len(objectNames)), make([]string, len(objectNames))
	m.mu.Lock()
	for i, name := range objectNames {
		objects[i] = object{bucket{backendName, bucketName}, name}
		shards[i] = objects[i].shard()
		m.objects.begin(objects[i])
		m.lru.Remove(objects[i])
	}
	m.mu.Unlock()
	m.bump(0, shards...)
	return &Change{done: func(known bool) { end(m, &m.objects, objects, shards, known) }}
}

// ChangeBucket is a Change of everything in a bucket: the bucket is deleted or
// its configuration changes.
func (m *Metadata) ChangeBucket(backendName, bucketName string) *Change {
	if m == nil {
		return nil
	}
	b := bucket{backendName, bucketName}
	m.mu.Lock()
	m.buckets.begin(b) // entries carry the generation of their bucket
	m.mu.Unlock()
	m.bump(0, b.shard())
	return &Change{done: func(known bool) { end(m, &m.buckets, []bucket{b}, []string{b.shard()}, known) }}
}

// end ends a change: for the other replicas first, so that none of them serves
// what was replaced when the client hears of it.
func end[K comparable](m *Metadata, g *generations[K], all []K, shards []string, known bool) {
	if known {
		m.bump(0, shards...)
	} else {
		m.bump(m.ttl, shards...)
	}
	now := m.now()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range all {
		g.end(k)
		if !known {
			g.block(k, now.Add(m.ttl))
		}
	}
}

// Done ends the change. It is called after the backend answered and before the
// client hears of it. known is false when the backend's answer did not come or
// says nothing about the outcome: the object then stays out for the TTL, while
// the write may still take effect. Only the first call counts.
func (c *Change) Done(known bool) {
	if c != nil {
		c.once.Do(func() { c.done(known) })
	}
}
