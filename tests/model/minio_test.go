package model

import (
	"reflect"
	"slices"
	"strconv"
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
		Name:   "a bucket that does not exist is noticed late, or never for its settings",
		Reason: "MinIO checks the request first, and keeps settings as files of their own",
		Skip: func(m *Model, s Step) bool {
			return m.buckets[text(s, "Bucket")] == nil && !is(s, "CreateBucket", "DeleteBucket", "HeadBucket")
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
			return d.Got == "nothing" && (strings.HasSuffix(d.Path, "ChecksumCRC64NVME") || strings.Contains(d.Path, "ChecksumType") ||
				d.Path == "Checksum" && strings.Contains(d.Want, "ChecksumCRC64NVME"))
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
	{
		Name:   "If-None-Match with an ETag is a condition of a write",
		Reason: "S3 answers NotImplemented",
		Skip: func(_ *Model, s Step) bool {
			v := text(s, "IfNoneMatch")
			return is(s, "PutObject", "CopyObject", "CompleteMultipartUpload") && v != "" && v != "*"
		},
	},
	code("a missing retention or legal hold is 400", "NoSuchObjectLockConfiguration", "400 NoSuchObjectLockConfiguration"),
	code("a copy of a delete marker is MethodNotAllowed", "InvalidRequest", "405 MethodNotAllowed"),
	code("a protected version is InvalidRequest", "AccessDenied", "400 InvalidRequest"),
	code("tags of a delete marker are NoSuchKey", "MethodNotAllowed", "404 NoSuchKey"),
	{
		Name:   "uploads are listed for exact keys, by time",
		Reason: "MinIO keeps no order of uploads",
		Skip:   func(_ *Model, s Step) bool { return is(s, "ListMultipartUploads") },
	},
	{
		Name:   "the version id null is not returned",
		Reason: "MinIO takes it for none",
		Same: func(_ Step, d Difference) bool {
			return (d.Path == "VersionId" || d.Path == "NextVersionIdMarker") && d.Want == `"null"` && d.Got == "nothing"
		},
	},
	{
		Name:   "copies do not return the version id of the source",
		Reason: "MinIO returns it if it was in the request",
		Same:   func(_ Step, d Difference) bool { return d.Path == "CopySourceVersionId" && d.Got == "nothing" },
	},
	{
		Name:   "attributes do not identify a delete marker, nor the version if versioning is suspended",
		Reason: "MinIO's answer",
		Same: func(s Step, d Difference) bool {
			return is(s, "GetObjectAttributes") && (strings.HasPrefix(d.Path, "header") || d.Path == "VersionId" && d.Got == "nothing")
		},
	},
	{
		Name:   "the size of pages is returned as it was asked for, that of parts up to 10,000",
		Reason: "MinIO's limits",
		Same:   func(_ Step, d Difference) bool { return strings.HasSuffix(d.Path, "MaxParts") || d.Path == "MaxKeys" },
	},
	{
		Name:   "attributes leave out the size 0",
		Reason: "MinIO omits an empty element",
		Same:   func(_ Step, d Difference) bool { return d.Path == "ObjectSize" && d.Want == "0" },
	},
	{
		Name:   "keys that are too long are looked for, and written by copies",
		Reason: "MinIO checks them in PutObject only",
		Skip: func(_ *Model, s Step) bool {
			return len(text(s, "Key")) > maxKey && !is(s, "PutObject")
		},
	},
	code("a retention in the past is InvalidRequest", "InvalidArgument", "400 InvalidRequest"),
	code("a retention in the past is MalformedXML", "InvalidArgument", "400 MalformedXML"),
	{
		Name:   "the ranges bytes=-0 and bytes=2-1 are refused before anything else",
		Reason: "MinIO parses them first, and does not ignore the second",
		Skip: func(_ *Model, s Step) bool {
			first, last, _ := strings.Cut(strings.TrimPrefix(text(s, "Range"), "bytes="), "-")
			from, err := strconv.Atoi(first)
			to, err2 := strconv.Atoi(last)
			return text(s, "Range") == "bytes=-0" || err == nil && err2 == nil && from > to
		},
	},
	code("a source with a malformed version id is NoSuchVersion", "InvalidArgument", "404 NoSuchVersion"),
	{
		Name:   "rows are listed although none were asked for",
		Reason: "MinIO ignores max-keys=0 beside a marker",
		Skip: func(_ *Model, s Step) bool {
			return is(s, "ListObjects", "ListObjectsV2", "ListObjectVersions") && text(s, "MaxKeys") == "0"
		},
	},
	{
		Name:   "a legal hold suppresses the default retention",
		Reason: "MinIO applies it only to requests without headers of object lock",
		Skip: func(m *Model, s Step) bool {
			b := m.buckets[text(s, "Bucket")]
			return text(s, "ObjectLockLegalHoldStatus") != "" && text(s, "ObjectLockMode") == "" && b != nil && b.lock != nil && b.lock.mode != ""
		},
	},
	{
		Name:   "a batch does not say what was a delete marker",
		Reason: "MinIO's answer",
		Same: func(_ Step, d Difference) bool {
			return strings.HasPrefix(d.Path, "Deleted.DeleteMarker") && d.Got == "nothing"
		},
	},
	{
		Name:   "the size of a completion is not checked",
		Reason: "MinIO does not know the header",
		Skip:   func(_ *Model, s Step) bool { return text(s, "MpuObjectSize") != "" },
	},
	{
		Name:   "an abortion of what is not there succeeds",
		Reason: "S3 answers NoSuchUpload",
		Skip: func(m *Model, s Step) bool {
			return is(s, "AbortMultipartUpload") && m.buckets[text(s, "Bucket")].upload(text(s, "Key"), text(s, "UploadId")) == nil
		},
	},
	{
		Name:   "a copy onto itself with suspended versioning keeps the version id",
		Reason: "MinIO changes the metadata of the version that is there",
		Skip: func(m *Model, s Step) bool {
			in, ok := s.Input.(*s3.CopyObjectInput)
			if !ok || m.buckets[*in.Bucket].versioning != types.BucketVersioningStatusSuspended {
				return false
			}
			from := parseSource(*in.CopySource)
			return from.bucket == *in.Bucket && from.key == *in.Key
		},
	},
	{
		Name:   "uploads outlive their bucket",
		Reason: "MinIO keeps them elsewhere",
		Skip: func(m *Model, s Step) bool {
			b := m.buckets[text(s, "Bucket")]
			return is(s, "DeleteBucket") && b != nil && len(b.uploads)+len(b.ended) > 0
		},
	},
	{
		Name:   "parts are listed only after one that is there",
		Reason: "MinIO looks for the marker",
		Skip: func(m *Model, s Step) bool {
			marker := text(s, "PartNumberMarker")
			if !is(s, "ListParts") || marker == "" || marker == "0" {
				return false
			}
			u := m.buckets[text(s, "Bucket")].upload(text(s, "Key"), text(s, "UploadId"))
			return u == nil || !slices.ContainsFunc(u.sortedParts(), func(p *part) bool { return strconv.Itoa(int(p.number)) == marker })
		},
	},
	{
		Name:   "a key is answered once in a batch",
		Reason: "MinIO deletes the keys of a batch side by side",
		Skip: func(_ *Model, s Step) bool {
			in, ok := s.Input.(*s3.DeleteObjectsInput)
			seen := map[string]bool{}
			return ok && slices.ContainsFunc(in.Delete.Objects, func(o types.ObjectIdentifier) bool {
				twice := seen[*o.Key]
				seen[*o.Key] = true
				return twice
			})
		},
	},
	{
		Name:   "no conditions on the destination of a copy",
		Reason: "S3 has had them since October 2025",
		Skip: func(_ *Model, s Step) bool {
			return is(s, "CopyObject") && text(s, "IfMatch")+text(s, "IfNoneMatch") != ""
		},
	},
	{
		Name:   "CRC64NVME is accepted as composite",
		Reason: "MinIO ignores the type",
		Skip: func(_ *Model, s Step) bool {
			return is(s, "CreateMultipartUpload") && text(s, "ChecksumAlgorithm") == "CRC64NVME" && text(s, "ChecksumType") == "COMPOSITE"
		},
	},
	{
		Name:   "parts of uploads with checksums cannot be copied",
		Reason: "MinIO demands a checksum that the request cannot have",
		Skip: func(m *Model, s Step) bool {
			b := m.buckets[text(s, "Bucket")]
			if !is(s, "UploadPartCopy") || b == nil {
				return false
			}
			u := b.upload(text(s, "Key"), text(s, "UploadId"))
			return u != nil && u.algorithm != ""
		},
	},
	{
		Name:   "numbers of parts with checksums may have gaps",
		Reason: "MinIO does not demand consecutive numbers",
		Skip: func(_ *Model, s Step) bool {
			in, ok := s.Input.(*s3.CompleteMultipartUploadInput)
			return ok && !consecutive(in.MultipartUpload.Parts)
		},
	},
	{
		Name:   "times are conditions beside those of ETags",
		Reason: "S3 ignores them then",
		Skip: func(_ *Model, s Step) bool {
			both := func(a, b string) bool { return set(s, a) && set(s, b) }
			return both("CopySourceIfMatch", "CopySourceIfUnmodifiedSince") || both("IfMatch", "IfUnmodifiedSince") ||
				both("CopySourceIfNoneMatch", "CopySourceIfModifiedSince") || both("IfNoneMatch", "IfModifiedSince")
		},
	},
	{
		Name:   "a range that cannot be satisfied is refused before the conditions are checked",
		Reason: "RFC 9110 demands the opposite",
		Same: func(s Step, d Difference) bool {
			return d.Path == "code" && set(s, "Range") && strings.HasPrefix(d.Got, "416") && (strings.HasPrefix(d.Want, "412") || strings.HasPrefix(d.Want, "304"))
		},
	},
	{
		Name:   "a page of parts that is empty is truncated",
		Reason: "MinIO compares the marker with the last part",
		Same:   func(_ Step, d Difference) bool { return d.Path == "ObjectParts.IsTruncated" },
	},
	{
		Name:   "the CRC 0 is not returned",
		Reason: "MinIO takes it for none",
		Same: func(_ Step, d Difference) bool {
			return strings.Contains(d.Path, "Checksum") && (strings.HasPrefix(d.Want, `"AAAA`) && d.Got == "nothing" || strings.HasPrefix(d.Got, `"AAAA`) && d.Want == "nothing")
		},
	},
	{
		Name:   "a refused upload may end the connection",
		Reason: "MinIO does not read the rest of the body, and the client may not see the answer",
		Same: func(s Step, d Difference) bool {
			return len(s.Body) >= 1<<20 && d.Path == "code" && strings.HasPrefix(d.Want, "4") && (strings.Contains(d.Got, "broken pipe") || strings.Contains(d.Got, "connection reset"))
		},
	},
	{
		Name:   "metadata that was sent without encoding is returned so",
		Reason: "S3 returns encoded words of RFC 2047",
		Same:   func(_ Step, d Difference) bool { return d.Path == "Metadata" && strings.Contains(d.Got, "raw") },
	},
	{
		Name:   "no storage classes and no redirects",
		Reason: "MinIO has two classes of its own, and serves no websites",
		Skip:   func(_ *Model, s Step) bool { return text(s, "StorageClass")+text(s, "WebsiteRedirectLocation") != "" },
	},
	{
		Name:   "If-Range is ignored",
		Reason: "MinIO does not know the header",
		Skip:   func(_ *Model, s Step) bool { return s.Header["If-Range"] != "" },
	},
	{
		Name:   "a completion is not answered twice",
		Reason: "MinIO answers NoSuchUpload",
		Skip: func(m *Model, s Step) bool {
			b := m.buckets[text(s, "Bucket")]
			return is(s, "CompleteMultipartUpload") && b != nil && b.ended[text(s, "UploadId")] != nil
		},
	},
	code("a checksum of another algorithm is InvalidArgument", "InvalidRequest", "400 InvalidArgument"),
	{
		Name:   "common prefixes hold deleted objects",
		Reason: "MinIO does not look into folders for a delimiter",
		Skip: func(m *Model, s Step) bool {
			b := m.buckets[text(s, "Bucket")]
			return b != nil && text(s, "Delimiter") != "" && slices.ContainsFunc(b.sorted(), func(key string) bool { return b.current(key) == nil })
		},
	},
	{
		Name:   "a protected version in a batch is InvalidRequest",
		Reason: "MinIO's code",
		Same:   func(_ Step, d Difference) bool { return d.Path == "Errors.Code" && d.Got == `"InvalidRequest"` },
	},
	{
		Name:   "copies lose Expires",
		Reason: "MinIO reads it from the request only",
		Same:   func(_ Step, d Difference) bool { return d.Path == "ExpiresString" && d.Got == "nothing" },
	},
	{
		Name:   "markers contain a reference to a cache",
		Reason: "MinIO continues a listing where it stopped",
		Same: func(_ Step, d Difference) bool {
			return strings.HasPrefix(d.Path, "Next") && strings.Contains(d.Got, "minio_cache")
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

// set reports whether a request has the field.
func set(s Step, field string) bool {
	f := reflect.ValueOf(s.Input).Elem().FieldByName(field)
	return f.IsValid() && !f.IsZero()
}

// text returns a field of a request, empty if it has none.
func text(s Step, field string) string {
	f := reflect.ValueOf(s.Input).Elem().FieldByName(field)
	if !f.IsValid() || f.Kind() == reflect.Pointer && f.IsNil() {
		return ""
	}
	if f = reflect.Indirect(f); f.CanInt() {
		return strconv.FormatInt(f.Int(), 10)
	}
	return f.String()
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
