//go:build !slim

package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// fitted is the store on extended attributes. They have little room on some file
// systems (4 KiB on ext4), and the store sets the tags of an object when it is
// visible already: a write that was refused for them would be there all the
// same. So tags are tried for room before.
type fitted struct {
	*posix.Posix
	scratch string // folder of the same file system
}

var _ backend.Backend = fitted{}

// otherAttributes is what the store keeps of an object besides user metadata
// and tags, in bytes and generously: ETag, checksums, version, retention,
// content headers.
const otherAttributes = 640

// PutObject refuses tags that do not fit before anything is stored.
func (s fitted) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if err := s.checkTags(aws.ToString(in.Tagging), in.Metadata); err != nil {
		return s3response.PutObjectOutput{}, err
	}
	return s.Posix.PutObject(ctx, in)
}

// CreateMultipartUpload refuses tags that would not fit at the end.
func (s fitted) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	if err := s.checkTags(aws.ToString(in.Tagging), in.Metadata); err != nil {
		return s3response.InitiateMultipartUploadResult{}, err
	}
	return s.Posix.CreateMultipartUpload(ctx, in)
}

// CopyObject refuses tags that do not fit together with the metadata. What is
// copied along with all its metadata fits, since the source is there.
func (s fitted) CopyObject(ctx context.Context, in s3response.CopyObjectInput) (s3response.CopyObjectOutput, error) {
	if err := s.checkCopy(ctx, in); err != nil {
		return s3response.CopyObjectOutput{}, err
	}
	return s.Posix.CopyObject(ctx, in)
}

func (s fitted) checkCopy(ctx context.Context, in s3response.CopyObjectInput) error {
	newTags := in.TaggingDirective == types.TaggingDirectiveReplace
	newMetadata := in.MetadataDirective == types.MetadataDirectiveReplace
	if newTags && newMetadata {
		return s.checkTags(aws.ToString(in.Tagging), in.Metadata)
	}
	if newTags == newMetadata {
		return nil
	}
	bucket, key, version, err := backend.ParseCopySource(aws.ToString(in.CopySource))
	if err != nil {
		return nil // the store refuses it in its own words
	}
	if newTags {
		head, err := s.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &bucket, Key: &key, VersionId: &version})
		if err != nil {
			return nil
		}
		return s.checkTags(aws.ToString(in.Tagging), head.Metadata)
	}
	tags, err := s.GetObjectTagging(ctx, bucket, key, version)
	if err != nil {
		return nil // no tags to copy
	}
	return s.checkRoom(tags, in.Metadata)
}

// PutObjectTagging says what is wrong when tags do not fit an object.
func (s fitted) PutObjectTagging(ctx context.Context, bucket, object, version string, tags map[string]string) error {
	return s.explain(s.Posix.PutObjectTagging(ctx, bucket, object, version, tags))
}

// PutBucketTagging says what is wrong when tags do not fit a bucket.
func (s fitted) PutBucketTagging(ctx context.Context, bucket string, tags map[string]string) error {
	return s.explain(s.Posix.PutBucketTagging(ctx, bucket, tags))
}

// PutBucketPolicy says what is wrong when a policy does not fit a bucket.
func (s fitted) PutBucketPolicy(ctx context.Context, bucket string, policy []byte) error {
	return s.explain(s.Posix.PutBucketPolicy(ctx, bucket, policy))
}

// PutBucketCors says what is wrong when rules do not fit a bucket.
func (s fitted) PutBucketCors(ctx context.Context, bucket string, cors []byte) error {
	return s.explain(s.Posix.PutBucketCors(ctx, bucket, cors))
}

// explain tells an attribute that does not fit from a disk that is full.
func (s fitted) explain(err error) error {
	if errors.Is(err, s3err.GetAPIError(s3err.ErrNoSpaceLeftOnDevice)) && s.try(1<<10) == nil {
		return errNoRoom()
	}
	return err
}

func (s fitted) checkTags(tagging string, metadata map[string]string) error {
	tags, err := backend.ParseObjectTags(tagging)
	if err != nil {
		return err
	}
	return s.checkRoom(tags, metadata)
}

func (s fitted) checkRoom(tags, metadata map[string]string) error {
	if len(tags) == 0 {
		return nil
	}
	sizes := []int{otherAttributes}
	for _, value := range []map[string]string{tags, metadata} {
		text, err := json.Marshal(value) // as the store keeps it
		if err != nil {
			return err
		}
		sizes = append(sizes, len(text))
	}
	if s.try(sizes...) == nil {
		return nil
	}
	if err := s.try(1 << 10); err != nil {
		return fmt.Errorf("set an extended attribute: %w", err) // full, or worse
	}
	return errNoRoom()
}

// try sets attributes of these sizes on a file without a name.
func (s fitted) try(sizes ...int) error {
	f, err := os.CreateTemp(s.scratch, ".room-*")
	if err != nil {
		return err
	}
	defer f.Close()
	if err := os.Remove(f.Name()); err != nil {
		return err
	}
	for i, size := range sizes {
		if err := setXattr(f, fmt.Sprintf("user.room%d", i), make([]byte, size)); err != nil {
			return err
		}
	}
	return nil
}

func errNoRoom() error {
	return s3err.APIError{
		Code:           "MetadataTooLarge",
		Description:    "The metadata and tags of this object, or the settings of this bucket, together are larger than the file system of the embedded store can keep with a file.",
		HTTPStatusCode: http.StatusBadRequest,
	}
}
