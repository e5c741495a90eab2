package model

import (
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// query is what the listings have in common.
type query struct {
	prefix, delimiter, marker string
	limit                     int
	inside                    bool // the marker is a version or upload of its key
}

// token is what a continuation token stands for.
type token struct {
	bucket, prefix, delimiter, marker string
}

// row is a row of a listing before it is cut into pages.
type row struct {
	key    string
	passed bool // the marker is this row, or one after it
	show   func()
}

// page is what of the rows an answer contains.
type page struct {
	prefixes  []types.CommonPrefix
	shown     int
	truncated bool
	next      string // the last key or common prefix
	last      int    // the index of the last row, -1 if a prefix
}

// cut shows the rows of a page. Keys that continue after the prefix up to the
// delimiter count as one row. It reports false if the marker is in the middle of
// such a group: S3 does not document whether it is shown again.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-prefixes.html
func (q query) cut(rows []row) (page, bool) {
	p := page{last: -1}
	for i, r := range rows {
		if !strings.HasPrefix(r.key, q.prefix) {
			continue
		}
		group, grouped := q.group(r.key)
		if grouped && q.marker != "" && strings.HasPrefix(q.marker, group) && (q.marker != group || q.inside) {
			return p, false
		}
		if r.passed || grouped && (group == q.marker || len(p.prefixes) > 0 && *p.prefixes[len(p.prefixes)-1].Prefix == group) {
			continue
		}
		if p.shown == q.limit {
			p.truncated = q.limit > 0
			break
		}
		p.shown++
		if grouped {
			p.prefixes = append(p.prefixes, types.CommonPrefix{Prefix: &group})
			p.next, p.last = group, -1
			continue
		}
		r.show()
		p.next, p.last = r.key, i
	}
	return p, true
}

func (q query) group(key string) (string, bool) {
	if q.delimiter == "" {
		return "", false
	}
	i := strings.Index(key[len(q.prefix):], q.delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(q.prefix)+i+len(q.delimiter)], true
}

// limitOf returns the size of a page: at most 1,000.
func limitOf(asked *int32) int { return int(min(1000, valOr(asked, 1000))) }

// listable returns the bucket, or the refusal.
func (m *Model) listable(name string, limit *int32, encoding types.EncodingType) (*bucket, *Want) {
	b := m.buckets[name]
	var p problems
	p.add(b == nil, "NoSuchBucket")
	p.add(limit != nil && *limit < 0, "InvalidArgument")
	p.add(encoding != "" && encoding != types.EncodingTypeUrl, "InvalidArgument")
	return b, p.want()
}

// readable reports whether an answer that is not URL-encoded can express the
// keys that it may hold.
func (b *bucket) readable(encoding types.EncodingType) bool {
	for key := range b.keys {
		if encoding == "" && !inXML(key) {
			return false
		}
	}
	return true
}

func listed(out any, encoding types.EncodingType) *Want {
	w := done(http.StatusOK, out)
	w.Encoded = encoding == types.EncodingTypeUrl
	return w.any("RequestCharged")
}

// current returns a row for each object that is there.
func (m *Model) current(b *bucket, marker string, show func(types.Object)) []row {
	var rows []row
	for _, key := range b.sorted() {
		v := b.current(key)
		if v == nil {
			continue
		}
		rows = append(rows, row{key: key, passed: marker != "" && key <= marker, show: func() {
			o := types.Object{Key: &key, ETag: &v.etag, Size: aws.Int64(int64(len(v.data))), LastModified: m.modified(v.serial),
				StorageClass: types.ObjectStorageClass(v.shownClass()), ChecksumType: v.sum.kind}
			if v.sum.algorithm != "" {
				o.ChecksumAlgorithm = []types.ChecksumAlgorithm{v.sum.algorithm}
			}
			show(o)
		}})
	}
	return rows
}

// list is ListObjects.
func (m *Model) list(_ Step, in *s3.ListObjectsInput) *Want {
	b, w := m.listable(*in.Bucket, in.MaxKeys, in.EncodingType)
	if w != nil {
		return w
	}
	q := query{prefix: val(in.Prefix), delimiter: val(in.Delimiter), marker: val(in.Marker), limit: limitOf(in.MaxKeys)}
	out := &s3.ListObjectsOutput{Name: in.Bucket, Prefix: in.Prefix, Delimiter: in.Delimiter, Marker: in.Marker,
		MaxKeys: aws.Int32(int32(q.limit)), EncodingType: in.EncodingType}
	p, ok := q.cut(m.current(b, q.marker, func(o types.Object) { out.Contents = append(out.Contents, o) }))
	if !ok || !b.readable(in.EncodingType) {
		return nil
	}
	out.CommonPrefixes, out.IsTruncated = p.prefixes, &p.truncated
	w = listed(out, in.EncodingType).any("Contents.Owner")
	// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html: only
	// with a delimiter; others return it always.
	if p.truncated {
		out.NextMarker = &p.next
		if q.delimiter == "" {
			w.maybe("NextMarker")
		}
	}
	return w
}

// list2 is ListObjectsV2.
func (m *Model) list2(_ Step, in *s3.ListObjectsV2Input) *Want {
	b, w := m.listable(*in.Bucket, in.MaxKeys, in.EncodingType)
	if w != nil {
		return w
	}
	q := query{prefix: val(in.Prefix), delimiter: val(in.Delimiter), marker: val(in.StartAfter), limit: limitOf(in.MaxKeys)}
	if in.ContinuationToken != nil {
		t := m.tokens[*in.ContinuationToken]
		if t.bucket != *in.Bucket || t.prefix != q.prefix || t.delimiter != q.delimiter {
			return nil // S3 does not document it
		}
		q.marker = t.marker
	}
	out := &s3.ListObjectsV2Output{Name: in.Bucket, Prefix: in.Prefix, Delimiter: in.Delimiter, StartAfter: in.StartAfter,
		ContinuationToken: in.ContinuationToken, MaxKeys: aws.Int32(int32(q.limit)), EncodingType: in.EncodingType}
	p, ok := q.cut(m.current(b, q.marker, func(o types.Object) { out.Contents = append(out.Contents, o) }))
	if !ok || !b.readable(in.EncodingType) {
		return nil
	}
	out.CommonPrefixes, out.IsTruncated, out.KeyCount = p.prefixes, &p.truncated, aws.Int32(int32(p.shown))
	w = listed(out, in.EncodingType)
	if val(in.FetchOwner) {
		w.any("Contents.Owner")
	}
	if in.ContinuationToken != nil {
		w.maybe("StartAfter")
	}
	if p.truncated {
		name := m.name("t")
		m.tokens[name] = token{*in.Bucket, q.prefix, q.delimiter, p.next}
		out.NextContinuationToken = &name
	}
	return w
}

// listVersions is ListObjectVersions.
func (m *Model) listVersions(_ Step, in *s3.ListObjectVersionsInput) *Want {
	b, w := m.listable(*in.Bucket, in.MaxKeys, in.EncodingType)
	if w != nil {
		return w
	}
	if val(in.VersionIdMarker) != "" && val(in.KeyMarker) == "" {
		return fail("InvalidArgument")
	}
	if in.VersionIdMarker != nil && *in.VersionIdMarker != "" && b.version(val(in.KeyMarker), *in.VersionIdMarker) == nil {
		return nil // S3 does not document where it continues
	}
	q := query{val(in.Prefix), val(in.Delimiter), val(in.KeyMarker), limitOf(in.MaxKeys), val(in.VersionIdMarker) != ""}
	out := &s3.ListObjectVersionsOutput{Name: in.Bucket, Prefix: in.Prefix, Delimiter: in.Delimiter, KeyMarker: in.KeyMarker,
		VersionIdMarker: in.VersionIdMarker, MaxKeys: aws.Int32(int32(q.limit)), EncodingType: in.EncodingType}
	rows, ids := m.versionRows(b, q.marker, val(in.VersionIdMarker), out)
	p, ok := q.cut(rows)
	if !ok || !b.readable(in.EncodingType) {
		return nil
	}
	out.CommonPrefixes, out.IsTruncated = p.prefixes, &p.truncated
	w = listed(out, in.EncodingType).any("Versions.Owner", "DeleteMarkers.Owner")
	if p.truncated {
		out.NextKeyMarker = &p.next
		if p.last >= 0 {
			out.NextVersionIdMarker = &ids[p.last]
		}
	}
	return w
}

// versionRows returns a row for each version, newest first, and their ids.
func (m *Model) versionRows(b *bucket, marker, idMarker string, out *s3.ListObjectVersionsOutput) (rows []row, ids []string) {
	for _, key := range b.sorted() {
		all := b.keys[key]
		at := slices.IndexFunc(all, func(v *version) bool { return v.id == idMarker })
		for i, v := range all {
			passed := marker != "" && (key < marker || key == marker && (at < 0 || i <= at))
			ids = append(ids, v.id)
			rows = append(rows, row{key: key, passed: passed, show: func() { m.showVersion(out, key, v, i == 0) }})
		}
	}
	return rows, ids
}

func (m *Model) showVersion(out *s3.ListObjectVersionsOutput, key string, v *version, latest bool) {
	m.naming = append(m.naming, v.id)
	if v.marker {
		out.DeleteMarkers = append(out.DeleteMarkers, types.DeleteMarkerEntry{Key: &key, VersionId: &v.id, IsLatest: &latest, LastModified: m.modified(v.serial)})
		return
	}
	o := types.ObjectVersion{Key: &key, VersionId: &v.id, IsLatest: &latest, LastModified: m.modified(v.serial), ETag: &v.etag,
		Size: aws.Int64(int64(len(v.data))), StorageClass: types.ObjectVersionStorageClass(v.shownClass()), ChecksumType: v.sum.kind}
	if v.sum.algorithm != "" {
		o.ChecksumAlgorithm = []types.ChecksumAlgorithm{v.sum.algorithm}
	}
	out.Versions = append(out.Versions, o)
}

// listUploads is ListMultipartUploads: by key, then by the time of creation.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html
func (m *Model) listUploads(_ Step, in *s3.ListMultipartUploadsInput) *Want {
	b, w := m.listable(*in.Bucket, in.MaxUploads, in.EncodingType)
	if w != nil {
		return w
	}
	q := query{val(in.Prefix), val(in.Delimiter), val(in.KeyMarker), limitOf(in.MaxUploads), val(in.UploadIdMarker) != ""}
	if q.limit == 0 {
		return nil // S3 documents a least value of 1
	}
	ups := slices.Clone(b.uploads)
	slices.SortStableFunc(ups, func(a, b *upload) int { return strings.Compare(a.key, b.key) })
	at := slices.IndexFunc(ups, func(u *upload) bool { return u.id == val(in.UploadIdMarker) && u.key == q.marker })
	if val(in.UploadIdMarker) != "" && at < 0 {
		return nil // S3 does not document where it continues
	}
	out := &s3.ListMultipartUploadsOutput{Bucket: in.Bucket, Prefix: in.Prefix, Delimiter: in.Delimiter, KeyMarker: in.KeyMarker,
		UploadIdMarker: in.UploadIdMarker, MaxUploads: aws.Int32(int32(q.limit)), EncodingType: in.EncodingType}
	w = listed(out, in.EncodingType).any("Uploads.Owner", "Uploads.Initiator")
	var rows []row
	for i, u := range ups {
		passed := q.marker != "" && (u.key < q.marker || u.key == q.marker && (at < 0 || i <= at))
		rows = append(rows, row{key: u.key, passed: passed, show: func() {
			out.Uploads = append(out.Uploads, types.MultipartUpload{Key: &u.key, UploadId: &u.id, StorageClass: types.StorageClass(u.info.shownClass()),
				Initiated: m.modified(u.serial), ChecksumAlgorithm: u.algorithm, ChecksumType: u.kind})
			if u.algorithm == "" {
				w.any("Uploads.ChecksumAlgorithm", "Uploads.ChecksumType")
			}
		}})
	}
	p, ok := q.cut(rows)
	if !ok {
		return nil
	}
	out.CommonPrefixes, out.IsTruncated = p.prefixes, &p.truncated
	if p.truncated {
		out.NextKeyMarker = &p.next
		if p.last >= 0 {
			out.NextUploadIdMarker = &ups[p.last].id
		}
	} else {
		w.any("NextKeyMarker", "NextUploadIdMarker")
	}
	return w
}
