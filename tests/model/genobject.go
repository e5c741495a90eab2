package model

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"mime"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func (g *generator) put() any {
	in := &s3.PutObjectInput{Bucket: g.here(), Key: g.key()}
	g.body = g.bytes()
	d := g.details()
	in.ContentType, in.CacheControl, in.ContentDisposition, in.ContentEncoding, in.ContentLanguage, in.Expires = d.contentType, d.cacheControl, d.disposition, d.encoding, d.language, d.expires
	in.Metadata, in.Tagging, in.StorageClass, in.WebsiteRedirectLocation = d.meta, d.tagging, d.class, d.redirect
	if g.one(2) {
		in.ChecksumAlgorithm = pick(g, algorithms)
	}
	if g.one(12) {
		in.ChecksumAlgorithm = ""
		g.givenSum(in, g.body)
	} else if g.one(10) {
		in.ContentMD5 = g.md5(g.body)
	}
	in.IfMatch, in.IfNoneMatch = g.writeConditions(*in.Key)
	in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus = g.lock()
	if in.ObjectLockMode != "" || in.ObjectLockLegalHoldStatus != "" {
		// S3 demands a digest beside these headers.
		in.ContentMD5 = nil
		if _, ok := givenSum(in); !ok && in.ChecksumAlgorithm == "" {
			in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
		}
	}
	return in
}

// givenSum sets a checksum, mostly the right one.
func (g *generator) givenSum(in any, data []byte) {
	a := pick(g, algorithms)
	if g.one(3) {
		data = append([]byte("x"), data...)
	}
	setSum(in, fullSum(a, data))
}

func (g *generator) md5(data []byte) *string {
	if g.one(6) {
		return aws.String("bm90IGEgZGlnZXN0")
	}
	if g.one(4) {
		data = append([]byte("x"), data...)
	}
	digest := md5.Sum(data)
	return aws.String(base64.StdEncoding.EncodeToString(digest[:]))
}

// writeConditions returns If-Match and If-None-Match, mostly neither.
func (g *generator) writeConditions(key string) (match, noneMatch *string) {
	switch {
	case g.one(10):
		match = g.etagOf(g.at().current(key))
	case g.one(10):
		noneMatch = aws.String("*")
	case g.one(60):
		noneMatch = g.etagOf(g.at().current(key))
	}
	return match, noneMatch
}

// details are the headers that an object keeps.
type details struct {
	contentType, cacheControl, disposition, encoding, language, tagging, redirect *string

	class types.StorageClass

	expires *time.Time
	meta    map[string]string
}

func (g *generator) details() details {
	var d details
	some := func(values ...string) *string {
		if !g.one(6) {
			return nil
		}
		return aws.String(pick(g, values))
	}
	d.contentType = some("text/plain", "text/html; charset=utf-8", "image/png")
	d.cacheControl = some("no-cache", "public, max-age=60")
	d.disposition = some(`attachment; filename="a b.txt"`, "inline")
	d.encoding = some("gzip", "br")
	d.language = some("de", "en, fr")
	if g.one(20) {
		d.redirect = aws.String(pick(g, []string{"/other", "https://example.com/x"}))
	}
	if g.one(15) {
		d.class = pick(g, []types.StorageClass{types.StorageClassStandard, types.StorageClassStandardIa, types.StorageClassOnezoneIa, types.StorageClassGlacierIr})
	}
	if g.one(8) {
		d.expires = aws.Time(time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC))
	}
	if g.one(3) {
		d.meta = g.meta()
	}
	if g.one(6) {
		d.tagging = g.tagHeader()
	}
	return d
}

var metaValues = []string{"1", "two words", "a,b;c=d", mime.BEncoding.Encode("utf-8", "Grüße 😀"), mime.QEncoding.Encode("utf-8", "naïve"), "%41", "100%", `q"t`, "Ä raw"}

func (g *generator) meta() map[string]string {
	m := map[string]string{}
	for range 1 + g.IntN(3) {
		m[pick(g, []string{"one", "two", "x-y", "a.b", "n_1"})] = pick(g, metaValues)
	}
	if g.one(25) {
		m["long"] = strings.Repeat("v", 1900)
	}
	if g.one(40) {
		m["long"] = strings.Repeat("v", 2100)
	}
	return m
}

var tagValues = []string{"", "1", "two words", "a/b", "ä", "x=y", "+-._:@"}

func (g *generator) tagHeader() *string {
	v := url.Values{}
	for range 1 + g.IntN(3) {
		v.Set(pick(g, []string{"t", "u v", "w", "x", "ü", "k/l"}), pick(g, tagValues))
	}
	if g.one(20) {
		for i := range maxTags + 1 {
			v.Set(fmt.Sprint("n", i), "1")
		}
	}
	s := v.Encode()
	if g.one(25) {
		s = "t=1&t=2"
	}
	return &s
}

// lock returns the protection of a new object, mostly none.
func (g *generator) lock() (mode types.ObjectLockMode, until *time.Time, hold types.ObjectLockLegalHoldStatus) {
	n := 60
	if g.at().lock != nil {
		n = 4
	}
	if g.one(n) {
		mode, until = pick(g, types.ObjectLockMode("").Values()), g.date()
	}
	if g.one(n) {
		hold = pick(g, types.ObjectLockLegalHoldStatus("").Values())
	}
	if g.at().lock == nil && hold != "" {
		hold = types.ObjectLockLegalHoldStatusOn
	}
	return mode, until, hold
}

// date returns the end of a retention: after two to five days, at times in the
// past.
func (g *generator) date() *time.Time {
	if g.one(15) {
		return offset(g.model.elapsed - 24)
	}
	return offset(g.model.elapsed + 24*(2+g.IntN(4)))
}

// wait lets time pass. No retention ends at the same moment: seven hours are no
// part of its days.
func (g *generator) wait() any {
	if g.target.Wait == nil {
		return nil
	}
	return &Wait{Hours: pick(g, []int{7, 28, 70})}
}

func (g *generator) get() any {
	in := &s3.GetObjectInput{Bucket: g.here()}
	in.Key, in.VersionId = g.place()
	v := g.of(*in.Key, in.VersionId)
	c := g.readConditions(v)
	in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince = c.match, c.noneMatch, c.modified, c.unmodified
	in.Range, in.PartNumber = g.piece(v)
	if g.one(2) {
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	if in.Range != nil && g.one(5) {
		g.header = map[string]string{"If-Range": `"` + strings.Trim(*g.etagOf(v), `"`) + `"`}
	}
	if g.one(8) {
		in.ResponseContentType, in.ResponseCacheControl = aws.String("x/y"), aws.String("no-store")
		in.ResponseContentDisposition, in.ResponseContentLanguage, in.ResponseContentEncoding = aws.String("inline"), aws.String("it"), aws.String("identity")
	}
	return in
}

func (g *generator) head() any {
	in := &s3.HeadObjectInput{Bucket: g.here()}
	in.Key, in.VersionId = g.place()
	v := g.of(*in.Key, in.VersionId)
	c := g.readConditions(v)
	in.IfMatch, in.IfNoneMatch, in.IfModifiedSince, in.IfUnmodifiedSince = c.match, c.noneMatch, c.modified, c.unmodified
	in.Range, in.PartNumber = g.piece(v)
	if g.one(2) {
		in.ChecksumMode = types.ChecksumModeEnabled
	}
	return in
}

// of returns the version that a request is about, nil if there is none.
func (g *generator) of(key string, id *string) *version {
	_, v, w := g.model.find(g.here(), &key, id)
	if w != nil {
		return nil
	}
	return v
}

func (g *generator) readConditions(v *version) (c conditions) {
	if !g.one(3) {
		return c
	}
	if g.one(3) {
		c.match = g.etagOf(v)
	}
	if g.one(3) {
		c.noneMatch = g.etagOf(v)
	}
	if g.one(3) {
		c.modified = g.moment(v, false)
	}
	if g.one(3) {
		c.unmodified = g.moment(v, true)
	}
	return c
}

// piece returns a range or the number of a part, mostly neither.
func (g *generator) piece(v *version) (*string, *int32) {
	size, parts := 0, 1
	if v != nil {
		size, parts = len(v.data), max(1, len(v.parts))
	}
	switch {
	case g.one(5):
		a, b := g.IntN(size+3), g.IntN(size+3)
		forms := []string{fmt.Sprintf("bytes=%d-%d", min(a, b), max(a, b)), fmt.Sprintf("bytes=%d-", a), fmt.Sprintf("bytes=-%d", b),
			fmt.Sprintf("bytes=%d-%d", max(a, b)+1, min(a, b)), "bytes=a-b", "bytes=0-0", "bytes=-0"}
		if size == 0 {
			forms = []string{"bytes=0-0", "bytes=0-"}
		}
		r := pick(g, forms)
		if g.one(25) {
			return &r, aws.Int32(1)
		}
		return &r, nil
	case g.one(12):
		return nil, aws.Int32(int32(1 + g.IntN(parts+1)))
	}
	return nil, nil
}

func (g *generator) delete() any {
	in := &s3.DeleteObjectInput{Bucket: g.here()}
	in.Key, in.VersionId = g.place()
	if in.VersionId == nil && g.one(6) {
		in.IfMatch = g.etagOf(g.at().current(*in.Key))
		if g.one(5) {
			in.IfMatch = aws.String("*")
		}
	}
	in.BypassGovernanceRetention = orNil(g.at().lock != nil && g.one(2))
	return in
}

func (g *generator) deleteMany() any {
	in := &s3.DeleteObjectsInput{Bucket: g.here(), Delete: &types.Delete{Quiet: orNil(g.one(3))}}
	in.BypassGovernanceRetention = orNil(g.at().lock != nil && g.one(2))
	in.ChecksumAlgorithm = types.ChecksumAlgorithmCrc32
	for range 1 + g.IntN(4) {
		var o types.ObjectIdentifier
		o.Key, o.VersionId = g.place()
		if o.VersionId != nil && *o.VersionId == "not-a-version" || len(*o.Key) > maxKey {
			continue
		}
		if o.VersionId == nil && g.one(5) {
			o.ETag = g.etagOf(g.at().current(*o.Key))
		}
		in.Delete.Objects = append(in.Delete.Objects, o)
	}
	if len(in.Delete.Objects) == 0 {
		return nil
	}
	return in
}

// source returns the source of a copy, mostly in the same bucket.
func (g *generator) source() (*string, *version) {
	from, b := g.bucket, g.bucket
	if other := pick(g, bucketNames); g.model.buckets[other] != nil && g.one(3) || g.one(40) {
		from = other
	}
	g.bucket = from
	key, id := g.place()
	v := g.of(*key, id)
	g.bucket = b
	if len(*key) > maxKey {
		return nil, nil
	}
	return copySource(from, *key, id), v
}

func (g *generator) copy() any {
	source, v := g.source()
	if source == nil {
		return nil
	}
	in := &s3.CopyObjectInput{Bucket: g.here(), Key: g.key(), CopySource: source}
	if g.one(4) { // onto itself
		s := parseSource(*source)
		in.Bucket, in.Key = &s.bucket, &s.key
	}
	c := g.readConditions(v)
	in.CopySourceIfMatch, in.CopySourceIfNoneMatch, in.CopySourceIfModifiedSince, in.CopySourceIfUnmodifiedSince = c.match, c.noneMatch, c.modified, c.unmodified
	if g.one(2) {
		in.MetadataDirective = pick(g, types.MetadataDirective("").Values())
	}
	if in.MetadataDirective == types.MetadataDirectiveReplace || g.one(6) {
		d := g.details()
		in.ContentType, in.CacheControl, in.ContentDisposition, in.ContentEncoding, in.ContentLanguage, in.Expires = d.contentType, d.cacheControl, d.disposition, d.encoding, d.language, d.expires
		in.Metadata, in.StorageClass, in.WebsiteRedirectLocation = d.meta, d.class, d.redirect
	}
	if g.one(3) {
		in.TaggingDirective = pick(g, types.TaggingDirective("").Values())
		if in.TaggingDirective == types.TaggingDirectiveReplace {
			in.Tagging = g.tagHeader()
		}
	}
	if g.one(5) {
		in.ChecksumAlgorithm = pick(g, algorithms)
	}
	in.IfMatch, in.IfNoneMatch = g.writeConditions(*in.Key)
	in.ObjectLockMode, in.ObjectLockRetainUntilDate, in.ObjectLockLegalHoldStatus = g.lock()
	return in
}

func (g *generator) attributes() any {
	in := &s3.GetObjectAttributesInput{Bucket: g.here()}
	in.Key, in.VersionId = g.place()
	for _, a := range types.ObjectAttributes("").Values() {
		if g.one(2) {
			in.ObjectAttributes = append(in.ObjectAttributes, a)
		}
	}
	if len(in.ObjectAttributes) == 0 {
		return nil
	}
	if g.one(4) {
		in.MaxParts = aws.Int32(int32(1 + g.IntN(2)))
	}
	if g.one(6) {
		in.PartNumberMarker = aws.String("1")
	}
	return in
}
