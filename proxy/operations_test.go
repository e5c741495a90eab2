package proxy

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/testlog"
	"github.com/codeguardians/s3gateway/signer"
)

func paramsOf(t testing.TB, query string) []signer.Param {
	t.Helper()
	target, err := signer.ParseTarget("/?" + query)
	if err != nil {
		t.Fatal(err)
	}
	return target.Query
}

// TestEveryOperationIsFoundByItsDocumentedRequest sends what the S3 API
// reference shows for each operation.
func TestEveryOperationIsFoundByItsDocumentedRequest(t *testing.T) {
	copySource := http.Header{"X-Amz-Copy-Source": {"/b/k"}}
	table, reached := NewTable(), map[string]bool{}
	for _, c := range documentedRequests() {
		header := http.Header{}
		if c.copies {
			header = copySource
		}
		query := paramsOf(t, c.query)
		op, err := table.Find(c.level, c.method, query, header)
		if err == nil {
			var known []signer.Param
			if known, err = table.Params(op, query); len(known) != len(query) {
				t.Errorf("%s ?%s: only %v is known", c.method, c.query, known)
			}
		}
		if err != nil || op.Name != c.want {
			t.Errorf("%s ?%s (level %d) is %v, %v; want %s", c.method, c.query, c.level, op, err, c.want)
			continue
		}
		reached[op.Name] = true
	}
	for _, op := range table.all {
		header := http.Header{}
		if op.TellingHeader != "" {
			header = copySource
		}
		found, err := table.Find(op.Level, op.Method, paramsOf(t, strings.Join(op.Tells, "=2&")+"=2"), header)
		if len(op.Tells) > 0 && (err != nil || found != op) {
			t.Errorf("the keys that tell %s give %v, %v", op.Name, found, err)
		}
		if len(op.Tells) == 0 && !reached[op.Name] {
			t.Errorf("no documented request reaches %s", op.Name)
		}
	}
}

type documented struct {
	method string
	level  Level
	query  string
	copies bool
	want   string
}

func documentedRequests() []documented {
	return []documented{
		{"GET", ServiceLevel, "", false, "ListBuckets"},
		{"GET", ServiceLevel, "x-id=ListBuckets&max-buckets=3", false, "ListBuckets"},
		{"GET", ObjectLevel, "", false, "GetObject"},
		{"GET", ObjectLevel, "x-id=GetObject&partNumber=2&versionId=v&response-content-type=a/b", false, "GetObject"},
		{"HEAD", ObjectLevel, "versionId=v", false, "HeadObject"},
		{"PUT", ObjectLevel, "x-id=PutObject", false, "PutObject"},
		{"PUT", ObjectLevel, "x-id=CopyObject", true, "CopyObject"},
		{"DELETE", ObjectLevel, "versionId=v", false, "DeleteObject"},
		{"POST", BucketLevel, "", false, "PostObject"},
		{"POST", BucketLevel, "delete", false, "DeleteObjects"},
		{"POST", BucketLevel, "delete=", false, "DeleteObjects"},
		{"GET", ObjectLevel, "attributes", false, "GetObjectAttributes"},
		{"POST", ObjectLevel, "restore&versionId=v", false, "RestoreObject"},
		{"POST", ObjectLevel, "select&select-type=2", false, "SelectObjectContent"},
		{"POST", ObjectLevel, "uploads", false, "CreateMultipartUpload"},
		{"PUT", ObjectLevel, "partNumber=1&uploadId=u", false, "UploadPart"},
		{"PUT", ObjectLevel, "uploadId=u&partNumber=1", true, "UploadPartCopy"},
		{"POST", ObjectLevel, "uploadId=u", false, "CompleteMultipartUpload"},
		{"DELETE", ObjectLevel, "uploadId=u", false, "AbortMultipartUpload"},
		{"GET", ObjectLevel, "uploadId=u&max-parts=3&part-number-marker=1", false, "ListParts"},
		{"GET", BucketLevel, "uploads&prefix=a&delimiter=/", false, "ListMultipartUploads"},
		{"PUT", BucketLevel, "", false, "CreateBucket"},
		{"DELETE", BucketLevel, "", false, "DeleteBucket"},
		{"HEAD", BucketLevel, "", false, "HeadBucket"},
		{"GET", BucketLevel, "prefix=a&marker=b&max-keys=3&delimiter=/&encoding-type=url", false, "ListObjects"},
		{"GET", BucketLevel, "list-type=2&continuation-token=x&start-after=b&fetch-owner=true", false, "ListObjectsV2"},
		{"GET", BucketLevel, "versions&key-marker=a&version-id-marker=b", false, "ListObjectVersions"},
		{"GET", BucketLevel, "location", false, "GetBucketLocation"},
		{"GET", ObjectLevel, "tagging&versionId=v", false, "GetObjectTagging"},
		{"PUT", ObjectLevel, "tagging", false, "PutObjectTagging"},
		{"DELETE", ObjectLevel, "tagging", false, "DeleteObjectTagging"},
		{"GET", ObjectLevel, "acl", false, "GetObjectAcl"},
		{"PUT", ObjectLevel, "acl", false, "PutObjectAcl"},
		{"GET", ObjectLevel, "retention", false, "GetObjectRetention"},
		{"PUT", ObjectLevel, "retention", false, "PutObjectRetention"},
		{"GET", ObjectLevel, "legal-hold", false, "GetObjectLegalHold"},
		{"PUT", ObjectLevel, "legal-hold", false, "PutObjectLegalHold"},
		{"GET", BucketLevel, "analytics", false, "ListBucketAnalyticsConfigurations"},
		{"GET", BucketLevel, "analytics&id=1", false, "GetBucketAnalyticsConfiguration"},
		{"DELETE", BucketLevel, "inventory&id=1", false, "DeleteBucketInventoryConfiguration"},
		{"PUT", BucketLevel, "policy", false, "PutBucketPolicy"},
		{"GET", BucketLevel, "policyStatus", false, "GetBucketPolicyStatus"},
		{"PUT", BucketLevel, "versioning", false, "PutBucketVersioning"},
		{"GET", BucketLevel, "object-lock", false, "GetObjectLockConfiguration"},
	}
}

// Whatever changes access or configuration needs manage, and nothing that
// changes anything is open to a link but a plain PUT and a form.
func TestTheTableGivesNothingAway(t *testing.T) {
	for _, op := range NewTable().all {
		settings := len(op.Tells) > 0 && op.Level == BucketLevel && op.Method != "POST" &&
			!slices.ContainsFunc([]string{"list-type", "versions", "uploads", "location"}, func(k string) bool { return op.Tells[0] == k })
		if settings && op.Action != gateway.Manage {
			t.Errorf("%s needs only %s", op.Name, op.Action)
		}
		if op.Link && op.Name != "GetObject" && op.Name != "HeadObject" && op.Name != "PutObject" && op.Name != "PostObject" {
			t.Errorf("%s is open to links", op.Name)
		}
		if op.Method != "GET" && op.Method != "HEAD" && (op.Action == gateway.Read || op.Action == gateway.List) && op.Name != "SelectObjectContent" {
			t.Errorf("%s changes something with %s", op.Name, op.Action)
		}
		for _, name := range join(op.Headers, commonHeaders) {
			if name != strings.ToLower(name) || !strings.HasPrefix(name, "x-amz-") {
				t.Errorf("%s: header %q would never match", op.Name, name)
			}
		}
	}
}

func TestARequestThatNoRowFitsIsRefusedByName(t *testing.T) {
	for _, c := range []struct {
		name, method, path, query string
		header                    map[string]string
		status                    int
		code, part                string
	}{
		{"unknown key on an object", "GET", "/bucket/key", "torrent", nil, 501, "NotImplemented", "torrent"},
		{"unknown key of a write", "PUT", "/bucket/key", "surprise=1", nil, 501, "NotImplemented", "surprise"},
		{"unknown key of a deletion", "DELETE", "/bucket/key", "v=3", nil, 501, "NotImplemented", "v"},
		{"unknown key of a batch", "POST", "/bucket", "delete&dry-run=1", nil, 501, "NotImplemented", "dry-run"},
		{"another store's version", "GET", "/bucket/key", "generation=3", nil, 501, "NotImplemented", "generation"},
		{"version in other letters", "GET", "/bucket/key", "versionid=3", nil, 501, "NotImplemented", "versionid"},
		{"version of a bucket", "GET", "/bucket", "versionId=3", nil, 501, "NotImplemented", "versionId"},
		{"sub-resource of a bucket on an object", "GET", "/bucket/key", "lifecycle", nil, 501, "NotImplemented", "lifecycle"},
		{"sub-resource of an object on a bucket", "GET", "/bucket", "retention", nil, 501, "NotImplemented", "retention"},
		{"annotations of an object", "GET", "/bucket/key", "annotation", nil, 501, "NotImplemented", "annotation"},
		{"key of another operation", "PUT", "/bucket/key", "versionId=v", nil, 501, "NotImplemented", "versionId"},
		{"part number without upload", "PUT", "/bucket/key", "partNumber=1", nil, 501, "NotImplemented", "partNumber"},
		{"append by rename", "PUT", "/bucket/key", "renameObject", nil, 501, "NotImplemented", "renameObject"},
		{"two operations at once", "POST", "/bucket/key", "uploads&uploadId=u", nil, 501, "NotImplemented", "upload"},
		{"capitals make another key", "PUT", "/bucket/key", "Tagging", nil, 501, "NotImplemented", "Tagging"},
		{"session of a directory bucket", "GET", "/bucket", "session", nil, 501, "NotImplemented", "session"},
		{"doubled part number", "PUT", "/bucket/key", "partNumber=2&uploadId=u&partNumber=1", nil, 400, "InvalidArgument", "partNumber"},
		{"doubled version", "DELETE", "/bucket/key", "versionId=a&versionId=b", nil, 400, "InvalidArgument", "versionId"},
		{"upload without id", "PUT", "/bucket/key", "partNumber=2&uploadId=", nil, 400, "InvalidArgument", "uploadId"},
		{"upload id with a line break", "PUT", "/bucket/key", "partNumber=2&uploadId=u%0A", nil, 400, "InvalidArgument", "uploadId"},
		{"abort with a line break", "DELETE", "/bucket/key", "uploadId=%0D%0A", nil, 400, "InvalidArgument", "uploadId"},
		{"setting with a line break", "DELETE", "/bucket", "policy=%0A", nil, 400, "InvalidArgument", "policy"},
		{"signed part number", "PUT", "/bucket/key", "partNumber=%2B1&uploadId=u", nil, 400, "InvalidArgument", "partNumber"},
		{"part number 0", "PUT", "/bucket/key", "partNumber=0&uploadId=u", nil, 400, "InvalidArgument", "10000"},
		{"part number 10001", "PUT", "/bucket/key", "partNumber=10001&uploadId=u", nil, 400, "InvalidArgument", "10000"},
		{"method without operation", "PATCH", "/bucket/key", "", nil, 405, "MethodNotAllowed", "PATCH"},
		{"append", "PUT", "/bucket/key", "", map[string]string{"x-amz-write-offset-bytes": "3"}, 501, "NotImplemented", "x-amz-write-offset-bytes"},
		{"empty copy source", "PUT", "/bucket/key", "", map[string]string{"x-amz-copy-source": ""}, 501, "NotImplemented", "x-amz-copy-source"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			a := r.do(call{method: c.method, path: c.path, query: c.query, header: c.header})
			r.refused(a, c.status, c.code, c.part)
			r.untouched()
			if allow := a.header.Get("Allow"); (c.status == 405) != (allow == "DELETE, GET, HEAD, POST, PUT") {
				t.Errorf("Allow: %q", allow)
			}
		})
	}
}

// What no row fits stands in the log with its request line, but for what signs it.
func TestARequestThatNoRowFitsIsLogged(t *testing.T) {
	var log testlog.Buffer
	r := newRig(t, func(r *rig) { r.door.Log = zerolog.New(&log) })
	r.refused(r.do(call{path: "/bucket/a b", query: "torrent&x=1", presign: true}), 501, "NotImplemented", "torrent")
	if text := log.String(); !strings.Contains(text, `"request":"GET /bucket/a%20b?torrent=&x=1"`) || strings.Contains(text, "Signature") {
		t.Error(text)
	}
}
