package backend

import (
	"context"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// ListedName is a key or marker of a listing that was asked for with
// encoding-type=url, as every listing of clients' keys must be: control
// characters in a key have no place in XML, and one such key would make the
// whole page unreadable. encoding is what the answer says of itself: some stores
// do not encode.
func ListedName(encoding types.EncodingType, name *string) string {
	if encoding == types.EncodingTypeUrl {
		if plain, err := url.QueryUnescape(aws.ToString(name)); err == nil {
			return plain
		}
	}
	return aws.ToString(name)
}

// EachUpload gives every unfinished upload of a bucket with its key. There is no
// prefix: MinIO takes one for a whole key. The SDK's paginator would send a
// marker back as the listing encodes it.
func (c *Client) EachUpload(ctx context.Context, bucket string, each func(key string, u types.MultipartUpload) error) error {
	in := &s3.ListMultipartUploadsInput{Bucket: &bucket, EncodingType: types.EncodingTypeUrl}
	for {
		page, err := c.S3().ListMultipartUploads(ctx, in)
		if err != nil {
			return err
		}
		for _, u := range page.Uploads {
			if err := each(ListedName(page.EncodingType, u.Key), u); err != nil {
				return err
			}
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.UploadIdMarker = aws.String(ListedName(page.EncodingType, page.NextKeyMarker)), page.NextUploadIdMarker
	}
}

// EachVersion gives every version of every object below a prefix with its key.
func (c *Client) EachVersion(ctx context.Context, bucket, prefix string, each func(key string, v types.ObjectVersion)) error {
	in := &s3.ListObjectVersionsInput{Bucket: &bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl}
	for {
		page, err := c.S3().ListObjectVersions(ctx, in)
		if err != nil {
			return err
		}
		for _, v := range page.Versions {
			each(ListedName(page.EncodingType, v.Key), v)
		}
		if !aws.ToBool(page.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.VersionIdMarker = aws.String(ListedName(page.EncodingType, page.NextKeyMarker)), page.NextVersionIdMarker
	}
}
