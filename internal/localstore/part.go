package localstore

import (
	"context"
	"errors"
	"io"
)

const (
	// sharedSegments is how many segments of its source a copied part may refer
	// to. What spans more is copied byte by byte, so that copies of copies do not
	// make objects of ever more pieces.
	sharedSegments = 16
	// extraSegments bounds those that all copied parts of an upload have beyond
	// one each, so that an object has 20,000 at the most.
	extraSegments = MaxParts
)

// PutPart stores a part of an upload. A part with the same number is replaced.
func (s *Store) PutPart(ctx context.Context, in PartInput) (p Part, err error) {
	u, err := s.mayPutPart(in.Bucket, in.Key, in.UploadID, in.Number)
	if err != nil {
		return p, err
	}
	if err := u.checkDeclared(in.Expect.Algorithm); err != nil {
		return p, err
	}
	return s.putPart(ctx, in, u)
}

// checkDeclared compares the checksum of a part with that of its upload. The parts
// of a composite checksum each have one.
func (u *uploadRow) checkDeclared(algorithm string) error {
	if !u.declared || algorithm == u.algorithm || algorithm == "" && u.kind == FullObject {
		return nil
	}
	if algorithm == "" {
		algorithm = "null"
	}
	return refuse(InvalidRequest, "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s", u.algorithm, algorithm)
}

// putPart receives a part and names it.
func (s *Store) putPart(ctx context.Context, in PartInput, u *uploadRow) (p Part, err error) {
	d, err := s.receive(ctx, in.Body, in.Expect, u.algorithm)
	if err != nil {
		return p, err
	}
	row := d.part(s)
	err = s.grow(int64(len(d.small)), func(t *transaction) error {
		fresh := row
		p, err = t.putPart(in.Bucket, in.Key, in.UploadID, in.Number, func(*uploadRow) (*partRow, error) {
			fresh.content, err = t.store(d)
			return &fresh, err
		})
		return err
	})
	s.named(d, err)
	return p, err
}

// mayPutPart returns the upload that a part is for.
func (s *Store) mayPutPart(bucketName, key, uploadID string, number int) (u *uploadRow, err error) {
	if number < 1 || number > MaxParts {
		return nil, refuse(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive")
	}
	err = s.readBucket(bucketName, func(b *bucket) error {
		u, err = b.openUpload(key, uploadID)
		return err
	})
	return u, err
}

func (d *draft) part(s *Store) partRow {
	return partRow{size: d.sums.size, etag: d.sums.etag(), modified: s.clock(), checksum: d.sums.kept.Sum(nil)}
}

// putPart names a part, which make stores once the upload was found, and drops
// the one that it replaces.
func (t *transaction) putPart(bucketName, key, uploadID string, number int, make func(*uploadRow) (*partRow, error)) (Part, error) {
	b, err := openBucket(t.tx, bucketName)
	if err != nil {
		return Part{}, err
	}
	u, err := b.openUpload(key, uploadID)
	if err != nil {
		return Part{}, err
	}
	old, err := t.part(u.id.sequence, number)
	if err != nil {
		return Part{}, err
	}
	row, err := make(u)
	if err != nil {
		return Part{}, err
	}
	if old != nil {
		if err := t.drop(old.content); err != nil {
			return Part{}, err
		}
	}
	return u.part(number, row), t.tx.Put(partsTree, partKey(u.id.sequence, number), row.encode())
}

// part returns the row of a part, nil where there is none.
func (t *transaction) part(upload uint64, number int) (*partRow, error) {
	row, err := t.tx.Get(partsTree, partKey(upload, number))
	if err != nil || row == nil {
		return nil, err
	}
	p, err := decodePart(row)
	return &p, err
}

// part returns a part as callers see it.
func (u *uploadRow) part(number int, p *partRow) Part {
	return Part{
		Number: number, Size: p.size, ETag: p.etag, Modified: p.modified,
		Checksum: Checksum{u.algorithm, u.kind, encode(p.checksum)},
	}
}

// CopyPart stores a part of an upload from an object. Where the range spans few
// segments the part refers to them, and nothing but its hashes is made.
func (s *Store) CopyPart(ctx context.Context, in CopyPartInput) (p Part, source Version, err error) {
	for range copyTries {
		again := false
		p, source, again, err = s.tryCopyPart(ctx, in)
		if !again {
			return p, source, err
		}
	}
	return p, source, changedWhileCopied()
}

func (s *Store) tryCopyPart(ctx context.Context, in CopyPartInput) (p Part, source Version, again bool, err error) {
	u, err := s.mayPutPart(in.Bucket, in.Key, in.UploadID, in.Number)
	if err != nil {
		return p, source, false, err
	}
	o, err := s.source(in.Source, in.SourceIf)
	if err != nil {
		return p, source, false, err
	}
	defer o.Close()
	if in.Range == nil {
		in.Range = &Range{Length: o.version.Size}
	}
	r := *in.Range
	if r.Offset < 0 || r.Length < 0 || r.Offset+r.Length > o.version.Size {
		return p, source, false, refuse(InvalidArgument, "Range specified is not valid for source object of size: %d", o.version.Size)
	}
	if r.Length > MaxPartSize {
		return p, source, false, tooLarge(r.Length)
	}
	if shared := o.share(r); shared != nil && u.extra+len(shared)-1 <= extraSegments {
		p, again, err = s.sharePart(ctx, in, u, o, shared)
		return p, o.version, again, err
	}
	p, err = s.duplicate(ctx, in, u, o)
	return p, o.version, false, err
}

// share returns the segments of a range, nil where it has small ones or too many.
func (o *Object) share(r Range) []segment {
	reader, _ := o.Open(r)
	segments := reader.(*objectReader).segments
	if len(segments) == 0 || len(segments) > sharedSegments {
		return nil
	}
	for _, s := range segments {
		if s.small() {
			return nil
		}
	}
	return segments
}

// sharePart makes a part of segments of its source. The source must be the same
// in the transaction as it was when it was hashed.
func (s *Store) sharePart(ctx context.Context, in CopyPartInput, u *uploadRow, o *Object, shared []segment) (p Part, again bool, err error) {
	hashes, err := newSums(Expect{}, u.algorithm)
	if err != nil {
		return p, false, err
	}
	if err := o.hash(ctx, *in.Range, hashes); err != nil {
		return p, false, err
	}
	d := &draft{sums: hashes}
	row := d.part(s)
	err = s.grow(0, func(t *transaction) error {
		if _, err := t.unchanged(in.Source, o); err != nil {
			return err
		}
		p, err = t.putPart(in.Bucket, in.Key, in.UploadID, in.Number, func(u *uploadRow) (*partRow, error) {
			return t.shared(in, u, row, shared)
		})
		return err
	})
	return p, errors.Is(err, errChanged), err
}

// shared names a part that refers to segments of another content.
func (t *transaction) shared(in CopyPartInput, u *uploadRow, row partRow, segments []segment) (_ *partRow, err error) {
	c := content{pieces: []piece{{size: row.size, checksum: row.checksum, segments: segments}}}
	if row.content, err = t.addContent(c, nil); err != nil || len(segments) == 1 {
		return &row, err
	}
	b, err := openBucket(t.tx, in.Bucket)
	if err != nil {
		return nil, err
	}
	u.extra += len(segments) - 1
	return &row, t.tx.Put(b.uploads, uploadKey(in.Key, u.id.sequence), u.encode())
}

// duplicate makes a part of a copy of the bytes.
func (s *Store) duplicate(ctx context.Context, in CopyPartInput, u *uploadRow, o *Object) (Part, error) {
	reader, err := o.Open(*in.Range)
	if err != nil {
		return Part{}, err
	}
	defer reader.Close()
	return s.putPart(ctx, PartInput{
		Bucket: in.Bucket, Key: in.Key, UploadID: in.UploadID, Number: in.Number,
		Body: io.Reader(reader), Expect: Expect{Length: in.Range.Length},
	}, u)
}

// Parts lists up to limit parts of an upload, those after a number.
func (s *Store) Parts(bucketName, key, uploadID string, after, limit int) (u Upload, parts []Part, truncated bool, err error) {
	err = s.readBucket(bucketName, func(b *bucket) error {
		row, err := b.openUpload(key, uploadID)
		if err != nil {
			return err
		}
		u = b.upload(key, row)
		parts, truncated, err = b.parts(row, after, limit)
		return err
	})
	return u, parts, truncated, err
}
