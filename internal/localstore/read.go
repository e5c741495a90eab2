package localstore

import (
	"bytes"
	"errors"
	"io"

	"github.com/codeguardians/s3gateway/internal/localstore/blob"
	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// readBucket runs fn on a snapshot of a bucket.
func (s *Store) readBucket(name string, fn func(*bucket) error) error {
	return s.read(func(tx *kv.Tx) error {
		b, err := openBucket(tx, name)
		if err != nil {
			return err
		}
		return fn(b)
	})
}

// Stat returns a version. A delete marker is an Error with Marker set:
// MethodNotAllowed where its ID names it, otherwise NoSuchKey.
func (s *Store) Stat(ref Ref) (v Version, err error) {
	err = s.readBucket(ref.Bucket, func(b *bucket) error {
		row, err := b.object(ref)
		if err != nil {
			return err
		}
		v = b.describe(ref.Key, row)
		v.Latest, err = b.isNewest(ref, row)
		return err
	})
	return v, err
}

// isNewest reports whether a version is the newest one of its key.
func (b *bucket) isNewest(ref Ref, v *versionRow) (bool, error) {
	if ref.VersionID == "" {
		return true, nil
	}
	newest, err := b.newest(ref.Key)
	return err == nil && newest != nil && newest.id == v.id, err
}

// object returns the version that ref names. A marker is no object.
func (b *bucket) object(ref Ref) (*versionRow, error) {
	if err := checkKey(ref.Key); err != nil {
		return nil, err
	}
	v, err := b.find(ref.Key, ref.VersionID)
	switch {
	case err != nil:
		return nil, err
	case v == nil && ref.VersionID != "":
		return nil, refuse(NoSuchVersion, "The specified version does not exist.")
	case v == nil:
		return nil, refuse(NoSuchKey, "The specified key does not exist.")
	case !v.marker:
		return v, nil
	}
	marker := b.describe(ref.Key, v)
	if ref.VersionID != "" {
		return nil, &Error{Code: MethodNotAllowed, Marker: &marker, Message: "The specified method is not allowed against this resource."}
	}
	return nil, &Error{Code: NoSuchKey, Marker: &marker, Message: "The specified key does not exist."}
}

// Object is a version whose bytes stay readable until Close, whatever happens to
// its name.
type Object struct {
	store   *Store
	version Version
	content content
	small   []byte // of the small segment
	pins    []blob.ID
}

// Get returns a version for reading, with the errors of Stat. The object must be
// closed.
func (s *Store) Get(ref Ref) (*Object, error) {
	o := &Object{store: s}
	done := s.blobs.Reading()
	defer done()
	err := s.readBucket(ref.Bucket, func(b *bucket) error {
		row, err := b.object(ref)
		if err != nil {
			return err
		}
		o.version = b.describe(ref.Key, row)
		return o.load(b.tx)
	})
	if err != nil {
		return nil, err
	}
	o.pin()
	return o, nil
}

// load reads what the version refers to.
func (o *Object) load(tx *kv.Tx) (err error) {
	if o.version.content == 0 {
		o.content = content{pieces: []piece{{}}}
		return nil
	}
	if o.content, err = contentOf(tx, o.version.content); err != nil {
		return err
	}
	o.small, err = tx.Get(smallTree, uint64Key(o.version.content))
	return err
}

func (o *Object) pin() {
	for id := range blobsOf(o.content) {
		o.pins = append(o.pins, id)
	}
	o.store.blobs.Pin(o.pins...)
}

// Close ends the use of the object. Open readers fail afterwards.
func (o *Object) Close() {
	if len(o.pins) > 0 {
		o.store.unpin(o.pins)
		o.pins = nil
	}
}

// Version returns the version as it was when Get returned.
func (o *Object) Version() Version { return o.version }

// Part returns a part of a multipart object. Another object is its part 1.
func (o *Object) Part(number int) (Part, error) {
	if o.version.Parts == 0 {
		if number != 1 {
			return Part{}, noSuchPart()
		}
		return Part{Number: 1, Size: o.version.Size, Checksum: o.version.Checksum}, nil
	}
	if number < 1 || number > len(o.content.pieces) {
		return Part{}, noSuchPart()
	}
	of := o.content.pieces[number-1]
	p := Part{Number: number, Size: of.size, Checksum: o.version.partChecksum(of)}
	for _, earlier := range o.content.pieces[:number-1] {
		p.Offset += earlier.size
	}
	return p, nil
}

// partChecksum returns the checksum of a part of the version.
func (v Version) partChecksum(p piece) Checksum {
	return Checksum{v.Checksum.Algorithm, v.Checksum.Type, encode(p.checksum)}
}

func noSuchPart() error {
	return refuse(InvalidRange, "The requested partnumber is not satisfiable")
}

// ObjectParts returns parts of a multipart object, those after a number, for
// GetObjectAttributes.
func (s *Store) ObjectParts(ref Ref, after, limit int) (v Version, parts []Part, truncated bool, err error) {
	err = s.readBucket(ref.Bucket, func(b *bucket) error {
		row, err := b.object(ref)
		if err != nil {
			return err
		}
		v = b.describe(ref.Key, row)
		if row.parts == 0 {
			return nil
		}
		c, err := contentOf(b.tx, row.content)
		if err != nil {
			return err
		}
		for i := max(after, 0); i < len(c.pieces) && len(parts) < limit; i++ {
			p := c.pieces[i]
			parts = append(parts, Part{Number: i + 1, Size: p.size, Checksum: v.partChecksum(p)})
		}
		truncated = max(after, 0)+len(parts) < len(c.pieces)
		return nil
	})
	return v, parts, truncated, err
}

// Open returns a reader of a range within the object. No byte leaves it before
// its checksum was compared.
func (o *Object) Open(r Range) (io.ReadCloser, error) {
	reader := &objectReader{object: o}
	offset := int64(0)
	for _, p := range o.content.pieces {
		for _, s := range p.segments {
			from, to := max(r.Offset, offset), min(r.Offset+r.Length, offset+s.length)
			if from < to {
				reader.segments = append(reader.segments, segment{s.blob, s.offset + from - offset, to - from})
			}
			offset += s.length
		}
	}
	return reader, nil
}

// objectReader reads segments one after another.
type objectReader struct {
	object   *Object
	segments []segment
	open     io.ReadCloser // of the first segment, nil before it is read
}

// next opens the first segment that is left, io.EOF where none is.
func (r *objectReader) next() error {
	if r.open != nil {
		return nil
	}
	if len(r.segments) == 0 {
		return io.EOF
	}
	s := r.segments[0]
	if s.small() {
		if s.offset+s.length > int64(len(r.object.small)) {
			return r.object.store.translate(errRow)
		}
		r.open = io.NopCloser(bytes.NewReader(r.object.small[s.offset : s.offset+s.length]))
		return nil
	}
	open, err := r.object.store.blobs.Open(s.blob, s.offset, s.length)
	if err != nil {
		return r.object.store.translate(diskError(err))
	}
	r.open = open
	return nil
}

// Read returns the next verified bytes.
func (r *objectReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if err := r.next(); err != nil {
			return 0, err
		}
		n, err := r.open.Read(p)
		if err == io.EOF {
			err = r.advance()
		}
		if n > 0 || err != nil {
			return n, r.object.store.readError(err)
		}
	}
}

// readError translates damage, and returns all other errors as they are.
func (s *Store) readError(err error) error {
	if err == nil {
		return nil // before errors.As, which allocates
	}
	if damage := (*blob.DamageError)(nil); errors.As(err, &damage) {
		return s.translate(err)
	}
	return err
}

func (r *objectReader) advance() error {
	err := r.open.Close()
	r.open, r.segments = nil, r.segments[1:]
	return err
}

// Close ends reading.
func (r *objectReader) Close() error {
	r.segments = nil
	if r.open == nil {
		return nil
	}
	err := r.open.Close()
	r.open = nil
	return err
}
