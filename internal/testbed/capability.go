package testbed

import "slices"

// Capability is something S3 has and one of the stores lacks. A test that needs
// one asserts S3's behaviour where the store has it, and names what is different
// where not.
type Capability string

// The capabilities.
const (
	// EmptySegments: "a//b" is another key than "a/b".
	EmptySegments Capability = "empty-segments"
	// DotSegments: "a/./b" and "a/../b" are keys.
	DotSegments Capability = "dot-segments"
	// LongSegments: one segment may have 1,024 bytes.
	LongSegments Capability = "long-segments"
	// FolderAndObject: "a" and "a/b" exist side by side, and both are listed
	// (MinIO takes both and lists one).
	FolderAndObject Capability = "folder-and-object"
	// BucketPolicy: a bucket can have a policy.
	BucketPolicy Capability = "bucket-policy"
	// BucketCORS: a bucket can have CORS rules.
	BucketCORS Capability = "bucket-cors"
)

// lacks names what each store does not have. TestCapabilities asks each store.
var lacks = map[string][]Capability{
	"embedded": {BucketPolicy},
	"minio":    {EmptySegments, DotSegments, LongSegments, FolderAndObject, BucketCORS},
}

// Has reports whether the store has c.
func (s *Store) Has(c Capability) bool { return !slices.Contains(lacks[s.Name], c) }
