// Command awssdk runs aws-sdk-go-v2: trailing checksums on every upload by default.
package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/codeguardians/s3gateway/tests/clients/go/harness"
)

// client is the SDK with a bucket for cases that need none of their own.
type client struct {
	*s3.Client
	env    harness.Env
	bucket string
}

func main() {
	env := harness.FromEnvironment()
	c := &client{env: env, Client: newS3(env, env.SecretKey)}
	bucket, err := c.fresh(false)
	harness.Must(err)
	c.bucket = bucket
	suite := &harness.Suite{}
	for _, k := range harness.Keys() {
		suite.Case("a key with "+k.Name+" goes in, is listed, read, copied and deleted", func() error { return c.oddKey(k) })
	}
	c.objects(suite)
	c.uploads(suite)
	suite.Run()
}

func newS3(env harness.Env, secret string) *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &env.Endpoint, Region: env.Region, UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider(env.AccessKey, secret, ""),
		Logger:      nil,
	})
}

var ctx = context.Background() // of the whole program, which its runner ends

func (c *client) fresh(versioned bool) (string, error) {
	name := harness.Bucket("aws-go")
	_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
	if err == nil && versioned {
		_, err = c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{Bucket: &name,
			VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled}})
	}
	return name, err
}

func (c *client) put(bucket, key string, data []byte) (*s3.PutObjectOutput, error) {
	return c.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(data)})
}

// holds is an error unless the object has these bytes.
func (c *client) holds(bucket, key, version string, want []byte) error {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key, ChecksumMode: types.ChecksumModeEnabled}
	if version != "" {
		in.VersionId = &version
	}
	out, err := c.GetObject(ctx, in)
	if err != nil {
		return err
	}
	got, err := io.ReadAll(out.Body)
	return errors.Join(err, out.Body.Close(), harness.Same(key, got, want))
}

func refused(err error, status int, codes ...string) error {
	return harness.Refused(err, func(err error) (int, string) {
		var api smithy.APIError
		var resp *smithyhttp.ResponseError
		status, code := 0, ""
		if errors.As(err, &resp) {
			status = resp.HTTPStatusCode()
		}
		if errors.As(err, &api) {
			code = api.ErrorCode()
		}
		return status, code
	}, status, codes...)
}

func (c *client) oddKey(k harness.Key) error {
	if codes := k.Refused[c.env.Store]; codes != nil {
		_, err := c.put(c.bucket, k.Key, []byte("x"))
		return refused(err, http.StatusBadRequest, codes...)
	}
	bucket, err := c.fresh(false)
	if err != nil {
		return err
	}
	if _, err := c.put(bucket, k.Key, []byte(k.Key)); err != nil {
		return err
	}
	if err := c.holds(bucket, k.Key, "", []byte(k.Key)); err != nil {
		return err
	}
	// Encoded, because control characters do not survive XML.
	if list, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, EncodingType: types.EncodingTypeUrl}); err != nil {
		return err
	} else if n := len(list.Contents); n != 1 {
		return harness.Same("listed objects", n, 1)
	}
	source, target := harness.CopySource(bucket, k.Key), "copy"
	if _, err := c.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: &target, CopySource: &source}); err != nil {
		return err
	}
	if err := c.holds(bucket, target, "", []byte(k.Key)); err != nil {
		return err
	}
	if _, err := c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: &k.Key}); err != nil {
		return err
	}
	return refused(c.holds(bucket, k.Key, "", nil), http.StatusNotFound, "NoSuchKey")
}

func (c *client) objects(suite *harness.Suite) {
	suite.Case("user metadata, also of UTF-8, and content headers come back", c.headers)
	suite.Case("a zero-byte object is stored and read", func() error {
		_, err := c.put(c.bucket, "zero", nil)
		return errors.Join(err, c.holds(c.bucket, "zero", "", []byte{}))
	})
	for _, algorithm := range types.ChecksumAlgorithm("").Values() {
		switch algorithm {
		case "CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256":
			suite.Case("the checksum "+string(algorithm)+" is kept and comes back", func() error { return c.checksum(algorithm) })
		}
	}
	suite.Case("a declared checksum that does not fit is refused and nothing is stored", func() error {
		_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: aws.String("bad"), Body: strings.NewReader("hello"), ChecksumCRC32: aws.String("AAAAAA==")})
		return errors.Join(refused(err, http.StatusBadRequest, "BadDigest", "XAmzContentChecksumMismatch", "InvalidArgument"),
			refused(c.holds(c.bucket, "bad", "", nil), http.StatusNotFound, "NoSuchKey"))
	})
	suite.Case("presigned GET, HEAD and PUT of an odd key work over plain HTTP", c.presigned)
	suite.Case("ranges and conditions hold, on reads and on writes", c.conditions)
	suite.Case("tags are set with the object, read and replaced", c.tags)
	suite.Case("a batch delete takes odd keys", c.batchDelete)
	suite.Case("versions are listed, read and deleted one by one", c.versions)
	suite.Case("listings page by prefix and delimiter, version 1 and 2", c.listings)
	suite.Case("a refusal carries its code", func() error {
		_, wrong := newS3(c.env, "wrong").ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &c.bucket})
		return errors.Join(refused(c.holds(c.bucket, "missing", "", nil), http.StatusNotFound, "NoSuchKey"),
			refused(c.holds("missing-"+c.bucket, "x", "", nil), http.StatusNotFound, "NoSuchBucket"),
			refused(wrong, http.StatusForbidden, "SignatureDoesNotMatch"))
	})
}
