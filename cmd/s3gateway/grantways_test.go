package main

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// waysFile parts a bucket: src/ may be read only, dst/ written only, both/ read,
// written and deleted, but for both/kept/, which is hidden from listings too.
const waysFile = `
callers:
  - name: partner
    access_keys: [{id: PARTNERKEY, secret: partner-secret-of-forty-characters-000000}]
    api_keys: [{key: partner-api-key-of-forty-characters-00000}]
    grants:
      - {bucket: BUCKET, prefix: src/, actions: [read]}
      - {bucket: BUCKET, prefix: dst/, actions: [write]}
      - {bucket: BUCKET, prefix: both/, actions: [list, read, write, delete]}
      - {bucket: BUCKET, prefix: uploads/, actions: [list, read, write, delete]}
      - {deny: true, bucket: BUCKET, prefix: both/kept/, actions: [list, delete]}
      - {deny: true, bucket: BUCKET, prefix: uploads/kept/, actions: [list, delete]}
  - name: stranger
    access_keys: [{id: STRANGERKEY, secret: stranger-secret-of-forty-characters-0000}]
    grants: [{bucket: another-bucket, actions: [list, read]}]
`

// waysKeys are there before.
var waysKeys = []string{"src/a", "dst/a", "both/a", "both/b", "both/kept/a", "other/a", "uploads/a", "uploads/kept/a"}

// partWays are the requests of the partner on the parts of a bucket.
type partWays struct {
	*world
	keys aws.Credentials
}

func newPartWays(t *testing.T) partWays {
	t.Helper()
	p := partWays{newFiled(t, waysFile), aws.Credentials{AccessKeyID: partnerID, SecretAccessKey: partnerSecret}}
	for _, key := range waysKeys {
		if _, err := p.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &p.bucket, Key: &key, Body: strings.NewReader(key), ContentType: aws.String("image/png")}); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// send asks for a path of the bucket; a document gets the digest it needs.
func (p partWays) send(t *testing.T, method, path, body string, headers ...string) answer {
	t.Helper()
	r := newRequest(t, method, p.url+"/"+p.bucket+path, strings.NewReader(body), headers...)
	if strings.HasPrefix(body, "<") {
		sum := md5.Sum([]byte(body))
		r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	signAs(t, r, hexSHA256([]byte(body)), p.keys, time.Now())
	return do(t, r)
}

// Whatever is done to an object needs the right to it, a copy the rights to both
// sides.
func TestEachWayNeedsItsGrant(t *testing.T) {
	p := newPartWays(t)
	from := func(key string) []string { return []string{"X-Amz-Copy-Source", "/" + p.bucket + "/" + key} }
	const tags = `<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>`
	part := func(key string) string { return "/" + key + "?partNumber=1&uploadId=" + p.upload(t, key) }
	for _, c := range []struct {
		name, method, path, body string
		headers                  []string
		status                   int
	}{
		{"copy from what may be read to what may be written", "PUT", "/dst/copy", "", from("src/a"), 200},
		{"copy from what may not be read", "PUT", "/dst/x", "", from("other/a"), 403},
		{"copy from what may only be written", "PUT", "/dst/x", "", from("dst/a"), 403},
		{"copy to what may only be read", "PUT", "/src/x", "", from("src/a"), 403},
		{"copy to what is not granted", "PUT", "/other/x", "", from("src/a"), 403},
		{"copy from the gateway's own keys", "PUT", "/dst/x", "", from(".s3gateway/a"), 403},
		{"copy from an encoded name of what may not be read", "PUT", "/dst/x", "", from("%6Fther/a"), 403},
		{"part copy from what may be read", "PUT", part("dst/copied"), "", from("src/a"), 200},
		{"part copy from what may not be read", "PUT", part("dst/stolen"), "", from("other/a"), 403},
		{"part copy to what may only be read", "PUT", "/src/x?partNumber=1&uploadId=u", "", from("src/a"), 403},
		{"parts of what may not be read", "GET", "/dst/a?uploadId=u", "", nil, 403},
		{"tags are read", "GET", "/src/a?tagging", "", nil, 200},
		{"tags of what may not be read", "GET", "/dst/a?tagging", "", nil, 403},
		{"tags are written", "PUT", "/dst/a?tagging", tags, nil, 200},
		{"tags of what may not be written", "PUT", "/src/a?tagging", tags, nil, 403},
		{"tags are removed from what may not be written", "DELETE", "/src/a?tagging", "", nil, 403},
		{"attributes of what may be read", "GET", "/src/a?attributes", "", []string{"X-Amz-Object-Attributes", "ETag"}, 200},
		{"attributes of what may not be read", "GET", "/dst/a?attributes", "", []string{"X-Amz-Object-Attributes", "ETag"}, 403},
		{"head of what may not be read", "HEAD", "/dst/a", "", nil, 403},
		{"an ACL", "GET", "/both/a?acl", "", nil, 403},
		{"delete of what may not be deleted", "DELETE", "/dst/a", "", nil, 403},
		{"delete of a version", "DELETE", "/both/a?versionId=null", "", nil, 403},
		{"delete of what is denied", "DELETE", "/both/kept/a", "", nil, 403},
		{"delete", "DELETE", "/both/b", "", nil, 204},
		{"settings of the bucket", "GET", "?versioning", "", nil, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := p.store.Snapshot(t, p.bucket)
			got := p.send(t, c.method, c.path, c.body, c.headers...)
			if got.status != c.status {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if c.status != http.StatusForbidden {
				return
			}
			if after := p.store.Snapshot(t, p.bucket); !maps.Equal(after, before) {
				t.Errorf("the bucket is changed: %v, before %v", after, before)
			}
			if c.method != http.MethodHead {
				got.isS3Error(t, http.StatusForbidden, "AccessDenied")
			}
		})
	}
}

// upload begins a multipart upload by the owner, and ends it with the test.
func (p partWays) upload(t *testing.T, key string) string {
	t.Helper()
	made, err := p.s3().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &p.bucket, Key: &key, ContentType: aws.String("image/png")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, err := p.s3().AbortMultipartUpload(context.Background(), &s3.AbortMultipartUploadInput{Bucket: &p.bucket, Key: &key, UploadId: made.UploadId})
		if err != nil {
			t.Error(err)
		}
	})
	return url.QueryEscape(*made.UploadId)
}

// A batch on either door is judged by each of its keys.
func TestABatchIsJudgedByItsKeys(t *testing.T) {
	p := newPartWays(t)
	doc := "<Delete>"
	for _, key := range []string{"src/a", "dst/a", "both/a", "both/kept/a", "other/a", ".s3gateway/a"} {
		doc += "<Object><Key>" + key + "</Key></Object>"
	}
	doc += "<Object><Key>both/b</Key><VersionId>null</VersionId></Object></Delete>"
	got := p.send(t, "POST", "?delete", doc)
	if n := strings.Count(string(got.body), "<Code>AccessDenied</Code>"); got.status != http.StatusOK || n != 6 {
		t.Errorf("%d, %d denied: %s", got.status, n, got.body)
	}
	r := newRequest(t, "POST", p.rest("delete"), strings.NewReader(`{"file_ids":["uploads/a","uploads/kept/a"]}`), "X-Api-Key", partnerAPI, "Content-Type", "application/json")
	if got := do(t, r); got.status != http.StatusOK || got.json(t)["deleted"] != 1.0 || got.json(t)["failed"] != 1.0 {
		t.Errorf("%d %s", got.status, got.body)
	}
	left := p.store.Snapshot(t, p.bucket)
	for _, key := range waysKeys {
		_, there := left[key]
		if gone := key == "both/a" || key == "uploads/a"; there == gone {
			t.Errorf("%s is there: %v", key, there)
		}
	}
}

var keyInListing = regexp.MustCompile(`<(?:Key|Prefix)>((?:src|dst|both|other|uploads)[^<]*)<`)

// A listing that would name a key which the caller may not list is refused, in
// each of its kinds; what is listed is what may be.
func TestListingsShowWhatTheCallerMayList(t *testing.T) {
	p := newPartWays(t)
	for _, key := range []string{"both/u", "both/kept/u"} {
		p.upload(t, key)
	}
	for _, kind := range []string{"list-type=2", "", "versions", "uploads"} {
		for _, c := range []struct {
			query  string
			status int
		}{
			{"prefix=both/a", 200}, {"prefix=both/a&delimiter=/", 200}, {"prefix=both/u", 200},
			{"", 403}, {"delimiter=/", 403}, {"prefix=", 403}, {"prefix=both", 403}, {"prefix=src/", 403}, {"prefix=other/", 403},
			{"prefix=both/", 403}, {"prefix=both/&delimiter=/", 403}, {"prefix=both/k", 403}, {"prefix=both/kept/", 403}, {"prefix=both/kept/a", 403},
			{"prefix=both/&max-keys=1", 403}, {"prefix=both/a/../kept/", 403}, {"prefix=%62oth/kept/", 403},
		} {
			got := p.send(t, "GET", "?"+strings.Trim(kind+"&"+c.query, "&"), "")
			if got.status != c.status {
				t.Errorf("%s %s: %d %s", kind, c.query, got.status, got.body)
			}
			if own := map[bool]string{true: "both/u", false: "both/a"}[kind == "uploads"]; c.query == "prefix="+own && !strings.Contains(string(got.body), "<Key>"+own+"<") {
				t.Errorf("%s %s does not show %s: %s", kind, c.query, own, got.body)
			}
			for _, m := range keyInListing.FindAllStringSubmatch(string(got.body), -1) {
				if strings.HasPrefix(m[1], "both/kept") || !strings.HasPrefix(m[1], "both/") {
					t.Errorf("%s %s shows %s", kind, c.query, m[1])
				}
			}
		}
		// Whichever of two prefixes the store would take.
		got := p.send(t, "GET", "?"+strings.Trim(kind+"&prefix=both/a&prefix=both/kept/", "&"), "")
		if strings.Contains(string(got.body), "<Key>both/kept/") {
			t.Errorf("%s, two prefixes: %d %s", kind, got.status, got.body)
		}
	}
	for query, want := range map[string]int{"": 403, "?prefix=uploads/kept/": 403, "?prefix=uploads/k": 403, "?prefix=uploads/a": 200} {
		got := do(t, newRequest(t, "GET", p.rest("list")+query, nil, "X-Api-Key", partnerAPI))
		if got.status != want || strings.Contains(string(got.body), "uploads/kept/a") {
			t.Errorf("upload API %s: %d %s", query, got.status, got.body)
		}
	}
}

// The list of buckets names those of which the caller may do something.
func TestTheListOfBucketsShowsTheCallersOwn(t *testing.T) {
	p := newPartWays(t)
	for keys, want := range map[aws.Credentials]bool{
		p.keys: true,
		{AccessKeyID: "STRANGERKEY", SecretAccessKey: "stranger-secret-of-forty-characters-0000"}: false,
	} {
		r := newRequest(t, "GET", p.url+"/", nil)
		signAs(t, r, hexSHA256(nil), keys, time.Now())
		if got := do(t, r); got.status != http.StatusOK || strings.Contains(string(got.body), "<Name>"+p.bucket+"</Name>") != want {
			t.Errorf("%s: %d %s", keys.AccessKeyID, got.status, got.body)
		}
		r = newRequest(t, "HEAD", p.url+"/"+p.bucket, nil)
		signAs(t, r, hexSHA256(nil), keys, time.Now())
		if got := do(t, r); (got.status == http.StatusOK) != want {
			t.Errorf("HEAD by %s: %d", keys.AccessKeyID, got.status)
		}
	}
}

// A public bucket gives its objects by name, as they were stored, and nothing
// else. Under another type a picture could be a page of this origin.
func TestWhatAPublicBucketGivesToAnybody(t *testing.T) {
	w := newFiled(t, "buckets: [{name: BUCKET, public: read}]\n")
	if got := do(t, w.signedPut("a.png", png(100), "Content-Type", "image/png")); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	w.before = w.store.Snapshot(t, w.bucket)
	for _, c := range []struct {
		method, path, header string
		status               int
		code                 string
	}{
		{"GET", "/a.png", "", 200, ""},
		{"HEAD", "/a.png", "", 200, ""},
		{"GET", "/a.png?response-content-type=text%2Fhtml", "", 400, "InvalidRequest"},
		{"GET", "/a.png?response-content-disposition=attachment", "", 400, "InvalidRequest"},
		{"GET", "/a.png?attributes", "", 403, "AccessDenied"},
		{"GET", "/a.png?tagging", "", 403, "AccessDenied"},
		{"GET", "/a.png?acl", "", 403, "AccessDenied"},
		{"GET", "/a.png?uploadId=x", "", 403, "AccessDenied"},
		{"GET", "/a.png", "X-Amz-Meta-A", 200, ""}, // without effect
		{"GET", "/a.png?v=3", "X-Amz-Cf-Id", 200, ""},
		{"PUT", "/b.png", "X-Amz-Cf-Id", 403, "AccessDenied"},
		{"GET", "/.s3gateway/x", "", 403, "AccessDenied"},
		{"GET", "", "", 403, "AccessDenied"},
		{"GET", "?list-type=2", "", 403, "AccessDenied"},
		{"GET", "?versions", "", 403, "AccessDenied"},
		{"GET", "?uploads", "", 403, "AccessDenied"},
		{"GET", "?location", "", 403, "AccessDenied"},
		{"PUT", "/b.png", "", 403, "AccessDenied"},
		{"PUT", "/b.png", "X-Amz-Copy-Source", 403, "AccessDenied"},
		{"POST", "/b.png?uploads", "", 403, "AccessDenied"},
		{"POST", "?delete", "", 403, "AccessDenied"},
		{"DELETE", "/a.png", "", 403, "AccessDenied"},
	} {
		r := newRequest(t, c.method, w.url+"/"+w.bucket+c.path, nil)
		if c.header != "" {
			r.Header.Set(c.header, "/"+w.bucket+"/a.png")
		}
		got := do(t, r)
		if got.status != c.status {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.header, got.status, got.body)
		}
		if c.code != "" {
			got.isS3Error(t, c.status, c.code)
		}
	}
	w.unchanged()
}

// A grant for a network goes by the address of the connection, and by a header
// only where a trusted proxy wrote it.
func TestAGrantForANetworkGoesByTheClientsAddress(t *testing.T) {
	for trusted, honest := range map[string]bool{"": false, "10.0.0.0/8": false, "127.0.0.0/8": true} {
		w := newFiled(t, `
callers:
  - name: web
    access_keys: [{id: WEBKEY, secret: web-secret-of-16-or-more}]
    grants: [{bucket: "*", actions: [read], from: [203.0.113.0/24, "2001:db8::/32"]}]
`, "TRUSTED_PROXIES="+trusted)
		if got := do(t, w.signedPut("a", []byte("x"))); got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		for hops, inside := range map[string]bool{
			"": false, "203.0.113.7": true, "::ffff:203.0.113.7": true, "203.0.113.7:1234": true, "[2001:db8::1]:5": true,
			"198.51.100.1, 203.0.113.7": true, "203.0.113.7, 127.0.0.1": true, "garbage, 203.0.113.7": true,
			"203.0.113.7, 198.51.100.1": false, "203.0.113.7, garbage": false, "203.0.113.7,": false, "203.0.113.007": false, "3405803783": false,
		} {
			r := newRequest(t, "GET", w.url+"/"+w.bucket+"/a", nil, "X-Forwarded-For", hops, "X-Real-Ip", "203.0.113.7", "Forwarded", "for=203.0.113.7")
			signAs(t, r, hexSHA256(nil), webKeys, time.Now())
			if got := do(t, r); (got.status == 200) != (honest && inside) || got.status != 200 && got.status != 403 {
				t.Errorf("trusted %q, X-Forwarded-For %q: %d %s", trusted, hops, got.status, got.body)
			}
		}
	}
}
