package embedded

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

func setVersioning(t *testing.T, c *s3.Client, status types.BucketVersioningStatus) {
	t.Helper()
	_, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String("files"), VersioningConfiguration: &types.VersioningConfiguration{Status: status},
	})
	if err != nil {
		t.Fatal(err)
	}
}

// complete stores body by a multipart upload as put stores it, and says how that
// ended.
func complete(t *testing.T, c *s3.Client, key, body string) error {
	t.Helper()
	bucket := aws.String("files")
	upload, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{
		Bucket: bucket, Key: &key, ContentType: aws.String("text/x-test"), Metadata: map[string]string{"colour": "blue"},
	})
	if err != nil {
		t.Fatal(err)
	}
	part, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: &key, UploadId: upload.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader(body)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: &key, UploadId: upload.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1), ChecksumCRC32: part.ChecksumCRC32, ChecksumCRC64NVME: part.ChecksumCRC64NVME}}}})
	return err
}

// wantOld asserts the version that old answered for.
func wantOld(t *testing.T, c *s3.Client, key string, old *s3.PutObjectOutput) {
	t.Helper()
	got, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("files"), Key: &key, VersionId: old.VersionId})
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil || string(text) != "old" || aws.ToString(got.ContentType) != "text/old" || got.Metadata["of"] != "old" || aws.ToString(got.ETag) != aws.ToString(old.ETag) {
		t.Errorf("the old version is %q, %s, %v, %s, %v", text, aws.ToString(got.ContentType), got.Metadata, aws.ToString(got.ETag), err)
	}
}

// versionsOf are the version ids of all objects, newest first.
func versionsOf(t *testing.T, c *s3.Client) (ids []string) {
	t.Helper()
	list, err := c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("files")})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list.Versions {
		ids = append(ids, aws.ToString(v.VersionId))
	}
	return ids
}

// What a multipart upload replaces stays as a version, whole and with its own
// metadata, also where versioning is suspended meanwhile; where it cannot stay,
// it is not replaced.
func TestAMultipartUploadKeepsTheVersionItReplaces(t *testing.T) {
	for _, c := range []struct {
		form     Metadata
		status   types.BucketVersioningStatus
		versions int // the new one, the old one, and the one from before there were versions
		refused  string
	}{
		{Xattr, types.BucketVersioningStatusEnabled, 3, ""},
		{Xattr, types.BucketVersioningStatusSuspended, 2, ""},
		{Sidecar, types.BucketVersioningStatusEnabled, 2, "NotImplemented"},
		{Sidecar, types.BucketVersioningStatusSuspended, 2, "NotImplemented"},
	} {
		t.Run(string(c.form)+" "+string(c.status), func(t *testing.T) {
			s3c := client(t, startForm(t, c.form))
			bucket, key := aws.String("files"), aws.String("dir/k")
			put(t, s3c, *key, "null")
			setVersioning(t, s3c, types.BucketVersioningStatusEnabled)
			old, err := s3c.PutObject(t.Context(), &s3.PutObjectInput{
				Bucket: bucket, Key: key, Body: strings.NewReader("old"), ContentType: aws.String("text/old"), Metadata: map[string]string{"of": "old"},
			})
			if err != nil {
				t.Fatal(err)
			}
			setVersioning(t, s3c, c.status)
			err = complete(t, s3c, *key, "hello")
			var refused smithy.APIError
			switch {
			case c.refused != "":
				if !errors.As(err, &refused) || refused.ErrorCode() != c.refused || !strings.Contains(refused.ErrorMessage(), *old.VersionId) {
					t.Fatal(err)
				}
			case err != nil:
				t.Fatal(err)
			default:
				wantObject(t, s3c, *key, "hello")
			}
			wantOld(t, s3c, *key, old)
			ids := versionsOf(t, s3c)
			newest := c.refused == "" && c.status == types.BucketVersioningStatusSuspended
			if len(ids) != c.versions || (ids[0] == "null") != newest {
				t.Errorf("versions %v", ids)
			}
		})
	}
}
