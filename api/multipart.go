package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"net/http"
	"strconv"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

const (
	maxParts = 10_000
	// cleanupTime bounds what is done for an upload whose client has gone.
	cleanupTime = 30 * time.Second
)

// multipartUpload is one multipart upload under way.
type multipartUpload struct {
	*Store
	key     string
	options PutOptions
	src     *parts

	id    string
	done  []types.CompletedPart
	size  int64
	sha   hash.Hash
	crc64 hash.Hash64
}

// run uploads the parts, beginning with the full buffer first, and completes. On
// any failure the upload is aborted, also when the client has gone.
func (m *multipartUpload) run(ctx context.Context, first *buffer) (_ Object, err error) {
	if err := m.create(ctx); err != nil {
		return Object{}, err
	}
	defer func() {
		if err != nil {
			m.abort(ctx)
		}
	}()
	m.sha, m.crc64 = sha256.New(), crc64nvme.New()
	if err := m.uploadParts(ctx, first); err != nil {
		return Object{}, err
	}
	// The client may leave from here on: the file is whole and has passed.
	if err := ctx.Err(); err != nil {
		return Object{}, err
	}
	return m.complete(context.WithoutCancel(ctx))
}

func (m *multipartUpload) create(ctx context.Context) error {
	header, err := m.objectHeader(m.key, m.options)
	if err != nil {
		return err
	}
	in := &s3.CreateMultipartUploadInput{
		Bucket: &m.Bucket, Key: &m.key, ContentType: &m.options.ContentType, Metadata: userMetadata(header),
	}
	if m.FullObjectChecksum {
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmCrc64nvme, types.ChecksumTypeFullObject
	}
	out, err := m.Client.S3().CreateMultipartUpload(ctx, in)
	if err != nil {
		return fromSDK(err)
	}
	m.id = aws.ToString(out.UploadId)
	return nil
}

// uploadParts sends full buffers until the body ends. After each part the buffer
// is small again, so that uploads take turns.
func (m *multipartUpload) uploadParts(ctx context.Context, buf *buffer) (err error) {
	n, last := len(buf.bytes), false
	for number := 1; ; number++ {
		if number > maxParts {
			return gateway.Errorf(gateway.EntityTooLarge, "The file has more than %d parts of the largest size (UPLOAD_BUFFER_BYTES).", maxParts)
		}
		if err := m.uploadPart(ctx, number, buf.bytes[:n]); err != nil || last {
			return err
		}
		buf.restart(m.options.Budget.partSize(number + 1))
		if n, last, err = m.src.fillBuffer(ctx, buf); err != nil {
			return err
		}
	}
}

func (m *multipartUpload) uploadPart(ctx context.Context, number int, body []byte) error {
	m.sha.Write(body)
	m.size += int64(len(body))
	if m.FullObjectChecksum {
		m.crc64.Write(body)
	}
	part := types.CompletedPart{PartNumber: aws.Int32(int32(number))}
	req := backend.Request{
		Method: http.MethodPut, Bucket: m.Bucket, Key: m.key, Header: http.Header{},
		Query: []signer.Param{{Key: "partNumber", Value: strconv.Itoa(number)}, {Key: "uploadId", Value: m.id}},
	}
	if m.FullObjectChecksum {
		h := crc64nvme.New()
		h.Write(body)
		part.ChecksumCRC64NVME = aws.String(crc64Of(h))
		req.Header.Set(checksumCRC64, *part.ChecksumCRC64NVME)
	} else {
		req.PayloadHash = hexOf(sha256Of(body))
	}
	answer, err := m.send(ctx, req, body)
	if err != nil {
		return err
	}
	part.ETag = aws.String(answer.Get("Etag"))
	m.done = append(m.done, part)
	return nil
}

func (m *multipartUpload) complete(ctx context.Context) (Object, error) {
	in := &s3.CompleteMultipartUploadInput{
		Bucket: &m.Bucket, Key: &m.key, UploadId: &m.id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: m.done},
	}
	if m.FullObjectChecksum {
		in.ChecksumCRC64NVME, in.ChecksumType = aws.String(crc64Of(m.crc64)), types.ChecksumTypeFullObject
	}
	out, err := m.Client.S3().CompleteMultipartUpload(ctx, in)
	if err != nil {
		return Object{}, fromSDK(err)
	}
	answer := http.Header{"Etag": {aws.ToString(out.ETag)}}
	if out.VersionId != nil {
		answer.Set("X-Amz-Version-Id", *out.VersionId)
	}
	stored := m.storedAs(m.key, m.size, m.options, answer)
	stored.SHA256 = hexOf(m.sha.Sum(nil))
	m.tag(ctx, stored)
	return stored, nil
}

// tag keeps the SHA-256. The file is stored and acknowledged without it, too.
func (m *multipartUpload) tag(ctx context.Context, stored Object) {
	if !m.Tags {
		return
	}
	in := &s3.PutObjectTaggingInput{Bucket: &m.Bucket, Key: &m.key, Tagging: &types.Tagging{
		TagSet: []types.Tag{{Key: aws.String(sha256Tag), Value: &stored.SHA256}},
	}}
	if stored.VersionID != "" {
		in.VersionId = &stored.VersionID
	}
	ctx, cancel := context.WithTimeout(ctx, cleanupTime)
	defer cancel()
	if _, err := m.Client.S3().PutObjectTagging(ctx, in); err != nil {
		m.Log.Warn().Err(err).Str("key", m.key).Msg("the SHA-256 of a file could not be kept as a tag")
	}
}

// abort throws the parts away. Should it fail, the bucket's own rule for
// unfinished uploads is what is left.
func (m *multipartUpload) abort(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	in := &s3.AbortMultipartUploadInput{Bucket: &m.Bucket, Key: &m.key, UploadId: &m.id}
	if _, err := m.Client.S3().AbortMultipartUpload(ctx, in); err != nil {
		m.Log.Error().Err(err).Str("key", m.key).Str("upload_id", m.id).Msg("an unfinished upload could not be aborted")
	}
}

func sha256Of(b []byte) []byte {
	sum := sha256.Sum256(b)
	return sum[:]
}

func hexOf(b []byte) string { return hex.EncodeToString(b) }

// crc64Of is a CRC in the form of the x-amz-checksum headers.
func crc64Of(h hash.Hash64) string { return base64.StdEncoding.EncodeToString(h.Sum(nil)) }
