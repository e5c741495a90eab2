// Command minioclient runs minio-go: signed chunks over plain HTTP, and
// trailing checksums after them.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/tags"

	"github.com/codeguardians/s3gateway/tests/clients/go/harness"
)

// client is minio-go with a bucket for cases that need none of their own.
type client struct {
	*minio.Client
	env    harness.Env
	bucket string
}

var ctx = context.Background() // of the whole program, which its runner ends

func main() {
	env := harness.FromEnvironment()
	at, err := url.Parse(env.Endpoint)
	harness.Must(err)
	mc, err := minio.New(at.Host, &minio.Options{Creds: credentials.NewStaticV4(env.AccessKey, env.SecretKey, ""),
		Region: env.Region, TrailingHeaders: true, MaxRetries: 1})
	harness.Must(err)
	c := &client{Client: mc, env: env, bucket: harness.Bucket("minio-go")}
	harness.Must(c.MakeBucket(ctx, c.bucket, minio.MakeBucketOptions{}))
	suite := &harness.Suite{}
	for _, k := range harness.Keys() {
		suite.Case("a key with "+k.Name+" goes in, is listed, read, copied and deleted", func() error { return c.oddKey(k) })
	}
	c.cases(suite)
	suite.Run()
}

func (c *client) put(bucket, key string, data []byte, opts minio.PutObjectOptions) error {
	_, err := c.PutObject(ctx, bucket, key, bytes.NewReader(data), int64(len(data)), opts)
	return err
}

// holds is an error unless the object has these bytes.
func (c *client) holds(bucket, key string, want []byte, opts minio.GetObjectOptions) error {
	o, err := c.GetObject(ctx, bucket, key, opts)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(o)
	return errors.Join(err, o.Close(), harness.Same(key, got, want))
}

func (c *client) keys(bucket string, opts minio.ListObjectsOptions) (keys []string, err error) {
	for o := range c.ListObjects(ctx, bucket, opts) {
		err = errors.Join(err, o.Err)
		keys = append(keys, o.Key)
	}
	return keys, err
}

func refused(err error, status int, codes ...string) error {
	return harness.Refused(err, func(err error) (int, string) {
		var resp minio.ErrorResponse
		errors.As(err, &resp)
		return resp.StatusCode, resp.Code
	}, status, codes...)
}

func (c *client) oddKey(k harness.Key) error {
	if codes := k.Refused[c.env.Store]; codes != nil {
		return refused(c.put(c.bucket, k.Key, []byte("x"), minio.PutObjectOptions{}), http.StatusBadRequest, codes...)
	}
	bucket := harness.Bucket("minio-go")
	if err := c.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}); err != nil {
		return err
	}
	data, stored := []byte(k.Key), k.Key
	if c.env.Store == "minio" {
		stored = strings.TrimPrefix(k.Key, "/")
	}
	if err := c.put(bucket, k.Key, data, minio.PutObjectOptions{}); err != nil {
		return err
	}
	listed, err := c.keys(bucket, minio.ListObjectsOptions{Recursive: true})
	if err := errors.Join(err, harness.Same("listed", listed, []string{stored}), c.holds(bucket, k.Key, data, minio.GetObjectOptions{})); err != nil {
		return err
	}
	if _, err := c.CopyObject(ctx, minio.CopyDestOptions{Bucket: bucket, Object: "copy"}, minio.CopySrcOptions{Bucket: bucket, Object: k.Key}); err != nil {
		return err
	}
	if err := errors.Join(c.holds(bucket, "copy", data, minio.GetObjectOptions{}), c.RemoveObject(ctx, bucket, k.Key, minio.RemoveObjectOptions{})); err != nil {
		return err
	}
	_, err = c.StatObject(ctx, bucket, k.Key, minio.StatObjectOptions{})
	return refused(err, http.StatusNotFound, "NoSuchKey")
}

func (c *client) cases(suite *harness.Suite) {
	suite.Case("user metadata and content headers come back", c.headers)
	suite.Case("a zero-byte object is stored and read", func() error {
		return errors.Join(c.put(c.bucket, "zero", nil, minio.PutObjectOptions{}), c.holds(c.bucket, "zero", []byte{}, minio.GetObjectOptions{}))
	})
	for _, sum := range []minio.ChecksumType{minio.ChecksumCRC32, minio.ChecksumCRC32C, minio.ChecksumSHA1, minio.ChecksumSHA256, minio.ChecksumCRC64NVME} {
		suite.Case("the trailing checksum "+sum.String()+" is kept and comes back", func() error { return c.checksum(sum) })
	}
	suite.Case("24 MB are uploaded in parts of 5 MiB by three workers", func() error {
		whole := harness.Body(24_000_000, 5)
		return errors.Join(c.put(c.bucket, "parts", whole, minio.PutObjectOptions{PartSize: 5 * harness.MiB, NumThreads: 3}),
			c.holds(c.bucket, "parts", whole, minio.GetObjectOptions{}))
	})
	suite.Case("a stream of unknown length of 12 MiB is uploaded in parts", func() error {
		whole := harness.Body(12*harness.MiB, 6)
		_, err := c.PutObject(ctx, c.bucket, "stream", io.MultiReader(bytes.NewReader(whole)), -1, minio.PutObjectOptions{PartSize: 5 * harness.MiB})
		return errors.Join(err, c.holds(c.bucket, "stream", whole, minio.GetObjectOptions{}))
	})
	suite.Case("several objects are composed into one by multipart copy", c.compose)
	suite.Case("a batch delete takes odd keys", c.batchDelete)
	suite.Case("versions are listed, read and deleted one by one", c.versions)
	suite.Case("presigned GET and PUT of an odd key work over plain HTTP", c.presigned)
	suite.Case("a presigned POST form stores the file", c.postForm)
	suite.Case("ranges and conditions hold, on reads and on writes", c.conditions)
	suite.Case("tags are set with the object, read, replaced and removed", c.tags)
	suite.Case("listings page by prefix and delimiter, version 1 and 2", c.listings)
	suite.Case("a reader seeks within an object", c.seek)
	suite.Case("an unfinished upload is listed and removed", c.incomplete)
}

func (c *client) headers() error {
	meta := map[string]string{"Color": "blue; =1,2", "With-Dash": "a b"}
	err := c.put(c.bucket, "headers", []byte("x"), minio.PutObjectOptions{UserMetadata: maps.Clone(meta), ContentType: "text/own", CacheControl: "max-age=60, public",
		ContentDisposition: `attachment; filename="a b"`, ContentEncoding: "gzip", ContentLanguage: "de-CH"})
	if err != nil {
		return err
	}
	got, err := c.StatObject(ctx, c.bucket, "headers", minio.StatObjectOptions{})
	if err != nil {
		return err
	}
	var have []string
	for _, name := range []string{"Content-Type", "Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language"} {
		have = append(have, got.Metadata.Get(name))
	}
	have[0] = got.ContentType
	return errors.Join(harness.Same("metadata", map[string]string(got.UserMetadata), meta), harness.Same("headers", have,
		[]string{"text/own", "max-age=60, public", `attachment; filename="a b"`, "gzip", "de-CH"}))
}

func (c *client) checksum(sum minio.ChecksumType) error {
	data := harness.Body(300_000, 1) // several signed chunks
	up, err := c.PutObject(ctx, c.bucket, "sum", bytes.NewReader(data), int64(len(data)), minio.PutObjectOptions{Checksum: sum})
	if err != nil {
		return err
	}
	got, err := c.StatObject(ctx, c.bucket, "sum", minio.StatObjectOptions{Checksum: true})
	if err != nil {
		return err
	}
	stored := map[minio.ChecksumType][2]string{minio.ChecksumCRC32: {up.ChecksumCRC32, got.ChecksumCRC32}, minio.ChecksumCRC32C: {up.ChecksumCRC32C, got.ChecksumCRC32C},
		minio.ChecksumSHA1: {up.ChecksumSHA1, got.ChecksumSHA1}, minio.ChecksumSHA256: {up.ChecksumSHA256, got.ChecksumSHA256},
		minio.ChecksumCRC64NVME: {up.ChecksumCRC64NVME, got.ChecksumCRC64NVME}}[sum]
	if stored[0] == "" || stored[0] != stored[1] {
		return fmt.Errorf("PUT answered %q, HEAD %q", stored[0], stored[1])
	}
	return errors.Join(harness.Same("Content-Encoding", got.Metadata.Get("Content-Encoding"), ""), c.holds(c.bucket, "sum", data, minio.GetObjectOptions{}))
}

func (c *client) tags() error {
	set, err := tags.NewTags(map[string]string{"k": "v/+-=._:@"}, true)
	if err != nil {
		return err
	}
	if err := c.put(c.bucket, "tagged", []byte("x"), minio.PutObjectOptions{UserTags: map[string]string{"a": "x y+"}}); err != nil {
		return err
	}
	is := func(want map[string]string) error {
		got, err := c.GetObjectTagging(ctx, c.bucket, "tagged", minio.GetObjectTaggingOptions{})
		if err != nil {
			return err
		}
		return harness.Same("tags", got.ToMap(), want)
	}
	return errors.Join(is(map[string]string{"a": "x y+"}),
		c.PutObjectTagging(ctx, c.bucket, "tagged", set, minio.PutObjectTaggingOptions{}), is(map[string]string{"k": "v/+-=._:@"}),
		c.RemoveObjectTagging(ctx, c.bucket, "tagged", minio.RemoveObjectTaggingOptions{}), is(map[string]string{}))
}

func (c *client) postForm() error {
	policy := minio.NewPostPolicy()
	if err := errors.Join(policy.SetBucket(c.bucket), policy.SetKey("form key"), policy.SetExpires(time.Now().Add(time.Hour)),
		policy.SetContentLengthRange(1, 100), policy.SetContentType("text/own")); err != nil {
		return err
	}
	at, fields, err := c.PresignedPostPolicy(ctx, policy)
	if err != nil {
		return err
	}
	body, contentType := form(fields, "form bytes")
	status, answer, err := harness.Fetch("POST", at.String(), body, http.Header{"Content-Type": {contentType}})
	if err != nil || status/100 != 2 {
		return fmt.Errorf("%d %s %w", status, answer, err)
	}
	return c.holds(c.bucket, "form key", []byte("form bytes"), minio.GetObjectOptions{})
}
