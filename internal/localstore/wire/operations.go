package wire

import (
	"net/http"
	"slices"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// level is what an operation is about.
type level int

const (
	onService level = iota
	onBucket
	onObject
)

// operation is one row of the table.
type operation struct {
	method string
	level  level
	// tells are the query parameters that select the operation, and tellingHeader
	// the header that does. The row with the most of them wins.
	tells         []string
	tellingHeader string
	handle        func(*exchange) (*answer, error)
	// params and headers are the other parameters and the x-amz-* headers that a
	// writing operation knows. A trailing "*" stands for any ending. Reading
	// operations ignore what they do not know, as S3 does.
	params, headers []string
}

// Groups of headers.
var (
	// ignoredHeaders mean nothing within the process: they belong to the
	// signature, name the requester, or to what no bucket can enable.
	ignoredHeaders = []string{
		"x-amz-algorithm", "x-amz-content-sha256", "x-amz-credential", "x-amz-date", "x-amz-expires", "x-amz-security-token", "x-amz-signature",
		"x-amz-signedheaders", "x-amz-user-agent", "x-amz-expected-bucket-owner", "x-amz-request-payer", "x-amz-source-expected-bucket-owner",
		"x-amz-sdk-checksum-algorithm", "x-amz-id-2", "x-amz-request-id", "x-amz-mfa",
	}
	checksumHeaders = []string{"x-amz-checksum-*"}
	bodyHeaders     = []string{"x-amz-checksum-*", "x-amz-trailer", "x-amz-decoded-content-length"}
	lockHeaders     = []string{"x-amz-object-lock-mode", "x-amz-object-lock-retain-until-date", "x-amz-object-lock-legal-hold"}
	aclHeaders      = []string{"x-amz-acl", "x-amz-grant-*"}
	objectHeaders   = join(lockHeaders, aclHeaders, []string{
		"x-amz-meta-*", "x-amz-storage-class", "x-amz-tagging", "x-amz-website-redirect-location", "x-amz-bypass-governance-retention",
	})
	copyHeaders   = []string{"x-amz-copy-source", "x-amz-copy-source-if-*", "x-amz-metadata-directive", "x-amz-tagging-directive", "x-amz-checksum-algorithm"}
	deleteHeaders = []string{"x-amz-bypass-governance-retention", "x-amz-if-match-last-modified-time", "x-amz-if-match-size"}
	versionParam  = []string{"versionId"}
)

// subresources are those of S3 that no row has: reading one of them must not
// answer with the object or listing itself.
var subresources = []string{
	"torrent", "restore", "select", "session", "append", "renameObject", "metadataConfiguration", "metadataTable", "metadataInventoryTable",
	"metadataJournalTable", "abac", "encryption-config", "annotation", "annotations",
}

// operations is the table. The order of its rows has no meaning.
var operations = join([]operation{
	{method: "GET", level: onService, handle: (*exchange).listBuckets},

	{method: "PUT", level: onBucket, handle: (*exchange).createBucket,
		headers: join(aclHeaders, checksumHeaders, []string{"x-amz-bucket-object-lock-enabled", "x-amz-object-ownership"})},
	{method: "HEAD", level: onBucket, handle: (*exchange).headBucket},
	{method: "DELETE", level: onBucket, handle: (*exchange).deleteBucket},
	{method: "OPTIONS", level: onBucket, handle: (*exchange).preflight},
	{method: "OPTIONS", level: onObject, handle: (*exchange).preflight},
	{method: "GET", level: onBucket, handle: (*exchange).listObjects},
	{method: "GET", level: onBucket, tells: []string{"list-type"}, handle: (*exchange).listObjectsV2},
	{method: "GET", level: onBucket, tells: []string{"versions"}, handle: (*exchange).listVersions},
	{method: "GET", level: onBucket, tells: []string{"uploads"}, handle: (*exchange).listUploads},
	{method: "GET", level: onBucket, tells: []string{"location"}, handle: (*exchange).location},
	{method: "POST", level: onBucket, tells: []string{"delete"}, handle: (*exchange).deleteObjects,
		headers: join(checksumHeaders, []string{"x-amz-bypass-governance-retention"})},

	{method: "GET", level: onObject, handle: (*exchange).getObject},
	{method: "HEAD", level: onObject, handle: (*exchange).getObject},
	{method: "GET", level: onObject, tells: []string{"attributes"}, handle: (*exchange).attributes},
	{method: "PUT", level: onObject, handle: (*exchange).putObject, headers: join(objectHeaders, bodyHeaders)},
	{method: "PUT", level: onObject, tellingHeader: "X-Amz-Copy-Source", handle: (*exchange).copyObject, headers: join(objectHeaders, copyHeaders)},
	{method: "DELETE", level: onObject, handle: (*exchange).deleteObject, params: versionParam, headers: deleteHeaders},

	{method: "POST", level: onObject, tells: []string{"restore"}, handle: (*exchange).restore, params: versionParam, headers: checksumHeaders},
	{method: "POST", level: onObject, tells: []string{"uploads"}, handle: (*exchange).createUpload,
		headers: join(objectHeaders, []string{"x-amz-checksum-algorithm", "x-amz-checksum-type"})},
	{method: "PUT", level: onObject, tells: []string{"partNumber", "uploadId"}, handle: (*exchange).uploadPart, headers: bodyHeaders},
	{method: "PUT", level: onObject, tells: []string{"partNumber", "uploadId"}, tellingHeader: "X-Amz-Copy-Source", handle: (*exchange).copyPart,
		headers: []string{"x-amz-copy-source", "x-amz-copy-source-if-*", "x-amz-copy-source-range"}},
	{method: "POST", level: onObject, tells: []string{"uploadId"}, handle: (*exchange).completeUpload,
		headers: join(checksumHeaders, []string{"x-amz-mp-object-size"})},
	{method: "DELETE", level: onObject, tells: []string{"uploadId"}, handle: (*exchange).abortUpload, headers: []string{"x-amz-if-match-initiated-time"}},
	{method: "GET", level: onObject, tells: []string{"uploadId"}, handle: (*exchange).listParts},
}, objectSettings, bucketSettings())

// objectSettings are the sub-resources of an object.
var objectSettings = []operation{
	{method: "GET", level: onObject, tells: []string{"tagging"}, handle: (*exchange).getTags},
	{method: "PUT", level: onObject, tells: []string{"tagging"}, handle: (*exchange).putTags, params: versionParam, headers: checksumHeaders},
	{method: "DELETE", level: onObject, tells: []string{"tagging"}, handle: (*exchange).deleteTags, params: versionParam},
	{method: "GET", level: onObject, tells: []string{"acl"}, handle: (*exchange).getObjectACL},
	{method: "PUT", level: onObject, tells: []string{"acl"}, handle: (*exchange).putObjectACL, params: versionParam, headers: join(aclHeaders, checksumHeaders)},
	{method: "GET", level: onObject, tells: []string{"retention"}, handle: (*exchange).getRetention},
	{method: "PUT", level: onObject, tells: []string{"retention"}, handle: (*exchange).putRetention, params: versionParam,
		headers: join(checksumHeaders, []string{"x-amz-bypass-governance-retention"})},
	{method: "GET", level: onObject, tells: []string{"legal-hold"}, handle: (*exchange).getLegalHold},
	{method: "PUT", level: onObject, tells: []string{"legal-hold"}, handle: (*exchange).putLegalHold, params: versionParam, headers: checksumHeaders},
}

// find returns the row of the table for a request, or refuses what is not there
// by its name.
func find(x *exchange) (*operation, error) {
	at := onService
	switch {
	case x.key != "":
		at = onObject
	case x.bucket != "":
		at = onBucket
	}
	var best *operation
	score := -1
	for i := range operations {
		op := &operations[i]
		if op.level != at || !op.told(x) {
			continue
		}
		n := len(op.tells)
		if op.tellingHeader != "" {
			n++
		}
		if op.method == x.r.Method && n > score {
			best, score = op, n
		}
	}
	if best == nil {
		for _, p := range x.query {
			return nil, unknown("The store does not have the parameter " + p.name)
		}
		return nil, refuse(localstore.MethodNotAllowed, "The specified method is not allowed against this resource.").with("Method", x.r.Method)
	}
	return best, best.admits(x)
}

func (op *operation) told(x *exchange) bool {
	return !slices.ContainsFunc(op.tells, func(name string) bool { return !x.has(name) }) &&
		(op.tellingHeader == "" || len(x.header[op.tellingHeader]) > 0)
}

// admits refuses what the operation does not know and must not ignore.
func (op *operation) admits(x *exchange) error {
	reads := op.method == http.MethodGet || op.method == http.MethodHead || op.method == http.MethodOptions
	for _, p := range x.query {
		known := slices.Contains(op.tells, p.name) || slices.Contains(op.params, p.name) || p.name == "x-id"
		if !known && (!reads || slices.Contains(subresources, p.name)) {
			return unknown("The store does not have the parameter " + p.name)
		}
	}
	for name := range x.header {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, "x-amz-") || matchesAny(ignoredHeaders, lower) || matchesAny(op.headers, lower) {
			continue
		}
		if !reads || strings.HasPrefix(lower, "x-amz-server-side-encryption-customer-") {
			return notImplemented(lower, "The store does not have the header "+lower)
		}
	}
	return nil
}

func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		prefix, open := strings.CutSuffix(pattern, "*")
		return name == pattern || open && strings.HasPrefix(name, prefix)
	})
}

func join[T any](groups ...[]T) []T { return slices.Concat(groups...) }
