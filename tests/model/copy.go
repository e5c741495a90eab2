package model

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// source is what a copy reads.
type source struct {
	bucket, key string
	id          *string
}

// copySource returns the value of x-amz-copy-source.
func copySource(bucket, key string, id *string) *string {
	s := bucket + "/" + strings.ReplaceAll(url.PathEscape(key), "%2F", "/")
	// PathEscape keeps "+", which S3 decodes to a space.
	s = strings.ReplaceAll(s, "+", "%2B")
	if id != nil {
		s += "?versionId=" + *id
	}
	return &s
}

func parseSource(header string) source {
	path, id, versioned := strings.Cut(header, "?versionId=")
	bucket, key, _ := strings.Cut(path, "/")
	key, _ = url.PathUnescape(key)
	s := source{bucket: bucket, key: key}
	if versioned {
		s.id = &id
	}
	return s
}

// from returns the version that a copy reads. Unlike a read, a delete marker is
// NoSuchKey, or InvalidRequest if it is named by its version id.
func (m *Model) from(header *string) (source, *bucket, *version, problems) {
	s := parseSource(*header)
	b, v, w := m.find(&s.bucket, &s.key, s.id)
	var p problems
	if w != nil {
		p.add(w.Code == "MethodNotAllowed", "InvalidRequest")
		p.add(w.Code != "MethodNotAllowed", w.Code)
		v = nil
	}
	return s, b, v, p
}

// copy is CopyObject.
func (m *Model) copy(_ Step, in *s3.CopyObjectInput) *Want {
	s, sourceBucket, from, p := m.from(in.CopySource)
	b := m.buckets[*in.Bucket]
	p.add(b == nil, "NoSuchBucket")
	p.add(len(*in.Key) > maxKey, "KeyTooLongError")
	replaces := in.MetadataDirective == types.MetadataDirectiveReplace
	if s.bucket == *in.Bucket && s.key == *in.Key && !replaces {
		if s.id != nil && (b == nil || b.versioning == "") || in.TaggingDirective == types.TaggingDirectiveReplace || in.ChecksumAlgorithm != "" || in.ObjectLockMode != "" ||
			in.StorageClass != "" || in.WebsiteRedirectLocation != nil {
			return nil // S3 does not document which changes suffice
		}
		p.add(s.id == nil, "InvalidRequest")
	}
	v := &version{}
	v.lockState = m.lockOf(&p, b, in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus)
	given := infoOf(&p, in.ContentType, in.Metadata, in.Tagging)
	given.cacheControl, given.disposition, given.encoding, given.language = val(in.CacheControl), val(in.ContentDisposition), val(in.ContentEncoding), val(in.ContentLanguage)
	given.expires = httpDate(in.Expires)
	given.class, given.redirect = classOf(in.StorageClass), val(in.WebsiteRedirectLocation)
	p.conditions(b, *in.Key, in.IfMatch, in.IfNoneMatch)
	if from != nil {
		c := conditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince}
		if c.unclear(from) {
			return nil
		}
		p.add(!c.copies(from), "PreconditionFailed")
	}
	if w := p.want(); w != nil {
		return w
	}
	v.info = copiedInfo(from.info, given, replaces, in.TaggingDirective == types.TaggingDirectiveReplace)
	v.data, v.etag = from.data, etag(from.data)
	v.sum, v.plain = copiedSum(from, in.ChecksumAlgorithm)
	id := sourceBucket.copiedID(s, from)
	m.add(b, *in.Key, v)
	return m.copied(v, b, id)
}

// copiedID returns the version id of a source for the answer. S3 does not
// document whether null is returned for a bucket that never had versioning.
func (b *bucket) copiedID(s source, from *version) *string {
	if s.id != nil {
		return &from.id
	}
	return b.shown(from)
}

func (m *Model) copied(v *version, b *bucket, from *string) *Want {
	out := &s3.CopyObjectOutput{VersionId: b.shown(v), CopySourceVersionId: from,
		CopyObjectResult: &types.CopyObjectResult{ETag: &v.etag, LastModified: m.modified(v.serial)}}
	setSum(out.CopyObjectResult, v.sum)
	w := done(http.StatusOK, out).maybeNull(v)
	if val(from) == "null" {
		w.maybe("CopySourceVersionId")
	}
	return w
}

// copiedInfo returns the metadata and tags of a copy. The directives are
// independent of each other, and the storage class and the redirect are never
// copied.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
func copiedInfo(from, given info, metadata, tags bool) info {
	i := from
	if metadata {
		i = given
	}
	i.class, i.redirect = given.class, given.redirect
	i.tags = from.tags
	if tags {
		i.tags = given.tags
	}
	return i
}

// copiedSum returns the checksum of a copy: that of the algorithm asked for, or
// else of the source's, over all bytes, since a copy has one part.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
func copiedSum(from *version, asked types.ChecksumAlgorithm) (sum, bool) {
	if asked != "" {
		return fullSum(asked, from.data), false
	}
	return fullSum(from.sum.algorithm, from.data), from.plain
}
