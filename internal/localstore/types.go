package localstore

import (
	"io"
	"time"
)

// Limits of S3 (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
const (
	MaxKeyLength  = 1024
	MaxParts      = 10_000
	MinPartSize   = 5 << 20
	MaxPartSize   = 5 << 30
	MaxObjectSize = 50 << 40
	MaxListed     = 1000
)

// NullVersion is the version ID of an object stored while versioning was not
// enabled.
const NullVersion = "null"

// Ref names an object. VersionID "" is the current version.
type Ref struct{ Bucket, Key, VersionID string }

// Pair is a name with its value.
type Pair struct{ Name, Value string }

// Meta is what S3 keeps with an object beside its bytes. Empty fields were not
// sent.
type Meta struct {
	ContentType, ContentEncoding, ContentLanguage, ContentDisposition string
	CacheControl, Expires, WebsiteRedirect, StorageClass              string
	// User is the user metadata: names in lower case without "x-amz-meta-",
	// in order, values decoded to UTF-8.
	User []Pair
}

// Lock is the object lock of a version. The zero value is no lock.
type Lock struct {
	Mode  string // "GOVERNANCE", "COMPLIANCE" or ""
	Until time.Time
	Hold  bool // legal hold
	// HoldSet reports that a legal hold was set once, on or off.
	HoldSet bool
}

// Kinds of a checksum over a multipart object.
const (
	FullObject = "FULL_OBJECT"
	Composite  = "COMPOSITE"
)

// Checksum is an additional checksum of S3. Value is what the header carries:
// base64, of a composite one followed by "-N". The zero value is no checksum.
type Checksum struct{ Algorithm, Type, Value string }

// Version is one version of an object, or a delete marker.
type Version struct {
	Key      string
	ID       string // NullVersion for the null version
	Latest   bool
	Marker   bool // a delete marker: only Key, ID, Latest and Modified are set
	Size     int64
	ETag     string // without quotes
	Modified time.Time
	Meta     Meta
	Tags     []Pair
	Lock     Lock
	Checksum Checksum
	// Parts is the number of parts of a multipart object, otherwise 0.
	Parts int

	// Versioned reports whether the bucket has ever kept versions: only then
	// an answer names the version.
	Versioned bool

	sequence uint64
	content  uint64
}

// Part is one part of an upload or of a multipart object.
type Part struct {
	Number   int
	Size     int64
	Offset   int64  // in the object; 0 in an unfinished upload
	ETag     string // without quotes; empty in a finished object
	Modified time.Time
	Checksum Checksum
}

// Expect is what the sender of a body declared. The zero value declares nothing.
type Expect struct {
	// Length is the number of bytes, -1 where it is not known.
	Length int64
	// MD5 and SHA256 are nil where they were not declared.
	MD5, SHA256 []byte
	// Algorithm is the checksum to compute and keep, in S3's spelling
	// ("CRC32C"). Empty: CRC64NVME, as S3 does; for a part, its upload's.
	Algorithm string
	// Checksum returns the declared value in base64, "" for none. It is called
	// after the body has ended, because a trailer is known only then. nil: none.
	Checksum func() string
}

// WriteIf is the condition of a write on the current version of its key. The
// zero value is no condition. Each field is an ETag without quotes, or "*".
type WriteIf struct{ Match, NoneMatch string }

// PutInput is a new object.
type PutInput struct {
	Bucket, Key string
	Meta        Meta
	Tags        []Pair
	// Lock is the lock that the request asks for; without a mode the bucket's
	// default retention applies.
	Lock   Lock
	If     WriteIf
	Body   io.Reader
	Expect Expect
}

// CopyInput is a copy of an object within the store.
type CopyInput struct {
	Source Ref
	// SourceIf checks the conditions on the source, in the same transaction
	// that decides what is copied. nil: none.
	SourceIf    func(Version) error
	Bucket, Key string
	Meta        *Meta   // nil: the source's
	Tags        *[]Pair // nil: the source's
	// StorageClass and WebsiteRedirect are never copied from the source.
	StorageClass, WebsiteRedirect string
	Lock                          Lock
	If                            WriteIf
	Algorithm                     string // "": the source's, CRC64NVME without one
}

// DeleteInput names what to delete. VersionID "" deletes the current version,
// or sets a delete marker.
type DeleteInput struct {
	Key, VersionID string
	// Conditions on the version concerned; empty, zero and nil are none.
	IfMatch    string
	IfModified time.Time
	IfSize     *int64
	// Bypass passes over a retention in GOVERNANCE mode.
	Bypass bool
}

// Deleted is the outcome of a delete.
type Deleted struct {
	Key string
	// VersionID is the version that was deleted, or the marker that was set.
	// Empty in a bucket that has never kept versions.
	VersionID string
	// Marker reports that a delete marker was set or deleted.
	Marker bool
	// Err is why nothing was deleted; for one entry of a batch.
	Err error
}

// CreateUploadInput begins a multipart upload.
type CreateUploadInput struct {
	Bucket, Key string
	Meta        Meta
	Tags        []Pair
	Lock        Lock
	// Algorithm and Type are the checksum's; "" as S3 chooses.
	Algorithm, Type string
}

// Upload is an unfinished multipart upload.
type Upload struct {
	Bucket, Key, ID string
	Initiated       time.Time
	StorageClass    string
	Algorithm, Type string // of its checksum
	Meta            Meta
}

// PartInput is a part of an upload, from a body.
type PartInput struct {
	Bucket, Key, UploadID string
	Number                int // 1 to 10,000
	Body                  io.Reader
	Expect                Expect
}

// CopyPartInput is a part of an upload, from an object of the store.
type CopyPartInput struct {
	Source                Ref
	SourceIf              func(Version) error
	Range                 *Range // nil: the whole source
	Bucket, Key, UploadID string
	Number                int
}

// Range is a part of an object, within its bounds.
type Range struct{ Offset, Length int64 }

// CompletedPart names a part in CompleteMultipartUpload.
type CompletedPart struct {
	Number   int
	ETag     string   // without quotes
	Checksum Checksum // only Algorithm and Value; zero: not declared
}

// CompleteInput finishes a multipart upload.
type CompleteInput struct {
	Bucket, Key, UploadID string
	Parts                 []CompletedPart
	If                    WriteIf
	// Checksum is the declared checksum of the object, zero for none. Its Type
	// alone may be set (x-amz-checksum-type).
	Checksum Checksum
	Size     *int64 // x-amz-mp-object-size, nil: not declared
}

// ListInput asks for a page of a listing.
type ListInput struct {
	Bucket, Prefix, Delimiter string
	// After is the key or common prefix that the page follows; exclusive.
	After string
	// AfterID is the version ID or upload ID within After that the page
	// follows; only for versions and uploads. "" follows all of After.
	AfterID string
	Max     int // 0 to MaxListed
}

// Entry is a row of a listing: a version, an upload, or a common prefix.
type Entry struct {
	Prefix  string // set: a common prefix, and nothing else is
	Version Version
	Upload  Upload
}

// Page is a page of a listing.
type Page struct {
	Entries   []Entry
	Truncated bool
	// Next and NextID are After and AfterID of the next page, when Truncated.
	Next, NextID string
}

// BucketInfo describes a bucket.
type BucketInfo struct {
	Name       string
	Created    time.Time
	Versioning string // "", "Enabled" or "Suspended"
	Lock       bool   // object lock is enabled
	Retention  DefaultRetention
}

// DefaultRetention is the retention that a bucket puts on new versions. The
// zero value is none. One of Days and Years is set.
type DefaultRetention struct {
	Mode        string
	Days, Years int
}

// CreateBucketInput makes a bucket.
type CreateBucketInput struct {
	Name string
	Lock bool // object lock, which enables versioning
}
