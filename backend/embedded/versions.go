//go:build !slim

package embedded

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
)

// The store's names of what it keeps of versions (versitygw 1.8.0,
// backend/posix/posix.go). A release that calls them otherwise fails the tests.
const (
	versionAttribute    = "version-id"
	etagAttribute       = "etag"
	versioningAttribute = "versioning" // of a bucket: [1] with versions, [0] where they are suspended
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
// stored with the file that is to take the object's name. The store does that
// last, under the lock of the key and when it has judged the conditions: what
// follows is the change of names. A list that comes back with an old version has
// no such file.
func (s versionsKept) StoreAttribute(f *os.File, bucket, object, attribute string, value []byte) error {
	if err := s.roomForParts.StoreAttribute(f, bucket, object, attribute, value); err != nil {
		return err
	}
	if attribute != partsAttribute || f == nil || object == "" {
		return nil
	}
	if err := s.keep(f, bucket, object); err != nil {
		return fmt.Errorf("keep the version that is replaced: %w", err)
	}
	return nil
}

// keep gives the file of the current version its place among the old ones, and
// takes the version away whose place the new one takes. It goes by the new one
// and not by the bucket: versioning may have been suspended since the store
// looked. One with a version id of its own replaces nothing that the store has
// not kept.
func (s versionsKept) keep(f *os.File, bucket, object string) error {
	_, err := s.RetrieveAttribute(f, bucket, object, versionAttribute)
	if !errors.Is(err, meta.ErrNoSuchKey) {
		return err
	}
	place := versionsOf(s.dir, bucket, object)
	version, err := s.RetrieveAttribute(nil, bucket, object, versionAttribute)
	switch {
	case err == nil:
		if err := os.MkdirAll(place, 0o700); err != nil {
			return err
		}
		if err := ignore(os.Link(filepath.Join(bucket, object), filepath.Join(place, string(version))), fs.ErrExist); err != nil {
			return err
		}
	case !errors.Is(err, meta.ErrNoSuchKey) && !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return ignore(os.Remove(filepath.Join(place, nullVersion)), fs.ErrNotExist)
}

// versionsOf is the folder of an object's old versions.
func versionsOf(dir, bucket, object string) string {
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(object)))
	return filepath.Join(dir, bucket, sum[:2], sum[2:4], sum[4:6], sum)
}

// dropNull removes what an object was under the id null when a delete marker took
// that id: the store leaves it, and it would come back with the marker's removal.
func (s *exclusive) dropNull(bucket, key string) error {
	place := versionsOf(s.versions, bucket, key)
	if err := os.Remove(filepath.Join(place, nullVersion)); err != nil {
		return ignore(err, fs.ErrNotExist)
	}
	return s.metadata.DeleteAttributes(place, nullVersion)
}

// stepBack deletes the current version of an object where the store would go back
// to another one than the newest: it takes the last name, and "null" sorts behind
// every other, however old it is. done is false where the store does it right.
// The caller holds the lock of the key.
func (s *exclusive) stepBack(in *s3.DeleteObjectInput) (out *s3.DeleteObjectOutput, done bool, err error) {
	bucket, key, version := aws.ToString(in.Bucket), aws.ToString(in.Key), aws.ToString(in.VersionId)
	place := versionsOf(s.versions, bucket, key)
	next := newest(place)
	if next == "" || version == "" {
		return nil, false, nil
	}
	current, err := s.metadata.RetrieveAttribute(nil, bucket, key, versionAttribute)
	if err != nil || string(current) != version {
		return nil, false, nil
	}
	if err := s.judge(in, bucket, key); err != nil {
		return nil, false, err
	}
	_, err = s.metadata.RetrieveAttribute(nil, bucket, key, markerAttribute)
	out = &s3.DeleteObjectOutput{VersionId: in.VersionId, DeleteMarker: aws.Bool(err == nil)}
	return out, true, s.moveBack(place, next, bucket, key)
}

// newest is the newest of an object's old versions where that is not the last one
// by name, and else "".
func newest(place string) string {
	entries, err := os.ReadDir(place)
	if n := len(entries); err != nil || n < 2 || entries[n-1].Name() != nullVersion {
		return ""
	}
	last := entries[len(entries)-2]
	null, err1 := entries[len(entries)-1].Info()
	other, err2 := last.Info()
	if err1 != nil || err2 != nil || !null.ModTime().Before(other.ModTime()) {
		return ""
	}
	return last.Name()
}

// judge looks at the conditions of a delete as the store does.
func (s *exclusive) judge(in *s3.DeleteObjectInput, bucket, key string) error {
	info, err := os.Stat(filepath.Join(bucket, key))
	if err != nil {
		return err
	}
	etag, err := s.metadata.RetrieveAttribute(nil, bucket, key, etagAttribute)
	if err != nil && !errors.Is(err, meta.ErrNoSuchKey) {
		return err
	}
	return backend.EvaluateObjectDeletePreconditions(string(etag), info.ModTime(), info.Size(), backend.ObjectDeletePreconditions{
		IfMatch: in.IfMatch, IfMatchLastModTime: in.IfMatchLastModifiedTime, IfMatchSize: in.IfMatchSize,
	})
}

// moveBack makes an old version the current one: its file takes the place of the
// other. Extended attributes go with it; metadata of its own is written anew.
func (s *exclusive) moveBack(place, version, bucket, key string) error {
	names, err := s.metadata.ListAttributes(place, version)
	if err != nil {
		return err
	}
	values := make([][]byte, len(names))
	for i, name := range names {
		if values[i], err = s.metadata.RetrieveAttribute(nil, place, version, name); err != nil {
			return err
		}
	}
	if err := os.Rename(filepath.Join(place, version), filepath.Join(bucket, key)); err != nil {
		return err
	}
	if err := s.metadata.DeleteAttributes(bucket, key); err != nil {
		return err
	}
	for i, name := range names {
		if err := s.metadata.StoreAttribute(nil, bucket, key, name, values[i]); err != nil {
			return err
		}
	}
	return s.metadata.DeleteAttributes(place, version)
}

// ignore is err, unless it is one that is expected.
func ignore(err, expected error) error {
	if errors.Is(err, expected) {
		return nil
	}
	return err
}
