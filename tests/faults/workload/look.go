package workload

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// found is one version as the store shows it.
type found struct {
	id     string
	marker bool
	latest bool
	size   int64
	sum    string // of the bytes of its GET
	note   string
	tag    string
	err    error // of its GET
}

// look is everything that a store shows of one bucket.
type look struct {
	keys    map[string][]found
	current map[string]int64  // ListObjectsV2: size by key
	uploads map[string]string // id → key
	parts   map[string]map[int]Part
}

// lookAt reads a whole bucket.
func lookAt(ctx context.Context, c *s3.Client, bucket string) (*look, error) {
	l := &look{keys: map[string][]found{}, current: map[string]int64{}, uploads: map[string]string{}, parts: map[string]map[int]Part{}}
	for _, read := range []func(context.Context, *s3.Client, string) error{l.versions, l.objects, l.multipart} {
		if err := read(ctx, c, bucket); err != nil {
			return nil, err
		}
	}
	for key, list := range l.keys {
		for i := range list {
			if !list[i].marker {
				list[i].read(ctx, c, bucket, key)
			}
		}
	}
	return l, nil
}

func (l *look) versions(ctx context.Context, c *s3.Client, bucket string) error {
	in := &s3.ListObjectVersionsInput{Bucket: &bucket}
	for {
		out, err := c.ListObjectVersions(ctx, in)
		if err != nil {
			return fmt.Errorf("list versions of %s: %w", bucket, err)
		}
		l.merge(out)
		if !aws.ToBool(out.IsTruncated) {
			return nil
		}
		in.KeyMarker, in.VersionIdMarker = out.NextKeyMarker, out.NextVersionIdMarker
	}
}

// merge adds one page. The SDK splits versions and markers, so the order within
// a key is lost, but for the latest.
func (l *look) merge(out *s3.ListObjectVersionsOutput) {
	for _, v := range out.Versions {
		k := aws.ToString(v.Key)
		l.keys[k] = append(l.keys[k], found{id: aws.ToString(v.VersionId), latest: aws.ToBool(v.IsLatest), size: aws.ToInt64(v.Size)})
	}
	for _, v := range out.DeleteMarkers {
		k := aws.ToString(v.Key)
		l.keys[k] = append(l.keys[k], found{id: aws.ToString(v.VersionId), latest: aws.ToBool(v.IsLatest), marker: true})
	}
}

func (l *look) objects(ctx context.Context, c *s3.Client, bucket string) error {
	pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: &bucket})
	for pages.HasMorePages() {
		out, err := pages.NextPage(ctx)
		if err != nil {
			return fmt.Errorf("list %s: %w", bucket, err)
		}
		for _, o := range out.Contents {
			l.current[aws.ToString(o.Key)] = aws.ToInt64(o.Size)
		}
	}
	return nil
}

func (l *look) multipart(ctx context.Context, c *s3.Client, bucket string) error {
	out, err := c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil {
		return fmt.Errorf("list uploads of %s: %w", bucket, err)
	}
	for _, u := range out.Uploads {
		id, key := aws.ToString(u.UploadId), aws.ToString(u.Key)
		l.uploads[id] = key
		if l.parts[id], err = parts(ctx, c, bucket, key, id); err != nil {
			return err
		}
	}
	return nil
}

func parts(ctx context.Context, c *s3.Client, bucket, key, id string) (map[int]Part, error) {
	out, err := c.ListParts(ctx, &s3.ListPartsInput{Bucket: &bucket, Key: &key, UploadId: &id})
	if err != nil {
		return nil, fmt.Errorf("list parts of %s: %w", id, err)
	}
	list := map[int]Part{}
	for _, p := range out.Parts {
		n := int(aws.ToInt32(p.PartNumber))
		list[n] = Part{Number: n, ETag: aws.ToString(p.ETag)}
	}
	return list, nil
}

func (f *found) read(ctx context.Context, c *s3.Client, bucket, key string) {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key}
	if !f.latest {
		in.VersionId = &f.id
	}
	o, err := get(ctx, c, in)
	f.sum, f.note, f.err = sum(o.body), o.note, err
	if o.tags == 0 || err != nil {
		return
	}
	tags, err := c.GetObjectTagging(ctx, &s3.GetObjectTaggingInput{Bucket: &bucket, Key: &key, VersionId: in.VersionId})
	if f.err = err; err == nil && len(tags.TagSet) == 1 {
		f.tag = aws.ToString(tags.TagSet[0].Value)
	}
}

// object is the answer to a GET.
type object struct {
	body []byte
	note string
	tags int32
}

func get(ctx context.Context, c *s3.Client, in *s3.GetObjectInput) (o object, err error) {
	out, err := c.GetObject(ctx, in)
	if err != nil {
		return o, err
	}
	defer out.Body.Close()
	o.note, o.tags = out.Metadata[noteHeader], aws.ToInt32(out.TagCount)
	o.body, err = io.ReadAll(out.Body)
	return o, err
}

// Buckets returns the names that the store lists.
func Buckets(ctx context.Context, c *s3.Client) ([]string, error) {
	out, err := c.ListBuckets(ctx, &s3.ListBucketsInput{})
	if err != nil {
		return nil, fmt.Errorf("list buckets: %w", err)
	}
	var names []string
	for _, b := range out.Buckets {
		names = append(names, aws.ToString(b.Name))
	}
	return names, nil
}

// Prepare makes the buckets of a new state, or those that are missing.
func Prepare(ctx context.Context, c *s3.Client, s *State) error {
	for _, name := range slices.Sorted(maps.Keys(s.Buckets)) {
		_, err := c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &name})
		if err != nil && codeOf(err) != "BucketAlreadyOwnedByYou" {
			return fmt.Errorf("create bucket %s: %w", name, err)
		}
		status := map[Mode]types.BucketVersioningStatus{
			Versioned: types.BucketVersioningStatusEnabled, Suspended: types.BucketVersioningStatusSuspended,
		}[s.Buckets[name]]
		if status == "" {
			continue
		}
		if _, err := c.PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
			Bucket: &name, VersioningConfiguration: &types.VersioningConfiguration{Status: status},
		}); err != nil {
			return fmt.Errorf("set versioning of %s: %w", name, err)
		}
	}
	return nil
}
