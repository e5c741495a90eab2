package proxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A Location must lead the client back to the gateway by the way that it came.
func TestTheLocationIsWhereTheClientCameBy(t *testing.T) {
	const result = "<CompleteMultipartUploadResult><Location>http://backend/bucket/new</Location></CompleteMultipartUploadResult>"
	public := func(address string) func(*rig) {
		return func(r *rig) {
			r.door.PublicURL, _ = url.Parse(address)
			r.door.Verifier.PublicHost = r.door.PublicURL.Host
		}
	}
	trusted := func(r *rig) {
		r.door.ForwardedProto = func(q *http.Request) string { return q.Header.Get("X-Forwarded-Proto") }
	}
	forwarded := func(q *http.Request) { q.Header.Set("X-Forwarded-Proto", "https") }
	for _, c := range []struct {
		name, host string
		changes    []func(*rig)
		edit       func(*http.Request)
		want       string
	}{
		{"plain", "s3.local:8000", nil, nil, "http://s3.local:8000/bucket/new"},
		{"PUBLIC_URL's host", "s3.example.com", []func(*rig){public("https://s3.example.com")}, nil, "https://s3.example.com/bucket/new"},
		{"PUBLIC_URL's host with its port", "s3.example.com:443", []func(*rig){public("https://s3.example.com")}, nil, "https://s3.example.com:443/bucket/new"},
		{"another host than PUBLIC_URL's", "10.0.0.1:8000", []func(*rig){public("https://s3.example.com")}, nil, "http://10.0.0.1:8000/bucket/new"},
		{"a trusted proxy that ended TLS", "s3.example.com", []func(*rig){trusted}, forwarded, "https://s3.example.com/bucket/new"},
		{"somebody who says so", "s3.example.com", nil, forwarded, "http://s3.example.com/bucket/new"},
		{"a bucket's host under PUBLIC_URL's domain", "bucket.s3.example.com", []func(*rig){public("https://s3.example.com"), func(r *rig) {
			r.door.Domains = []string{"s3.example.com"}
			r.door.Verifier.BucketOf = func(host string) string { return BucketOf(r.door.Domains, host) }
		}}, nil, "https://bucket.s3.example.com/new"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, c.changes...)
			r.backend.says(result)
			path := "/bucket/new"
			if strings.HasPrefix(c.host, "bucket.") {
				path = "/new"
			}
			a := r.do(call{method: "POST", path: path, query: "uploadId=u", host: c.host, edit: c.edit,
				body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"})
			if !strings.Contains(a.body, "<Location>"+c.want+"</Location>") {
				t.Errorf("%d %s", a.status, a.body)
			}
		})
	}
}
