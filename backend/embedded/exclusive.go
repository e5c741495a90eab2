//go:build !slim

package embedded

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/debuglogger"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// exclusive is a store whose deletes, and copies of an object onto itself, hold
// the lock under which the store publishes what was written. The store itself
// takes it for writes only: between a write's look at its condition (If-Match,
// If-None-Match) and its end a delete could come, and the object would be there
// behind its deletion; in a bucket with versions a delete could mark an object
// that it never saw.
type exclusive struct {
	backend.Backend
	metadata meta.MetadataStorer
	versions string    // folder of the versions
	buckets  string    // folder of the buckets, where the store has its locks
	turns    [256]turn // so that each lock has one waiter, and not a thread for each request
}

// turn is a mutex that a context can leave.
type turn chan struct{}

func newExclusive(store backend.Backend, cfg childConfig, metadata meta.MetadataStorer) *exclusive {
	s := &exclusive{Backend: store, metadata: metadata, versions: cfg.Versions, buckets: cfg.Buckets}
	for i := range s.turns {
		s.turns[i] = make(turn, 1)
	}
	return s
}

// DeleteObject looks at its condition and deletes in one step.
func (s *exclusive) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	unlock, err := s.lock(ctx, aws.ToString(in.Bucket), aws.ToString(in.Key))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if out, done, err := s.stepBack(in); done || err != nil {
		return out, err
	}
	out, err := s.Backend.DeleteObject(ctx, in)
	if err == nil && aws.ToString(in.VersionId) == "" && aws.ToString(out.VersionId) == nullVersion {
		err = s.dropNull(aws.ToString(in.Bucket), aws.ToString(in.Key))
	}
	return out, err
}

// DeleteObjects deletes one by one, each under its lock.
func (s *exclusive) DeleteObjects(ctx context.Context, in *s3.DeleteObjectsInput) (all s3response.DeleteResult, err error) {
	for _, o := range in.Delete.Objects {
		out, err := s.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: in.Bucket, Key: o.Key, VersionId: o.VersionId})
		if err != nil {
			all.Error = append(all.Error, s3err.ObjectDeleteError(o.Key, o.VersionId, shown(err)))
			continue
		}
		deleted := types.DeletedObject{Key: o.Key, VersionId: o.VersionId, DeleteMarker: out.DeleteMarker}
		if aws.ToBool(out.DeleteMarker) {
			deleted.DeleteMarkerVersionId = out.VersionId
		}
		all.Deleted = append(all.Deleted, deleted)
	}
	return all, nil
}

// shown is an error as a client may see it: what is no refusal names files.
func shown(err error) error {
	if _, refused := err.(s3err.S3Error); refused {
		return err
	}
	debuglogger.InternalError(err)
	return s3err.GetAPIError(s3err.ErrInternalError)
}

// CopyObject of an object onto itself changes its metadata in place. Any other
// copy is a write, which takes the lock by itself.
func (s *exclusive) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	bucket, key, version, err := backend.ParseCopySource(aws.ToString(in.CopySource))
	if err != nil || version != "" || bucket != aws.ToString(in.Bucket) || key != aws.ToString(in.Key) {
		return s.Backend.CopyObject(ctx, in)
	}
	unlock, err := s.lock(ctx, bucket, key)
	if err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	defer unlock()
	return s.Backend.CopyObject(ctx, in)
}

// lock takes the store's own lock of a key: a flock on the file
// .vgwlocks/SHA-256 of the bucket/first byte of the SHA-256 of the key
// (versitygw 1.8.0, backend/posix/objlock.go). A version that keeps them
// elsewhere fails the tests.
func (s *exclusive) lock(ctx context.Context, bucket, key string) (unlock func(), err error) {
	if _, err := os.Stat(filepath.Join(s.buckets, bucket)); errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil // the store says so in its own words
	}
	sum := sha256.Sum256([]byte(key))
	turn := s.turns[sum[0]]
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case turn <- struct{}{}:
	}
	f, err := s.lockFile(bucket, sum[0])
	if err != nil {
		<-turn
		return nil, fmt.Errorf("lock a key: %w", err)
	}
	return func() {
		f.Close() // and with it the lock
		<-turn
	}, nil
}

// lockFile opens and locks the file of a shard.
func (s *exclusive) lockFile(bucket string, shard byte) (*os.File, error) {
	dir := filepath.Join(s.buckets, ".vgwlocks", fmt.Sprintf("%x", sha256.Sum256([]byte(bucket))))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("%02x", shard)), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := waitLock(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
