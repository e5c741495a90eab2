package localstore

import (
	"context"

	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// Expire removes the records of completed uploads that are too old to answer a
// retry, and returns how many. It also sweeps, where a write ended without anyone
// knowing how.
func (s *Store) Expire(ctx context.Context) (removed int, err error) {
	if s.Err() == nil && s.unswept.Swap(false) {
		if err := s.Sweep(ctx); err != nil {
			s.unswept.Store(true)
			return 0, err
		}
	}
	for after := ""; ; {
		buckets, more, err := s.Buckets("", after, MaxListed)
		if err != nil {
			return removed, err
		}
		for _, b := range buckets {
			n, err := s.expireCompleted(ctx, b.Name)
			if removed += n; err != nil {
				return removed, err
			}
			after = b.Name
		}
		if !more {
			return removed, nil
		}
	}
}

// expireCompleted reads the records of one bucket, scanRows at a time.
func (s *Store) expireCompleted(ctx context.Context, name string) (removed int, err error) {
	from := []byte(nil)
	for {
		if err := context.Cause(ctx); err != nil {
			return removed, err
		}
		var old [][]byte
		var tree kv.Tree
		next := []byte(nil)
		err := s.readBucket(name, func(b *bucket) error {
			tree = b.completed
			old, next, err = s.oldCompleted(b, from)
			return err
		})
		if CodeOf(err) == NoSuchBucket {
			return removed, nil
		}
		if err != nil {
			return removed, err
		}
		err = s.write(func(t *transaction) error {
			for _, key := range old {
				if err := t.tx.Delete(tree, key); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return removed, err
		}
		removed += len(old)
		if from = next; from == nil {
			return removed, nil
		}
	}
}

// oldCompleted returns the keys of records that are too old, and where to go on.
func (s *Store) oldCompleted(b *bucket, from []byte) (old [][]byte, next []byte, err error) {
	c, n := b.tx.Cursor(b.completed), 0
	for ok := c.Seek(from); ok; ok = c.Next() {
		key := c.Key()
		if n++; n > scanRows {
			return old, key, nil
		}
		row, err := c.Value()
		if err != nil {
			return nil, nil, err
		}
		record, err := decodeCompleted(row)
		if err != nil {
			return nil, nil, err
		}
		if s.now().Sub(record.completed) > completedFor {
			old = append(old, key)
		}
	}
	return old, nil, nil
}
