package main

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/tests/clients/go/harness"
)

func (c *client) headers() error {
	meta := map[string]string{"color": "blue; =1,2", "with-dash": "a b", "title": "h\u00e9llo \u4e16"}
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: aws.String("headers"), Body: strings.NewReader("x"), Metadata: meta,
		ContentType: aws.String("text/own"), CacheControl: aws.String("max-age=60, public"), ContentEncoding: aws.String("gzip"),
		ContentDisposition: aws.String(`attachment; filename="a b"`), ContentLanguage: aws.String("de-CH")})
	if err != nil {
		return err
	}
	got, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("headers")})
	if err != nil {
		return err
	}
	// Stores answer what is not ASCII as it came or as an encoded word.
	if strings.HasPrefix(got.Metadata["title"], "=?") {
		delete(got.Metadata, "title")
		delete(meta, "title")
	}
	return errors.Join(harness.Same("metadata", got.Metadata, meta), harness.Same("headers",
		[]string{*got.ContentType, *got.CacheControl, *got.ContentEncoding, *got.ContentDisposition, *got.ContentLanguage},
		[]string{"text/own", "max-age=60, public", "gzip", `attachment; filename="a b"`, "de-CH"}))
}

func (c *client) checksum(algorithm types.ChecksumAlgorithm) error {
	data := harness.Body(100_000, 1)
	out, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: aws.String("sum"), Body: bytes.NewReader(data), ChecksumAlgorithm: algorithm})
	if err != nil {
		return err
	}
	head, err := c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: aws.String("sum"), ChecksumMode: types.ChecksumModeEnabled})
	if err != nil {
		return err
	}
	sent := map[types.ChecksumAlgorithm][2]*string{"CRC32": {out.ChecksumCRC32, head.ChecksumCRC32}, "CRC32C": {out.ChecksumCRC32C, head.ChecksumCRC32C},
		"CRC64NVME": {out.ChecksumCRC64NVME, head.ChecksumCRC64NVME}, "SHA1": {out.ChecksumSHA1, head.ChecksumSHA1}, "SHA256": {out.ChecksumSHA256, head.ChecksumSHA256}}[algorithm]
	if aws.ToString(sent[0]) == "" || aws.ToString(sent[0]) != aws.ToString(sent[1]) {
		return fmt.Errorf("PUT answered %q, HEAD %q", aws.ToString(sent[0]), aws.ToString(sent[1]))
	}
	return c.holds(c.bucket, "sum", "", data) // the SDK compares the bytes with the checksum
}

func (c *client) presigned() error {
	key := "pre signed/+%&=\u00e9'(1)*.txt"
	links := s3.NewPresignClient(c.Client)
	put, err := links.PresignPutObject(ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: &key, ContentType: aws.String("text/own"), Metadata: map[string]string{"a": "b"}})
	if err != nil {
		return err
	}
	if status, answer, err := harness.Fetch("PUT", put.URL, "by link", put.SignedHeader); err != nil || status != http.StatusOK {
		return fmt.Errorf("PUT: %d %s %w", status, answer, err)
	}
	get, err := links.PresignGetObject(ctx, &s3.GetObjectInput{Bucket: &c.bucket, Key: &key})
	if err != nil {
		return err
	}
	header := http.Header{"Range": {"bytes=3-"}}
	maps.Copy(header, get.SignedHeader)
	status, body, err := harness.Fetch("GET", get.URL, "", header)
	if err == nil {
		err = errors.Join(harness.Same("GET", status, http.StatusPartialContent), harness.Same("body", string(body), "link"))
	}
	head, signErr := links.PresignHeadObject(ctx, &s3.HeadObjectInput{Bucket: &c.bucket, Key: &key})
	if err := errors.Join(err, signErr); err != nil {
		return err
	}
	status, _, err = harness.Fetch("HEAD", head.URL, "", head.SignedHeader)
	return errors.Join(err, harness.Same("HEAD", status, http.StatusOK))
}

func (c *client) conditions() error {
	key := aws.String("cond")
	out, err := c.put(c.bucket, *key, []byte("0123456789"))
	if err != nil {
		return err
	}
	get := func(in s3.GetObjectInput) error {
		in.Bucket, in.Key = &c.bucket, key
		_, err := c.GetObject(ctx, &in)
		return err
	}
	put := func(in s3.PutObjectInput) error {
		in.Bucket, in.Key, in.Body = &c.bucket, key, strings.NewReader("new")
		_, err := c.PutObject(ctx, &in)
		return err
	}
	no := aws.String(`"no"`)
	return errors.Join(
		get(s3.GetObjectInput{Range: aws.String("bytes=3-5")}),
		refused(get(s3.GetObjectInput{Range: aws.String("bytes=10-")}), 416, "InvalidRange"),
		refused(get(s3.GetObjectInput{IfNoneMatch: out.ETag}), http.StatusNotModified),
		refused(get(s3.GetObjectInput{IfMatch: no}), http.StatusPreconditionFailed, "PreconditionFailed"),
		refused(put(s3.PutObjectInput{IfNoneMatch: aws.String("*")}), http.StatusPreconditionFailed, "PreconditionFailed"),
		refused(put(s3.PutObjectInput{IfMatch: no}), http.StatusPreconditionFailed, "PreconditionFailed"),
		put(s3.PutObjectInput{IfMatch: out.ETag}),
		c.holds(c.bucket, *key, "", []byte("new")))
}

func (c *client) tags() error {
	key := aws.String("tagged")
	_, err := c.PutObject(ctx, &s3.PutObjectInput{Bucket: &c.bucket, Key: key, Body: strings.NewReader("x"), Tagging: aws.String("a=x%20y%2B")})
	if err != nil {
		return err
	}
	is := func(want ...string) error {
		got, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &c.bucket, Key: key})
		if err != nil {
			return err
		}
		var tags []string
		for _, t := range got.TagSet {
			tags = append(tags, *t.Key+"="+*t.Value)
		}
		return harness.Same("tags", tags, want)
	}
	if err := is("a=x y+"); err != nil {
		return err
	}
	_, err = c.PutObjectTagging(ctx, &s3.PutObjectTaggingInput{Bucket: &c.bucket, Key: key,
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v/+-=._:@")}}}})
	return errors.Join(err, is("k=v/+-=._:@"))
}

func (c *client) batchDelete() error {
	bucket, err := c.fresh(false)
	if err != nil {
		return err
	}
	var keys, gone []string
	var objects []types.ObjectIdentifier
	for _, k := range harness.Keys() {
		if k.Refused[c.env.Store] != nil || strings.Contains(k.Name, "control") || strings.Contains(k.Name, "leading") {
			continue
		}
		if _, err := c.put(bucket, k.Key, nil); err != nil {
			return err
		}
		keys, objects = append(keys, k.Key), append(objects, types.ObjectIdentifier{Key: aws.String(k.Key)})
	}
	out, err := c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &bucket, Delete: &types.Delete{Objects: objects}})
	if err != nil {
		return err
	}
	for _, d := range out.Deleted {
		gone = append(gone, *d.Key)
	}
	slices.Sort(keys)
	slices.Sort(gone)
	left, err := c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket})
	return errors.Join(err, harness.Same("deleted", gone, keys), harness.Same("errors", len(out.Errors), 0), harness.Same("left", len(left.Contents), 0))
}

func (c *client) versions() error {
	bucket, err := c.fresh(true)
	if err != nil {
		return err
	}
	one, err1 := c.put(bucket, "k", []byte("one"))
	two, err2 := c.put(bucket, "k", []byte("two"))
	list, err3 := c.ListObjectVersions(ctx, &s3.ListObjectVersionsInput{Bucket: &bucket})
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	var ids []string
	for _, v := range list.Versions {
		ids = append(ids, *v.VersionId)
	}
	_, err = c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &bucket, Key: aws.String("k"), VersionId: two.VersionId})
	return errors.Join(err, harness.Same("versions", ids, []string{*two.VersionId, *one.VersionId}),
		c.holds(bucket, "k", *one.VersionId, []byte("one")), c.holds(bucket, "k", "", []byte("one")))
}

func (c *client) listings() error {
	bucket, err := c.fresh(false)
	if err != nil {
		return err
	}
	keys := []string{"a/1", "a/2", "b c/1", "top 1", "top&2"}
	for _, k := range keys {
		if _, err := c.put(bucket, k, []byte("x")); err != nil {
			return err
		}
	}
	var listed []string
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: &bucket, MaxKeys: aws.Int32(2)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		for _, o := range page.Contents {
			listed = append(listed, *o.Key)
		}
	}
	one, err := c.ListObjects(ctx, &s3.ListObjectsInput{Bucket: &bucket, Delimiter: aws.String("/")})
	if err != nil {
		return err
	}
	var prefixes []string
	for _, p := range one.CommonPrefixes {
		prefixes = append(prefixes, *p.Prefix)
	}
	return errors.Join(harness.Same("pages", listed, keys), harness.Same("prefixes", prefixes, []string{"a/", "b c/"}),
		harness.Same("name", aws.ToString(one.Name), bucket), harness.Same("at the top", len(one.Contents), 2))
}
