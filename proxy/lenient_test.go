package proxy

import (
	"net/http"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway/policy"
)

// What has no meaning is passed over and does not reach the backend: parameters
// that nobody knows on a read, those that begin with x- on anything, headers that
// clients echo, and headers that nobody knows on a read.
func TestWhatHasNoMeaningIsPassedOver(t *testing.T) {
	for _, c := range []struct {
		name string
		call call
		uri  string // at the backend
	}{
		{"a version number of a page", call{method: "GET", path: "/bucket/key", query: "v=3"}, "/bucket/key"},
		{"what a campaign adds", call{method: "GET", path: "/bucket/key", query: "utm_source=a&id=5", presign: true}, "/bucket/key"},
		{"the API's version, of Libcloud", call{method: "GET", path: "/bucket", query: "Version=2006-03-01&prefix=a"}, "/bucket?prefix=a"},
		{"without a signature", call{method: "HEAD", path: "/bucket/key", query: "v=3", anonymous: true}, "/bucket/key"},
		{"a parameter twice", call{method: "GET", path: "/bucket/key", query: "v=3&v=4"}, "/bucket/key"},
		{"another case of a sub-resource", call{method: "GET", path: "/bucket/key", query: "ACL"}, "/bucket/key"},
		{"x- on a write", call{method: "PUT", path: "/bucket/key", query: "x-trace=1"}, "/bucket/key"},
		{"x- on a deletion", call{method: "DELETE", path: "/bucket/key", query: "x-trace=1"}, "/bucket/key"},
		{"a header of the Java SDK", call{method: "GET", path: "/bucket/key", header: map[string]string{"X-Amz-Te": "append-md5"}}, "/bucket/key"},
		{"a header of another operation", call{method: "GET", path: "/bucket/key", header: map[string]string{"X-Amz-Storage-Class": "GLACIER"}}, "/bucket/key"},
		{"echoed headers on a write", call{method: "PUT", path: "/bucket/key", header: map[string]string{"X-Amz-Bucket-Region": "eu-west-1", "X-Amz-Version-Id": "v",
			"X-Amz-Replication-Status": "REPLICA", "X-Amz-Expiration": "never", "X-Amz-Mp-Parts-Count": "3"}}, "/bucket/key"},
		{"an echoed header on a deletion", call{method: "DELETE", path: "/bucket/key", header: map[string]string{"X-Amz-Delete-Marker": "true"}}, "/bucket/key"},
		{"what CloudFront adds", call{method: "PUT", path: "/bucket/key", edit: func(q *http.Request) { q.Header.Set("X-Amz-Cf-Id", "a") }}, "/bucket/key"},
		{"without a signature, what needs one", call{method: "GET", path: "/bucket/key", header: map[string]string{"X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256", "X-Amz-Cf-Id": "a"},
			anonymous: true}, "/bucket/key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			var err error
			if r.policy.Rules, err = policy.NewRules([]policy.CallerRules{{Name: "tester", Everything: true}}, []policy.BucketRules{{Name: "bucket", PublicRead: true}}); err != nil {
				t.Fatal(err)
			}
			r.backend.says("<ListBucketResult></ListBucketResult>")
			if a := r.do(c.call); a.status/100 != 2 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			s := r.only()
			if s.URI != c.uri {
				t.Errorf("the backend got %s, want %s", s.URI, c.uri)
			}
			for name := range c.call.header {
				if s.Header.Get(name) != "" {
					t.Errorf("the backend got %s", name)
				}
			}
			for name := range s.Header {
				if lower := strings.ToLower(name); lower == "x-amz-cf-id" || strings.HasPrefix(lower, "x-amz-server-side") {
					t.Errorf("the backend got %s", name)
				}
			}
		})
	}
}
