package model

import (
	"reflect"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// minioDepartures are the ways in which MinIO differs from S3.
var minioDepartures = []Departure{
	{
		Name:   "ListBuckets ignores the prefix",
		Reason: "MinIO does not know the parameter",
		Skip:   func(_ *Model, s Step) bool { return is(s, "ListBuckets") },
	},
	{
		Name:   "settings of a bucket that does not exist can be written",
		Reason: "MinIO keeps them as files and does not look for the bucket",
		Skip: func(m *Model, s Step) bool {
			return is(s, "PutBucketVersioning", "PutObjectLockConfiguration") && m.buckets[text(s, "Bucket")] == nil
		},
	},
	{
		Name:   "tags are US-ASCII",
		Reason: "MinIO allows a part of the characters of S3",
		Skip:   func(_ *Model, s Step) bool { return !asciiTags(s) },
	},
	{
		Name:   "no checksum unless one is sent",
		Reason: "S3 has added CRC64NVME by itself since December 2024",
		Same: func(s Step, d Difference) bool {
			return d.Got == "nothing" && (strings.HasSuffix(d.Path, "ChecksumCRC64NVME") || strings.Contains(d.Path, "ChecksumType"))
		},
	},
	{
		Name:   "a marker that does not begin with the prefix is refused",
		Reason: "MinIO answers NotImplemented",
		Skip: func(_ *Model, s Step) bool {
			for _, name := range []string{"Marker", "KeyMarker", "StartAfter"} {
				if marker := text(s, name); marker != "" && !strings.HasPrefix(marker, text(s, "Prefix")) {
					return true
				}
			}
			return false
		},
	},
	{
		Name:   "no delete marker where nothing is",
		Reason: "MinIO answers with a delete marker that it does not keep",
		Skip:   func(m *Model, s Step) bool { return deletesNothing(m, s) },
	},
	{
		Name:   "no conditions on deletions",
		Reason: "S3 has had them since September 2025",
		Skip: func(_ *Model, s Step) bool {
			switch in := s.Input.(type) {
			case *s3.DeleteObjectInput:
				return in.IfMatch != nil
			case *s3.DeleteObjectsInput:
				return slices.ContainsFunc(in.Delete.Objects, func(o types.ObjectIdentifier) bool { return o.ETag != nil })
			}
			return false
		},
	},
	{
		Name:   "MaxUploads is up to 10,000",
		Reason: "MinIO's limit",
		Same:   func(_ Step, d Difference) bool { return d.Path == "MaxUploads" },
	},
	{
		Name:   "a checksum type that does not fit is InvalidArgument",
		Reason: "MinIO's code",
		Same: func(s Step, d Difference) bool {
			return is(s, "CreateMultipartUpload") && d.Path == "code" && d.Got == "400 InvalidArgument" && strings.Contains(d.Want, "InvalidRequest")
		},
	},
	code("an invalid state is 400", "409 InvalidBucketState", "400 InvalidBucketState"),
	code("a wrong checksum is XAmzContentChecksumMismatch", "BadDigest", "400 XAmzContentChecksumMismatch"),
	code("a version id marker without a key marker is NotImplemented", "InvalidArgument", "501 NotImplemented"),
	{
		Name:   "no checksum algorithms in listings",
		Reason: "MinIO lists them only with an extension of its own",
		Same: func(s Step, d Difference) bool {
			return strings.HasSuffix(d.Path, "s.ChecksumAlgorithm") && d.Got == "nothing"
		},
	},
	{
		Name:   "prefixes with two slashes are refused",
		Reason: "MinIO's keys are paths",
		Skip: func(_ *Model, s Step) bool {
			return strings.Contains(text(s, "Prefix"), "//") || strings.HasPrefix(text(s, "Prefix"), "/")
		},
	},
	{
		Name:   "object lock only from the creation of a bucket",
		Reason: "S3 has allowed it later since November 2023; without it MinIO looks at nothing else",
		Skip: func(m *Model, s Step) bool {
			b := m.buckets[text(s, "Bucket")]
			return (strings.Contains(s.Operation(), "Lock") || strings.Contains(s.Operation(), "Retention") || strings.Contains(s.Operation(), "LegalHold")) && (b == nil || b.lock == nil)
		},
	},
	{
		Name:   "delete markers with the id null are neither removed nor replaced",
		Reason: "a defect of MinIO",
		Skip: func(m *Model, s Step) bool {
			b := m.buckets[text(s, "Bucket")]
			return b != nil && b.versioning == types.BucketVersioningStatusSuspended && is(s, "DeleteObject", "DeleteObjects")
		},
	},
	{
		Name:   "copies have no checksum in the answer, and none of another algorithm",
		Reason: "MinIO copies what is stored",
		Skip:   func(_ *Model, s Step) bool { return is(s, "CopyObject") && text(s, "ChecksumAlgorithm") != "" },
		Same: func(_ Step, d Difference) bool {
			return strings.HasPrefix(d.Path, "CopyObjectResult.Checksum") && d.Got == "nothing"
		},
	},
	{
		Name:   "attributes have one part for an object without parts",
		Reason: "MinIO's answer",
		Same:   func(_ Step, d Difference) bool { return d.Path == "ObjectParts" && d.Want == "nothing" },
	},
	{
		Name:   "the versioning at the creation of an upload decides on the version id",
		Reason: "MinIO chooses the id at the creation",
		Skip: func(m *Model, s Step) bool {
			b := m.buckets[text(s, "Bucket")]
			return is(s, "PutBucketVersioning") && b != nil && len(b.uploads) > 0
		},
	},
}

// code is a departure by another error code for the same refusal.
func code(name, want, got string) Departure {
	return Departure{Name: name, Reason: "MinIO's code", Same: func(_ Step, d Difference) bool {
		return d.Path == "code" && strings.Contains(d.Want, want) && d.Got == got
	}}
}

// is reports whether a step is one of the operations.
func is(s Step, operations ...string) bool { return slices.Contains(operations, s.Operation()) }

// text returns a field of a request, empty if it has none.
func text(s Step, field string) string {
	f := reflect.ValueOf(s.Input).Elem().FieldByName(field)
	if !f.IsValid() || f.Kind() == reflect.Pointer && f.IsNil() {
		return ""
	}
	return reflect.Indirect(f).String()
}

func asciiTags(s Step) bool {
	ascii := func(s string) bool { return !strings.ContainsFunc(s, func(r rune) bool { return r > 0x7e }) }
	if in, ok := s.Input.(*s3.PutObjectTaggingInput); ok {
		return !slices.ContainsFunc(in.Tagging.TagSet, func(t types.Tag) bool { return !ascii(*t.Key + *t.Value) })
	}
	return !strings.Contains(text(s, "Tagging"), "%C3")
}

func deletesNothing(m *Model, s Step) bool {
	b := m.buckets[text(s, "Bucket")]
	if b == nil || b.versioning == "" {
		return false
	}
	switch in := s.Input.(type) {
	case *s3.DeleteObjectInput:
		return in.VersionId == nil && b.current(*in.Key) == nil
	case *s3.DeleteObjectsInput:
		seen := map[string]bool{}
		for _, o := range in.Delete.Objects {
			if seen[*o.Key] || o.VersionId == nil && b.current(*o.Key) == nil {
				return true
			}
			seen[*o.Key] = true
		}
	}
	return false
}
