package model

import (
	"fmt"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// get is GetObject.
func (m *Model) get(s Step, in *s3.GetObjectInput) *Want {
	b, v, w := m.find(in.Bucket, in.Key, in.VersionId)
	if w != nil {
		if in.Range != nil && in.PartNumber != nil {
			w.Or = append(w.Or, "InvalidRequest")
		}
		return w
	}
	c := conditions{in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince}
	if c.unclear(v) {
		return nil
	}
	refused := c.read(v)
	out, sel, w := m.selected(b, v, in.Range, in.PartNumber, s.Header["If-Range"])
	if refused != nil {
		if w != nil && in.PartNumber != nil {
			refused.Or = append(refused.Or, w.Code) // S3 does not document which comes first
		}
		return refused
	}
	if w != nil {
		return w
	}
	if sel.unknown {
		return nil
	}
	for _, o := range []struct{ from, to **string }{
		{&in.ResponseCacheControl, &out.CacheControl}, {&in.ResponseContentDisposition, &out.ContentDisposition},
		{&in.ResponseContentEncoding, &out.ContentEncoding}, {&in.ResponseContentLanguage, &out.ContentLanguage},
		{&in.ResponseContentType, &out.ContentType},
	} {
		if *o.from != nil {
			*o.to = *o.from
		}
	}
	w = done(sel.status, out)
	w.Body = v.data[sel.start:sel.end]
	m.showSum(w, v, sel, in.ChecksumMode)
	if v.hold == types.ObjectLockLegalHoldStatusOff {
		w.maybe("ObjectLockLegalHoldStatus") // S3 documents it for a hold that was on
	}
	if b.versioning == "" && in.VersionId != nil {
		w.maybe("VersionId").Out.(*s3.GetObjectOutput).VersionId = &v.id
	}
	return w
}

// head is HeadObject.
func (m *Model) head(s Step, in *s3.HeadObjectInput) *Want {
	w := m.get(s, &s3.GetObjectInput{Bucket: in.Bucket, Key: in.Key, VersionId: in.VersionId,
		IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch, IfModifiedSince: in.IfModifiedSince, IfUnmodifiedSince: in.IfUnmodifiedSince,
		Range: in.Range, PartNumber: in.PartNumber, ChecksumMode: in.ChecksumMode})
	if w == nil {
		return nil
	}
	w.Opaque, w.Body = true, nil
	if w.Out == nil {
		return w
	}
	out, from := &s3.HeadObjectOutput{}, reflect.ValueOf(w.Out).Elem()
	to := reflect.ValueOf(out).Elem()
	for i := range to.NumField() {
		if f := from.FieldByName(to.Type().Field(i).Name); f.IsValid() && to.Field(i).CanSet() {
			to.Field(i).Set(f)
		}
	}
	w.Out = out
	return w
}

// conditions are those of a read.
type conditions struct {
	match, noneMatch     *string
	modified, unmodified *time.Time
}

// read checks the conditions in the order of RFC 9110, section 13.2.2, which is
// S3's: If-Match makes If-Unmodified-Since irrelevant, and If-None-Match makes
// If-Modified-Since irrelevant.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
func (c conditions) read(v *version) *Want {
	failed := c.match != nil && !matches(*c.match, v.etag) || c.match == nil && c.unmodified != nil && after(v, *c.unmodified)
	same := c.noneMatch != nil && matches(*c.noneMatch, v.etag) || c.noneMatch == nil && c.modified != nil && !after(v, *c.modified)
	switch {
	case failed && same:
		// The order of the RFC answers 412; S3 does not document this pair.
		w := fail("PreconditionFailed", "NotModified")
		w.Opaque = true
		return w
	case failed:
		return fail("PreconditionFailed")
	case same:
		return notModified(v)
	}
	return nil
}

// copies reports whether the conditions of a copy's source hold.
func (c conditions) copies(v *version) bool {
	return c.read(v) == nil
}

func notModified(v *version) *Want {
	w := fail("NotModified").header("Etag", v.etag)
	w.Opaque = true
	return w
}

// unclear reports whether a condition has the time of another version, which may
// be the same second.
func (c conditions) unclear(v *version) bool {
	for _, t := range []*time.Time{c.modified, c.unmodified} {
		if t == nil {
			continue
		}
		if serial, _, ok := stamped(*t); ok && serial != v.serial {
			return true
		}
	}
	return false
}

// after reports whether the version was modified after t, which is its own time
// or far from that of every version.
func after(v *version, t time.Time) bool {
	_, _, own := stamped(t)
	return !own && t.Year() < 2020
}

// shownClass returns the storage class for an answer that always names it.
func (i info) shownClass() string {
	if i.class == "" {
		return string(types.StorageClassStandard)
	}
	return i.class
}

// selection is the part of an object that an answer contains.
type selection struct {
	status     int
	start, end int
	partial    bool // the bytes are not those of the checksum
	unknown    bool // S3's answer is not documented
}

// selected returns the answer to a read without checksums, and the bytes of it.
func (m *Model) selected(b *bucket, v *version, header *string, partNumber *int32, ifRange string) (*s3.GetObjectOutput, selection, *Want) {
	sel := selection{status: http.StatusOK, end: len(v.data)}
	out := m.described(b, v)
	switch {
	case header != nil && partNumber != nil:
		return nil, sel, fail("InvalidRequest")
	case partNumber != nil:
		if w := sel.part(v, *partNumber); w != nil {
			return nil, sel, w
		}
		if v.parts != nil {
			out.PartsCount = aws.Int32(int32(len(v.parts)))
		}
	case header != nil && (ifRange == "" || ifRange == v.etag):
		if w := sel.rangeOf(*header, len(v.data)); w != nil {
			return nil, sel, w
		}
	}
	out.ContentLength = aws.Int64(int64(sel.end - sel.start))
	if sel.status == http.StatusPartialContent {
		out.ContentRange = aws.String(fmt.Sprintf("bytes %d-%d/%d", sel.start, sel.end-1, len(v.data)))
	}
	return out, sel, nil
}

// part selects a part. An object that was stored in one piece has one part.
func (sel *selection) part(v *version, number int32) *Want {
	if number < 1 || number > maxParts {
		return fail("InvalidArgument")
	}
	if int(number) > max(len(v.parts), 1) && !v.gaps() {
		return fail("InvalidPartNumber")
	}
	sel.status = http.StatusPartialContent
	for i, p := range v.parts {
		if i+1 == int(number) {
			sel.end = sel.start + len(p.data)
			break
		}
		sel.start += len(p.data)
	}
	sel.partial = true
	sel.unknown = v.gaps() || sel.start == sel.end // no Content-Range can express it
	return nil
}

// rangeOf selects a range of bytes. One that is not well-formed is ignored, as
// RFC 9110, section 14.2, demands.
func (sel *selection) rangeOf(header string, size int) *Want {
	spec, ok := strings.CutPrefix(header, "bytes=")
	from, to, dash := strings.Cut(spec, "-")
	if !ok || !dash || strings.Contains(spec, ",") {
		return nil
	}
	start, end := 0, size
	if from == "" {
		n, err := strconv.Atoi(to)
		if err != nil {
			return nil
		}
		if n == 0 || size == 0 {
			return fail("InvalidRange")
		}
		start = max(0, size-n)
	} else {
		n, err := strconv.Atoi(from)
		if err != nil {
			return nil
		}
		start = n
		if to != "" {
			last, err := strconv.Atoi(to)
			if err != nil || last < n {
				return nil
			}
			end = min(size, last+1)
		}
		if start >= size {
			return fail("InvalidRange")
		}
	}
	*sel = selection{status: http.StatusPartialContent, start: start, end: end, partial: true}
	return nil
}

// described returns the headers of a version.
func (m *Model) described(b *bucket, v *version) *s3.GetObjectOutput {
	out := &s3.GetObjectOutput{AcceptRanges: aws.String("bytes"), ETag: &v.etag, LastModified: m.modified(v.serial), VersionId: b.shown(v),
		ContentType: &v.contentType, CacheControl: &v.cacheControl, ContentDisposition: &v.disposition,
		ContentEncoding: &v.encoding, ContentLanguage: &v.language, ExpiresString: &v.expires, Metadata: v.meta,
		StorageClass: types.StorageClass(v.class), WebsiteRedirectLocation: &v.redirect,
		ObjectLockMode: v.mode, ObjectLockRetainUntilDate: v.until, ObjectLockLegalHoldStatus: v.hold}
	if len(v.tags) > 0 {
		out.TagCount = aws.Int32(int32(len(v.tags)))
	}
	return out
}

// showSum adds the checksum to the answer if it was asked for. S3 does not say
// what it answers for a part of the object.
func (m *Model) showSum(w *Want, v *version, sel selection, mode types.ChecksumMode) {
	switch {
	case mode != types.ChecksumModeEnabled:
	case sel.partial:
		w.any("ChecksumCRC32", "ChecksumCRC32C", "ChecksumCRC64NVME", "ChecksumSHA1", "ChecksumSHA256", "ChecksumType")
	default:
		setSum(w.Out, v.sum)
	}
}

// attributes is GetObjectAttributes.
func (m *Model) attributes(_ Step, in *s3.GetObjectAttributesInput) *Want {
	b, v, w := m.find(in.Bucket, in.Key, in.VersionId)
	if w != nil {
		if w.Code == "MethodNotAllowed" {
			w.Or = append(w.Or, "NoSuchKey") // S3 documents 405 for GET and HEAD
		}
		return w
	}
	out := &s3.GetObjectAttributesOutput{LastModified: m.modified(v.serial), VersionId: b.shown(v)}
	w = done(http.StatusOK, out)
	if b.versioning == "" && in.VersionId != nil {
		out.VersionId = &v.id
		w.maybe("VersionId")
	}
	for _, a := range in.ObjectAttributes {
		switch a {
		case types.ObjectAttributesEtag:
			out.ETag = aws.String(strings.Trim(v.etag, `"`))
		case types.ObjectAttributesObjectSize:
			out.ObjectSize = aws.Int64(int64(len(v.data)))
		case types.ObjectAttributesStorageClass:
			out.StorageClass = types.StorageClass(v.shownClass())
		case types.ObjectAttributesChecksum:
			out.Checksum = &types.Checksum{}
			setSum(out.Checksum, v.sum)
		case types.ObjectAttributesObjectParts:
			attributeParts(w, out, v, in)
		}
	}
	return w
}

// attributeParts adds the parts. S3 lists them only if a checksum was asked for
// when they were uploaded.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectAttributesParts.html
func attributeParts(w *Want, out *s3.GetObjectAttributesOutput, v *version, in *s3.GetObjectAttributesInput) {
	if v.parts == nil {
		return
	}
	out.ObjectParts = &types.GetObjectAttributesParts{TotalPartsCount: aws.Int32(int32(len(v.parts)))}
	if v.plain || v.gaps() {
		w.any("ObjectParts.Parts", "ObjectParts.MaxParts", "ObjectParts.IsTruncated", "ObjectParts.PartNumberMarker", "ObjectParts.NextPartNumberMarker")
		return
	}
	limit := int(min(1000, valOr(in.MaxParts, 1000)))
	marker, _ := strconv.Atoi(val(in.PartNumberMarker))
	p := out.ObjectParts
	p.MaxParts, p.PartNumberMarker, p.IsTruncated = aws.Int32(int32(limit)), aws.String(strconv.Itoa(marker)), aws.Bool(false)
	last := 0
	for i, part := range v.parts {
		if i+1 <= marker {
			continue
		}
		if len(p.Parts) == limit {
			*p.IsTruncated = true
			break
		}
		last = i + 1
		o := types.ObjectPart{PartNumber: aws.Int32(int32(i + 1)), Size: aws.Int64(int64(len(part.data)))}
		setSum(&o, part.sum)
		p.Parts = append(p.Parts, o)
	}
	p.NextPartNumberMarker = aws.String(strconv.Itoa(last))
	if !*p.IsTruncated {
		w.any("ObjectParts.NextPartNumberMarker")
	}
	w.maybe("ObjectParts.PartNumberMarker")
}

func valOr[T any](p *T, or T) T {
	if p == nil {
		return or
	}
	return *p
}
