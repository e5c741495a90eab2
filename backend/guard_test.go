package backend

import (
	"encoding/base64"
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

// What MinIO keeps for its administration is no bucket and no key on any store
// that may be one.
func TestTheAdministrationOfAStoreIsNoBucket(t *testing.T) {
	paths := Endpoint{URL: &url.URL{Scheme: "http", Host: "127.0.0.1:9000"}, PathStyle: true}
	below := Endpoint{URL: &url.URL{Scheme: "http", Host: "store", Path: "/s3/"}, PathStyle: true}
	hosts := Endpoint{URL: &url.URL{Scheme: "http", Host: "store.example:9000"}}
	aws := Endpoint{URL: AWSEndpoint("eu-central-1"), Region: "eu-central-1"}
	old := Endpoint{URL: &url.URL{Scheme: "https", Host: "s3.amazonaws.com"}, PathStyle: true}
	for _, c := range []struct {
		at          Endpoint
		bucket, key string
		refused     bool
	}{
		{paths, "minio", "admin/v3/info", true}, {paths, "minio", "", true}, {paths, "minio", "x", true},
		{below, "minio", "admin/v3/info", true},
		{hosts, "pictures", "minio/admin/v3/info", true}, {hosts, "pictures", "/minio/admin", true}, {hosts, "pictures", "a/../minio/admin", true},
		{paths, "pictures", "minio/admin/v3/info", false}, {paths, "minios", "admin", false}, {paths, "", "", false},
		{hosts, "minio", "admin/v3/info", false}, {hosts, "pictures", "minios/x", false},
		{aws, "pictures", "minio/admin", false}, {aws, "minio", "admin", false}, {old, "minio", "admin", false},
	} {
		host, path := c.at.target(c.bucket, c.key)
		u := &url.URL{Scheme: "http", Host: host}
		signer.SetTarget(u, path, "")
		if got := c.at.administers(u); got != c.refused {
			t.Errorf("%s: refused %v", u, got)
		}
	}
}

// An upload ID is no path for MinIO either, which decodes it; those that stores
// give are left alone.
func TestAnUploadIDIsNoPath(t *testing.T) {
	encoded := func(id string) string { return base64.RawURLEncoding.EncodeToString([]byte(id)) }
	for id, refused := range map[string]bool{
		"": false, "u": false, "2~Vx-1_a": false, "up/1": false, "a..b": false, "VXBsb2FkIElE.a_b.c--": false, "4_z27c8_f11": false,
		encoded("a1ab3fd6-8420-4d14-b280-f1a9fefbd57f.c8e96b80-4c5a-43d7-b652-495520599b79x1795766095429753803"): false,
		encoded("x.../a"): true, encoded("x.../../../b/k"): true, encoded("..."): true, encoded("x../"): true, encoded(`x...\a`): true, encoded("x.a/../../b"): true,
		"..": true, ".": true, "../a": true, "a/..": true, `a\..\b`: true,
	} {
		if got := climbs(id); got != refused {
			t.Errorf("%q: refused %v", id, got)
		}
	}
}

// A listing goes on where MinIO says that it does, and nowhere else.
func TestAMarkerIsNoPath(t *testing.T) {
	for note, refused := range map[string]bool{
		"": false, "[x]": false, "[minio_cache:v2,return:]": false,
		"[minio_cache:v2,id:3a1d33c0-04a1-4ba7-826f-04b65555f1b4,p:0,s:12]": false,
		"[minio_cache:v2,return:,id:../../../b,p:0,s:0]":                    true, "[minio_cache:v2,id:../.metadata.bin,p:0,s:0]": true,
		"[minio_cache:v2,id:3a1d33c0-04a1-4ba7-826f-04b65555f1b4,p:-1,s:0]": true, "[minio_cache:v2[id:../x]": true, "[minio_cache:v2": true,
	} {
		for _, param := range []string{"marker", "key-marker", "start-after", "continuation-token"} {
			value := "a/b" + note
			if param == "continuation-token" {
				value = base64.StdEncoding.EncodeToString([]byte(value))
			}
			if got := forged(url.Values{param: {value}}); got != refused {
				t.Errorf("%s %q: refused %v", param, note, got)
			}
		}
	}
}
