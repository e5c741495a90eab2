package main

import (
	"crypto/md5"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// asked is a request that is sent twice: to a bucket of MinIO itself, and to one of
// the same content through the gateway.
type asked struct {
	name, method, key, query string
	headers                  []string
	body                     string
	unsigned                 []string // headers that are set after signing
}

// meant are the requests that MinIO takes and the gateway refuses, on purpose. The
// reasons are those of docs/s3-compatibility.md.
var meant = []struct {
	why    string
	cases  string // a regular expression of their names
	status int
	code   string // "" for an answer without a body
}{
	{"HEAD has no sub-resources", `^HEAD (bucket|object) \?`, 501, ""},
	{"an operation that S3 does not have: MinIO stores, deletes or gives the object itself", `^(GET|PUT|POST|DELETE) object \?`, 501, "NotImplemented"},
	{"an operation that S3 does not have: MinIO lists the bucket", `^GET bucket \?`, 501, "NotImplemented"},
	{"a parameter twice", `^list .*prefix=a&prefix=b`, 400, "InvalidArgument"},
	{"a header that no operation has", `^put x-amz-foo`, 501, "NotImplemented"},
	{"a header that the client did not sign", `^put unsigned`, 403, "AccessDenied"},
	{"a part number without a value", `^GET partNumber=$`, 400, "InvalidArgument"},
	{"a part number without a value, by HEAD", `^HEAD partNumber=$`, 400, ""},
	{"a copy source with parameters that S3 does not know", `^copy .*\?(foo=1|versionId=)$`, 400, "InvalidArgument"},
	{"a copy source that is a URL", `^copy http`, 400, "InvalidBucketName"},
	{"a checksum that is announced and does not come: as on AWS", `^put x-amz-sdk-checksum-algorithm`, 400, "InvalidRequest"},
	{"a digest of a batch that is another's", `^batch with another digest`, 400, "BadDigest"},
}

// subresources are those of S3, and some that nobody has.
var subresources = []string{
	"abac", "accelerate", "acl", "analytics", "attributes", "cors", "encryption", "foo", "intelligent-tiering", "inventory",
	"legal-hold", "lifecycle", "location", "logging", "metadataConfiguration", "metadataTable", "metrics", "notification",
	"object-lock", "ownershipControls", "policy", "policyStatus", "publicAccessBlock", "replication", "requestPayment",
	"restore", "retention", "select", "session", "tagging", "torrent", "uploads", "versioning", "versions", "website",
}

func everySubresource() (all []asked) {
	for _, method := range []string{"GET", "HEAD", "PUT", "POST", "DELETE"} {
		for _, place := range []string{"bucket", "object"} {
			for _, name := range subresources {
				for _, body := range []string{"", "<X/>", "junk"} {
					if body != "" && (method == "GET" || method == "HEAD" || method == "DELETE") {
						continue
					}
					a := asked{name: strings.TrimSpace(method + " " + place + " ?" + name + " " + body), method: method, query: name + "=", body: body}
					if place == "object" {
						a.key = "a"
					}
					all = append(all, a)
				}
			}
		}
	}
	for _, name := range subresources {
		all = append(all, asked{name: "GET bucket ?" + name + "&id=x", method: "GET", query: name + "=&id=x"})
	}
	return all
}

func everyListing() (all []asked) {
	for _, kind := range []string{"", "list-type=2&", "list-type=1&", "list-type=3&", "versions=&", "uploads=&"} {
		for _, q := range []string{
			"", "prefix=", "prefix=b", "prefix=b/", "prefix=none", "delimiter=/", "delimiter=", "delimiter=b", "prefix=b/&delimiter=/",
			"max-keys=0", "max-keys=1", "max-keys=1000", "max-keys=2000", "max-keys=-1", "max-keys=x", "max-keys=", "max-uploads=1",
			"max-uploads=0", "max-uploads=-1", "encoding-type=url", "encoding-type=URL", "encoding-type=x", "marker=a", "marker=zz",
			"start-after=a", "start-after=b/c%20d", "key-marker=a", "key-marker=b/", "fetch-owner=true", "fetch-owner=x",
			"continuation-token=", "continuation-token=x", "version-id-marker=x", "upload-id-marker=x", "foo=1", "prefix=a&prefix=b",
			"prefix=b/c%20d&encoding-type=url", "prefix=%C3%A9", "prefix=%00", "x-id=ListObjects",
		} {
			all = append(all, asked{name: "list " + kind + q, method: "GET", query: kind + q})
		}
	}
	return all
}

func everyRead() (all []asked) {
	for _, method := range []string{"GET", "HEAD"} {
		for _, r := range []string{
			"bytes=0-0", "bytes=0-", "bytes=-1", "bytes=-0", "bytes=5-100", "bytes=10-", "bytes=100-200", "bytes=3-2", "bytes=a-b",
			"bytes=0-1,3-4", "items=0-1", "bytes 0-1", "bytes=", "bytes=-100", "bytes=0-18446744073709551616",
		} {
			all = append(all, asked{name: method + " range " + r, method: method, key: "a", headers: []string{"Range", r}})
		}
		for _, c := range [][]string{
			{"If-Match", "*"}, {"If-Match", `"x"`}, {"If-None-Match", "*"}, {"If-None-Match", `"x"`}, {"If-Match", "ETAG"}, {"If-None-Match", "ETAG"},
			{"If-Modified-Since", "Tue, 07 Jul 2020 21:53:04 GMT"}, {"If-Unmodified-Since", "Tue, 07 Jul 2020 21:53:04 GMT"},
			{"If-Modified-Since", "soon"}, {"If-Match", "ETAG", "If-Unmodified-Since", "Tue, 07 Jul 2020 21:53:04 GMT"},
			{"If-None-Match", `"x"`, "If-Modified-Since", "Tue, 07 Jul 2020 21:53:04 GMT"}, {"x-amz-checksum-mode", "ENABLED"}, {"x-amz-checksum-mode", "x"},
		} {
			all = append(all, asked{name: method + " with " + strings.Join(c, " "), method: method, key: "a", headers: c})
		}
		for _, q := range []string{
			"partNumber=1", "partNumber=2", "partNumber=0", "partNumber=", "versionId=null", "versionId=x", "response-content-type=text/x",
			"response-cache-control=no-cache", "response-content-disposition=attachment", "x-id=GetObject",
		} {
			all = append(all, asked{name: method + " " + q, method: method, key: "a", query: q})
		}
		for _, key := range []string{"b/c d", "plus+", "é", "none", "a/", "b"} {
			all = append(all, asked{name: method + " key " + key, method: method, key: key})
		}
	}
	return all
}

func everyWrite() (all []asked) {
	for _, h := range [][]string{
		{}, {"Content-Type", "text/x"}, {"Content-Type", "no type"}, {"Content-Encoding", "gzip"}, {"Content-Language", "de"}, {"Cache-Control", "no-cache"},
		{"Content-Disposition", "inline"}, {"Expires", "Wed, 21 Oct 2032 07:28:00 GMT"}, {"x-amz-meta-a", "b"}, {"x-amz-meta-A-b", "=?UTF-8?B?w6k=?="},
		{"x-amz-tagging", "a=b"}, {"x-amz-tagging", "a=b&a=c"}, {"x-amz-acl", "private"}, {"x-amz-storage-class", "STANDARD"},
		{"x-amz-storage-class", "REDUCED_REDUNDANCY"}, {"x-amz-storage-class", "x"}, {"x-amz-website-redirect-location", "/b"}, {"x-amz-foo", "bar"},
		{"Content-Md5", "x"}, {"Content-Md5", "AAAAAAAAAAAAAAAAAAAAAA=="}, {"If-None-Match", "*"}, {"If-Match", `"x"`}, {"If-Match", "ETAG"},
		{"x-amz-checksum-crc32", "AAAAAA=="}, {"x-amz-sdk-checksum-algorithm", "CRC32"}, {"x-amz-expected-bucket-owner", "123456789012"},
		{"x-amz-request-payer", "requester"}, {"x-amz-server-side-encryption", "x"},
	} {
		all = append(all, asked{name: "put " + strings.Join(h, " "), method: "PUT", key: "a", body: "new", headers: h})
	}
	for _, h := range [][]string{{"X-Amz-Acl", "private"}, {"X-Amz-Meta-A", "b"}} {
		all = append(all, asked{name: "put unsigned " + h[0], method: "PUT", key: "a", body: "new", unsigned: h})
	}
	for _, source := range []string{
		"/BUCKET/a", "BUCKET/a", "//BUCKET/a", "BUCKET/none", "BUCKET/b%2Fc%20d", "BUCKET/b/c d", "BUCKET/plus+", "BUCKET/plus%2B", "BUCKET", "BUCKET/", "",
		"http://h/BUCKET/a", "BUCKET/a?versionId=", "BUCKET/a?versionId=null", "BUCKET/a?versionId=x", "BUCKET/a?foo=1", "none-at-all/a", "BUCKET/%zz",
	} {
		for _, more := range [][]string{nil, {"x-amz-metadata-directive", "REPLACE", "x-amz-meta-a", "b"}, {"x-amz-metadata-directive", "x"}, {"x-amz-copy-source-if-match", `"x"`}} {
			if len(more) > 0 && source != "BUCKET/a" {
				continue
			}
			all = append(all, asked{name: "copy " + strings.Join(append([]string{source}, more...), " "), method: "PUT", key: "copy",
				headers: append([]string{"x-amz-copy-source", source}, more...)})
		}
	}
	for name, body := range map[string]string{
		"of two": "<Delete><Object><Key>a</Key></Object><Object><Key>none</Key></Object></Delete>", "that is quiet": "<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object></Delete>",
		"of none": "<Delete></Delete>", "of junk": "junk", "of the same twice": "<Delete><Object><Key>a</Key></Object><Object><Key>a</Key></Object></Delete>",
		"with another digest": "<Delete><Object><Key>a</Key></Object></Delete>", "of a version": "<Delete><Object><Key>a</Key><VersionId>null</VersionId></Object></Delete>",
	} {
		sum := md5.Sum([]byte(body + strings.Repeat("x", strings.Count(name, "digest"))))
		all = append(all, asked{name: "batch " + name, method: "POST", query: "delete=", body: body, headers: []string{"Content-Md5", base64.StdEncoding.EncodeToString(sum[:])}})
	}
	return all
}

// What MinIO does for a client it does through the gateway, and both answers are
// the same; what the gateway refuses of it is in the table above, row by row.
func TestTheGatewayAnswersAsItsBackend(t *testing.T) {
	store := testbed.Open(t)
	if store.Name != "minio" {
		t.Skip("the store that answers directly here is MinIO; run make test-minio")
	}
	w := newWorldOn(t, store, store.Bucket(t), append([]string{"S3_EXPOSE_BUCKETS=*"}, open...)...)
	d := &differential{t: t, w: w, store: store, used: map[string]bool{}}
	d.refill()
	for _, group := range [][]asked{everyRead(), everyListing(), everyWrite(), everySubresource()} {
		for _, a := range group {
			d.compare(a)
		}
	}
	for _, m := range meant {
		if !d.used[m.why] {
			t.Errorf("no request is refused any more for %q: drop the row and that of docs/s3-compatibility.md", m.why)
		}
	}
	t.Logf("%d requests, %d pass directly, %d of them through, %d refused on purpose", d.sent, d.direct, d.through, d.refused)
}

// differential sends requests both ways.
type differential struct {
	t                              *testing.T
	w                              *world
	store                          *testbed.Store
	buckets                        [2]string // directly, through the gateway
	sent, direct, through, refused int
	used                           map[string]bool
}

// refill makes two buckets of the same content.
func (d *differential) refill() {
	for i := range d.buckets {
		d.buckets[i] = d.store.Bucket(d.t)
		for _, key := range []string{"a", "b/c d", "b/e", "plus+", "é"} {
			put := asked{method: "PUT", key: key, body: "0123456789", headers: []string{"Content-Type", "text/plain"}}
			if got := d.send(0, put, d.buckets[i]); got.status != 200 {
				d.t.Fatalf("%s: %d %s", key, got.status, got.body)
			}
		}
	}
}

// send asks one of the two.
func (d *differential) send(way int, a asked, bucket string) answer {
	at := []string{d.store.Endpoint.String(), d.w.url}[way]
	keys := aws.Credentials{AccessKeyID: d.store.AccessKeyID, SecretAccessKey: d.store.SecretAccessKey}
	if way == 1 {
		keys = aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: testSecret}
	}
	headers := slices.Clone(a.headers)
	for i := range headers {
		headers[i] = strings.NewReplacer("BUCKET", bucket, "ETAG", `"781e5e245d69b566979b86e28d23f2c7"`).Replace(headers[i])
	}
	path := strings.TrimSuffix(at, "/") + "/" + bucket
	if a.key != "" {
		path += "/" + (&url.URL{Path: a.key}).EscapedPath()
	}
	r := newRequest(d.t, a.method, path+"?"+a.query, strings.NewReader(a.body), headers...)
	r.URL.RawPath = strings.ReplaceAll(r.URL.EscapedPath(), "+", "%2B")
	signAs(d.t, r, hexSHA256([]byte(a.body)), keys, time.Now())
	for i := 0; i+1 < len(a.unsigned); i += 2 {
		r.Header.Set(a.unsigned[i], a.unsigned[i+1])
	}
	return do(d.t, r)
}

// compare asks both.
func (d *differential) compare(a asked) {
	d.sent++
	was := d.send(0, a, d.buckets[0])
	got := d.send(1, a, d.buckets[1])
	if got.status >= 500 && got.status != http.StatusNotImplemented {
		d.t.Errorf("%s: %d %s", a.name, got.status, got.body)
	}
	passes := func(s int) bool { return s < 400 }
	if passes(was.status) {
		d.direct++
		if passes(got.status) {
			d.through++
			d.same(a, was, got)
		} else {
			d.onPurpose(a, was, got)
		}
	}
	if a.method != "GET" && a.method != "HEAD" && (passes(was.status) || passes(got.status)) {
		d.refill()
	}
}

// onPurpose finds the row of a refusal.
func (d *differential) onPurpose(a asked, was, got answer) {
	code := ""
	if found := regexp.MustCompile(`<Code>(.*?)</Code>`).FindSubmatch(got.body); found != nil {
		code = string(found[1])
	}
	for _, m := range meant {
		if regexp.MustCompile(m.cases).MatchString(a.name) && m.status == got.status && m.code == code {
			d.refused++
			d.used[m.why] = true
			return
		}
	}
	d.t.Errorf("%s: %d directly, %d %s through the gateway, and no row says why", a.name, was.status, got.status, code)
}

// varying are the parts of an answer that no two answers share.
var varying = regexp.MustCompile(`<(LastModified|UploadId|NextUploadIdMarker|VersionId|NextVersionIdMarker|ContinuationToken|NextContinuationToken|Owner|Initiator|RequestId|HostId)>.*?</(LastModified|UploadId|NextUploadIdMarker|VersionId|NextVersionIdMarker|ContinuationToken|NextContinuationToken|Owner|Initiator|RequestId|HostId)>`)

// same compares two answers of which both are good.
func (d *differential) same(a asked, was, got answer) {
	if strings.HasPrefix(a.name, "GET bucket ?location") {
		return // us-east-1 has no name there, as on AWS; MinIO names it
	}
	plain := func(way int, text string) string {
		text = strings.ReplaceAll(text, d.buckets[way], "BUCKET")
		return strings.NewReplacer("&#34;", `"`, "&quot;", `"`, "&#39;", "'").Replace(varying.ReplaceAllString(text, ""))
	}
	if was.status != got.status {
		d.t.Errorf("%s: %d directly, %d through the gateway", a.name, was.status, got.status)
	}
	for _, name := range []string{
		"Etag", "Content-Type", "Content-Range", "Content-Encoding", "Content-Language", "Content-Disposition", "Cache-Control", "Expires", "Location",
		"X-Amz-Mp-Parts-Count", "X-Amz-Tagging-Count", "X-Amz-Checksum-Type", "X-Amz-Checksum-Crc32", "X-Amz-Storage-Class", "X-Amz-Meta-A", "X-Amz-Copy-Source-Version-Id",
	} {
		if one, other := plain(0, was.header.Get(name)), plain(1, got.header.Get(name)); one != other {
			d.t.Errorf("%s: %s is %q directly, %q through the gateway", a.name, name, one, other)
		}
	}
	if one, other := plain(0, string(was.body)), plain(1, string(got.body)); one != other {
		d.t.Errorf("%s:\n%s\ndirectly,\n%s\nthrough the gateway", a.name, fmt.Sprintf("%.600s", one), fmt.Sprintf("%.600s", other))
	}
}
