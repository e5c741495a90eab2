package model

import (
	"crypto/md5"
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	// maxMeta is the limit for user-defined metadata, in bytes of names and values.
	// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
	maxMeta = 2048
	maxTags = 10

	maxTagKey   = 128
	maxTagValue = 256
)

// put is PutObject.
func (m *Model) put(s Step, in *s3.PutObjectInput) *Want {
	b := m.buckets[*in.Bucket]
	var p problems
	p.add(b == nil, "NoSuchBucket")
	p.add(len(*in.Key) > maxKey, "KeyTooLongError")
	v := &version{data: s.Body, etag: etag(s.Body)}
	v.sum, v.plain = m.uploaded(&p, in, in.ChecksumAlgorithm, s.Body)
	p.digest(in.ContentMD5, s.Body)
	v.info = infoOf(&p, in.ContentType, in.Metadata, in.Tagging)
	v.cacheControl, v.disposition, v.encoding, v.language = val(in.CacheControl), val(in.ContentDisposition), val(in.ContentEncoding), val(in.ContentLanguage)
	v.expires = httpDate(in.Expires)
	v.class, v.redirect = classOf(in.StorageClass), val(in.WebsiteRedirectLocation)
	if in.ContentType == nil {
		v.contentType = "application/octet-stream" // the SDK sends it
	}
	v.lockState = m.lockOf(&p, b, in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus)
	p.conditions(b, *in.Key, in.IfMatch, in.IfNoneMatch)
	if w := p.want(); w != nil {
		return w
	}
	m.add(b, *in.Key, v)
	out := &s3.PutObjectOutput{ETag: &v.etag, VersionId: b.shown(v), Size: aws.Int64(int64(len(v.data)))}
	setSum(out, v.sum)
	return done(http.StatusOK, out).maybeNull(v).maybe("Size") // S3 documents the size for appends
}

// maybeNull accepts an answer to a write without its version id if that is null:
// S3's documentation does not say whether a bucket with suspended versioning
// returns it.
func (w *Want) maybeNull(v *version) *Want {
	if v.id == "null" {
		w.maybe("VersionId")
	}
	return w
}

// uploaded returns the checksum of an object or part that is stored in one
// piece, and whether it is the one that S3 adds by itself.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
func (m *Model) uploaded(p *problems, in any, asked types.ChecksumAlgorithm, data []byte) (sum, bool) {
	given, ok := givenSum(in)
	switch {
	case ok:
		right := fullSum(given.algorithm, data)
		p.add(given.value != right.value, "BadDigest")
		return right, false
	case asked != "":
		return fullSum(asked, data), false
	}
	return fullSum(types.ChecksumAlgorithmCrc64nvme, data), true
}

// digest checks a Content-MD5.
func (p *problems) digest(given *string, data []byte) {
	if given == nil {
		return
	}
	raw, err := base64.StdEncoding.DecodeString(*given)
	if err != nil || len(raw) != md5.Size {
		p.add(true, "InvalidDigest")
		return
	}
	right := md5.Sum(data)
	p.add(string(raw) != string(right[:]), "BadDigest")
}

// conditions checks the conditions of a write against the current object.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
func (p *problems) conditions(b *bucket, key string, match, noneMatch *string) {
	p.add(noneMatch != nil && *noneMatch != "*", "NotImplemented")
	if b == nil {
		return
	}
	current := b.current(key)
	p.add(match != nil && current == nil, "NoSuchKey")
	p.add(match != nil && current != nil && !matches(*match, current.etag), "PreconditionFailed")
	p.add(val(noneMatch) == "*" && current != nil, "PreconditionFailed")
}

// matches reports whether a condition is met by an ETag; the quotes may be left
// out.
func matches(condition, etag string) bool {
	return condition == "*" || condition == etag || `"`+condition+`"` == etag
}

// infoOf checks and returns what a request says of an object.
func infoOf(p *problems, contentType *string, meta map[string]string, tagging *string) info {
	i := info{contentType: "binary/octet-stream", meta: map[string]string{}}
	if contentType != nil {
		i.contentType = *contentType
	}
	size := 0
	for name, value := range meta {
		i.meta[name] = decodeWord(value)
		size += len(name) + len(value)
	}
	p.add(size > maxMeta, "MetadataTooLarge")
	i.tags = tagsOf(p, tagging)
	return i
}

// tagsOf parses an x-amz-tagging header.
func tagsOf(p *problems, header *string) map[string]string {
	if header == nil {
		return nil
	}
	values, err := url.ParseQuery(*header)
	tags := map[string]string{}
	bad := err != nil || len(values) > maxTags
	for key, all := range values {
		tags[key] = all[0]
		bad = bad || len(all) > 1 || !goodTag(key, all[0])
	}
	if bad {
		// S3 documents InvalidTag for the document and no code for the header.
		p.add(true, "InvalidTag")
		p.add(true, "InvalidArgument")
		p.add(true, "BadRequest")
	}
	return tags
}

func goodTag(key, value string) bool {
	return key != "" && len([]rune(key)) <= maxTagKey && len([]rune(value)) <= maxTagValue
}

// decodeWord decodes a value by RFC 2047, as S3 does before it stores it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html
func decodeWord(value string) string {
	if !strings.HasPrefix(value, "=?") {
		return value
	}
	decoded, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		return value
	}
	return decoded
}

// classOf returns what answers say of a storage class: STANDARD is not named.
func classOf(c types.StorageClass) string {
	if c == types.StorageClassStandard {
		return ""
	}
	return string(c)
}

func httpDate(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(http.TimeFormat)
}
