package localstore

import (
	"context"
	"time"
)

// Put stores an object. Its bytes are on disk before its name is, and it is
// visible only when everything that was declared of it held.
func (s *Store) Put(ctx context.Context, in PutInput) (v Version, err error) {
	if err := checkKey(in.Key); err != nil {
		return v, err
	}
	if err := s.mayPut(in.Bucket, in.Key, in.If, in.Lock); err != nil {
		return v, err
	}
	kept := in.Expect.Algorithm
	if kept == "" {
		kept = defaultChecksum
	}
	d, err := s.receive(ctx, in.Body, in.Expect, kept)
	if err != nil {
		return v, err
	}
	row := versionRow{
		size: d.sums.size, etag: d.sums.etag(), modified: s.clock(), meta: in.Meta, tags: in.Tags, lock: in.Lock,
		checksum: Checksum{kept, FullObject, encode(d.sums.kept.Sum(nil))},
	}
	err = s.grow(int64(len(d.small)), func(t *transaction) error {
		b, err := openBucket(t.tx, in.Bucket)
		if err != nil {
			return err
		}
		fresh := row
		if err := s.begin(t, b, in.Key, in.If, &fresh); err != nil {
			return err
		}
		if fresh.content, err = t.store(d); err != nil {
			return err
		}
		if err := t.put(b, in.Key, &fresh); err != nil {
			return err
		}
		v = b.describe(in.Key, &fresh)
		return nil
	})
	s.named(d, err)
	return v, err
}

// mayPut refuses a write before its body is read, where that is certain already.
func (s *Store) mayPut(name, key string, condition WriteIf, lock Lock) error {
	return s.readBucket(name, func(b *bucket) error {
		if err := b.checkLock(lock); err != nil {
			return err
		}
		return b.check(key, condition)
	})
}

// begin checks a write within its transaction, and completes the row of the new
// version.
func (s *Store) begin(t *transaction, b *bucket, key string, condition WriteIf, v *versionRow) (err error) {
	if err := b.checkLock(v.lock); err != nil {
		return err
	}
	if err := b.check(key, condition); err != nil {
		return err
	}
	if v.lock.Mode == "" && b.retention.Mode != "" {
		v.lock.Mode, v.lock.Until = b.retention.Mode, b.retention.until(v.modified)
	}
	v.id, err = s.newID(t)
	return err
}

// check compares the condition of a write with the current version
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
func (b *bucket) check(key string, condition WriteIf) error {
	if condition == (WriteIf{}) {
		return nil
	}
	current, err := b.currentOf(key)
	if err != nil {
		return err
	}
	switch match, noneMatch := condition.Match, condition.NoneMatch; {
	case match != "" && current == nil:
		return refuse(NoSuchKey, "The specified key does not exist.")
	case match != "" && match != "*" && match != current.etag,
		noneMatch != "" && current != nil && (noneMatch == "*" || noneMatch == current.etag):
		return preconditionFailed()
	}
	return nil
}

func preconditionFailed() error {
	return refuse(PreconditionFailed, "At least one of the pre-conditions you specified did not hold")
}

// checkLock refuses a lock where the bucket has none.
func (b *bucket) checkLock(l Lock) error {
	if l != (Lock{}) && !b.lock {
		return refuse(InvalidRequest, "Bucket is missing ObjectLockConfiguration")
	}
	return nil
}

// protected refuses to delete a version under object lock.
func (v *versionRow) protected(now time.Time, bypass bool) error {
	retained := v.lock.Mode != "" && now.Before(v.lock.Until) && (v.lock.Mode != "GOVERNANCE" || !bypass)
	if v.lock.Hold || retained {
		return refuse(AccessDenied, "Access Denied because object protected by object lock.")
	}
	return nil
}
