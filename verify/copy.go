package verify

import (
	"context"
	"net/http"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

const (
	// maxCopy is the largest object that S3 copies in one request, in bytes
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
	maxCopy = 5 << 30
	// copyPart is the size of a part of a larger one: 10,000 of them hold 5 TiB.
	copyPart = 1 << 30
)

// copy writes the object onto itself with the mark and gives the store's SHA-256
// of it in base64, "" where it tells none.
func (g *Gate) copy(ctx context.Context, key string, was http.Header, mark string) (string, error) {
	if wholeSize(was) > g.maxCopy {
		return "", g.copyParts(ctx, key, was, mark)
	}
	in := g.copyInput(key, was, mark)
	out, err := g.Client.S3().CopyObject(ctx, in)
	if err != nil {
		return "", backend.FromSDK(err)
	}
	if out.CopyObjectResult == nil {
		return "", nil
	}
	return aws.ToString(out.CopyObjectResult.ChecksumSHA256), nil
}

// copyInput keeps what the object has, but a redirect: that one only a caller
// with the right to manage may set, and a link's client may have sent it.
func (g *Gate) copyInput(key string, was http.Header, mark string) *s3.CopyObjectInput {
	in := backend.CopyInput(was)
	in.Bucket, in.Key = &g.Bucket, &key
	in.CopySource = aws.String(g.Bucket + "/" + signer.EncodePath(key))
	in.CopySourceIfMatch = aws.String(was.Get("Etag"))
	in.WebsiteRedirectLocation = nil
	for name := range in.Metadata {
		if ours(metaPrefix + name) {
			delete(in.Metadata, name)
		}
	}
	in.Metadata["s3gateway-mark"] = mark
	return in
}

// copyParts is copy for an object beyond one request's size. All parts are on
// condition of the same ETag.
func (g *Gate) copyParts(ctx context.Context, key string, was http.Header, mark string) error {
	all := g.copyInput(key, was, mark)
	tags, err := g.tags(ctx, key)
	if err != nil {
		return err
	}
	made, err := g.Client.S3().CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
		Bucket: all.Bucket, Key: all.Key, Metadata: all.Metadata, Tagging: tags,
		ContentType: all.ContentType, ContentEncoding: all.ContentEncoding, ContentLanguage: all.ContentLanguage,
		ContentDisposition: all.ContentDisposition, CacheControl: all.CacheControl, Expires: all.Expires,
		StorageClass: all.StorageClass, ServerSideEncryption: all.ServerSideEncryption, SSEKMSKeyId: all.SSEKMSKeyId,
	})
	if err != nil {
		return backend.FromSDK(err)
	}
	parts, err := g.parts(ctx, all, made.UploadId, wholeSize(was))
	if err == nil {
		_, err = g.Client.S3().CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
			Bucket: all.Bucket, Key: all.Key, UploadId: made.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
		})
	}
	if err == nil {
		return nil
	}
	if _, failed := g.Client.S3().AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: all.Bucket, Key: all.Key, UploadId: made.UploadId,
	}); failed != nil {
		g.Log.Error().Err(failed).Str("key", key).Msg("an unfinished copy could not be aborted")
	}
	return backend.FromSDK(err)
}

func (g *Gate) parts(ctx context.Context, all *s3.CopyObjectInput, upload *string, size int64) (parts []types.CompletedPart, err error) {
	for first := int64(0); first < size; first += g.copyPart {
		number := aws.Int32(int32(len(parts) + 1))
		last := min(first+g.copyPart, size) - 1
		out, err := g.Client.S3().UploadPartCopy(ctx, &s3.UploadPartCopyInput{
			Bucket: all.Bucket, Key: all.Key, UploadId: upload, PartNumber: number,
			CopySource: all.CopySource, CopySourceIfMatch: all.CopySourceIfMatch,
			CopySourceRange: aws.String("bytes=" + strconv.FormatInt(first, 10) + "-" + strconv.FormatInt(last, 10)),
		})
		if err != nil {
			return nil, err
		}
		if out.CopyPartResult == nil || out.CopyPartResult.ETag == nil {
			return nil, gateway.Errorf(gateway.Internal, "the backend tells no ETag of a part that it copied")
		}
		parts = append(parts, types.CompletedPart{PartNumber: number, ETag: out.CopyPartResult.ETag})
	}
	return parts, nil
}

// tags are those of the object as a query, which a multipart upload would lose.
func (g *Gate) tags(ctx context.Context, key string) (*string, error) {
	out, err := g.Client.S3().GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &g.Bucket, Key: &key})
	if err != nil {
		e := gateway.AsError(backend.FromSDK(err))
		if e.Code == gateway.NotImplemented || e.Code == "NoSuchTagSet" {
			return nil, nil
		}
		return nil, e
	}
	var query []signer.Param
	for _, t := range out.TagSet {
		query = append(query, signer.Param{Key: aws.ToString(t.Key), Value: aws.ToString(t.Value)})
	}
	if len(query) == 0 {
		return nil, nil
	}
	return aws.String(signer.BuildQuery(query)), nil
}
