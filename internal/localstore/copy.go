package localstore

import (
	"context"
	"errors"
	"io"
)

// copyTries is how often a copy is begun anew because its source was replaced
// while it was read.
const copyTries = 5

// Copy copies an object within the store. No bytes are written: the copy refers
// to the bytes of the source, which is read again in the transaction that names
// the copy.
func (s *Store) Copy(ctx context.Context, in CopyInput) (v, source Version, err error) {
	if err := checkKey(in.Key); err != nil {
		return v, source, err
	}
	for range copyTries {
		again := false
		v, source, again, err = s.tryCopy(ctx, in)
		if !again {
			return v, source, err
		}
	}
	return v, source, changedWhileCopied()
}

func changedWhileCopied() error {
	return refuse(ConditionalRequestConf, "The source was replaced again and again while it was copied. Please try again.")
}

func (s *Store) tryCopy(ctx context.Context, in CopyInput) (v, source Version, again bool, err error) {
	o, err := s.source(in.Source, in.SourceIf)
	if err != nil {
		return v, source, false, err
	}
	defer o.Close()
	row, err := s.copyRow(ctx, o, in)
	if err != nil {
		return v, source, false, err
	}
	err = s.grow(0, func(t *transaction) error {
		b, err := openBucket(t.tx, in.Bucket)
		if err != nil {
			return err
		}
		same, err := t.unchanged(in.Source, o)
		if err != nil {
			return err
		}
		fresh := row
		if in.Tags == nil {
			fresh.tags = same.tags // tags change without a new version
		}
		if err := s.begin(t, b, in.Key, in.If, &fresh); err != nil {
			return err
		}
		if err := t.refer(fresh.content); err != nil {
			return err
		}
		if err := t.put(b, in.Key, &fresh); err != nil {
			return err
		}
		v = b.describe(in.Key, &fresh)
		return nil
	})
	return v, o.version, errors.Is(err, errChanged), err
}

// unchanged returns the source of a copy as it is in this transaction, or
// errChanged where it is no longer the version that was read.
func (t *transaction) unchanged(source Ref, o *Object) (*versionRow, error) {
	from, err := openBucket(t.tx, source.Bucket)
	if err != nil {
		return nil, err
	}
	same, err := from.object(source)
	if err != nil {
		return nil, err
	}
	if same.id.sequence != o.version.sequence {
		return nil, errChanged
	}
	return same, nil
}

// source opens the source of a copy and checks its conditions.
func (s *Store) source(ref Ref, condition func(Version) error) (*Object, error) {
	o, err := s.Get(ref)
	if err != nil {
		return nil, err
	}
	if condition != nil {
		if err := condition(o.version); err != nil {
			o.Close()
			return nil, err
		}
	}
	return o, nil
}

// copyRow returns the version that a copy makes. An object that is copied at once
// has one part and the MD5 of its bytes as its ETag, so that a multipart object is
// read; another one is not.
func (s *Store) copyRow(ctx context.Context, o *Object, in CopyInput) (versionRow, error) {
	v := o.version
	row := versionRow{
		size: v.Size, etag: v.ETag, modified: s.clock(), meta: v.Meta, tags: v.Tags, lock: in.Lock,
		checksum: v.Checksum, content: v.content,
	}
	if in.Meta != nil {
		row.meta = *in.Meta
	}
	row.meta.StorageClass, row.meta.WebsiteRedirect = in.StorageClass, in.WebsiteRedirect
	if in.Tags != nil {
		row.tags = *in.Tags
	}
	kept := in.Algorithm
	if kept == "" {
		kept = v.Checksum.Algorithm
	}
	if kept == "" {
		kept = defaultChecksum
	}
	if v.Parts == 0 && kept == v.Checksum.Algorithm {
		return row, nil
	}
	hashes, err := newSums(Expect{}, kept)
	if err != nil {
		return row, err
	}
	if err := o.hash(ctx, Range{Length: v.Size}, hashes); err != nil {
		return row, err
	}
	row.etag, row.checksum = hashes.etag(), Checksum{kept, FullObject, encode(hashes.kept.Sum(nil))}
	return row, nil
}

// hash reads a range of the object into w.
func (o *Object) hash(ctx context.Context, r Range, w io.Writer) error {
	reader, err := o.Open(r)
	if err != nil {
		return err
	}
	defer reader.Close()
	pooled := buffers.Get().(*[]byte)
	defer buffers.Put(pooled)
	n, err := io.CopyBuffer(w, &cancelReader{ctx, reader}, *pooled)
	if err == nil && n != r.Length {
		err = errRow
	}
	return o.store.translate(err)
}

// cancelReader fails when ctx ends.
type cancelReader struct {
	ctx context.Context
	io.Reader
}

// Read reads unless ctx has ended.
func (r *cancelReader) Read(p []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, &bodyError{err}
	}
	return r.Reader.Read(p)
}
