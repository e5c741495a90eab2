package model

import (
	"net/http"
	"reflect"
	"slices"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// rules are the operations that the model has, by the input of the SDK.
var rules = map[reflect.Type]func(*Model, Step) *Want{
	of[s3.AbortMultipartUploadInput]():       rule((*Model).abort),
	of[s3.CompleteMultipartUploadInput]():    rule((*Model).complete),
	of[s3.CopyObjectInput]():                 rule((*Model).copy),
	of[s3.CreateBucketInput]():               rule((*Model).createBucket),
	of[s3.CreateMultipartUploadInput]():      rule((*Model).create),
	of[s3.DeleteBucketInput]():               rule((*Model).deleteBucket),
	of[s3.DeleteObjectInput]():               rule((*Model).delete),
	of[s3.DeleteObjectTaggingInput]():        rule((*Model).deleteTags),
	of[s3.DeleteObjectsInput]():              rule((*Model).deleteMany),
	of[s3.GetBucketVersioningInput]():        rule((*Model).getVersioning),
	of[s3.GetObjectAttributesInput]():        rule((*Model).attributes),
	of[s3.GetObjectInput]():                  rule((*Model).get),
	of[s3.GetObjectLegalHoldInput]():         rule((*Model).getHold),
	of[s3.GetObjectLockConfigurationInput](): rule((*Model).getLock),
	of[s3.GetObjectRetentionInput]():         rule((*Model).getRetention),
	of[s3.GetObjectTaggingInput]():           rule((*Model).getTags),
	of[s3.HeadBucketInput]():                 rule((*Model).headBucket),
	of[s3.HeadObjectInput]():                 rule((*Model).head),
	of[s3.ListBucketsInput]():                rule((*Model).listBuckets),
	of[s3.ListMultipartUploadsInput]():       rule((*Model).listUploads),
	of[s3.ListObjectVersionsInput]():         rule((*Model).listVersions),
	of[s3.ListObjectsInput]():                rule((*Model).list),
	of[s3.ListObjectsV2Input]():              rule((*Model).list2),
	of[s3.ListPartsInput]():                  rule((*Model).listParts),
	of[s3.PutBucketVersioningInput]():        rule((*Model).putVersioning),
	of[s3.PutObjectInput]():                  rule((*Model).put),
	of[s3.PutObjectLegalHoldInput]():         rule((*Model).putHold),
	of[s3.PutObjectLockConfigurationInput](): rule((*Model).putLock),
	of[s3.PutObjectRetentionInput]():         rule((*Model).putRetention),
	of[s3.PutObjectTaggingInput]():           rule((*Model).putTags),
	of[s3.UploadPartCopyInput]():             rule((*Model).copyPart),
	of[s3.UploadPartInput]():                 rule((*Model).uploadPart),
	of[Wait]():                               rule((*Model).wait),
}

func of[I any]() reflect.Type { return reflect.TypeFor[*I]() }

func rule[I any](f func(*Model, Step, *I) *Want) func(*Model, Step) *Want {
	return func(m *Model, s Step) *Want { return f(m, s, s.Input.(*I)) }
}

// wait lets time pass. It does not while there are uploads: S3 does not document
// what happens to a retention that ends before its object is made.
func (m *Model) wait(_ Step, in *Wait) *Want {
	for _, b := range m.buckets {
		if len(b.uploads) > 0 {
			return nil
		}
	}
	m.elapsed += in.Hours
	return done(http.StatusOK, in)
}

// bucketNames are the buckets that programs use.
var bucketNames = []string{"‹a›", "‹b›"}

// allBuckets is the prefix that the names of a run's buckets have.
const allBuckets = "‹p›"

func isBucket(name string) bool {
	return name == allBuckets || slices.Contains(bucketNames, name)
}

// createBucket is CreateBucket. In us-east-1 it succeeds for a bucket that the
// caller owns, elsewhere it fails; it changes nothing in both cases.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html
func (m *Model) createBucket(_ Step, in *s3.CreateBucketInput) *Want {
	w := done(http.StatusOK, &s3.CreateBucketOutput{}).any("Location", "BucketArn")
	if m.buckets[*in.Bucket] != nil {
		w.Or = []string{"BucketAlreadyOwnedByYou"}
		return w
	}
	b := &bucket{keys: map[string][]*version{}, ended: map[string]*completed{}}
	if val(in.ObjectLockEnabledForBucket) {
		b.versioning, b.lock = types.BucketVersioningStatusEnabled, &lockRule{}
	}
	m.buckets[*in.Bucket] = b
	return w
}

// deleteBucket is DeleteBucket. Versions and delete markers keep a bucket,
// unfinished uploads do not.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html
func (m *Model) deleteBucket(_ Step, in *s3.DeleteBucketInput) *Want {
	b := m.buckets[*in.Bucket]
	switch {
	case b == nil:
		return fail("NoSuchBucket")
	case len(b.keys) > 0:
		return fail("BucketNotEmpty")
	}
	delete(m.buckets, *in.Bucket)
	return done(http.StatusNoContent, &s3.DeleteBucketOutput{})
}

// headBucket is HeadBucket.
func (m *Model) headBucket(_ Step, in *s3.HeadBucketInput) *Want {
	if m.buckets[*in.Bucket] == nil {
		w := fail("NoSuchBucket")
		w.Opaque = true
		return w
	}
	return done(http.StatusOK, &s3.HeadBucketOutput{}).any("BucketRegion", "AccessPointAlias", "BucketArn", "BucketLocationName", "BucketLocationType")
}

// listBuckets is ListBuckets.
func (m *Model) listBuckets(_ Step, in *s3.ListBucketsInput) *Want {
	out := &s3.ListBucketsOutput{Prefix: in.Prefix}
	for _, name := range bucketNames {
		if m.buckets[name] != nil {
			out.Buckets = append(out.Buckets, types.Bucket{Name: &name})
		}
	}
	return done(http.StatusOK, out).any("Owner", "Buckets.CreationDate", "Buckets.BucketRegion", "Buckets.BucketArn")
}

// putVersioning is PutBucketVersioning.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/manage-versioning-examples.html
func (m *Model) putVersioning(_ Step, in *s3.PutBucketVersioningInput) *Want {
	b, to := m.buckets[*in.Bucket], in.VersioningConfiguration.Status
	switch {
	case b == nil:
		return fail("NoSuchBucket")
	case to != types.BucketVersioningStatusEnabled && to != types.BucketVersioningStatusSuspended:
		return fail("MalformedXML")
	case b.lock != nil && to != types.BucketVersioningStatusEnabled:
		return fail("InvalidBucketState")
	}
	b.versioning = to
	return done(http.StatusOK, &s3.PutBucketVersioningOutput{})
}

// getVersioning is GetBucketVersioning.
func (m *Model) getVersioning(_ Step, in *s3.GetBucketVersioningInput) *Want {
	b := m.buckets[*in.Bucket]
	if b == nil {
		return fail("NoSuchBucket")
	}
	return done(http.StatusOK, &s3.GetBucketVersioningOutput{Status: b.versioning})
}
