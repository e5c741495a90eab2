package workload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// noteHeader is the metadata entry that names the step which stored an object.
const noteHeader = "note"

// NewClient returns an S3 client that sends each request once. A nil provider
// sends them unsigned.
func NewClient(endpoint string, keys aws.CredentialsProvider, rt http.RoundTripper) *s3.Client {
	if keys == nil {
		keys = aws.AnonymousCredentials{}
	}
	return s3.New(s3.Options{
		BaseEndpoint:               aws.String(endpoint),
		Region:                     "us-east-1",
		UsePathStyle:               true,
		Credentials:                keys,
		HTTPClient:                 &http.Client{Transport: rt},
		Retryer:                    aws.NopRetryer{},
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})
}

// Do sends one step and returns its answer.
func Do(ctx context.Context, c *s3.Client, step Step) Result {
	r := Result{ID: step.ID, Status: 200}
	if err := requests[step.Action](ctx, c, step, &r); err != nil {
		r.Status, r.Error = StatusOf(err), err.Error()
	}
	return r
}

// StatusOf returns the HTTP status of a request by its error: 200 for nil, 0
// without an answer, NotSent without a server.
func StatusOf(err error) int {
	var answer *awshttp.ResponseError
	switch {
	case err == nil:
		return 200
	case errors.As(err, &answer):
		return answer.HTTPStatusCode()
	case errors.Is(err, syscall.ECONNREFUSED):
		return NotSent
	}
	return 0
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

var requests = map[Action]func(context.Context, *s3.Client, Step, *Result) error{
	Put: put, Copy: copyObject, Delete: remove, DeleteVersion: remove, DeleteBatch: removeBatch,
	CreateUpload: create, UploadPart: uploadPart, CopyPart: copyPart, Complete: complete, Abort: abort, Tag: tag,
}

func put(ctx context.Context, c *s3.Client, s Step, r *Result) error {
	out, err := c.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &s.Bucket, Key: &s.Key, Body: bytes.NewReader(s.Value.Bytes()),
		Metadata: map[string]string{noteHeader: s.ID},
	})
	if err == nil {
		r.Version = aws.ToString(out.VersionId)
		err = sameETag(out.ETag, s.Value)
	}
	return err
}

func sameETag(got *string, v Value) error {
	if want := etag(v); aws.ToString(got) != want {
		return fmt.Errorf("answer has ETag %s, the bytes have %s", aws.ToString(got), want)
	}
	return nil
}

func copyObject(ctx context.Context, c *s3.Client, s Step, r *Result) error {
	out, err := c.CopyObject(ctx, &s3.CopyObjectInput{
		Bucket: &s.Bucket, Key: &s.Key, CopySource: source(s),
		Metadata: map[string]string{noteHeader: s.ID}, MetadataDirective: types.MetadataDirectiveReplace,
	})
	if err == nil {
		r.Version = aws.ToString(out.VersionId)
	}
	return err
}

func source(s Step) *string {
	return aws.String(url.PathEscape(s.Bucket) + "/" + url.PathEscape(s.Source))
}

func remove(ctx context.Context, c *s3.Client, s Step, r *Result) error {
	in := &s3.DeleteObjectInput{Bucket: &s.Bucket, Key: &s.Key}
	if s.Version != "" {
		in.VersionId = &s.Version
	}
	out, err := c.DeleteObject(ctx, in)
	if err == nil {
		r.Version = aws.ToString(out.VersionId)
	}
	return err
}

func removeBatch(ctx context.Context, c *s3.Client, s Step, r *Result) error {
	var list []types.ObjectIdentifier
	for _, key := range s.Keys {
		list = append(list, types.ObjectIdentifier{Key: &key})
	}
	out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &s.Bucket, Delete: &types.Delete{Objects: list}})
	if err != nil {
		return err
	}
	for _, e := range out.Errors {
		if r.Failed == nil {
			r.Failed = map[string]string{}
		}
		r.Failed[aws.ToString(e.Key)] = aws.ToString(e.Code)
	}
	return nil
}

func create(ctx context.Context, c *s3.Client, s Step, r *Result) error {
	out, err := c.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: &s.Bucket, Key: &s.Key, Metadata: map[string]string{noteHeader: s.ID},
	})
	if err == nil {
		r.Upload = aws.ToString(out.UploadId)
	}
	return err
}

func uploadPart(ctx context.Context, c *s3.Client, s Step, _ *Result) error {
	out, err := c.UploadPart(ctx, &s3.UploadPartInput{
		Bucket: &s.Bucket, Key: &s.Key, UploadId: &s.Upload, PartNumber: aws.Int32(int32(s.Number)),
		Body: bytes.NewReader(s.Value.Bytes()),
	})
	if err == nil {
		err = sameETag(out.ETag, s.Value)
	}
	return err
}

func copyPart(ctx context.Context, c *s3.Client, s Step, _ *Result) error {
	out, err := c.UploadPartCopy(ctx, &s3.UploadPartCopyInput{
		Bucket: &s.Bucket, Key: &s.Key, UploadId: &s.Upload, PartNumber: aws.Int32(int32(s.Number)),
		CopySource: source(s),
	})
	if err == nil {
		err = sameETag(out.CopyPartResult.ETag, s.Value)
	}
	return err
}

func complete(ctx context.Context, c *s3.Client, s Step, r *Result) error {
	var list []types.CompletedPart
	for _, p := range s.Parts {
		list = append(list, types.CompletedPart{PartNumber: aws.Int32(int32(p.Number)), ETag: &p.ETag})
	}
	out, err := c.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.Bucket, Key: &s.Key, UploadId: &s.Upload,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: list},
	})
	if err == nil {
		r.Version = aws.ToString(out.VersionId)
	}
	return err
}

func abort(ctx context.Context, c *s3.Client, s Step, _ *Result) error {
	_, err := c.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.Bucket, Key: &s.Key, UploadId: &s.Upload})
	return err
}

// tagKey is the key of the one tag that objects get.
const tagKey = "step"

func tag(ctx context.Context, c *s3.Client, s Step, _ *Result) error {
	_, err := c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{
		Bucket: &s.Bucket, Key: &s.Key,
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String(tagKey), Value: &s.ID}}},
	})
	return err
}
