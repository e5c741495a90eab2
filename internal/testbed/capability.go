package testbed

// Capability is something S3 has and a store may lack. A test that needs one
// asserts success where the store has it and the documented refusal where not.
type Capability string

// The capabilities.
const (
	// AnyKey: every key of S3 can be held. It is the sum of the next ones.
	AnyKey Capability = "any-key"
	// EmptySegments: "a//b" is a key of its own.
	EmptySegments Capability = "empty-segments"
	// DotSegments: "a/./b" and "a/../b" are keys of their own.
	DotSegments Capability = "dot-segments"
	// LongSegments: one segment may have 1,024 bytes.
	LongSegments Capability = "long-segments"
	// FolderAndObject: "a" and "a/b" live side by side, and both are listed
	// (MinIO takes both and lists one).
	FolderAndObject Capability = "folder-and-object"
	// FolderWithBody: "a/" may have a body.
	FolderWithBody Capability = "folder-with-body"
	// Versioning: a bucket can keep versions.
	Versioning Capability = "versioning"
	// ObjectLock: retention and legal hold.
	ObjectLock Capability = "object-lock"
	// Tagging: of objects, also in the header of a PUT.
	Tagging Capability = "tagging"
	// ConditionalWrites: If-Match and If-None-Match on PUT.
	ConditionalWrites Capability = "conditional-writes"
	// TrailingChecksums: STREAMING-UNSIGNED-PAYLOAD-TRAILER is understood.
	TrailingChecksums Capability = "trailing-checksums"
	// FullObjectCRC64: a multipart upload can have a full object CRC64NVME.
	FullObjectCRC64 Capability = "full-object-crc64nvme"
	// BucketPolicy: a bucket can have a policy.
	BucketPolicy Capability = "bucket-policy"
	// BucketCORS: a bucket can have CORS rules.
	BucketCORS Capability = "bucket-cors"
	// Lifecycle: a bucket can have lifecycle rules.
	Lifecycle Capability = "lifecycle"
)

// table says who has what. TestCapabilities asks each store.
var table = map[Capability]map[string]bool{
	AnyKey:            {"embedded": false, "minio": false},
	EmptySegments:     {"embedded": false, "minio": false},
	DotSegments:       {"embedded": false, "minio": false},
	LongSegments:      {"embedded": false, "minio": false},
	FolderAndObject:   {"embedded": false, "minio": false},
	FolderWithBody:    {"embedded": false, "minio": true},
	Versioning:        {"embedded": true, "minio": true},
	ObjectLock:        {"embedded": true, "minio": true},
	Tagging:           {"embedded": true, "minio": true},
	ConditionalWrites: {"embedded": true, "minio": true},
	TrailingChecksums: {"embedded": true, "minio": true},
	FullObjectCRC64:   {"embedded": true, "minio": true},
	BucketPolicy:      {"embedded": true, "minio": true},
	BucketCORS:        {"embedded": true, "minio": false},
	Lifecycle:         {"embedded": false, "minio": true},
}

func capabilities(store string) map[Capability]bool {
	has := map[Capability]bool{}
	for c, who := range table {
		has[c] = who[store]
	}
	return has
}

// Has reports whether the store has c. An unknown capability is nobody's.
func (s *Store) Has(c Capability) bool { return s.has[c] }
