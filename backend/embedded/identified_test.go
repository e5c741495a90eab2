package embedded

import (
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// tree lists all that is on disk below a folder.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		all = append(all, path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestIDsNeverBecomePaths holds against the worst of all: the store joins an
// upload ID or a version ID to a path and removes what is there.
func TestIDsNeverBecomePaths(t *testing.T) {
	uploads := []string{".", "..", "../..", "../../../x", "../../../../files", "/etc", "a/b", "a\x00", "x.y.inprogress", "no-such-upload"}
	versions := []string{
		".", "..", "../../x", "/etc/hostname", "x", "a\x00",
		"../../../../../../../store", // 26 bytes: as long as a true one
		"..//..//..//..//../../lock",
	}
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			dir := dataDir(t)
			s := start(t, dir, func(o *Options) { o.Metadata = form })
			c, bucket := client(t, s), aws.String("files")
			if _, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: bucket,
				VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}}); err != nil {
				t.Fatal(err)
			}
			put(t, c, "k", "one")
			put(t, c, "k", "two")
			put(t, c, "a?versionId=null", "other")
			other, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("other")})
			if err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			try := func(method, query, body string, header map[string]string, status int, code string) {
				t.Helper()
				got, text := send(t, s, signed(t, s, method, "/files/k"+query, sha(body), strings.NewReader(body), int64(len(body)), header))
				if got != status || method != http.MethodHead && !strings.Contains(text, "<Code>"+code+"</Code>") {
					t.Errorf("%s %s %v: %d %s, want %d %s", method, query, header, got, text, status, code)
				}
			}
			for _, id := range uploads {
				q := "uploadId=" + url.QueryEscape(id)
				try(http.MethodDelete, "?"+q, "", nil, 404, "NoSuchUpload")
				try(http.MethodGet, "?"+q, "", nil, 404, "NoSuchUpload")
				try(http.MethodPut, "?partNumber=1&"+q, "x", nil, 404, "NoSuchUpload")
				try(http.MethodPut, "?partNumber=1&"+q, "", map[string]string{"X-Amz-Copy-Source": "/files/k"}, 404, "NoSuchUpload")
				try(http.MethodPost, "?"+q, "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>", nil, 404, "NoSuchUpload")
			}
			for _, id := range versions {
				q := "?versionId=" + url.QueryEscape(id)
				for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodDelete} {
					try(method, q, "", nil, 400, "InvalidArgument")
				}
				try(http.MethodGet, q+"&tagging", "", nil, 400, "InvalidArgument")
				try(http.MethodPut, "", "", map[string]string{"X-Amz-Copy-Source": "/files/k" + q}, 400, "InvalidArgument")
				if strings.IndexByte(id, 0) >= 0 {
					continue // no XML document has it
				}
				out, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
					{Key: aws.String("k"), VersionId: aws.String(id)}}}})
				if err != nil || len(out.Deleted) != 0 || len(out.Errors) != 1 || aws.ToString(out.Errors[0].Code) != "InvalidArgument" {
					t.Errorf("batch delete of version %q: %+v, %v", id, out, err)
				}
			}
			try(http.MethodPut, "", "", map[string]string{"X-Amz-Copy-Source": "/files/a%3FversionId=null"}, 400, "InvalidArgument")
			if after := tree(t, dir); !slices.Equal(before, after) {
				t.Errorf("on disk %q, before %q", after, before)
			}
			if _, err := c.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: bucket, Key: aws.String("other"), UploadId: other.UploadId}); err != nil {
				t.Errorf("the upload of another: %v", err)
			}
			wantObject(t, c, "k", "two")
		})
	}
}
