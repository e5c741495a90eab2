package policy

import (
	"strings"

	"github.com/codeguardians/s3gateway"
)

// Scope is where the size and type rules hold.
type Scope string

// The scopes of POLICY_SCOPE. ScopeAll is every key of every bucket on both
// doors, ScopeUploads only the keys under the upload prefix, by either door. Any
// other value, the zero value too, holds everywhere.
const (
	ScopeAll     Scope = "all"
	ScopeUploads Scope = "uploads"
)

// Policy is the one policy over both doors. It is not changed after it is made
// and may be used concurrently. The zero value has no size limit and allows no
// type.
type Policy struct {
	// MaxFileSize is the largest object in decoded bytes; 0 means no limit.
	MaxFileSize int64
	// Types are the allowed media types.
	Types Types
	// Scope is where the two rules above hold.
	Scope Scope
	// UploadPrefix is where the REST door puts its objects, with or without a
	// slash at its end. ScopeUploads goes by it.
	UploadPrefix string
	// Rate is that of each caller that has none of its own, RateBytes the one
	// of its bytes, each way.
	Rate, RateBytes Rate
	// Rules are those of the callers and buckets. Nil: every named caller may
	// do everything, and nobody has limits of its own.
	Rules *Rules
}

// under reports whether a key lies in a folder. The empty folder holds all.
func under(key, folder string) bool {
	folder = strings.TrimSuffix(folder, "/")
	return folder == "" || strings.HasPrefix(key, folder+"/")
}

// Upload is an upload before its bytes: what both doors know of it.
type Upload struct {
	Caller      gateway.Caller
	Bucket, Key string
	// ContentType is as declared; "" when absent.
	ContentType string
	// Size is the declared size in decoded bytes, -1 when not declared.
	Size int64
	// Part is the part number of a multipart upload, 0 for a whole object. A
	// part carries no declaration: that was judged when the upload was
	// created. The bytes of part 1 are judged, those of later parts are not.
	Part int
}
