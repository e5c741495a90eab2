package localstore

import (
	"bytes"
	"strings"
	"time"

	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// CreateBucket makes a bucket. One that exists is BucketAlreadyOwned.
func (s *Store) CreateBucket(in CreateBucketInput) error {
	return s.grow(0, func(t *transaction) error {
		row, err := t.tx.Get(bucketsTree, []byte(in.Name))
		if err != nil {
			return err
		}
		if row != nil {
			return refuse(BucketAlreadyOwned, "Your previous request to create the named bucket succeeded and you already own it.")
		}
		b := bucketRow{created: s.clock(), lock: in.Lock}
		if in.Lock {
			b.versioning = "Enabled"
		}
		if b.id, err = t.tx.Sequence(); err != nil {
			return err
		}
		return t.tx.Put(bucketsTree, []byte(in.Name), b.encode())
	})
}

// DeleteBucket deletes a bucket without versions. Its unfinished uploads end with
// it.
func (s *Store) DeleteBucket(name string) error {
	err := s.write(func(t *transaction) error {
		b, err := openBucket(t.tx, name)
		if err != nil {
			return err
		}
		if t.tx.Cursor(b.versions).Seek(nil) {
			if b.versioned() {
				return refuse(BucketNotEmpty, "The bucket you tried to delete is not empty. You must delete all versions in the bucket.")
			}
			return refuse(BucketNotEmpty, "The bucket you tried to delete is not empty.")
		}
		if err := t.dropSettings(b); err != nil {
			return err
		}
		if err := t.tx.Put(orphansTree, uint64Key(b.id), nil); err != nil {
			return err
		}
		return t.tx.Delete(bucketsTree, []byte(name))
	})
	if err == nil {
		err = s.sweepOrphans(s.background)
	}
	return err
}

func (t *transaction) dropSettings(b *bucket) error {
	c := t.tx.Cursor(settingsTree)
	prefix := uint64Key(b.id)
	for ok := c.Seek(prefix); ok && bytes.HasPrefix(c.Key(), prefix); ok = c.Seek(prefix) {
		if err := t.tx.Delete(settingsTree, c.Key()); err != nil {
			return err
		}
	}
	return nil
}

// Bucket returns a bucket, or NoSuchBucket.
func (s *Store) Bucket(name string) (info BucketInfo, err error) {
	err = s.read(func(tx *kv.Tx) error {
		b, err := openBucket(tx, name)
		if err != nil {
			return err
		}
		info = b.info(name)
		return nil
	})
	return info, err
}

func (b bucketRow) info(name string) BucketInfo {
	return BucketInfo{Name: name, Created: b.created, Versioning: b.versioning, Lock: b.lock, Retention: b.retention}
}

// Buckets lists up to limit buckets by name, those after a name.
func (s *Store) Buckets(prefix, after string, limit int) (list []BucketInfo, truncated bool, err error) {
	err = s.read(func(tx *kv.Tx) error {
		c := tx.Cursor(bucketsTree)
		for ok := c.Seek([]byte(max(prefix, after))); ok; ok = c.Next() {
			name := string(c.Key())
			if name == after {
				continue
			}
			if !strings.HasPrefix(name, prefix) {
				return nil
			}
			if len(list) == limit {
				truncated = true
				return nil
			}
			row, err := c.Value()
			if err != nil {
				return err
			}
			b, err := decodeBucket(row)
			if err != nil {
				return err
			}
			list = append(list, b.info(name))
		}
		return nil
	})
	return list, truncated, err
}

// Setting returns a document of a bucket, nil where it was never put.
func (s *Store) Setting(name, kind string) (document []byte, err error) {
	err = s.read(func(tx *kv.Tx) error {
		b, err := openBucket(tx, name)
		if err != nil {
			return err
		}
		document, err = tx.Get(settingsTree, b.setting(kind))
		return err
	})
	return document, err
}

// PutSetting keeps a document of a bucket; nil removes it.
func (s *Store) PutSetting(name, kind string, document []byte) error {
	return s.write(func(t *transaction) error {
		b, err := openBucket(t.tx, name)
		if err != nil {
			return err
		}
		if document == nil {
			return t.tx.Delete(settingsTree, b.setting(kind))
		}
		return t.tx.Put(settingsTree, b.setting(kind), document)
	})
}

func (b *bucket) setting(kind string) []byte { return append(uint64Key(b.id), kind...) }

// SetVersioning has a bucket keep versions ("Enabled") or no longer
// ("Suspended").
func (s *Store) SetVersioning(name, status string) error {
	return s.change(name, func(b *bucket) error {
		if b.lock && status != "Enabled" {
			return refuse(InvalidBucketState, "An Object Lock configuration is present on this bucket, so the versioning state cannot be changed.")
		}
		b.versioning = status
		return nil
	})
}

// SetLock enables object lock, with a default retention for new versions.
func (s *Store) SetLock(name string, r DefaultRetention) error {
	return s.change(name, func(b *bucket) error {
		if b.versioning != "Enabled" {
			return refuse(InvalidBucketState, "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration")
		}
		b.lock, b.retention = true, r
		return nil
	})
}

// change rewrites the row of a bucket.
func (s *Store) change(name string, fn func(*bucket) error) error {
	return s.write(func(t *transaction) error {
		b, err := openBucket(t.tx, name)
		if err != nil {
			return err
		}
		if err := fn(b); err != nil {
			return err
		}
		return b.save()
	})
}

// until returns when a default retention that begins now ends.
func (d DefaultRetention) until(now time.Time) time.Time { return now.AddDate(d.Years, 0, d.Days) }
