//lint:file-ignore SA1019 most programs still upload by this manager, not by its successor

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/manager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/tests/clients/go/harness"
)

func (c *client) uploads(suite *harness.Suite) {
	suite.Case("a multipart upload of three parts becomes one object", func() error { return c.multipart("") })
	suite.Case("a multipart upload with SHA256 of each part completes", func() error { return c.multipart(types.ChecksumAlgorithmSha256) })
	suite.Case("a multipart copy takes ranges of its source", c.multipartCopy)
	suite.Case("the upload manager takes a stream of unknown length of 24 MB", func() error {
		whole := harness.Body(24_000_000, 3)
		stream := io.MultiReader(bytes.NewReader(whole)) // neither length nor seek
		_, err := manager.NewUploader(c).Upload(ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: aws.String("managed"), Body: stream})
		if err != nil {
			return err
		}
		into := manager.NewWriteAtBuffer(nil)
		_, err = manager.NewDownloader(c).Download(ctx, into, &s3.GetObjectInput{Bucket: &c.bucket, Key: aws.String("managed")})
		return errors.Join(err, harness.Same("managed", into.Bytes(), whole))
	})
	suite.Case("an aborted upload leaves nothing", func() error {
		up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &c.bucket, Key: aws.String("aborted")})
		if err != nil {
			return err
		}
		_, err = c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &c.bucket, Key: up.Key, UploadId: up.UploadId})
		_, gone := c.ListParts(ctx, &s3.ListPartsInput{Bucket: &c.bucket, Key: up.Key, UploadId: up.UploadId})
		return errors.Join(err, refused(gone, http.StatusNotFound, "NoSuchUpload"))
	})
}

func (c *client) multipart(algorithm types.ChecksumAlgorithm) error {
	key, whole := "multi part/\u00e9+%.bin", harness.Body(11*harness.MiB, 2)
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &c.bucket, Key: &key, ChecksumAlgorithm: algorithm,
		Metadata: map[string]string{"kind": "parts"}})
	if err != nil {
		return err
	}
	var parts []types.CompletedPart
	for n := range int32(3) {
		data := whole[n*5*harness.MiB : min(int(n+1)*5*harness.MiB, len(whole))]
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{Bucket: &c.bucket, Key: &key, UploadId: up.UploadId, PartNumber: aws.Int32(n + 1),
			Body: bytes.NewReader(data), ChecksumAlgorithm: algorithm})
		if err != nil {
			return err
		}
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(n + 1), ETag: p.ETag, ChecksumSHA256: p.ChecksumSHA256, ChecksumCRC32: p.ChecksumCRC32})
	}
	done, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &c.bucket, Key: &key, UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	if err != nil {
		return err
	}
	if algorithm != "" && aws.ToString(done.ChecksumSHA256) == "" {
		return errors.New("no checksum in the answer")
	}
	return errors.Join(harness.Same("key", aws.ToString(done.Key), key), c.holds(c.bucket, key, "", whole))
}

func (c *client) multipartCopy() error {
	whole, key := harness.Body(11*harness.MiB, 4), aws.String("range copy")
	if _, err := c.put(c.bucket, "range src", whole); err != nil {
		return err
	}
	up, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &c.bucket, Key: key})
	if err != nil {
		return err
	}
	var parts []types.CompletedPart
	for n := range 3 {
		span := fmt.Sprintf("bytes=%d-%d", n*5*harness.MiB, min((n+1)*5*harness.MiB, len(whole))-1)
		p, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{Bucket: &c.bucket, Key: key, UploadId: up.UploadId, PartNumber: aws.Int32(int32(n + 1)),
			CopySource: aws.String(harness.CopySource(c.bucket, "range src")), CopySourceRange: &span})
		if err != nil {
			return err
		}
		parts = append(parts, types.CompletedPart{PartNumber: aws.Int32(int32(n + 1)), ETag: p.CopyPartResult.ETag})
	}
	_, err = c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{Bucket: &c.bucket, Key: key, UploadId: up.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: parts}})
	return errors.Join(err, c.holds(c.bucket, *key, "", whole))
}
