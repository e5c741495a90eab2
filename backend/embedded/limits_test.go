package embedded

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// forms are both forms of metadata, for tests that hold in each.
var forms = []Metadata{Xattr, Sidecar}

func startForm(t *testing.T, form Metadata) *Store {
	t.Helper()
	return start(t, dataDir(t), func(o *Options) { o.Metadata = form })
}

// putRaw stores body under the path as written and gives the answer.
func putRaw(t *testing.T, s *Store, path, body string, header map[string]string) (int, string) {
	t.Helper()
	return send(t, s, signed(t, s, http.MethodPut, path, sha(body), strings.NewReader(body), int64(len(body)), header))
}

func TestKeysThatCannotBeHeldAreRefused(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			s := startForm(t, form)
			c := client(t, s)
			put(t, c, "file", "hello")
			put(t, c, "folder/file", "hello")
			before := keys(t, c)
			for _, tt := range []struct {
				name, key, code string
				status          int
			}{
				{"an object is in the way", "file/below", "ObjectParentIsFile", 409},
				{"a folder is in the way", "folder", "ExistingObjectIsDirectory", 409},
				{"a folder with a body", "new/", "DirectoryObjectContainsData", 400},
				{"a segment of 256 bytes", strings.Repeat("s", 256), "KeyTooLongError", 400},
			} {
				t.Run(tt.name, func(t *testing.T) {
					status, text := putRaw(t, s, "/files/"+tt.key, "x", nil)
					if status != tt.status || !strings.Contains(text, "<Code>"+tt.code+"</Code>") {
						t.Errorf("%d %s, want %d %s", status, text, tt.status, tt.code)
					}
				})
			}
			if status, text := putRaw(t, s, "/files/k", "x", map[string]string{"X-Amz-Meta-A": strings.Repeat("a", 9<<10)}); status != 400 || !strings.Contains(text, "RequestHeaderSectionTooLarge") {
				t.Errorf("a head of 9 KiB: %d %s", status, text)
			}
			if after := keys(t, c); !slices.Equal(before, after) {
				t.Errorf("objects %v, before %v", after, before)
			}
			wantObject(t, c, "file", "hello")
		})
	}
}

// TestKeysNamedLikeMetadata holds against an attack on the sidecar form: a
// client's key must not meet a file of the store's metadata.
func TestKeysNamedLikeMetadata(t *testing.T) {
	names := []string{"a/meta/etag", "a/meta/meta/etag", "a/meta_/x", "a/x", "b/meta", "meta/acl", "meta/etag/meta/content-type", "meta_", "meta__/policy"}
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			s := startForm(t, form)
			c := client(t, s)
			for _, key := range names {
				put(t, c, key, "body of "+key)
			}
			for _, key := range names {
				wantObject(t, c, key, "body of "+key)
			}
			if got := keys(t, c); len(got) != len(names) {
				t.Errorf("listed %v", got)
			}
			for _, key := range names {
				if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: aws.String(key)}); err != nil {
					t.Errorf("delete %q: %v", key, err)
				}
			}
			put(t, c, "a", "hello")
			wantObject(t, c, "a", "hello")
		})
	}
}

func TestMultipartUploadKeepsMetadata(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			c := client(t, startForm(t, form))
			bucket, key := aws.String("files"), aws.String("x/meta/big")
			upload, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: key,
				ContentType: aws.String("text/x-test"), Metadata: map[string]string{"colour": "blue"}, Tagging: aws.String("a=b")})
			if err != nil {
				t.Fatal(err)
			}
			part, err := c.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: bucket, Key: key, UploadId: upload.UploadId, PartNumber: aws.Int32(1), Body: strings.NewReader("hello")})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: bucket, Key: key, UploadId: upload.UploadId,
				MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.ETag, PartNumber: aws.Int32(1), ChecksumCRC32: part.ChecksumCRC32, ChecksumCRC64NVME: part.ChecksumCRC64NVME}}}})
			if err != nil {
				t.Fatal(err)
			}
			wantObject(t, c, "x/meta/big", "hello")
			if got := tagsOf(t, c, "x/meta/big"); len(got) != 1 {
				t.Errorf("tags %v", got)
			}
		})
	}
}

func tagsOf(t *testing.T, c *s3.Client, key string) []types.Tag {
	t.Helper()
	got, err := c.GetObjectTagging(t.Context(), &s3.GetObjectTaggingInput{Bucket: aws.String("files"), Key: aws.String(key)})
	if err != nil {
		t.Fatal(err)
	}
	return got.TagSet
}

// largeTags are as many and as long as S3 allows.
func largeTags() string {
	tags := []string{}
	for i := range 10 {
		tags = append(tags, fmt.Sprintf("%s%d=%s", strings.Repeat("k", 127), i, strings.Repeat("v", 256)))
	}
	return strings.Join(tags, "&")
}

// TestTagsFitOrNothingIsStored: on a file system with little room for extended
// attributes large tags are refused before anything is visible.
func TestTagsFitOrNothingIsStored(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			s := startForm(t, form)
			c := client(t, s)
			put(t, c, "old", "before")
			large := map[string]string{"X-Amz-Tagging": largeTags(), "X-Amz-Meta-Long": strings.Repeat("m", 1900)}
			replaced := map[string]string{"X-Amz-Copy-Source": "/files/old", "X-Amz-Tagging-Directive": "REPLACE", "X-Amz-Tagging": largeTags(),
				"X-Amz-Metadata-Directive": "REPLACE", "X-Amz-Meta-Long": strings.Repeat("m", 1900)}
			for name, try := range map[string]func() (int, string){
				"new":  func() (int, string) { return putRaw(t, s, "/files/new", "after", large) },
				"old":  func() (int, string) { return putRaw(t, s, "/files/old", "after", large) },
				"copy": func() (int, string) { return putRaw(t, s, "/files/copy", "", replaced) },
				"tagged-copy": func() (int, string) {
					kept := map[string]string{"X-Amz-Copy-Source": "/files/old", "X-Amz-Tagging-Directive": "REPLACE", "X-Amz-Tagging": largeTags()}
					return putRaw(t, s, "/files/tagged-copy", "", kept)
				},
			} {
				status, text := try()
				t.Logf("%s: status %d", name, status)
				switch {
				case status == 200:
					if got := tagsOf(t, c, name); len(got) != 10 {
						t.Errorf("%s: %d tags", name, len(got))
					}
				case form == Sidecar || status != 400 || !strings.Contains(text, "<Code>MetadataTooLarge</Code>"):
					t.Errorf("%s: %d %s", name, status, text)
				case name == "old":
					wantObject(t, c, "old", "before")
				default:
					if got := keys(t, c); slices.Contains(got, name) {
						t.Errorf("%s was refused and is there", name)
					}
				}
			}
			if status, text := putRaw(t, s, "/files/small", "x", map[string]string{"X-Amz-Tagging": "a=b&c=d", "X-Amz-Meta-Long": strings.Repeat("m", 1900)}); status != 200 {
				t.Errorf("small tags: %d %s", status, text)
			}
			if left, err := filepath.Glob(filepath.Join(s.layout.versions(), ".*")); err != nil || len(left) != 0 {
				t.Errorf("left over: %v, %v", left, err)
			}
		})
	}
}

// TestSettingsOfABucketFitOrAreRefused: a bucket is a file too, and what was set
// before stays.
func TestSettingsOfABucketFitOrAreRefused(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			c, bucket := client(t, startForm(t, form)), aws.String("files")
			tags := func(n int) error {
				set := make([]types.Tag, n)
				for i := range set {
					set[i] = types.Tag{Key: aws.String(fmt.Sprint(i)), Value: aws.String(strings.Repeat("v", 250))}
				}
				_, err := c.PutBucketTagging(t.Context(), &s3.PutBucketTaggingInput{Bucket: bucket, Tagging: &types.Tagging{TagSet: set}})
				return err
			}
			policy := func(n int) error {
				text := fmt.Sprintf(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":["arn:aws:s3:::files/*"%s]}]}`,
					strings.Repeat(`,"arn:aws:s3:::files/`+strings.Repeat("a", 200)+`"`, n))
				_, err := c.PutBucketPolicy(t.Context(), &s3.PutBucketPolicyInput{Bucket: bucket, Policy: &text})
				return err
			}
			cors := func(n int) error {
				rules := make([]types.CORSRule, n)
				for i := range rules {
					rules[i] = types.CORSRule{AllowedMethods: []string{"GET"}, AllowedOrigins: []string{fmt.Sprintf("https://%s%d.example", strings.Repeat("a", 200), i)}}
				}
				_, err := c.PutBucketCors(t.Context(), &s3.PutBucketCorsInput{Bucket: bucket, CORSConfiguration: &types.CORSConfiguration{CORSRules: rules}})
				return err
			}
			for name, put := range map[string]func(int) error{"tags": tags, "policy": policy, "cors": cors} {
				if err := put(1); err != nil {
					t.Fatalf("small %s: %v", name, err)
				}
				var refused smithy.APIError
				switch err := put(40); {
				case err == nil:
					t.Logf("large %s fit", name)
				case form == Sidecar || !errors.As(err, &refused) || refused.ErrorCode() != "MetadataTooLarge":
					t.Errorf("large %s: %v", name, err)
				}
			}
			got, err := c.GetBucketTagging(t.Context(), &s3.GetBucketTaggingInput{Bucket: bucket})
			if err != nil || len(got.TagSet) != 1 && len(got.TagSet) != 40 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}

// TestDataFolderCanMove holds for older versions too, whose metadata has a tree
// of its own in the sidecar form.
func TestDataFolderCanMove(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			dir := dataDir(t)
			s := start(t, dir, func(o *Options) { o.Metadata = form })
			c, bucket, key := client(t, s), aws.String("files"), aws.String("k")
			_, err := c.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: bucket,
				VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
			if err != nil {
				t.Fatal(err)
			}
			put(t, c, "k", "one")
			put(t, c, "k", "two")
			list, err := c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: bucket})
			if err != nil || len(list.Versions) != 2 {
				t.Fatalf("versions %v, %v", list, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(dir, dir+"-moved"); err != nil {
				t.Fatal(err)
			}
			c = client(t, start(t, dir+"-moved"))
			wantObject(t, c, "k", "two")
			old, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key, VersionId: list.Versions[1].VersionId})
			if err != nil {
				t.Fatal(err)
			}
			defer old.Body.Close()
			text, err := io.ReadAll(old.Body)
			if err != nil || string(text) != "one" || old.Metadata["colour"] != "blue" {
				t.Errorf("old version %q, %v, %v", text, old.Metadata, err)
			}
		})
	}
}
