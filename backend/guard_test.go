package backend

import (
	"net/url"
	"testing"

	"github.com/codeguardians/s3gateway/signer"
)

// What a request names is found again in its URL, in every style.
func TestNamesAreFoundInURLs(t *testing.T) {
	for name, e := range map[string]Endpoint{
		"path style":               {URL: &url.URL{Scheme: "http", Host: "127.0.0.1:9000"}, PathStyle: true},
		"path style under a path":  {URL: &url.URL{Scheme: "http", Host: "store", Path: "/s3/"}, PathStyle: true},
		"virtual-host style":       {URL: &url.URL{Scheme: "http", Host: "store.example:9000"}},
		"virtual hosts, base path": {URL: &url.URL{Scheme: "https", Host: "store.example", Path: "/s3"}},
		"AWS":                      {URL: AWSEndpoint("eu-central-1"), Region: "eu-central-1"},
	} {
		for _, at := range []Endpoint{e, e.inRegion("us-west-2")} {
			for _, want := range [][2]string{{"", ""}, {"pictures", ""}, {"pictures", "a"}, {"a.b.c", "a/b/c"}, {"Old_Bucket", "x"}, {"pictures", "a b%2F+?#ü//../"}} {
				host, path := at.target(want[0], want[1])
				u := &url.URL{Scheme: at.URL.Scheme, Host: host}
				signer.SetTarget(u, path, "")
				if bucket, key := e.named(u); bucket != want[0] || key != want[1] {
					t.Errorf("%s: %s: %q %q, not %q", name, u, bucket, key, want)
				}
			}
		}
	}
}
