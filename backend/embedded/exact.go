//go:build !slim

package embedded

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// exact is a store that takes a key with a slash at its end for a folder only,
// and one without for a file only, as the store's reads do. Its tags, locks and
// copies of parts go by the path, where "a/" and "a" are one: who may read below
// "a/" would read the object "a".
type exact struct{ backend.Backend }

// is refuses a key that has the path of another.
func (exact) is(bucket, key string) error {
	info, err := os.Stat(filepath.Join(bucket, key))
	if err != nil {
		return nil // the store says what is wrong
	}
	if info.IsDir() != strings.HasSuffix(key, "/") {
		return s3err.GetAPIError(s3err.ErrNoSuchKey)
	}
	return nil
}

// source refuses to copy what cannot be read: beside another key's path that is a
// delete marker, whose file still holds the bytes of what was deleted.
func (s exact) source(ctx context.Context, copySource *string) error {
	bucket, key, version, err := backend.ParseCopySource(aws.ToString(copySource))
	if err != nil {
		return nil // the store refuses it in its own words
	}
	if err := s.is(bucket, key); err != nil || version == nullVersion { // which HeadObject does not always find
		return err
	}
	_, err = s.Backend.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key, VersionId: &version})
	return err
}

// CopyObject copies what can be read.
func (s exact) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	if err := s.source(ctx, in.CopySource); err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	return s.Backend.CopyObject(ctx, in)
}

// UploadPartCopy copies what can be read.
func (s exact) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	if err := s.source(ctx, in.CopySource); err != nil {
		return s3response.CopyPartResult{}, err
	}
	return s.Backend.UploadPartCopy(ctx, in)
}

// DeleteObject finds nothing to delete under a key that has the path of another.
func (s exact) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	if s.is(aws.ToString(in.Bucket), aws.ToString(in.Key)) != nil {
		return &s3.DeleteObjectOutput{VersionId: in.VersionId}, nil
	}
	return s.Backend.DeleteObject(ctx, in)
}

// GetObjectTagging gives the tags of this key.
func (s exact) GetObjectTagging(ctx context.Context, bucket, key, version string) (map[string]string, error) {
	if err := s.is(bucket, key); err != nil {
		return nil, err
	}
	return s.Backend.GetObjectTagging(ctx, bucket, key, version)
}

// PutObjectTagging changes the tags of this key.
func (s exact) PutObjectTagging(ctx context.Context, bucket, key, version string, tags map[string]string) error {
	if err := s.is(bucket, key); err != nil {
		return err
	}
	return s.Backend.PutObjectTagging(ctx, bucket, key, version, tags)
}

// DeleteObjectTagging removes the tags of this key.
func (s exact) DeleteObjectTagging(ctx context.Context, bucket, key, version string) error {
	if err := s.is(bucket, key); err != nil {
		return err
	}
	return s.Backend.DeleteObjectTagging(ctx, bucket, key, version)
}

// GetObjectLegalHold gives the legal hold of this key.
func (s exact) GetObjectLegalHold(ctx context.Context, bucket, key, version string) (*bool, error) {
	if err := s.is(bucket, key); err != nil {
		return nil, err
	}
	return s.Backend.GetObjectLegalHold(ctx, bucket, key, version)
}

// PutObjectLegalHold changes the legal hold of this key.
func (s exact) PutObjectLegalHold(ctx context.Context, bucket, key, version string, status bool) error {
	if err := s.is(bucket, key); err != nil {
		return err
	}
	return s.Backend.PutObjectLegalHold(ctx, bucket, key, version, status)
}

// GetObjectRetention gives the retention of this key.
func (s exact) GetObjectRetention(ctx context.Context, bucket, key, version string) ([]byte, error) {
	if err := s.is(bucket, key); err != nil {
		return nil, err
	}
	return s.Backend.GetObjectRetention(ctx, bucket, key, version)
}

// PutObjectRetention changes the retention of this key.
func (s exact) PutObjectRetention(ctx context.Context, bucket, key, version string, retention []byte) error {
	if err := s.is(bucket, key); err != nil {
		return err
	}
	return s.Backend.PutObjectRetention(ctx, bucket, key, version, retention)
}

// visible is a prefix without keys in place of one below the store's own folder:
// the store hides the folder, and shows what is in a folder of it.
func visible(prefix *string) *string {
	if first, _, below := strings.Cut(aws.ToString(prefix), "/"); below && first == posix.MetaTmpDir {
		return aws.String(posix.MetaTmpDir + "/")
	}
	return prefix
}

// ListObjects lists objects only.
func (s exact) ListObjects(ctx context.Context, in *s3.ListObjectsInput) (s3response.ListObjectsResult, error) {
	asked := *in
	asked.Prefix = visible(in.Prefix)
	out, err := s.Backend.ListObjects(ctx, &asked)
	if asked.Prefix != in.Prefix {
		out.Prefix = in.Prefix
	}
	return out, err
}

// ListObjectsV2 lists objects only.
func (s exact) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	asked := *in
	asked.Prefix = visible(in.Prefix)
	out, err := s.Backend.ListObjectsV2(ctx, &asked)
	if asked.Prefix != in.Prefix {
		out.Prefix = in.Prefix
	}
	return out, err
}

// ListObjectVersions lists versions of objects only.
func (s exact) ListObjectVersions(ctx context.Context, in *s3.ListObjectVersionsInput) (s3response.ListVersionsResult, error) {
	asked := *in
	asked.Prefix = visible(in.Prefix)
	out, err := s.Backend.ListObjectVersions(ctx, &asked)
	if asked.Prefix != in.Prefix {
		out.Prefix = in.Prefix
	}
	return out, err
}
