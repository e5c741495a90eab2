package localstore

import "time"

// SetTags replaces the tags of a version; nil removes them. It is not a new
// version.
func (s *Store) SetTags(ref Ref, tags []Pair) (Version, error) {
	return s.edit(ref, func(_ *bucket, v *versionRow) error {
		v.tags = tags
		return nil
	})
}

// SetRetention replaces the retention of a version. Mode "" removes it. What is
// retained may be retained longer; all else needs bypass, and in COMPLIANCE mode is
// refused
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html).
func (s *Store) SetRetention(ref Ref, mode string, until time.Time, bypass bool) (Version, error) {
	return s.edit(ref, func(b *bucket, v *versionRow) error {
		if !b.lock {
			return refuse(InvalidRequest, "Bucket is missing Object Lock Configuration")
		}
		if v.lock.Mode != "" && s.now().Before(v.lock.Until) && !longer(v.lock, mode, until) {
			if v.lock.Mode == "COMPLIANCE" || !bypass {
				return refuse(AccessDenied, "Access Denied because object protected by object lock.")
			}
		}
		v.lock.Mode, v.lock.Until = mode, until
		return nil
	})
}

// longer reports whether a retention leaves the mode of the present one and ends no
// sooner.
func longer(present Lock, mode string, until time.Time) bool {
	return mode == present.Mode && !until.Before(present.Until)
}

// SetLegalHold sets or removes the legal hold of a version.
func (s *Store) SetLegalHold(ref Ref, on bool) (Version, error) {
	return s.edit(ref, func(b *bucket, v *versionRow) error {
		if !b.lock {
			return refuse(InvalidRequest, "Bucket is missing Object Lock Configuration")
		}
		v.lock.Hold, v.lock.HoldSet = on, true
		return nil
	})
}

// edit changes the row of a version in place.
func (s *Store) edit(ref Ref, fn func(*bucket, *versionRow) error) (d Version, err error) {
	err = s.write(func(t *transaction) error {
		b, err := openBucket(t.tx, ref.Bucket)
		if err != nil {
			return err
		}
		v, err := b.object(ref)
		if err != nil {
			return err
		}
		if err := fn(b, v); err != nil {
			return err
		}
		d = b.describe(ref.Key, v)
		return t.tx.Put(b.versions, versionKey(ref.Key, v.id.sequence), v.encode())
	})
	return d, err
}
