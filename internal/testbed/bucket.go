package testbed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// ObjectInfo is what a test compares of an object.
type ObjectInfo struct {
	Size         int64
	ETag         string // with its quotes, as S3 writes it
	LastModified time.Time
}

// Bucket makes a bucket with a random name for this test. At its end the
// bucket goes, with all objects, versions and unfinished uploads.
func (s *Store) Bucket(t testing.TB) string {
	t.Helper()
	name := "test-" + strings.ToLower(rand.Text())
	c := s.Client(t)
	if _, err := c.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &name}); err != nil {
		t.Fatalf("create bucket: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := s.remove(ctx, name); err != nil {
			t.Errorf("remove bucket %s: %v", name, err)
		}
	})
	return name
}

// remove empties and deletes a bucket. One that the test deleted is fine.
func (s *Store) remove(ctx context.Context, bucket string) error {
	c := s.client()
	err := errors.Join(abortUploads(ctx, c, bucket), deleteVersions(ctx, c, bucket))
	if err == nil {
		_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket})
	}
	if apiCode(err) == "BucketNotEmpty" && s.Name == "minio" {
		_, err = c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: &bucket}, forceDelete)
	}
	if apiCode(err) == "NoSuchBucket" {
		return nil
	}
	return err
}

// forceDelete lets MinIO delete a bucket with objects that it holds but does
// not list.
func forceDelete(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, smithyhttp.AddHeaderValue("X-Minio-Force-Delete", "true"))
}

func abortUploads(ctx context.Context, c *s3.Client, bucket string) error {
	uploads, err := listUploads(ctx, c, bucket)
	if err != nil {
		return err
	}
	for _, u := range uploads {
		_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: u.Key, UploadId: u.UploadId})
		if err != nil && apiCode(err) != "NoSuchUpload" {
			return fmt.Errorf("abort upload of %q: %w", aws.ToString(u.Key), err)
		}
	}
	return nil
}

func deleteVersions(ctx context.Context, c *s3.Client, bucket string) error {
	pages := s3.NewListObjectVersionsPaginator(c, &s3.ListObjectVersionsInput{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list versions: %w", err)
		}
		gone := []types.ObjectIdentifier{}
		for _, v := range page.Versions {
			gone = append(gone, types.ObjectIdentifier{Key: v.Key, VersionId: v.VersionId})
		}
		for _, m := range page.DeleteMarkers {
			gone = append(gone, types.ObjectIdentifier{Key: m.Key, VersionId: m.VersionId})
		}
		for _, o := range gone {
			_, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: o.Key, VersionId: o.VersionId, BypassGovernanceRetention: aws.Bool(true)})
			if err != nil {
				return fmt.Errorf("delete %q version %q: %w", aws.ToString(o.Key), aws.ToString(o.VersionId), err)
			}
		}
	}
	return nil
}

// Snapshot lists the objects of bucket by key, current versions only.
func (s *Store) Snapshot(t testing.TB, bucket string) map[string]ObjectInfo {
	t.Helper()
	objects := map[string]ObjectInfo{}
	pages := s3.NewListObjectsV2Paginator(s.Client(t), &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatalf("list %s: %v", bucket, err)
		}
		for _, o := range page.Contents {
			objects[aws.ToString(o.Key)] = ObjectInfo{
				Size:         aws.ToInt64(o.Size),
				ETag:         aws.ToString(o.ETag),
				LastModified: aws.ToTime(o.LastModified),
			}
		}
	}
	return objects
}

// Unchanged fails the test unless bucket holds exactly the objects of before
// and no unfinished upload: for "it was refused and nothing happened".
func (s *Store) Unchanged(t testing.TB, bucket string, before map[string]ObjectInfo) {
	t.Helper()
	if now := s.Snapshot(t, bucket); !maps.Equal(now, before) {
		t.Errorf("bucket changed: %v, before %v", now, before)
	}
	if uploads := s.Uploads(t, bucket); len(uploads) != 0 {
		t.Errorf("unfinished uploads are left: %v", uploads)
	}
}

// Uploads lists the unfinished multipart uploads of bucket, as "key uploadId".
func (s *Store) Uploads(t testing.TB, bucket string) []string {
	t.Helper()
	uploads, err := listUploads(t.Context(), s.Client(t), bucket)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, u := range uploads {
		names = append(names, aws.ToString(u.Key)+" "+aws.ToString(u.UploadId))
	}
	return names
}

// Files lists the files that hold objects; nil for a store in another process.
func (s *Store) Files(t testing.TB) []string {
	t.Helper()
	if s.blobs == "" {
		return nil
	}
	var names []string
	err := filepath.WalkDir(s.blobs, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a file that went meanwhile
		t.Fatal(err)
	}
	return names
}

func listUploads(ctx context.Context, c *s3.Client, bucket string) ([]types.MultipartUpload, error) {
	var uploads []types.MultipartUpload
	pages := s3.NewListMultipartUploadsPaginator(c, &s3.ListMultipartUploadsInput{Bucket: &bucket})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("list uploads: %w", err)
		}
		uploads = append(uploads, page.Uploads...)
	}
	return uploads, nil
}

// apiCode gives the S3 code of an SDK error, "" if it has none.
func apiCode(err error) string {
	var api interface{ ErrorCode() string }
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
