package model

import (
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// delete is DeleteObject.
func (m *Model) delete(_ Step, in *s3.DeleteObjectInput) *Want {
	b := m.buckets[*in.Bucket]
	if b == nil {
		return fail("NoSuchBucket")
	}
	if len(*in.Key) > maxKey {
		return fail("KeyTooLongError")
	}
	if in.IfMatch != nil && in.VersionId != nil {
		return nil // conditions apply to current versions only
	}
	there := in.VersionId == nil || b.version(*in.Key, *in.VersionId) != nil
	d, w := m.erase(b, *in.Key, in.VersionId, in.IfMatch, val(in.BypassGovernanceRetention))
	if w != nil {
		return w
	}
	out := &s3.DeleteObjectOutput{VersionId: d.VersionId, DeleteMarker: d.DeleteMarker}
	if d.DeleteMarkerVersionId != nil {
		out.VersionId = d.DeleteMarkerVersionId
	}
	w = done(http.StatusNoContent, out)
	if val(out.VersionId) == "null" || !there {
		w.maybe("VersionId") // S3 does not document it for a version that does not exist
	}
	return w
}

// erase deletes a version, or the object if id is nil, and returns what a batch
// says of it.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/DeletingObjectVersions.html
func (m *Model) erase(b *bucket, key string, id, match *string, bypass bool) (types.DeletedObject, *Want) {
	d := types.DeletedObject{Key: &key, VersionId: id}
	if match != nil {
		current := b.current(key)
		switch {
		case current == nil:
			// https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
			// does not say which of the two a missing object is.
			return d, fail("PreconditionFailed", "NoSuchKey")
		case !matches(*match, current.etag):
			return d, fail("PreconditionFailed")
		}
	}
	if id == nil {
		return m.hide(b, d), nil
	}
	if *id != "null" && !isSymbol(*id) {
		return d, fail("InvalidArgument")
	}
	v := b.version(key, *id)
	if v == nil {
		return d, nil
	}
	if m.protected(v, bypass) {
		return d, fail("AccessDenied")
	}
	b.remove(key, *id)
	if v.marker {
		d.DeleteMarker, d.DeleteMarkerVersionId = aws.Bool(true), id
	}
	return d, nil
}

// hide deletes an object without a version id: with versioning it leaves a
// delete marker, also where there was nothing.
func (m *Model) hide(b *bucket, d types.DeletedObject) types.DeletedObject {
	if b.versioning == "" {
		b.remove(*d.Key, "null")
		return d
	}
	v := &version{marker: true}
	m.add(b, *d.Key, v)
	d.DeleteMarker, d.DeleteMarkerVersionId = aws.Bool(true), &v.id
	return d
}

// protected reports whether a version may not be deleted.
func (m *Model) protected(v *version, bypass bool) bool {
	switch {
	case v.hold == types.ObjectLockLegalHoldStatusOn:
		return true
	case v.until == nil || v.ends <= m.elapsed:
		return false
	}
	return v.mode == types.ObjectLockModeCompliance || !bypass
}

// deleteMany is DeleteObjects.
func (m *Model) deleteMany(_ Step, in *s3.DeleteObjectsInput) *Want {
	b := m.buckets[*in.Bucket]
	switch {
	case b == nil:
		return fail("NoSuchBucket")
	case len(in.Delete.Objects) == 0 || len(in.Delete.Objects) > 1000:
		return fail("MalformedXML")
	}
	for _, o := range in.Delete.Objects {
		if o.ETag != nil && o.VersionId != nil || !inXML(*o.Key) {
			return nil // conditions apply to current versions only
		}
	}
	out := &s3.DeleteObjectsOutput{}
	w := done(http.StatusOK, out)
	w.Sorted = []string{"Deleted", "Errors"}
	for _, o := range in.Delete.Objects {
		d, refused := m.erase(b, *o.Key, o.VersionId, o.ETag, val(in.BypassGovernanceRetention))
		switch {
		case refused != nil && len(refused.Or) > 0:
			out.Errors = append(out.Errors, types.Error{Key: o.Key, VersionId: o.VersionId, Code: aws.String(refused.Code)})
			w.any("Errors.Code")
		case refused != nil:
			out.Errors = append(out.Errors, types.Error{Key: o.Key, VersionId: o.VersionId, Code: aws.String(refused.Code)})
		case !val(in.Delete.Quiet):
			out.Deleted = append(out.Deleted, d)
		}
	}
	if val(in.Delete.Quiet) {
		m.naming = nil // the answer does not contain the delete markers
	}
	return w.any("Errors.Message")
}
