package model

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// maxParts is the number of the last part of an upload.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
const maxParts = 10000

// create is CreateMultipartUpload.
func (m *Model) create(_ Step, in *s3.CreateMultipartUploadInput) *Want {
	if !inXML(*in.Key) {
		return nil // the answer could not be read
	}
	b := m.buckets[*in.Bucket]
	var p problems
	p.add(b == nil, "NoSuchBucket")
	p.add(len(*in.Key) > maxKey, "KeyTooLongError")
	u := &upload{key: *in.Key, algorithm: in.ChecksumAlgorithm, parts: map[int32]*part{}}
	u.kind = kindOf(&p, in.ChecksumAlgorithm, in.ChecksumType)
	u.info = infoOf(&p, in.ContentType, in.Metadata, in.Tagging)
	u.info.cacheControl, u.info.disposition, u.info.encoding, u.info.language = val(in.CacheControl), val(in.ContentDisposition), val(in.ContentEncoding), val(in.ContentLanguage)
	u.info.expires = httpDate(in.Expires)
	u.info.class, u.info.redirect = classOf(in.StorageClass), val(in.WebsiteRedirectLocation)
	u.lockState = m.lockOf(&p, b, in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus)
	if w := p.want(); w != nil {
		return w
	}
	u.id, u.serial = m.name("u"), m.nextSerial()
	b.uploads = append(b.uploads, u)
	out := &s3.CreateMultipartUploadOutput{Bucket: in.Bucket, Key: in.Key, UploadId: &u.id, ChecksumAlgorithm: u.algorithm, ChecksumType: u.kind}
	w := done(http.StatusOK, out)
	if u.algorithm == "" {
		w.any("ChecksumAlgorithm", "ChecksumType")
	}
	return w
}

// kindOf returns the type of an upload's checksum.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html
func kindOf(p *problems, a types.ChecksumAlgorithm, asked types.ChecksumType) types.ChecksumType {
	digest := a == types.ChecksumAlgorithmSha1 || a == types.ChecksumAlgorithmSha256
	p.add(a == "" && asked != "", "InvalidRequest")
	p.add(digest && asked == types.ChecksumTypeFullObject, "InvalidRequest")
	p.add(a == types.ChecksumAlgorithmCrc64nvme && asked == types.ChecksumTypeComposite, "InvalidRequest")
	switch {
	case asked != "" || a == "":
		return asked
	case a == types.ChecksumAlgorithmCrc64nvme:
		return types.ChecksumTypeFullObject
	}
	return types.ChecksumTypeComposite
}

// partOf checks what a part must meet, and returns its upload.
func (m *Model) partOf(bucket, key, id *string, number int32, p *problems) *upload {
	b := m.buckets[*bucket]
	p.add(b == nil, "NoSuchBucket")
	p.add(number < 1 || number > maxParts, "InvalidArgument")
	if b == nil {
		return nil
	}
	u := b.upload(*key, *id)
	p.add(u == nil, "NoSuchUpload")
	return u
}

// uploadPart is UploadPart.
func (m *Model) uploadPart(s Step, in *s3.UploadPartInput) *Want {
	var p problems
	u := m.partOf(in.Bucket, in.Key, in.UploadId, *in.PartNumber, &p)
	asked := in.ChecksumAlgorithm
	if given, ok := givenSum(in); ok {
		asked = given.algorithm
	}
	if u != nil {
		if u.algorithm == "" && asked != "" || u.algorithm != "" && asked == "" {
			return nil // S3 does not document it
		}
		p.add(asked != u.algorithm, "InvalidRequest")
	}
	p.digest(in.ContentMD5, s.Body)
	made := &part{number: *in.PartNumber, data: s.Body, etag: etag(s.Body)}
	made.sum, _ = m.uploaded(&p, in, asked, s.Body)
	if w := p.want(); w != nil {
		return w
	}
	made.serial = m.nextSerial()
	u.parts[made.number] = made
	out := &s3.UploadPartOutput{ETag: &made.etag}
	setSum(out, made.sum)
	w := done(http.StatusOK, out)
	if u.algorithm == "" {
		w.maybe("ChecksumCRC64NVME")
	}
	return w
}

// copyPart is UploadPartCopy.
func (m *Model) copyPart(_ Step, in *s3.UploadPartCopyInput) *Want {
	src, sourceBucket, from, p := m.from(in.CopySource)
	u := m.partOf(in.Bucket, in.Key, in.UploadId, *in.PartNumber, &p)
	var data []byte
	if from == nil && in.CopySourceRange != nil {
		p.sourceRange(*in.CopySourceRange, nil) // S3 does not document which refusal comes first
	}
	if from != nil {
		c := conditions{in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince}
		if c.unclear(from) {
			return nil
		}
		p.add(!c.copies(from), "PreconditionFailed")
		data = from.data
		if in.CopySourceRange != nil {
			data = p.sourceRange(*in.CopySourceRange, data)
		}
	}
	if w := p.want(); w != nil {
		return w
	}
	a := u.algorithm
	if a == "" {
		a = types.ChecksumAlgorithmCrc64nvme
	}
	made := &part{number: *in.PartNumber, data: data, etag: etag(data), sum: fullSum(a, data), serial: m.nextSerial()}
	u.parts[made.number] = made
	out := &s3.UploadPartCopyOutput{CopySourceVersionId: sourceBucket.copiedID(src, from),
		CopyPartResult: &types.CopyPartResult{ETag: &made.etag, LastModified: m.modified(made.serial)}}
	setSum(out.CopyPartResult, made.sum)
	w := done(http.StatusOK, out)
	if u.algorithm == "" {
		w.maybe("CopyPartResult.ChecksumCRC64NVME")
	}
	if val(out.CopySourceVersionId) == "null" {
		w.maybe("CopySourceVersionId")
	}
	return w
}

// sourceRange returns the bytes of a range, of which both ends must be in the
// object. S3 documents no code for one that is not.
func (p *problems) sourceRange(header string, data []byte) []byte {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, _ := strings.Cut(spec, "-")
	from, err := strconv.Atoi(first)
	to, err2 := strconv.Atoi(last)
	if !ok || err != nil || err2 != nil || from > to || to >= len(data) {
		p.add(true, "InvalidArgument")
		p.add(true, "InvalidRange")
		p.add(true, "InvalidRequest")
		return nil
	}
	return data[from : to+1]
}

// abort is AbortMultipartUpload.
func (m *Model) abort(_ Step, in *s3.AbortMultipartUploadInput) *Want {
	b := m.buckets[*in.Bucket]
	if b == nil {
		return fail("NoSuchBucket")
	}
	u := b.upload(*in.Key, *in.UploadId)
	if u == nil {
		if b.ended[*in.UploadId] != nil {
			return nil // S3 does not document it
		}
		return fail("NoSuchUpload")
	}
	b.drop(u)
	return done(http.StatusNoContent, &s3.AbortMultipartUploadOutput{})
}

func (b *bucket) drop(u *upload) {
	b.uploads = slices.DeleteFunc(b.uploads, func(o *upload) bool { return o == u })
}

// sortedParts returns the parts by number.
func (u *upload) sortedParts() []*part {
	all := make([]*part, 0, len(u.parts))
	for _, p := range u.parts {
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *part) int { return int(a.number - b.number) })
	return all
}

// listParts is ListParts.
func (m *Model) listParts(_ Step, in *s3.ListPartsInput) *Want {
	b := m.buckets[*in.Bucket]
	if b == nil {
		return fail("NoSuchBucket")
	}
	u := b.upload(*in.Key, *in.UploadId)
	if u == nil {
		return fail("NoSuchUpload")
	}
	limit, marker := int(min(1000, valOr(in.MaxParts, 1000))), 0
	if in.PartNumberMarker != nil {
		marker, _ = strconv.Atoi(*in.PartNumberMarker)
	}
	out := &s3.ListPartsOutput{Bucket: in.Bucket, Key: in.Key, UploadId: in.UploadId, StorageClass: types.StorageClass(u.info.shownClass()),
		MaxParts: aws.Int32(int32(limit)), PartNumberMarker: aws.String(strconv.Itoa(marker)), IsTruncated: aws.Bool(false),
		ChecksumAlgorithm: u.algorithm, ChecksumType: u.kind}
	w := done(http.StatusOK, out).maybe("PartNumberMarker").any("Owner", "Initiator")
	for _, p := range u.sortedParts() {
		if int(p.number) <= marker {
			continue
		}
		if len(out.Parts) == limit {
			*out.IsTruncated = true
			break
		}
		o := types.Part{PartNumber: &p.number, Size: aws.Int64(int64(len(p.data))), ETag: &p.etag, LastModified: m.modified(p.serial)}
		setSum(&o, p.sum)
		out.Parts = append(out.Parts, o)
		out.NextPartNumberMarker = aws.String(strconv.Itoa(int(p.number)))
	}
	if !*out.IsTruncated {
		w.any("NextPartNumberMarker")
	}
	if u.algorithm == "" {
		w.any("ChecksumAlgorithm", "ChecksumType").maybe("Parts.ChecksumCRC64NVME")
	}
	return w
}
