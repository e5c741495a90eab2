//go:build !slim

package embedded

import (
	"context"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/s3response"
)

// dated is a store whose conditions on dates count in whole seconds, as HTTP
// dates do (RFC 9110 section 8.8.2.1). The store compares them with the time of
// a file, which is finer: an object would be newer than its own Last-Modified.
type dated struct{ backend.Backend }

// endOfSecond moves a date to the last instant that is written alike.
func endOfSecond(dates ...**time.Time) {
	for _, d := range dates {
		if *d != nil {
			end := (*d).Add(time.Second - time.Nanosecond)
			*d = &end
		}
	}
}

// HeadObject compares whole seconds.
func (s dated) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	endOfSecond(&in.IfModifiedSince, &in.IfUnmodifiedSince)
	return s.Backend.HeadObject(ctx, in)
}

// GetObject compares whole seconds.
func (s dated) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	endOfSecond(&in.IfModifiedSince, &in.IfUnmodifiedSince)
	return s.Backend.GetObject(ctx, in)
}

// CopyObject compares whole seconds of the source.
func (s dated) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	endOfSecond(&in.CopySourceIfModifiedSince, &in.CopySourceIfUnmodifiedSince)
	return s.Backend.CopyObject(ctx, in)
}

// UploadPartCopy compares whole seconds of the source.
func (s dated) UploadPartCopy(ctx context.Context, in *s3.UploadPartCopyInput) (s3response.CopyPartResult, error) {
	endOfSecond(&in.CopySourceIfModifiedSince, &in.CopySourceIfUnmodifiedSince)
	return s.Backend.UploadPartCopy(ctx, in)
}
