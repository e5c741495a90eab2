package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// A mapped bucket behaves as a bucket of its own, and everything that a client
// does in it lands below the prefix of the other.
func TestAMappedBucketIsABucketOfItsOwn(t *testing.T) {
	target := testStoreBucket(t)
	w := newWorld(t, append(open, yamlFile(t, fmt.Sprintf("buckets:\n  - {name: pictures, bucket: %s, prefix: team/a/}\n", target)))...)
	client, ctx, bucket := w.s3(), t.Context(), aws.String("pictures")
	put := func(key, body string) {
		t.Helper()
		if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: strings.NewReader(body)}); err != nil {
			t.Fatal(err)
		}
	}
	put("d/x 1.txt", "one")
	put("d/y.txt", "two")
	put("z.txt", "three")
	if _, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: bucket, Key: aws.String("copy.txt"), CopySource: aws.String("pictures/z.txt")}); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("copy.txt")})
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(got.Body); string(body) != "three" {
		t.Errorf("copy: %q", body)
	}
	list, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, Delimiter: aws.String("/"), MaxKeys: aws.Int32(2), EncodingType: types.EncodingTypeUrl})
	if err != nil || *list.Name != "pictures" || aws.ToString(list.Prefix) != "" || len(list.Contents)+len(list.CommonPrefixes) != 2 {
		t.Fatalf("%+v, %v", list, err)
	}
	next, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: bucket, Delimiter: aws.String("/"), ContinuationToken: list.NextContinuationToken})
	if err != nil || len(next.Contents) != 1 || *next.Contents[0].Key != "z.txt" {
		t.Fatalf("%+v, %v", next, err)
	}
	below, err := client.ListObjects(ctx, &s3.ListObjectsInput{Bucket: bucket, Prefix: aws.String("d/"), Marker: aws.String("d/x 1.txt")})
	if err != nil || len(below.Contents) != 1 || *below.Contents[0].Key != "d/y.txt" {
		t.Fatalf("%+v, %v", below, err)
	}
	if want := []string{"team/a/copy.txt", "team/a/d/x 1.txt", "team/a/d/y.txt", "team/a/z.txt"}; !slices.Equal(w.keysOf(target), want) {
		t.Errorf("the store holds %v", w.keysOf(target))
	}
	multipartInto(t, client, "pictures", "big.bin")
	deleted, err := client.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &types.Delete{Objects: []types.ObjectIdentifier{
		{Key: aws.String("z.txt")}, {Key: aws.String("d/y.txt")}, {Key: aws.String("big.bin")}, {Key: aws.String("copy.txt")}}}})
	if err != nil || len(deleted.Deleted) != 4 || len(deleted.Errors) != 0 || strings.HasPrefix(*deleted.Deleted[0].Key, "team/") {
		t.Fatalf("%+v, %v", deleted, err)
	}
	if want := []string{"team/a/d/x 1.txt"}; !slices.Equal(w.keysOf(target), want) {
		t.Errorf("after the batch delete the store holds %v", w.keysOf(target))
	}
	all, err := client.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil || len(all.Buckets) != 2 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestNothingLeavesThePrefixOfAMappedBucket(t *testing.T) {
	target := testStoreBucket(t)
	w := newWorld(t, append(open, yamlFile(t, fmt.Sprintf("buckets:\n  - {name: pictures, bucket: %s, prefix: team/a/}\n", target)))...)
	if _, err := w.store.Client(t).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &target, Key: aws.String("team/b/secret.txt"), Body: strings.NewReader("secret")}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"../b/secret.txt", "x/../../b/secret.txt"} {
		if _, err := w.s3().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("pictures"), Key: &key}); err == nil {
			t.Errorf("%s was read", key)
		}
	}
	list, err := w.s3().ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: aws.String("pictures")})
	if err != nil || len(list.Contents) != 0 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := w.s3().PutBucketTagging(t.Context(), &s3.PutBucketTaggingInput{Bucket: aws.String("pictures"), Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}}); err == nil {
		t.Error("a setting of the whole bucket was changed through a part of it")
	}
	if _, err := w.s3().DeleteBucket(t.Context(), &s3.DeleteBucketInput{Bucket: aws.String("pictures")}); err == nil {
		t.Error("a mapped bucket was removed")
	}
}

// testStoreBucket is a bucket of the test store beside the world's own.
func testStoreBucket(t *testing.T) string {
	t.Helper()
	return testbed.Open(t).Bucket(t)
}

func (w *world) keysOf(bucket string) []string {
	var keys []string
	for key := range w.store.Snapshot(w.t, bucket) {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// multipartInto stores an object of two parts.
func multipartInto(t *testing.T, client *s3.Client, bucket, key string) {
	t.Helper()
	create, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err != nil || *create.Bucket != bucket || *create.Key != key {
		t.Fatalf("%+v, %v", create, err)
	}
	var parts []types.CompletedPart
	for n, data := range [][]byte{bytes.Repeat([]byte("1"), 5<<20), []byte("2")} {
		part, err := client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: create.UploadId, PartNumber: aws.Int32(int32(n + 1)), Body: bytes.NewReader(data)})
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, types.CompletedPart{ETag: part.ETag, PartNumber: aws.Int32(int32(n + 1)), ChecksumCRC32: part.ChecksumCRC32})
	}
	uploads, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &key})
	if err != nil || *uploads.Bucket != bucket || len(uploads.Uploads) != 1 || *uploads.Uploads[0].Key != key {
		t.Fatalf("%+v, %v", uploads, err)
	}
	listed, err := client.ListParts(t.Context(), &s3.ListPartsInput{Bucket: &bucket, Key: &key, UploadId: create.UploadId})
	if err != nil || *listed.Bucket != bucket || *listed.Key != key || len(listed.Parts) != 2 {
		t.Fatalf("%+v, %v", listed, err)
	}
	done, err := client.CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &bucket, Key: &key, UploadId: create.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	if err != nil || *done.Bucket != bucket || *done.Key != key {
		t.Fatalf("%+v, %v", done, err)
	}
}

// Two backends at once: what a client sees of the second is as of the first, and
// objects and parts are copied between them.
func TestTwoBackends(t *testing.T) {
	store := testbed.Open(t)
	far, second := store.Bucket(t), reachable(t, store)
	w := newFiled(t, fmt.Sprintf("backends: [{name: far, endpoint_url: %q, region: %s, access_key_id: %s, secret_access_key: %s}]\n"+
		"buckets: [{name: archive, backend: far, bucket: %s, prefix: old/}]\n", second.Endpoint, store.Region, store.AccessKeyID, store.SecretAccessKey, far))
	client, ctx := w.s3(), t.Context()
	body := bytes.Repeat([]byte("0123456789"), 600_000)
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String("a b.txt"), Body: bytes.NewReader(body),
		ContentType: aws.String("text/plain"), Metadata: map[string]string{"colour": "blue"}, Tagging: aws.String("k=v")}); err != nil {
		t.Fatal(err)
	}
	copied, err := client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: aws.String("archive"), Key: aws.String("b.txt"), CopySource: aws.String(w.bucket + "/a%20b.txt")})
	if err != nil || aws.ToString(copied.CopyObjectResult.ETag) == "" || copied.CopyObjectResult.LastModified == nil {
		t.Fatalf("%+v, %v", copied, err)
	}
	if err := holds(ctx, client, "archive", "b.txt", body); err != nil {
		t.Error(err)
	}
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String("archive"), Key: aws.String("b.txt")})
	if err != nil || aws.ToString(head.ContentType) != "text/plain" || head.Metadata["colour"] != "blue" || aws.ToString(head.ETag) != aws.ToString(copied.CopyObjectResult.ETag) {
		t.Errorf("%+v, %v", head, err)
	}
	tags, err := client.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: aws.String("archive"), Key: aws.String("b.txt")})
	if err != nil || len(tags.TagSet) != 1 || *tags.TagSet[0].Value != "v" {
		t.Errorf("%+v, %v", tags, err)
	}
	create, err := client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("back.txt")})
	if err != nil {
		t.Fatal(err)
	}
	part, err := client.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: &w.bucket, Key: aws.String("back.txt"), UploadId: create.UploadId,
		PartNumber: aws.Int32(1), CopySource: aws.String("archive/b.txt"), CopySourceRange: aws.String("bytes=10-5999999")})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("back.txt"), UploadId: create.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{ETag: part.CopyPartResult.ETag, PartNumber: aws.Int32(1)}}}}); err != nil {
		t.Fatal(err)
	}
	if err := holds(ctx, client, w.bucket, "back.txt", body[10:]); err != nil {
		t.Error(err)
	}
	if keys := w.keysOf(far); !slices.Equal(keys, []string{"old/b.txt"}) {
		t.Errorf("the second backend holds %v", keys)
	}
}
