package localstore

import "errors"

// Delete deletes a version for good, or in a bucket that keeps versions sets a
// delete marker. Deleting what does not exist succeeds, as on S3.
func (s *Store) Delete(name string, in DeleteInput) (d Deleted, err error) {
	err = s.write(func(t *transaction) error {
		b, err := openBucket(t.tx, name)
		if err != nil {
			return err
		}
		d, err = s.delete(t, b, in)
		return err
	})
	return d, err
}

// DeleteAll deletes up to 1,000 versions in one transaction; what becomes of each
// is in its Deleted. An error of DeleteAll itself means that none was deleted.
func (s *Store) DeleteAll(name string, in []DeleteInput) (all []Deleted, err error) {
	err = s.write(func(t *transaction) error {
		b, err := openBucket(t.tx, name)
		if err != nil {
			return err
		}
		all = make([]Deleted, len(in))
		for i, one := range in {
			all[i], err = s.delete(t, b, one)
			if refusal := (*Error)(nil); err != nil && !errors.As(err, &refusal) {
				return err
			}
			all[i].Key, all[i].Err = one.Key, err
		}
		return nil
	})
	return all, err
}

// delete is Delete within a transaction. A refusal comes before the first write.
func (s *Store) delete(t *transaction, b *bucket, in DeleteInput) (Deleted, error) {
	if err := checkKey(in.Key); err != nil {
		return Deleted{}, err
	}
	v, err := b.find(in.Key, in.VersionID)
	if err != nil {
		return Deleted{}, err
	}
	if err := in.check(v); err != nil {
		return Deleted{}, err
	}
	if in.VersionID == "" && b.versioned() {
		return s.mark(t, b, in.Key)
	}
	if v == nil {
		return Deleted{Key: in.Key, VersionID: in.VersionID}, nil
	}
	if err := v.protected(s.now(), in.Bypass); err != nil {
		return Deleted{}, err
	}
	return Deleted{Key: in.Key, VersionID: in.VersionID, Marker: v.marker}, t.remove(b, in.Key, v)
}

// mark sets a delete marker.
func (s *Store) mark(t *transaction, b *bucket, key string) (Deleted, error) {
	marker := versionRow{marker: true, modified: s.clock()}
	var err error
	if marker.id, err = s.newID(t); err != nil {
		return Deleted{}, err
	}
	err = t.put(b, key, &marker)
	return Deleted{Key: key, VersionID: b.describe(key, &marker).ID, Marker: true}, err
}

// check compares the conditions of a delete with the version concerned
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html).
func (in DeleteInput) check(v *versionRow) error {
	if in.IfMatch == "" && in.IfModified.IsZero() && in.IfSize == nil {
		return nil
	}
	if v == nil || v.marker && in.VersionID == "" {
		if in.IfMatch == "" {
			return nil
		}
		return refuse(NoSuchKey, "The specified key does not exist.")
	}
	if in.IfMatch != "" && in.IfMatch != "*" && in.IfMatch != v.etag ||
		!in.IfModified.IsZero() && !in.IfModified.Equal(v.modified) ||
		in.IfSize != nil && *in.IfSize != v.size {
		return preconditionFailed()
	}
	return nil
}
