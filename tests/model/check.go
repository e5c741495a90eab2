package model

import (
	"context"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// check compares everything that the store holds with the model. id is that of
// the first step.
func (r *run) check(ctx context.Context, id int) *Failure {
	send := func(in any) *Failure {
		r.totals.Checks.Add(1)
		f := r.step(ctx, Step{ID: id, Input: in})
		id++
		if f != nil {
			f.Final = true
		}
		return f
	}
	for _, name := range bucketNames {
		b := r.model.buckets[name]
		if b == nil {
			continue
		}
		for _, in := range slices.Concat(r.model.listings(b, name), b.contents(name), b.pending(name)) {
			if f := send(in); f != nil {
				return f
			}
		}
	}
	return send(&s3.ListBucketsInput{Prefix: aws.String(allBuckets)})
}

// listings returns the requests that list a bucket, page by page.
func (m *Model) listings(b *bucket, name string) []any {
	var all []any
	in := &s3.ListObjectVersionsInput{Bucket: &name, MaxKeys: aws.Int32(5), EncodingType: types.EncodingTypeUrl}
	n := 0
	for _, key := range b.sorted() {
		for _, v := range b.keys[key] {
			if n == 0 {
				all = append(all, in)
			}
			if n++; n == 5 {
				in = &s3.ListObjectVersionsInput{Bucket: &name, MaxKeys: aws.Int32(5), EncodingType: types.EncodingTypeUrl, KeyMarker: &key, VersionIdMarker: &v.id}
				n = 0
			}
		}
	}
	return append(all,
		&s3.ListObjectVersionsInput{Bucket: &name, EncodingType: types.EncodingTypeUrl},
		&s3.ListObjectsV2Input{Bucket: &name, EncodingType: types.EncodingTypeUrl},
		&s3.ListMultipartUploadsInput{Bucket: &name, EncodingType: types.EncodingTypeUrl})
}

// contents returns the requests that read every version.
func (b *bucket) contents(name string) []any {
	var all []any
	for _, key := range b.sorted() {
		for _, v := range b.keys[key] {
			get := &s3.GetObjectInput{Bucket: &name, Key: &key, ChecksumMode: types.ChecksumModeEnabled}
			if b.versioning != "" {
				get.VersionId = &v.id
			}
			all = append(all, get)
			if len(v.tags) > 0 {
				all = append(all, &s3.GetObjectTaggingInput{Bucket: &name, Key: &key, VersionId: get.VersionId})
			}
		}
		all = append(all, &s3.HeadObjectInput{Bucket: &name, Key: &key})
	}
	return all
}

// pending returns the requests that list the parts of every upload.
func (b *bucket) pending(name string) []any {
	var all []any
	for _, u := range b.uploads {
		all = append(all, &s3.ListPartsInput{Bucket: &name, Key: &u.key, UploadId: &u.id})
	}
	return all
}
