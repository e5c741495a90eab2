package localstore

import (
	"bytes"
	"time"

	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// CreateUpload begins a multipart upload.
func (s *Store) CreateUpload(in CreateUploadInput) (u Upload, err error) {
	if err := checkKey(in.Key); err != nil {
		return u, err
	}
	row := uploadRow{initiated: s.clock(), meta: in.Meta, tags: in.Tags, lock: in.Lock}
	if row.algorithm, row.kind, err = MultipartChecksum(in.Algorithm, in.Type); err != nil {
		return u, err
	}
	row.declared = in.Algorithm != ""
	err = s.grow(0, func(t *transaction) error {
		b, err := openBucket(t.tx, in.Bucket)
		if err != nil {
			return err
		}
		if err := b.checkLock(in.Lock); err != nil {
			return err
		}
		fresh := row
		if fresh.id, err = s.newID(t); err != nil {
			return err
		}
		u = b.upload(in.Key, &fresh)
		return t.tx.Put(b.uploads, uploadKey(in.Key, fresh.id.sequence), fresh.encode())
	})
	return u, err
}

// upload returns an upload as callers see it.
func (b *bucket) upload(key string, u *uploadRow) Upload {
	d := Upload{Bucket: b.name, Key: key, ID: u.id.String(), Initiated: u.initiated, StorageClass: u.meta.StorageClass, Meta: u.meta}
	if u.declared {
		d.Algorithm, d.Type = u.algorithm, u.kind
	}
	return d
}

// openUpload returns an unfinished upload, or NoSuchUpload.
func (b *bucket) openUpload(key, uploadID string) (*uploadRow, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	named, ok := parseID(uploadID)
	if !ok {
		return nil, noSuchUpload()
	}
	row, err := b.tx.Get(b.uploads, uploadKey(key, named.sequence))
	if err != nil {
		return nil, err
	}
	if row == nil {
		return nil, noSuchUpload()
	}
	u, err := decodeUpload(row)
	if err == nil && u.id != named {
		err = noSuchUpload()
	}
	return &u, err
}

func noSuchUpload() error {
	return refuse(NoSuchUpload, "The specified multipart upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.")
}

// Abort ends an upload and removes its parts. initiated, unless zero, must be when
// it began.
func (s *Store) Abort(name, key, uploadID string, initiated time.Time) error {
	return s.write(func(t *transaction) error {
		b, err := openBucket(t.tx, name)
		if err != nil {
			return err
		}
		u, err := b.openUpload(key, uploadID)
		if err != nil {
			return err
		}
		if !initiated.IsZero() && !initiated.Equal(u.initiated) {
			return preconditionFailed()
		}
		return t.endUpload(b, key, u)
	})
}

// endUpload removes an upload with its parts.
func (t *transaction) endUpload(b *bucket, key string, u *uploadRow) error {
	if err := t.dropParts(u.id.sequence, nil); err != nil {
		return err
	}
	return t.tx.Delete(b.uploads, uploadKey(key, u.id.sequence))
}

// dropParts removes the rows of an upload's parts, and their bytes except those in
// kept.
func (t *transaction) dropParts(upload uint64, kept map[uint64]bool) error {
	prefix := uint64Key(upload)
	c := t.tx.Cursor(partsTree)
	for ok := c.Seek(prefix); ok && bytes.HasPrefix(c.Key(), prefix); ok = c.Seek(prefix) {
		key := c.Key()
		row, err := c.Value()
		if err != nil {
			return err
		}
		p, err := decodePart(row)
		if err != nil {
			return err
		}
		if !kept[p.content] {
			if err := t.drop(p.content); err != nil {
				return err
			}
		}
		if err := t.tx.Delete(partsTree, key); err != nil {
			return err
		}
	}
	return nil
}

// orphanUploads is how many uploads of a deleted bucket one transaction ends: an
// upload may have 10,000 parts.
const orphanUploads = 10

// endOrphans removes some of what deleted buckets left, and reports whether there
// may be more.
func (t *transaction) endOrphans() (more bool, err error) {
	c := t.tx.Cursor(orphansTree)
	if !c.Seek(nil) {
		return false, nil
	}
	key := c.Key()
	b := &bucket{tx: t.tx, bucketRow: bucketRow{id: bigEndian(key)}}
	b.uploads, b.completed = uploadsTree(b.id), completedTree(b.id)
	for range orphanUploads {
		c := t.tx.Cursor(b.uploads)
		if !c.Seek(nil) {
			return true, t.endBucket(b, key)
		}
		row, err := c.Value()
		if err != nil {
			return false, err
		}
		u, err := decodeUpload(row)
		if err != nil {
			return false, err
		}
		name, _, _ := unescape(c.Key())
		if err := t.endUpload(b, name, &u); err != nil {
			return false, err
		}
	}
	return true, nil
}

// endBucket removes the trees of a deleted bucket, in steps of scanRows rows.
func (t *transaction) endBucket(b *bucket, orphan []byte) error {
	c := t.tx.Cursor(b.completed)
	for n := 0; c.Seek(nil); n++ {
		if n == scanRows {
			return nil
		}
		if err := t.tx.Delete(b.completed, c.Key()); err != nil {
			return err
		}
	}
	if err := t.tx.Delete(orphansTree, orphan); err != nil {
		return err
	}
	for _, tree := range []kv.Tree{currentTree(b.id), versionsTree(b.id), nullsTree(b.id), b.uploads, b.completed} {
		if err := t.tx.DropTree(tree); err != nil {
			return err
		}
	}
	return nil
}
