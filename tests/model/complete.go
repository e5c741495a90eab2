package model

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// complete is CompleteMultipartUpload.
func (m *Model) complete(_ Step, in *s3.CompleteMultipartUploadInput) *Want {
	b := m.buckets[*in.Bucket]
	if b == nil {
		return fail("NoSuchBucket")
	}
	u := b.upload(*in.Key, *in.UploadId)
	if u == nil {
		return b.completeAgain(in)
	}
	if u.algorithm == types.ChecksumAlgorithmCrc64nvme && !consecutive(in.MultipartUpload.Parts) {
		return nil // S3 does not list this algorithm among those that demand it
	}
	var p problems
	p.add(len(in.MultipartUpload.Parts) == 0, "MalformedXML")
	p.add(len(in.MultipartUpload.Parts) == 0, "InvalidRequest")
	parts := m.chosen(&p, u, in.MultipartUpload.Parts)
	v := &version{info: u.info, parts: parts, lockState: u.lockState}
	v.data = joined(parts)
	if p.want() == nil {
		v.etag = multipartETag(parts)
		v.sum, v.plain = u.sum(v)
		given, ok := givenSum(in)
		p.add(ok && given.value != v.sum.value, "BadDigest")
		p.add(in.ChecksumType != "" && in.ChecksumType != v.sum.kind, "InvalidRequest")
	}
	p.add(in.MpuObjectSize != nil && *in.MpuObjectSize != int64(len(v.data)), "InvalidRequest")
	p.conditions(b, *in.Key, in.IfMatch, in.IfNoneMatch)
	if w := p.want(); w != nil {
		return w
	}
	b.drop(u)
	m.add(b, u.key, v)
	out := &s3.CompleteMultipartUploadOutput{Bucket: in.Bucket, Key: in.Key, ETag: &v.etag, VersionId: b.shown(v)}
	setSum(out, v.sum)
	w := done(http.StatusOK, out).maybeNull(v).any("Location")
	again := *w
	if v.id == "null" {
		again.Any = append(slices.Clone(w.Any), "VersionId") // the bucket may have got versioning since
	}
	b.ended[u.id] = &completed{key: u.key, request: *in.MultipartUpload, answer: &again}
	return w
}

// completeAgain answers a request for an upload that is not open. A client that
// lost the answer to a successful request sends it again and gets the same
// answer; the object is not made again.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html
func (b *bucket) completeAgain(in *s3.CompleteMultipartUploadInput) *Want {
	c := b.ended[*in.UploadId]
	if val(in.IfNoneMatch) != "" && *in.IfNoneMatch != "*" {
		return nil
	}
	if c == nil || c.key != *in.Key || !reflect.DeepEqual(c.request, *in.MultipartUpload) {
		w := fail("NoSuchUpload")
		p := problems(w.Or)
		p.conditions(b, *in.Key, in.IfMatch, in.IfNoneMatch)
		w.Or = p
		if len(in.MultipartUpload.Parts) == 0 {
			w.Or = append(w.Or, "MalformedXML", "InvalidRequest")
		}
		if c != nil {
			w.Or = append(w.Or, "InvalidPart", "InvalidPartOrder", "InvalidRequest")
		}
		return w
	}
	if in.IfMatch != nil || in.IfNoneMatch != nil || in.MpuObjectSize != nil {
		return nil // S3 does not document it
	}
	return c.answer
}

// chosen checks the list of parts, and returns those parts. If they have
// checksums, their numbers must be consecutive from 1.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedPart.html
func (m *Model) chosen(p *problems, u *upload, list []types.CompletedPart) []*part {
	var parts []*part
	for i, c := range list {
		p.add(i > 0 && *c.PartNumber <= *list[i-1].PartNumber, "InvalidPartOrder")
		part := u.parts[*c.PartNumber]
		if part == nil {
			p.add(true, "InvalidPart")
			continue
		}
		p.add(!matches(val(c.ETag), part.etag), "InvalidPart")
		given, ok := givenSum(&c)
		p.add(ok && given.value != part.sum.value, "InvalidPart")
		p.add(ok && int(*c.PartNumber) != i+1, "InvalidPartOrder")
		p.add(!ok && u.kind == types.ChecksumTypeComposite, "InvalidRequest")
		p.add(i < len(list)-1 && int64(len(part.data)) < m.minPart, "EntityTooSmall")
		parts = append(parts, part)
	}
	return parts
}

// joined returns the bytes of parts. Those of a single part are not copied.
func joined(parts []*part) []byte {
	if len(parts) == 1 {
		return parts[0].data
	}
	var data []byte
	for _, p := range parts {
		data = append(data, p.data...)
	}
	return data
}

// consecutive reports whether the numbers of the parts are 1, 2, 3 and so on.
func consecutive(list []types.CompletedPart) bool {
	for i, c := range list {
		if int(*c.PartNumber) != i+1 {
			return false
		}
	}
	return true
}

// gaps reports whether a version has parts whose numbers are not consecutive. S3
// does not document whether they keep them.
func (v *version) gaps() bool {
	for i, p := range v.parts {
		if int(p.number) != i+1 {
			return true
		}
	}
	return false
}

// sum returns the checksum of the object, and whether it is S3's own.
func (u *upload) sum(v *version) (sum, bool) {
	switch {
	case u.algorithm == "":
		return fullSum(types.ChecksumAlgorithmCrc64nvme, v.data), true
	case u.kind == types.ChecksumTypeComposite:
		return compositeSum(u.algorithm, v.parts), false
	}
	return fullSum(u.algorithm, v.data), false
}
