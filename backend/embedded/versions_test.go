package embedded

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
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

// versionIDs are the version ids of all objects, newest first.
func versionIDs(t *testing.T, c *s3.Client) (ids []string) {
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
			ids := versionIDs(t, s3c)
			newest := c.refused == "" && c.status == types.BucketVersioningStatusSuspended
			if len(ids) != c.versions || (ids[0] == "null") != newest {
				t.Errorf("versions %v", ids)
			}
		})
	}
}

// What is left when the current version goes is the newest of the others, also
// where one was there before the bucket had versions: the store takes that one
// whenever it is there.
func TestTheNewestVersionComesBack(t *testing.T) {
	for _, form := range forms {
		for name, remove := range map[string]func(*testing.T, *s3.Client, *string, string){
			"version": func(t *testing.T, c *s3.Client, key *string, id string) {
				if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: key, VersionId: &id}); err != nil {
					t.Fatal(err)
				}
			},
			"batch": func(t *testing.T, c *s3.Client, key *string, id string) {
				out, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: aws.String("files"), Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: key, VersionId: &id}}}})
				if err != nil || len(out.Deleted) != 1 || aws.ToString(out.Deleted[0].VersionId) != id {
					t.Fatalf("%+v %v", out, err)
				}
			},
		} {
			t.Run(string(form)+" by "+name, func(t *testing.T) {
				c := client(t, startForm(t, form))
				bucket, key := aws.String("files"), aws.String("dir/k")
				put(t, c, *key, "null")
				setVersioning(t, c, types.BucketVersioningStatusEnabled)
				put(t, c, *key, "one")
				two, err := c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("two")})
				if err != nil {
					t.Fatal(err)
				}
				marker, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key})
				if err != nil {
					t.Fatal(err)
				}
				before := versionIDs(t, c) // two, one, null
				remove(t, c, key, *marker.VersionId)
				if got, err := c.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: bucket, Key: key}); err != nil || aws.ToString(got.VersionId) != *two.VersionId {
					t.Fatalf("behind the marker: %+v %v", got, err)
				}
				_, err = c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key, VersionId: two.VersionId, IfMatch: aws.String(`"0123"`)})
				var refused smithy.APIError
				if !errors.As(err, &refused) || refused.ErrorCode() != "PreconditionFailed" {
					t.Fatal(err)
				}
				if got := versionIDs(t, c); !slices.Equal(got, before) {
					t.Fatalf("a refused delete: %v, before %v", got, before)
				}
				remove(t, c, key, *two.VersionId)
				wantObject(t, c, *key, "one")
				if got := versionIDs(t, c); !slices.Equal(got, before[1:]) {
					t.Errorf("%v are left of %v", got, before)
				}
				remove(t, c, key, before[1])
				wantObject(t, c, *key, "null")
				remove(t, c, key, "null")
				if got := versionIDs(t, c); len(got) != 0 {
					t.Errorf("%v are left of %v", got, before)
				}
			})
		}
	}
}

// An old version that came by a multipart upload comes back without a loss of the
// others, also where versioning is suspended meanwhile.
func TestAMultipartUploadComesBackAlone(t *testing.T) {
	for _, c := range []struct {
		name  string
		null  int      // the place of the version without an id, in the order of writing
		after []string // what is left, when the current version goes
	}{
		{"before the null version", 2, []string{"null", "multipart"}},
		{"behind the null version", 0, []string{"multipart", "null"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s3c := client(t, startForm(t, Xattr))
			bucket, key := aws.String("files"), aws.String("dir/k")
			null := func() {
				setVersioning(t, s3c, types.BucketVersioningStatusSuspended)
				if err := complete(t, s3c, *key, "null"); err != nil {
					t.Fatal(err)
				}
				setVersioning(t, s3c, types.BucketVersioningStatusEnabled)
			}
			setVersioning(t, s3c, types.BucketVersioningStatusEnabled)
			if c.null == 0 {
				null()
			}
			if err := complete(t, s3c, *key, "multipart"); err != nil {
				t.Fatal(err)
			}
			if c.null > 0 {
				null()
			}
			last, err := s3c.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader("last")})
			if err != nil {
				t.Fatal(err)
			}
			setVersioning(t, s3c, types.BucketVersioningStatusSuspended)
			if _, err := s3c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key, VersionId: last.VersionId}); err != nil {
				t.Fatal(err)
			}
			wantObject(t, s3c, *key, c.after[0])
			ids := versionIDs(t, s3c)
			if len(ids) != 2 {
				t.Fatalf("versions %v", ids)
			}
			if _, err := s3c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key, VersionId: &ids[0]}); err != nil {
				t.Fatal(err)
			}
			wantObject(t, s3c, *key, c.after[1])
			if left := versionIDs(t, s3c); !slices.Equal(left, ids[1:]) {
				t.Errorf("%v are left of %v", left, ids)
			}
		})
	}
}

// A delete marker with the id null takes the place of what had that id.
func TestAMarkerTakesThePlaceOfTheNullVersion(t *testing.T) {
	for _, form := range forms {
		t.Run(string(form), func(t *testing.T) {
			c := client(t, startForm(t, form))
			bucket, key := aws.String("files"), aws.String("dir/k")
			put(t, c, *key, "null")
			setVersioning(t, c, types.BucketVersioningStatusEnabled)
			put(t, c, *key, "one")
			setVersioning(t, c, types.BucketVersioningStatusSuspended)
			ids := versionIDs(t, c)
			marker, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key})
			if err != nil || aws.ToString(marker.VersionId) != "null" {
				t.Fatalf("%+v %v", marker, err)
			}
			if left := versionIDs(t, c); !slices.Equal(left, ids[:1]) {
				t.Errorf("%v are left of %v", left, ids)
			}
			if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key, VersionId: aws.String("null")}); err != nil {
				t.Fatal(err)
			}
			wantObject(t, c, *key, "one")
		})
	}
}

// An object that is stored again behind its delete marker is there again, and so
// are its versions.
func TestAnObjectComesBehindItsMarker(t *testing.T) {
	for _, form := range forms {
		for name, store := range map[string]func(*testing.T, *s3.Client, string, string){
			"put": func(t *testing.T, c *s3.Client, key, body string) { put(t, c, key, body) },
			"multipart": func(t *testing.T, c *s3.Client, key, body string) {
				if err := complete(t, c, key, body); err != nil {
					t.Fatal(err)
				}
			},
		} {
			t.Run(string(form)+" "+name, func(t *testing.T) {
				for _, status := range []types.BucketVersioningStatus{types.BucketVersioningStatusEnabled, types.BucketVersioningStatusSuspended} {
					c := client(t, startForm(t, form))
					bucket, key := aws.String("files"), aws.String("dir/k")
					setVersioning(t, c, types.BucketVersioningStatusEnabled)
					put(t, c, *key, "one")
					setVersioning(t, c, status)
					if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
						t.Fatal(err)
					}
					store(t, c, *key, "two")
					wantObject(t, c, *key, "two")
					if ids := versionIDs(t, c); len(ids) != 2 {
						t.Errorf("%s: versions %v", status, ids)
					}
				}
			})
		}
	}
}

// Without extended attributes a multipart upload takes the place of no version,
// with an id or without, and of no delete marker that should stay.
func TestWhatASidecarCannotKeepIsNotReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		before func(t *testing.T, c *s3.Client, key string)
		id     bool // of what is there, or null
	}{
		"from before there were versions": {before: func(t *testing.T, c *s3.Client, key string) {
			put(t, c, key, "old")
			setVersioning(t, c, types.BucketVersioningStatusEnabled)
		}},
		"marker": {id: true, before: func(t *testing.T, c *s3.Client, key string) {
			setVersioning(t, c, types.BucketVersioningStatusEnabled)
			put(t, c, key, "old")
			if _, err := c.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: aws.String("files"), Key: &key}); err != nil {
				t.Fatal(err)
			}
			setVersioning(t, c, types.BucketVersioningStatusSuspended)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s3c := client(t, startForm(t, Sidecar))
			c.before(t, s3c, "dir/k")
			list := func() *s3.ListObjectVersionsOutput {
				out, err := s3c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: aws.String("files")})
				if err != nil {
					t.Fatal(err)
				}
				return out
			}
			before, id := list(), "null"
			if c.id {
				id = *before.DeleteMarkers[0].VersionId
			}
			var refused smithy.APIError
			if err := complete(t, s3c, "dir/k", "new"); !errors.As(err, &refused) || refused.ErrorCode() != "NotImplemented" || !strings.Contains(refused.ErrorMessage(), "version "+id+" of") {
				t.Fatal(err)
			}
			if after := list(); !reflect.DeepEqual(after.Versions, before.Versions) || !reflect.DeepEqual(after.DeleteMarkers, before.DeleteMarkers) {
				t.Errorf("%+v %+v, before %+v %+v", after.Versions, after.DeleteMarkers, before.Versions, before.DeleteMarkers)
			}
		})
	}
}

// What a batch delete says of a key that cannot be deleted names no file.
func TestABatchDeleteShowsNoPath(t *testing.T) {
	dir := dataDir(t)
	c, bucket := client(t, start(t, dir)), aws.String("files")
	put(t, c, "k", "text")
	locks := filepath.Join(dir, "buckets", ".vgwlocks")
	if err := os.RemoveAll(locks); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(locks, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := c.DeleteObjects(t.Context(), &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{{Key: aws.String("k")}}}})
	if err != nil || len(out.Deleted) != 0 || len(out.Errors) != 1 {
		t.Fatalf("%+v %v", out, err)
	}
	if e := out.Errors[0]; aws.ToString(e.Code) != "InternalError" || strings.ContainsAny(aws.ToString(e.Message), "/") {
		t.Errorf("%s: %s", aws.ToString(e.Code), aws.ToString(e.Message))
	}
	wantObject(t, c, "k", "text")
}
