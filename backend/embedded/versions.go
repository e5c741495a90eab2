//go:build !slim

package embedded

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/versity/versitygw/backend/meta"
)

// The store's names of what it keeps of versions (versitygw 1.8.0,
// backend/posix/posix.go). A release that calls them otherwise fails the tests.
const (
	versionAttribute    = "version-id"
	versioningAttribute = "versioning" // of a bucket: [0] where it is suspended
	nullVersion         = "null"
)

// versionsKept is metadata in extended attributes whose store keeps the version
// that a multipart upload replaces in a bucket with suspended versioning: by
// itself it does that for other writes only.
type versionsKept struct {
	roomForParts
	dir string // folder of the versions
}

// StoreAttribute keeps the old version when the list of an object's parts is
// stored. The store does that last, under the lock of the key and when it has
// judged the conditions: what follows is the change of names.
func (s versionsKept) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if attribute == partsAttribute && object != "" {
		if err := s.keep(bucket, object); err != nil {
			return fmt.Errorf("keep the version that is replaced: %w", err)
		}
	}
	return s.roomForParts.StoreAttribute(f, bucket, object, attribute, value)
}

// keep gives the file of the current version its place among the old ones, and
// takes the version away whose place the new one takes.
func (s versionsKept) keep(bucket, object string) error {
	status, err := s.RetrieveAttribute(nil, bucket, "", versioningAttribute)
	if err != nil || len(status) != 1 || status[0] != 0 {
		return ignore(err, meta.ErrNoSuchKey)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(object)))
	place := filepath.Join(s.dir, bucket, sum[:2], sum[2:4], sum[4:6], sum)
	if err := ignore(os.Remove(filepath.Join(place, nullVersion)), fs.ErrNotExist); err != nil {
		return err
	}
	version, err := s.RetrieveAttribute(nil, bucket, object, versionAttribute)
	if err != nil {
		return ignore(ignore(err, meta.ErrNoSuchKey), fs.ErrNotExist)
	}
	if err := os.MkdirAll(place, 0o700); err != nil {
		return err
	}
	return ignore(os.Link(filepath.Join(bucket, object), filepath.Join(place, string(version))), fs.ErrExist)
}

// ignore is err, unless it is one that is expected.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
