package localstore

import (
	"bytes"
	"encoding/binary"
	"regexp"
)

// The two trees of versions agree by these rules, which hold after each
// operation:
//   - `versions` has every version and delete marker, newest first.
//   - `current` has the newest row of `versions` of a key, unless that is a
//     delete marker.
//   - `nulls` has the null version of a key, unless that is in `current`. A key
//     has one null version at the most.

// currentOf returns the current version of a key, nil where there is none or a
// delete marker is newest.
func (b *bucket) currentOf(key string) (*currentRow, error) {
	row, err := b.tx.Get(b.current, []byte(key))
	if err != nil || row == nil {
		return nil, err
	}
	c, err := decodeCurrent(row)
	return &c, err
}

// newest returns the newest version or marker of a key, nil where there is none.
func (b *bucket) newest(key string) (*versionRow, error) {
	prefix := escape(key)
	c := b.tx.Cursor(b.versions)
	if !c.Seek(prefix) || !bytes.HasPrefix(c.Key(), prefix) {
		return nil, nil
	}
	return versionAt(c.Value())
}

func versionAt(row []byte, err error) (*versionRow, error) {
	if err != nil {
		return nil, err
	}
	v, err := decodeVersion(row)
	return &v, err
}

// at returns the version of a key with a sequence, nil where there is none.
func (b *bucket) at(key string, sequence uint64) (*versionRow, error) {
	row, err := b.tx.Get(b.versions, versionKey(key, sequence))
	if err != nil || row == nil {
		return nil, err
	}
	return versionAt(row, nil)
}

// find returns the version that a version ID names, nil where there is none. "" is
// the newest one, which may be a marker.
func (b *bucket) find(key, versionID string) (*versionRow, error) {
	switch versionID {
	case "":
		c, err := b.currentOf(key)
		if err != nil {
			return nil, err
		}
		if c != nil {
			return b.at(key, c.sequence)
		}
		if !b.versioned() {
			return nil, nil
		}
		return b.newest(key)
	case NullVersion:
		sequence, err := b.null(key)
		if err != nil || sequence == 0 {
			return nil, err
		}
		return b.at(key, sequence)
	}
	named, ok := parseID(versionID)
	switch {
	case ok:
	case foreignID.MatchString(versionID):
		return nil, nil
	default:
		return nil, refuse(InvalidArgument, "Invalid version id specified")
	}
	v, err := b.at(key, named.sequence)
	if err != nil || v == nil || v.null || v.id != named {
		return nil, err
	}
	return v, nil
}

// foreignID is what version IDs of S3 look like. One that is not this store's names
// no version here, and is not malformed.
var foreignID = regexp.MustCompile(`^[0-9A-Za-z._-]{20,}$`)

// null returns the sequence of the null version of a key, 0 where there is none.
func (b *bucket) null(key string) (uint64, error) {
	c, err := b.currentOf(key)
	if err != nil {
		return 0, err
	}
	if c != nil && c.null {
		return c.sequence, nil
	}
	row, err := b.tx.Get(b.nulls, []byte(key))
	if err != nil || row == nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(row), nil
}

// put makes v the newest version of key. In a bucket that does not keep versions
// it takes the place of the null version.
func (t *transaction) put(b *bucket, key string, v *versionRow) error {
	v.null = b.versioning != "Enabled"
	if err := t.displace(b, key, v.null); err != nil {
		return err
	}
	if err := b.tx.Put(b.versions, versionKey(key, v.id.sequence), v.encode()); err != nil {
		return err
	}
	if !v.marker {
		return b.setCurrent(key, v)
	}
	if v.null {
		return b.tx.Put(b.nulls, []byte(key), uint64Key(v.id.sequence))
	}
	return nil
}

// displace makes room for a new version: the null version goes if the new one is
// null too, and what was current is no longer.
func (t *transaction) displace(b *bucket, key string, null bool) error {
	current, err := b.currentOf(key)
	if err != nil {
		return err
	}
	if current == nil && !b.versioned() {
		return nil
	}
	if null {
		sequence, err := b.null(key)
		if err != nil {
			return err
		}
		if sequence != 0 {
			if err := t.forget(b, key, sequence); err != nil {
				return err
			}
		}
	} else if current != nil && current.null {
		if err := b.tx.Put(b.nulls, []byte(key), uint64Key(current.sequence)); err != nil {
			return err
		}
	}
	return b.tx.Delete(b.current, []byte(key))
}

// forget removes the null version with this sequence and its reference.
func (t *transaction) forget(b *bucket, key string, sequence uint64) error {
	old, err := b.at(key, sequence)
	if err != nil {
		return err
	}
	if old == nil {
		return errMissing
	}
	if err := b.tx.Delete(b.versions, versionKey(key, sequence)); err != nil {
		return err
	}
	if err := b.tx.Delete(b.nulls, []byte(key)); err != nil {
		return err
	}
	return t.drop(old.content)
}

// remove deletes one version for good. Where it was current, the one before it
// becomes current.
func (t *transaction) remove(b *bucket, key string, v *versionRow) error {
	if err := b.tx.Delete(b.versions, versionKey(key, v.id.sequence)); err != nil {
		return err
	}
	if v.null {
		if err := b.tx.Delete(b.nulls, []byte(key)); err != nil {
			return err
		}
	}
	if err := t.drop(v.content); err != nil {
		return err
	}
	if !b.versioned() {
		return b.tx.Delete(b.current, []byte(key))
	}
	return b.promote(key)
}

// promote makes `current` agree with the newest version of a key.
func (b *bucket) promote(key string) error {
	next, err := b.newest(key)
	if err != nil {
		return err
	}
	if next == nil || next.marker {
		return b.tx.Delete(b.current, []byte(key))
	}
	if next.null {
		if err := b.tx.Delete(b.nulls, []byte(key)); err != nil {
			return err
		}
	}
	return b.setCurrent(key, next)
}

func (b *bucket) setCurrent(key string, v *versionRow) error {
	return b.tx.Put(b.current, []byte(key), currentRow{
		sequence: v.id.sequence, null: v.null, size: v.size, etag: v.etag, modified: v.modified,
		storageClass: v.meta.StorageClass, checksum: v.checksum.Algorithm, checksumType: v.checksum.Type,
	}.encode())
}

// newID returns the ID of a version or upload that is made now.
func (s *Store) newID(t *transaction) (id, error) {
	sequence, err := t.tx.Sequence()
	if err != nil {
		return id{}, err
	}
	random, err := s.random64()
	return id{sequence, random}, err
}

// describe returns a version as callers see it.
func (b *bucket) describe(key string, v *versionRow) Version {
	d := Version{
		Key: key, ID: v.id.String(), Marker: v.marker, Size: v.size, ETag: v.etag, Modified: v.modified,
		Meta: v.meta, Tags: v.tags, Lock: v.lock, Checksum: v.checksum, Parts: v.parts,
		Versioned: b.versioned(), sequence: v.id.sequence, content: v.content,
	}
	if v.null {
		d.ID = NullVersion
	}
	return d
}
