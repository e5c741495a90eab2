package localstore

import (
	"time"

	"github.com/codeguardians/s3gateway/internal/localstore/blob"
)

// bucketRow is a bucket.
type bucketRow struct {
	id         uint64
	created    time.Time
	versioning string
	lock       bool
	retention  DefaultRetention
}

func (b bucketRow) encode() []byte {
	w := &rowWriter{}
	w.uint(b.id)
	w.time(b.created)
	w.string(b.versioning)
	w.bool(b.lock)
	w.string(b.retention.Mode)
	w.uint(uint64(b.retention.Days))
	w.uint(uint64(b.retention.Years))
	return w.b
}

func decodeBucket(row []byte) (bucketRow, error) {
	r := &rowReader{b: row}
	b := bucketRow{id: r.uint(), created: r.time(), versioning: r.string(), lock: r.bool()}
	b.retention = DefaultRetention{Mode: r.string(), Days: int(r.uint()), Years: int(r.uint())}
	return b, r.err()
}

// currentRow is what a listing shows of the current version, and where to find
// the rest.
type currentRow struct {
	sequence     uint64
	null         bool
	size         int64
	etag         string
	modified     time.Time
	storageClass string
	checksum     string // algorithm
	checksumType string
}

func (c currentRow) encode() []byte {
	w := &rowWriter{b: make([]byte, 0, 64)}
	w.uint(c.sequence)
	w.bool(c.null)
	w.int(c.size)
	w.string(c.etag)
	w.time(c.modified)
	w.string(c.storageClass)
	w.string(c.checksum)
	w.string(c.checksumType)
	return w.b
}

func decodeCurrent(row []byte) (currentRow, error) {
	r := &rowReader{b: row}
	c := currentRow{
		sequence: r.uint(), null: r.bool(), size: r.int(), etag: r.string(), modified: r.time(),
		storageClass: r.string(), checksum: r.string(), checksumType: r.string(),
	}
	return c, r.err()
}

// versionRow is one version of a key, or a delete marker.
type versionRow struct {
	id       id
	null     bool
	marker   bool
	size     int64
	etag     string
	modified time.Time
	meta     Meta
	tags     []Pair
	lock     Lock
	checksum Checksum
	parts    int
	content  uint64 // 0: no bytes
}

func (v versionRow) encode() []byte {
	w := &rowWriter{b: make([]byte, 0, 160)}
	w.uint(v.id.sequence)
	w.uint(v.id.random)
	w.bool(v.null)
	w.bool(v.marker)
	w.int(v.size)
	w.string(v.etag)
	w.time(v.modified)
	v.meta.encode(w)
	w.pairs(v.tags)
	v.lock.encode(w)
	w.string(v.checksum.Algorithm)
	w.string(v.checksum.Type)
	w.string(v.checksum.Value)
	w.uint(uint64(v.parts))
	w.uint(v.content)
	return w.b
}

func decodeVersion(row []byte) (versionRow, error) {
	r := &rowReader{b: row}
	v := versionRow{
		id: id{r.uint(), r.uint()}, null: r.bool(), marker: r.bool(), size: r.int(), etag: r.string(), modified: r.time(),
		meta: decodeMeta(r), tags: r.pairs(), lock: decodeLock(r),
		checksum: Checksum{r.string(), r.string(), r.string()}, parts: int(r.uint()), content: r.uint(),
	}
	return v, r.err()
}

func (m Meta) encode(w *rowWriter) {
	for _, field := range []string{
		m.ContentType, m.ContentEncoding, m.ContentLanguage, m.ContentDisposition,
		m.CacheControl, m.Expires, m.WebsiteRedirect, m.StorageClass,
	} {
		w.string(field)
	}
	w.pairs(m.User)
}

func decodeMeta(r *rowReader) (m Meta) {
	for _, field := range []*string{
		&m.ContentType, &m.ContentEncoding, &m.ContentLanguage, &m.ContentDisposition,
		&m.CacheControl, &m.Expires, &m.WebsiteRedirect, &m.StorageClass,
	} {
		*field = r.string()
	}
	m.User = r.pairs()
	return m
}

func (l Lock) encode(w *rowWriter) {
	w.string(l.Mode)
	w.time(l.Until)
	w.bool(l.Hold)
	w.bool(l.HoldSet)
}

func decodeLock(r *rowReader) Lock {
	return Lock{Mode: r.string(), Until: r.time(), Hold: r.bool(), HoldSet: r.bool()}
}

// uploadRow is an unfinished upload.
type uploadRow struct {
	id        id
	initiated time.Time
	meta      Meta
	tags      []Pair
	lock      Lock
	algorithm string
	kind      string // FullObject or Composite
	declared  bool   // the client chose the algorithm
	// extra is the number of segments that its copied parts have beyond one
	// each. It never shrinks.
	extra int
}

func (u uploadRow) encode() []byte {
	w := &rowWriter{}
	w.uint(u.id.sequence)
	w.uint(u.id.random)
	w.time(u.initiated)
	u.meta.encode(w)
	w.pairs(u.tags)
	u.lock.encode(w)
	w.string(u.algorithm)
	w.string(u.kind)
	w.bool(u.declared)
	w.uint(uint64(u.extra))
	return w.b
}

func decodeUpload(row []byte) (uploadRow, error) {
	r := &rowReader{b: row}
	u := uploadRow{
		id: id{r.uint(), r.uint()}, initiated: r.time(), meta: decodeMeta(r), tags: r.pairs(), lock: decodeLock(r),
		algorithm: r.string(), kind: r.string(), declared: r.bool(), extra: int(r.uint()),
	}
	return u, r.err()
}

// partRow is a part of an unfinished upload.
type partRow struct {
	size     int64
	etag     string
	modified time.Time
	checksum []byte
	content  uint64
}

func (p partRow) encode() []byte {
	w := &rowWriter{b: make([]byte, 0, 64)}
	w.int(p.size)
	w.string(p.etag)
	w.time(p.modified)
	w.bytes(p.checksum)
	w.uint(p.content)
	return w.b
}

func decodePart(row []byte) (partRow, error) {
	r := &rowReader{b: row}
	p := partRow{size: r.int(), etag: r.string(), modified: r.time(), checksum: r.bytes(), content: r.uint()}
	return p, r.err()
}

// completedRow answers a retry of CompleteMultipartUpload.
type completedRow struct {
	random    uint64
	list      []byte // hash of the part list
	completed time.Time
	version   id
	null      bool
	size      int64
	etag      string
	checksum  Checksum
	parts     int
}

func (c completedRow) encode() []byte {
	w := &rowWriter{}
	w.uint(c.random)
	w.bytes(c.list)
	w.time(c.completed)
	w.uint(c.version.sequence)
	w.uint(c.version.random)
	w.bool(c.null)
	w.int(c.size)
	w.string(c.etag)
	w.string(c.checksum.Algorithm)
	w.string(c.checksum.Type)
	w.string(c.checksum.Value)
	w.uint(uint64(c.parts))
	return w.b
}

func decodeCompleted(row []byte) (completedRow, error) {
	r := &rowReader{b: row}
	c := completedRow{
		random: r.uint(), list: r.bytes(), completed: r.time(), version: id{r.uint(), r.uint()}, null: r.bool(),
		size: r.int(), etag: r.string(), checksum: Checksum{r.string(), r.string(), r.string()}, parts: int(r.uint()),
	}
	return c, r.err()
}

// segment is a run of bytes of a blob, or with a zero blob the bytes in the small
// row of its content. A content has one small segment at the most, its last.
type segment struct {
	blob           blob.ID
	offset, length int64
}

func (s segment) small() bool { return s.blob == blob.ID{} }

// piece is one part of a content: an object that was stored at once has one.
type piece struct {
	size     int64
	checksum []byte
	segments []segment
}

// content is bytes that versions and parts refer to. It does not change; only
// references does.
type content struct {
	references uint64
	pieces     []piece
}

func (c content) encode() []byte {
	w := &rowWriter{}
	w.uint(c.references)
	w.uint(uint64(len(c.pieces)))
	for _, p := range c.pieces {
		w.int(p.size)
		w.bytes(p.checksum)
		w.uint(uint64(len(p.segments)))
		for _, s := range p.segments {
			w.bytes(s.blob[:])
			w.int(s.offset)
			w.int(s.length)
		}
	}
	return w.b
}

func decodeContent(row []byte) (content, error) {
	r := &rowReader{b: row}
	c := content{references: r.uint(), pieces: make([]piece, r.count())}
	for i := range c.pieces {
		p := piece{size: r.int(), checksum: r.bytes(), segments: make([]segment, r.count())}
		for k := range p.segments {
			s := segment{offset: 0}
			copy(s.blob[:], r.bytes())
			s.offset, s.length = r.int(), r.int()
			p.segments[k] = s
		}
		c.pieces[i] = p
	}
	return c, r.err()
}
