package proxy

import (
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway/backend"
)

// The embedded store would take each of these and do nothing of it, or break on
// it; any other backend decides for itself.
func TestWhatTheEmbeddedStoreWouldOverlookIsRefused(t *testing.T) {
	long := strings.Repeat("a", 2100)
	for _, c := range []struct {
		name, header, value string
		status              int
		code                string
	}{
		{"no storage class of S3", "X-Amz-Storage-Class", "BOGUS", 400, "InvalidStorageClass"},
		{"a storage class that it has not", "X-Amz-Storage-Class", "GLACIER", 400, "InvalidStorageClass"},
		{"encryption", "X-Amz-Server-Side-Encryption", "AES256", 501, "NotImplemented"},
		{"encryption by a key service", "X-Amz-Server-Side-Encryption", "aws:kms", 501, "NotImplemented"},
		{"no encryption of S3", "X-Amz-Server-Side-Encryption", "BOGUS", 400, "InvalidEncryptionAlgorithmError"},
		{"encryption with the client's key", "X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256", 501, "NotImplemented"},
		{"a public object", "X-Amz-Acl", "public-read", 400, "AccessControlListNotSupported"},
		{"no ACL of S3", "X-Amz-Acl", "bogus", 400, "AccessControlListNotSupported"},
		{"a grant", "X-Amz-Grant-Read", "id=abc", 400, "AccessControlListNotSupported"},
		{"a redirect of a website", "X-Amz-Website-Redirect-Location", "/x", 501, "NotImplemented"},
		{"a Cache-Control of pages", "Cache-Control", long, 400, "MetadataTooLarge"},
		{"a Content-Disposition of pages", "Content-Disposition", long, 400, "MetadataTooLarge"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, at := range []call{{method: "PUT", path: "/bucket/key", body: "x"}, {method: "POST", path: "/bucket/key", query: "uploads"}} {
				at.header = map[string]string{c.header: c.value}
				r := newRig(t, endpoint(func(e *backend.Endpoint) { e.FileKeys = true }))
				r.refused(r.do(at), c.status, c.code, "")
				r.untouched()
				other := newRig(t)
				if other.do(at); other.only().Header.Get(c.header) != c.value {
					t.Errorf("%s: another backend did not get it", at.method)
				}
			}
		})
	}
}

func TestWhatTheEmbeddedStoreTakes(t *testing.T) {
	r := newRig(t, endpoint(func(e *backend.Endpoint) { e.FileKeys = true }))
	if a := r.do(call{method: "PUT", path: "/bucket/key", body: "x", header: map[string]string{
		"X-Amz-Storage-Class": "STANDARD", "X-Amz-Acl": "private", "Cache-Control": "max-age=3600",
	}}); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}
