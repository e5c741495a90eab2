package model

import (
	"fmt"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func (g *generator) create() any {
	if len(g.at().uploads) > 3 && !g.one(10) {
		return nil
	}
	in := &s3.CreateMultipartUploadInput{Bucket: g.here(), Key: g.key()}
	d := g.details()
	in.ContentType, in.CacheControl, in.ContentDisposition, in.ContentEncoding, in.ContentLanguage, in.Expires = d.contentType, d.cacheControl, d.disposition, d.encoding, d.language, d.expires
	in.Metadata, in.Tagging, in.StorageClass, in.WebsiteRedirectLocation = d.meta, d.tagging, d.class, d.redirect
	if g.one(2) {
		in.ChecksumAlgorithm = pick(g, algorithms)
		if g.one(2) {
			in.ChecksumType = pick(g, types.ChecksumType("").Values())
		}
	}
	in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus = g.lock()
	return in
}

// upload returns an upload of the bucket, or one that is not open.
func (g *generator) upload() (key, id *string, u *upload) {
	b := g.at()
	if len(b.uploads) == 0 {
		for _, id := range sortedKeys(b.ended) {
			if g.one(2) {
				return &b.ended[id].key, &id, nil
			}
		}
		return nil, nil, nil
	}
	u = pick(g, b.uploads)
	if g.big && !g.one(6) {
		u = b.uploads[0]
	}
	key, id = &u.key, &u.id
	switch {
	case g.one(40):
		key = g.key()
	case g.one(40):
		id = aws.String("bm8gdXBsb2FkIG9mIHRoYXQgbmFtZQ")
	}
	return key, id, u
}

// number returns the number of a part, mostly a small one.
func (g *generator) number() *int32 {
	n := int32(1 + g.IntN(4))
	switch {
	case g.one(40):
		n = maxParts
	case g.one(60):
		n = maxParts + 1
	}
	return &n
}

func (g *generator) part() any {
	key, id, u := g.upload()
	if key == nil {
		return nil
	}
	in := &s3.UploadPartInput{Bucket: g.here(), Key: key, UploadId: id, PartNumber: g.number()}
	if u != nil && u.algorithm != "" && !g.one(4) {
		in.PartNumber = aws.Int32(int32(len(u.parts) + 1))
	}
	g.body = g.bytes()
	if g.big && u != nil && *id == u.id && *key == u.key && len(u.parts) < 3 && !g.one(4) {
		at, size := g.IntN(1000), int(g.target.MinPart)+g.IntN(3)
		g.body = bytesOf[at : at+size : at+size]
	}
	if u != nil && u.algorithm != "" {
		in.ChecksumAlgorithm = u.algorithm
		if g.one(20) {
			in.ChecksumAlgorithm = pick(g, algorithms)
		}
		if g.one(12) {
			in.ChecksumAlgorithm = ""
			data := g.body
			if g.one(2) {
				data = append([]byte("x"), data...)
			}
			setSum(in, fullSum(u.algorithm, data))
		}
	} else if g.one(8) {
		in.ContentMD5 = g.md5(g.body)
	}
	return in
}

func (g *generator) copyPart() any {
	key, id, _ := g.upload()
	source, v := g.source()
	if key == nil || source == nil {
		return nil
	}
	in := &s3.UploadPartCopyInput{Bucket: g.here(), Key: key, UploadId: id, PartNumber: g.number(), CopySource: source}
	c := g.readConditions(v)
	in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince = c.match, c.noneMatch, c.modified, c.unmodified
	if v != nil && g.one(2) {
		a, b := g.IntN(len(v.data)+1), g.IntN(len(v.data)+1)
		in.CopySourceRange = aws.String(fmt.Sprintf("bytes=%d-%d", min(a, b), max(a, b)))
		if g.one(15) {
			in.CopySourceRange = aws.String(pick(g, []string{"bytes=0-", "bytes=-1", "0-1", "bytes=2-1", "bytes=a-b"}))
		}
	}
	return in
}

func (g *generator) listParts() any {
	key, id, _ := g.upload()
	if key == nil {
		return nil
	}
	in := &s3.ListPartsInput{Bucket: g.here(), Key: key, UploadId: id}
	if g.one(2) {
		in.MaxParts = aws.Int32(int32(1 + g.IntN(3)))
	}
	if g.one(2) {
		in.PartNumberMarker = aws.String(fmt.Sprint(g.IntN(4)))
	}
	return in
}

func (g *generator) abort() any {
	key, id, _ := g.upload()
	if key == nil {
		return nil
	}
	return &s3.AbortMultipartUploadInput{Bucket: g.here(), Key: key, UploadId: id}
}

func (g *generator) complete() any {
	b := g.at()
	if len(b.ended) > 0 && g.one(4) {
		return g.completeAgain(b)
	}
	key, id, u := g.upload()
	if u == nil || len(u.parts) == 0 && !g.one(10) || g.big && len(u.parts) < 2 && !g.one(4) {
		return nil
	}
	in := &s3.CompleteMultipartUploadInput{Bucket: g.here(), Key: key, UploadId: id, MultipartUpload: &types.CompletedMultipartUpload{}}
	in.MultipartUpload.Parts = g.partList(u)
	in.IfMatch, in.IfNoneMatch = g.writeConditions(*key)
	var p problems
	data := joined(g.model.chosen(&p, u, in.MultipartUpload.Parts))
	if g.one(6) {
		in.MpuObjectSize = aws.Int64(int64(len(data) + g.IntN(2)))
	}
	if u.kind == types.ChecksumTypeFullObject && g.one(3) && len(p) == 0 {
		if g.one(4) {
			data = append(data[:len(data):len(data)], 'x')
		}
		setSum(in, fullSum(u.algorithm, data))
		in.ChecksumType = u.kind
	}
	return in
}

// partList returns the list of parts for a completion: mostly all that fit.
func (g *generator) partList(u *upload) []types.CompletedPart {
	all := u.sortedParts()
	if !g.one(8) {
		all = g.fitting(u, all)
	}
	if len(all) > 1 && g.one(3) {
		all = all[:len(all)-1]
	}
	var list []types.CompletedPart
	for _, p := range all {
		c := types.CompletedPart{PartNumber: &p.number, ETag: &p.etag}
		if u.algorithm != "" {
			setSum(&c, p.sum)
			if g.one(40) {
				setSum(&c, fullSum(u.algorithm, append([]byte("x"), p.data...)))
			}
		}
		if g.one(40) {
			c.ETag = aws.String(`"d41d8cd98f00b204e9800998ecf8427f"`)
		}
		list = append(list, c)
	}
	switch {
	case len(list) > 1 && g.one(10):
		list[0], list[1] = list[1], list[0]
	case len(list) > 0 && u.algorithm == "" && g.one(20):
		list = append(list, types.CompletedPart{PartNumber: aws.Int32(9999), ETag: list[0].ETag})
	}
	return list
}

// fitting returns parts that can be completed: only the last one may be too small,
// and those with checksums have consecutive numbers.
func (g *generator) fitting(u *upload, all []*part) []*part {
	small := func(p *part) bool { return int64(len(p.data)) < g.model.minPart }
	for i, p := range all {
		if u.algorithm != "" && int(p.number) != i+1 {
			return all[:i]
		}
		if u.algorithm != "" && small(p) {
			return all[:i+1]
		}
	}
	for len(all) > 1 && slices.ContainsFunc(all[:len(all)-1], small) {
		all = all[1:]
	}
	return all
}

// completeAgain sends a completion a second time, or with another list.
func (g *generator) completeAgain(b *bucket) any {
	ids := sortedKeys(b.ended)
	id := pick(g, ids)
	c := b.ended[id]
	list := c.request
	if g.one(4) {
		list.Parts = append(list.Parts[:len(list.Parts):len(list.Parts)], types.CompletedPart{PartNumber: aws.Int32(9999), ETag: list.Parts[0].ETag})
	}
	return &s3.CompleteMultipartUploadInput{Bucket: g.here(), Key: &c.key, UploadId: &id, MultipartUpload: &list}
}

// page returns what listings have in common.
func (g *generator) page() (prefix, delimiter *string, limit *int32, e types.EncodingType) {
	prefix, delimiter = aws.String(pick(g, prefixes)), aws.String(pick(g, delimiters))
	if g.one(6) {
		prefix = g.key()
	}
	prefix, delimiter = nonEmpty(*prefix), nonEmpty(*delimiter)
	if !g.one(3) {
		limit = aws.Int32(int32(1 + g.IntN(4)))
	}
	switch {
	case g.one(30):
		limit = aws.Int32(pick(g, []int32{0, -1, 1001, 5000}))
	case g.one(60):
		e = "xyz"
		return prefix, delimiter, limit, e
	}
	if !g.one(3) || !g.at().readable("") || prefix != nil && !inXML(*prefix) {
		e = types.EncodingTypeUrl
	}
	return prefix, delimiter, limit, e
}

func nonEmpty(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// after returns a marker, mostly none. It must be in XML if it is not encoded.
func (g *generator) after(e types.EncodingType) *string {
	if g.one(2) {
		return nil
	}
	marker := g.key()
	if g.one(4) {
		marker = aws.String(pick(g, prefixes))
	}
	if len(*marker) > maxKey || *marker == "" || e == "" && !inXML(*marker) {
		return nil
	}
	return marker
}

func (g *generator) list() any {
	in := &s3.ListObjectsInput{Bucket: g.here()}
	in.Prefix, in.Delimiter, in.MaxKeys, in.EncodingType = g.page()
	in.Marker = g.after(in.EncodingType)
	return in
}

func (g *generator) list2() any {
	in := &s3.ListObjectsV2Input{Bucket: g.here(), FetchOwner: orNil(g.one(4))}
	in.Prefix, in.Delimiter, in.MaxKeys, in.EncodingType = g.page()
	in.StartAfter = g.after(in.EncodingType)
	tokens := sortedKeys(g.model.tokens)
	if len(tokens) > 0 && g.one(2) {
		name := pick(g, tokens)
		t := g.model.tokens[name]
		in.Bucket, in.ContinuationToken, in.Prefix, in.Delimiter = &t.bucket, &name, nonEmpty(t.prefix), nonEmpty(t.delimiter)
		if !inXML(t.prefix) {
			in.EncodingType = types.EncodingTypeUrl
		}
	}
	return in
}

func (g *generator) listVersions() any {
	in := &s3.ListObjectVersionsInput{Bucket: g.here()}
	in.Prefix, in.Delimiter, in.MaxKeys, in.EncodingType = g.page()
	in.KeyMarker = g.after(in.EncodingType)
	b := g.at()
	if in.KeyMarker != nil && len(b.keys[*in.KeyMarker]) > 0 && g.one(2) {
		in.VersionIdMarker = &pick(g, b.keys[*in.KeyMarker]).id
	}
	if g.one(40) && len(b.keys) > 0 {
		in.KeyMarker, in.VersionIdMarker = nil, aws.String(pick(g, b.keys[b.sorted()[0]]).id)
	}
	return in
}

func (g *generator) listUploads() any {
	in := &s3.ListMultipartUploadsInput{Bucket: g.here()}
	in.Prefix, in.Delimiter, in.MaxUploads, in.EncodingType = g.page()
	in.KeyMarker = g.after(in.EncodingType)
	if b := g.at(); len(b.uploads) > 0 && g.one(2) {
		u := pick(g, b.uploads)
		in.KeyMarker, in.UploadIdMarker = &u.key, &u.id
		if g.one(3) {
			in.UploadIdMarker = nil
		}
	}
	return in
}

func (g *generator) lockRule() any {
	c := &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled}
	if !g.one(3) {
		c.Rule = &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: pick(g, types.ObjectLockRetentionMode("").Values()), Days: aws.Int32(1)}}
	}
	if g.at().lock == nil && !g.one(4) {
		return nil
	}
	return &s3.PutObjectLockConfigurationInput{Bucket: g.here(), ObjectLockConfiguration: c}
}

func (g *generator) retention() any {
	if g.at().lock == nil && !g.one(10) {
		return nil
	}
	key, id := g.place()
	if g.one(4) {
		return &s3.GetObjectRetentionInput{Bucket: g.here(), Key: key, VersionId: id}
	}
	return &s3.PutObjectRetentionInput{Bucket: g.here(), Key: key, VersionId: id, BypassGovernanceRetention: orNil(g.one(2)),
		Retention: &types.ObjectLockRetention{Mode: pick(g, types.ObjectLockRetentionMode("").Values()), RetainUntilDate: g.date()}}
}

func (g *generator) hold() any {
	if g.at().lock == nil && !g.one(10) {
		return nil
	}
	key, id := g.place()
	if g.one(4) {
		return &s3.GetObjectLegalHoldInput{Bucket: g.here(), Key: key, VersionId: id}
	}
	return &s3.PutObjectLegalHoldInput{Bucket: g.here(), Key: key, VersionId: id,
		LegalHold: &types.ObjectLockLegalHold{Status: pick(g, types.ObjectLockLegalHoldStatus("").Values())}}
}

func (g *generator) tags() any {
	key, id := g.place()
	switch g.IntN(4) {
	case 0:
		return &s3.GetObjectTaggingInput{Bucket: g.here(), Key: key, VersionId: id}
	case 1:
		return &s3.DeleteObjectTaggingInput{Bucket: g.here(), Key: key, VersionId: id}
	}
	t := &types.Tagging{TagSet: []types.Tag{}}
	n := g.IntN(4)
	if g.one(12) {
		n = maxTags + g.IntN(2)
	}
	for i := range n {
		t.TagSet = append(t.TagSet, types.Tag{Key: aws.String(fmt.Sprint(pick(g, []string{"ü ", "t"}), i)), Value: aws.String(pick(g, tagValues))})
	}
	if n > 1 && g.one(12) {
		t.TagSet[1].Key = t.TagSet[0].Key
	}
	return &s3.PutObjectTaggingInput{Bucket: g.here(), Key: key, VersionId: id, Tagging: t}
}
