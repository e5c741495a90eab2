package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/codeguardians/s3gateway/tests/clients/go/harness"
)

// form writes a browser's form with the file at its end.
func form(fields map[string]string, file string) (body, contentType string) {
	var out bytes.Buffer
	w := multipart.NewWriter(&out)
	for name, value := range fields {
		harness.Must(w.WriteField(name, value))
	}
	part, err := w.CreateFormFile("file", "a.txt")
	harness.Must(err)
	_, err = io.WriteString(part, file)
	harness.Must(err)
	harness.Must(w.Close())
	return out.String(), w.FormDataContentType()
}

func (c *client) compose() error {
	var sources []minio.CopySrcOptions
	var whole []byte
	for n := range 3 {
		data, key := harness.Body(5*harness.MiB+n, uint64(n+10)), fmt.Sprintf("compose src+%d", n)
		if err := c.put(c.bucket, key, data, minio.PutObjectOptions{}); err != nil {
			return err
		}
		whole = append(whole, data...)
		sources = append(sources, minio.CopySrcOptions{Bucket: c.bucket, Object: key})
	}
	_, err := c.ComposeObject(ctx, minio.CopyDestOptions{Bucket: c.bucket, Object: "composed", UserMetadata: map[string]string{"a": "b"}, ReplaceMetadata: true}, sources...)
	return errors.Join(err, c.holds(c.bucket, "composed", whole, minio.GetObjectOptions{}))
}

func (c *client) batchDelete() error {
	objects := make(chan minio.ObjectInfo, 100)
	for _, k := range harness.Keys() {
		if k.Refused[c.env.Store] != nil || strings.Contains(k.Name, "control") || strings.Contains(k.Name, "leading") || len(k.Key) > 1000 {
			continue
		}
		key := "del/" + k.Key
		if err := c.put(c.bucket, key, nil, minio.PutObjectOptions{}); err != nil {
			return err
		}
		objects <- minio.ObjectInfo{Key: key}
	}
	close(objects)
	for failed := range c.RemoveObjects(ctx, c.bucket, objects, minio.RemoveObjectsOptions{}) {
		return failed.Err
	}
	left, err := c.keys(c.bucket, minio.ListObjectsOptions{Prefix: "del/", Recursive: true})
	return errors.Join(err, harness.Same("left", len(left), 0))
}

func (c *client) versions() error {
	bucket := harness.Bucket("minio-go")
	if err := errors.Join(c.MakeBucket(ctx, bucket, minio.MakeBucketOptions{}), c.EnableVersioning(ctx, bucket),
		c.put(bucket, "k", []byte("one"), minio.PutObjectOptions{}), c.put(bucket, "k", []byte("two"), minio.PutObjectOptions{})); err != nil {
		return err
	}
	var ids []string
	for v := range c.ListObjects(ctx, bucket, minio.ListObjectsOptions{WithVersions: true}) {
		ids = append(ids, v.VersionID)
	}
	if len(ids) != 2 {
		return fmt.Errorf("versions %v", ids)
	}
	return errors.Join(c.holds(bucket, "k", []byte("one"), minio.GetObjectOptions{VersionID: ids[1]}),
		c.RemoveObject(ctx, bucket, "k", minio.RemoveObjectOptions{VersionID: ids[0]}), c.holds(bucket, "k", []byte("one"), minio.GetObjectOptions{}))
}

func (c *client) presigned() error {
	key := "pre signed/+%&=\u00e9'(1)*.txt"
	up, err := c.PresignedPutObject(ctx, c.bucket, key, time.Hour)
	if err != nil {
		return err
	}
	if status, answer, err := harness.Fetch("PUT", up.String(), "by link", nil); err != nil || status != http.StatusOK {
		return fmt.Errorf("PUT: %d %s %w", status, answer, err)
	}
	down, err := c.PresignedGetObject(ctx, c.bucket, key, time.Hour, url.Values{"response-content-type": {"text/own; a=b"}})
	if err != nil {
		return err
	}
	status, body, err := harness.Fetch("GET", down.String(), "", http.Header{"Range": {"bytes=3-"}})
	return errors.Join(err, harness.Same("GET", status, http.StatusPartialContent), harness.Same("body", string(body), "link"))
}

func (c *client) conditions() error {
	up, err := c.PutObject(ctx, c.bucket, "cond", strings.NewReader("0123456789"), 10, minio.PutObjectOptions{})
	if err != nil {
		return err
	}
	part, not, must, once, swap := minio.GetObjectOptions{}, minio.GetObjectOptions{}, minio.GetObjectOptions{}, minio.PutObjectOptions{}, minio.PutObjectOptions{}
	err = errors.Join(part.SetRange(3, 5), not.SetMatchETagExcept(up.ETag), must.SetMatchETag("no"))
	once.SetMatchETagExcept("*")
	swap.SetMatchETag(up.ETag)
	return errors.Join(err, c.holds(c.bucket, "cond", []byte("345"), part),
		refused(c.holds(c.bucket, "cond", nil, not), http.StatusNotModified),
		refused(c.holds(c.bucket, "cond", nil, must), http.StatusPreconditionFailed, "PreconditionFailed"),
		refused(c.put(c.bucket, "cond", []byte("x"), once), http.StatusPreconditionFailed, "PreconditionFailed"),
		c.put(c.bucket, "cond", []byte("swapped"), swap), c.holds(c.bucket, "cond", []byte("swapped"), minio.GetObjectOptions{}))
}

func (c *client) listings() error {
	want := []string{"list/a/1", "list/a/2", "list/b c/1", "list/top 1", "list/top&2"}
	for _, k := range want {
		if err := c.put(c.bucket, k, []byte("x"), minio.PutObjectOptions{}); err != nil {
			return err
		}
	}
	for _, v1 := range []bool{false, true} {
		all, err1 := c.keys(c.bucket, minio.ListObjectsOptions{Prefix: "list/", Recursive: true, MaxKeys: 2, UseV1: v1})
		top, err2 := c.keys(c.bucket, minio.ListObjectsOptions{Prefix: "list/", UseV1: v1})
		slices.Sort(top)
		if err := errors.Join(err1, err2, harness.Same("all", all, want),
			harness.Same("top", top, []string{"list/a/", "list/b c/", "list/top 1", "list/top&2"})); err != nil {
			return fmt.Errorf("version 1 %v: %w", v1, err)
		}
	}
	return nil
}

func (c *client) seek() error {
	whole := harness.Body(3*harness.MiB, 9)
	if err := c.put(c.bucket, "seek", whole, minio.PutObjectOptions{}); err != nil {
		return err
	}
	o, err := c.GetObject(ctx, c.bucket, "seek", minio.GetObjectOptions{})
	if err != nil {
		return err
	}
	defer o.Close()
	for _, at := range []int64{2 * harness.MiB, 17, int64(len(whole)) - 10} {
		got := make([]byte, 10)
		if _, err := o.ReadAt(got, at); err != nil && err != io.EOF {
			return err
		}
		if err := harness.Same("bytes", got, whole[at:at+10]); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) incomplete() error {
	core := minio.Core{Client: c.Client}
	id, err := core.NewMultipartUpload(ctx, c.bucket, "unfinished", minio.PutObjectOptions{})
	if err != nil {
		return err
	}
	if _, err := core.PutObjectPart(ctx, c.bucket, "unfinished", id, 1, strings.NewReader("part"), 4, minio.PutObjectPartOptions{}); err != nil {
		return err
	}
	listed := 0
	for up := range c.ListIncompleteUploads(ctx, c.bucket, "unfinished", true) {
		if up.Err != nil {
			return up.Err
		}
		listed++
	}
	err = c.RemoveIncompleteUpload(ctx, c.bucket, "unfinished")
	_, gone := core.ListObjectParts(ctx, c.bucket, "unfinished", id, 0, 10)
	return errors.Join(err, harness.Same("unfinished uploads", listed, 1), refused(gone, http.StatusNotFound, "NoSuchUpload"))
}
