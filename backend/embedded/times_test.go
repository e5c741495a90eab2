package embedded

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestTimesOfVersions: a version keeps its Last-Modified when it is replaced,
// deleted and made the current one again, and a delete marker has its own.
func TestTimesOfVersions(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			dir := dataDir(t)
			c, bucket := client(t, start(t, dir, func(o *Options) { o.Metadata = form })), aws.String("files")
			began := time.Now().Truncate(time.Second)
			first, second := time.Unix(1e9, 0).UTC(), time.Unix(1.1e9, 0).UTC()
			age := func(key string, to time.Time) {
				t.Helper()
				if err := os.Chtimes(filepath.Join(dir, "buckets", "files", key), to, to); err != nil {
					t.Fatal(err)
				}
			}
			listed := func() *s3.ListObjectVersionsOutput {
				t.Helper()
				list, err := c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: bucket})
				if err != nil {
					t.Fatal(err)
				}
				return list
			}

			put(t, c, "k", "before versions")
			age("k", first)
			if _, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: bucket,
				VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
				t.Fatal(err)
			}
			put(t, c, "k", "two")
			age("k", second)
			put(t, c, "k", "three")
			versions := listed().Versions
			if len(versions) != 3 || versions[0].LastModified.Before(began) ||
				!versions[1].LastModified.Equal(second) || !versions[2].LastModified.Equal(first) {
				t.Fatalf("three versions: %+v", versions)
			}
			for _, v := range versions {
				if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: v.Key, VersionId: v.VersionId}); err != nil {
					t.Fatal(err)
				}
			}

			put(t, c, "k", "again")
			age("k", first)
			deleted, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("k")})
			if err != nil {
				t.Fatal(err)
			}
			list := listed()
			if len(list.Versions) != 1 || !list.Versions[0].LastModified.Equal(first) ||
				len(list.DeleteMarkers) != 1 || list.DeleteMarkers[0].LastModified.Before(began) {
				t.Fatalf("a deleted object: %+v %+v", list.Versions, list.DeleteMarkers)
			}
			if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("k"), VersionId: deleted.VersionId}); err != nil {
				t.Fatal(err)
			}
			wantObject(t, c, "k", "again")
			head, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("k")})
			if err != nil {
				t.Fatal(err)
			}
			if !head.LastModified.Equal(first) {
				t.Errorf("undeleted: %v", head.LastModified)
			}
		})
	}
}
