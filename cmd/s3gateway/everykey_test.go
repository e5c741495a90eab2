package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// keysOfS3 are keys that look like paths, with what a store needs to keep each.
var keysOfS3 = []struct {
	key   string
	needs testbed.Capability
}{
	{"a", testbed.FolderAndObject},
	{"a/", ""},
	{"a/b", ""},
	{"A/b", ""},
	{"a/b/c", testbed.FolderAndObject},
	{"a//b", testbed.EmptySegments},
	{"/a", testbed.EmptySegments},
	{"//", testbed.EmptySegments},
	{"a/./b", testbed.DotSegments},
	{"a/../b", testbed.DotSegments},
	{"../x", testbed.DotSegments},
	{"..", testbed.DotSegments},
	{".sgwtmp/x", ""},
	{"s/" + strings.Repeat("s", 256), testbed.LongSegments},
	{strings.Repeat("k", 1024), testbed.LongSegments},
	{"\u00e9", ""},
	{"e\u0301", ""},
	{"a b+c%2F&d", ""},
	{"CON", ""},
	{"x:y|z*?", ""},
}

// keysKept returns the keys of keysOfS3 that the store keeps: on the embedded
// store all of them.
func keysKept(store *testbed.Store) []string {
	var keys []string
	for _, k := range keysOfS3 {
		if k.needs == "" || store.Has(k.needs) {
			keys = append(keys, k.key)
		}
	}
	return keys
}

// Every key of S3 is kept byte for byte: each is an object, is listed, copied,
// and deleted alone and in a batch.
func TestEveryKeyOfS3IsKept(t *testing.T) {
	w := newWorld(t, open...)
	client, ctx, keys := w.s3(), t.Context(), keysKept(w.store)
	for _, key := range keys {
		if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &w.bucket, Key: &key, Body: strings.NewReader("of " + key)}); err != nil {
			t.Fatalf("put %q: %v", key, err)
		}
	}
	sorted := slices.Sorted(slices.Values(keys))
	if listed := w.keysByPages(3); !slices.Equal(listed, sorted) {
		t.Errorf("listed %q, want %q", listed, sorted)
	}
	for _, key := range keys {
		if err := holds(ctx, client, w.bucket, key, []byte("of "+key)); err != nil {
			t.Errorf("%q: %v", key, err)
		}
		_, first := utf8.DecodeRuneInString(key)
		copied := aws.String("z" + key[first:])
		if _, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &w.bucket, Key: copied, CopySource: aws.String(w.bucket + "/" + url.PathEscape(key))}); err != nil {
			t.Fatalf("copy %q: %v", key, err)
		}
		if err := holds(ctx, client, w.bucket, *copied, []byte("of "+key)); err != nil {
			t.Errorf("the copy of %q: %v", key, err)
		}
		if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &w.bucket, Key: copied}); err != nil {
			t.Errorf("delete %q: %v", *copied, err)
		}
	}
	if listed := w.keysByPages(1000); !slices.Equal(listed, sorted) {
		t.Errorf("after the copies were deleted: %q, want %q", listed, sorted)
	}
	var batch []types.ObjectIdentifier
	for _, key := range keys {
		batch = append(batch, types.ObjectIdentifier{Key: &key})
	}
	out, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &w.bucket, Delete: &types.Delete{Objects: batch}})
	if err != nil || len(out.Deleted) != len(keys) || len(out.Errors) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	w.unchanged()
}

// keysByPages returns the keys that the S3 endpoint lists, in pages of size.
func (w *world) keysByPages(size int32) (keys []string) {
	w.t.Helper()
	pages := s3.NewListObjectsV2Paginator(w.s3(), &s3.ListObjectsV2Input{Bucket: &w.bucket, MaxKeys: &size})
	for pages.HasMorePages() {
		page, err := pages.NextPage(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		for _, o := range page.Contents {
			keys = append(keys, *o.Key)
		}
	}
	return keys
}

// A key is at most 1,024 bytes of UTF-8 long, whatever its segments are.
func TestKeysThatS3DoesNotHave(t *testing.T) {
	w := newWorld(t, open...)
	for key, code := range map[string]string{
		strings.Repeat("k", 1025):       "KeyTooLongError",
		strings.Repeat("a/", 512) + "é": "KeyTooLongError",
		"a\xff":                         "InvalidArgument",
		"a\x00b":                        "InvalidArgument",
	} {
		do(t, w.signedPut(url.PathEscape(key), []byte("x"))).isS3Error(t, 400, code)
	}
	w.unchanged()
}

// reachable returns the store at an address of TCP, as another backend is.
func reachable(t *testing.T, store *testbed.Store) *testbed.Store {
	t.Helper()
	if store.Transport == nil {
		return store
	}
	return store.Front(t, func(pass http.Handler) http.HandlerFunc { return pass.ServeHTTP })
}
