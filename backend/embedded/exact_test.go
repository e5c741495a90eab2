package embedded

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// TestAFolderIsNotTheFileOfItsName holds the store to the keys that the gateway
// judged: whoever may use keys below "a/" has no right to the object "a".
func TestAFolderIsNotTheFileOfItsName(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			s := start(t, dataDir(t), func(o *Options) { o.Metadata = form })
			c, bucket := client(t, s), aws.String("files")
			put(t, c, "file", "secret")
			put(t, c, "folder/", "")
			for _, key := range []string{"file", "folder/"} {
				if _, err := c.PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: bucket, Key: &key,
					Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("of"), Value: &key}}}}); err != nil {
					t.Fatal(err)
				}
			}
			upload, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("copy")})
			if err != nil {
				t.Fatal(err)
			}
			part := "/files/copy?partNumber=1&uploadId=" + url.QueryEscape(*upload.UploadId)
			const tags = "<Tagging><TagSet><Tag><Key>of</Key><Value>another</Value></Tag></TagSet></Tagging>"
			try := func(method, target, body string, header map[string]string) {
				t.Helper()
				got, text := send(t, s, signed(t, s, method, target, sha(body), strings.NewReader(body), int64(len(body)), header))
				if got != 404 || !strings.Contains(text, "<Code>NoSuchKey</Code>") {
					t.Errorf("%s %s %v: %d %s, want 404 NoSuchKey", method, target, header, got, text)
				}
			}
			for _, key := range []string{"file/", "folder"} {
				try(http.MethodGet, "/files/"+key+"?tagging=", "", nil)
				try(http.MethodPut, "/files/"+key+"?tagging=", tags, nil)
				try(http.MethodDelete, "/files/"+key+"?tagging=", "", nil)
				try(http.MethodPut, part, "", map[string]string{"X-Amz-Copy-Source": "/files/" + key})
			}
			parts, err := c.ListParts(t.Context(), &s3.ListPartsInput{Bucket: bucket, Key: aws.String("copy"), UploadId: upload.UploadId})
			if err != nil || len(parts.Parts) != 0 {
				t.Errorf("parts %+v, %v; want none", parts, err)
			}
			for _, key := range []string{"file", "folder/"} {
				out, err := c.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: bucket, Key: &key})
				if err != nil || len(out.TagSet) != 1 || aws.ToString(out.TagSet[0].Value) != key {
					t.Errorf("tags of %s: %+v, %v", key, out, err)
				}
			}
			if _, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: bucket,
				VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
				t.Fatal(err)
			}
			for _, version := range []*string{nil, aws.String("null")} {
				for _, key := range []string{"file/", "folder"} {
					if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: &key, VersionId: version}); err != nil {
						t.Errorf("delete of %s: %v", key, err)
					}
				}
			}
			wantObject(t, c, "file", "secret")
			if _, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("folder/")}); err != nil {
				t.Errorf("the folder: %v", err)
			}
		})
	}
}

// TestListingsShowNoUnfinishedUploads: they would tell the IDs of the uploads, and
// the size and ETag of each part, as objects that cannot be read.
func TestListingsShowNoUnfinishedUploads(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			s := start(t, dataDir(t), func(o *Options) { o.Metadata = form })
			c, bucket, key := client(t, s), aws.String("files"), aws.String("k")
			upload, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: upload.UploadId,
				PartNumber: aws.Int32(1), Body: strings.NewReader("part")}); err != nil {
				t.Fatal(err)
			}
			for _, prefix := range []string{".sgwtmp/", ".sgwtmp/multipart/", ".sgwtmp/multipart/" + sha("k") + "/"} {
				for _, listing := range []string{"", "list-type=2&", "versions=&", "delimiter=%2F&"} {
					target := "/files?" + listing + "prefix=" + url.QueryEscape(prefix)
					status, text := send(t, s, signed(t, s, http.MethodGet, target, sha(""), nil, 0, nil))
					if status != 200 || strings.Contains(text, "<Key>") || strings.Contains(text, "<CommonPrefixes>") ||
						!strings.Contains(text, "<Prefix>"+prefix+"</Prefix>") {
						t.Errorf("%s: %d %s", target, status, text)
					}
				}
			}
		})
	}
}

// TestADeletedObjectIsNotCopied: its delete marker is the file with its bytes.
func TestADeletedObjectIsNotCopied(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			s := start(t, dataDir(t), func(o *Options) { o.Metadata = form })
			c, bucket, key := client(t, s), aws.String("files"), aws.String("k")
			if _, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: bucket,
				VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
				t.Fatal(err)
			}
			put(t, c, "k", "deleted")
			if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
				t.Fatal(err)
			}
			upload, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("copy")})
			if err != nil {
				t.Fatal(err)
			}
			for _, target := range []string{"/files/copy", "/files/copy?partNumber=1&uploadId=" + *upload.UploadId} {
				got, text := send(t, s, signed(t, s, http.MethodPut, target, sha(""), nil, 0, map[string]string{"X-Amz-Copy-Source": "/files/k"}))
				if got != 404 || !strings.Contains(text, "<Code>NoSuchKey</Code>") {
					t.Errorf("%s: %d %s, want 404 NoSuchKey", target, got, text)
				}
			}
			if all := keys(t, c); len(all) != 0 {
				t.Errorf("keys %q", all)
			}
		})
	}
}
