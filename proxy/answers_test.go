package proxy

import (
	"cmp"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway/backend"
)

func TestAnswersPassWithWhatTheySayOfTheObject(t *testing.T) {
	r := newRig(t)
	r.backend.answers(func(w http.ResponseWriter, q *http.Request, s seen) {
		h := w.Header()
		h.Set("Etag", `"etag"`)
		h.Set("Accept-Ranges", "bytes")
		h.Set("Last-Modified", "Mon, 23 Nov 2026 20:00:00 GMT")
		h.Set("Content-Encoding", "gzip")
		h.Set("X-Amz-Version-Id", "v")
		h.Set("X-Amz-Meta-Colour", "blue")
		h.Set("X-Amz-Checksum-Crc32", "AAAA")
		h["Content-Type"] = nil
		if s.Header.Get("Range") != "" {
			h.Set("Content-Range", "bytes 1-2/5")
			h.Set("Content-Length", "2")
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, "<h")
			return
		}
		h.Set("Content-Length", "14")
		_, _ = io.WriteString(w, "<html><script>")
	})
	a := r.do(call{path: "/bucket/key"})
	if a.status != 200 || a.body != "<html><script>" || a.header.Get("Content-Encoding") != "gzip" || a.header.Get("X-Amz-Version-Id") != "v" {
		t.Errorf("%d %q %v", a.status, a.body, a.header)
	}
	// A type that nobody declared is not guessed, and nothing runs in a browser.
	if _, guessed := a.header["Content-Type"]; guessed || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Content-Security-Policy") != "sandbox" {
		t.Errorf("%v", a.header)
	}
	a = r.do(call{path: "/bucket/key", header: map[string]string{"Range": "bytes=1-2"}})
	if a.status != 206 || a.body != "<h" || a.header.Get("Content-Range") != "bytes 1-2/5" || a.header.Get("Content-Length") != "2" {
		t.Errorf("range: %d %q %v", a.status, a.body, a.header)
	}
	a = r.do(head("/bucket/key"))
	if a.header.Get("Content-Length") != "14" || a.body != "" || len(a.header["Content-Type"]) > 0 || a.header.Get("Content-Security-Policy") != "" {
		t.Errorf("HEAD: %v", a.header)
	}
}

// Under a domain of its own the door shares no origin with the pages.
func TestVirtualHostsNeedNoSandbox(t *testing.T) {
	r := newRig(t, func(r *rig) {
		r.door.Domains = []string{"s3.example.com"}
		r.door.Verifier.BucketOf = func(host string) string { return BucketOf(r.door.Domains, host) }
	})
	a := r.do(call{path: "/dir/key", host: "bucket.s3.example.com"})
	if a.status != 200 || a.header.Get("Content-Security-Policy") != "" || r.only().URI != "/bucket/dir/key" {
		t.Errorf("%d %v %s", a.status, a.header, r.only().URI)
	}
	if a := r.do(call{path: "/bucket/key"}); a.header.Get("Content-Security-Policy") != "sandbox" {
		t.Errorf("path style on another host: %v", a.header)
	}
	r.backend.forget()
	if a := r.do(call{path: "/", query: "list-type=2", host: "bucket.s3.example.com"}); a.status != 200 || r.only().URI != "/bucket?list-type=2" {
		t.Errorf("listing: %d %s", a.status, r.only().URI)
	}
}

// A download that breaks off at the backend breaks off at the client: half an
// object must not look like a whole one.
func TestABrokenDownloadBreaksOff(t *testing.T) {
	r := newRig(t)
	for _, length := range []string{"5000000", ""} {
		r.backend.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) {
			if length != "" {
				w.Header().Set("Content-Length", length)
			}
			_, _ = io.WriteString(w, strings.Repeat("x", 1<<20))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		})
		if a := r.do(call{path: "/bucket/key"}); a.status == 200 && a.err == nil {
			t.Errorf("%d bytes passed as the whole", len(a.body))
		}
	}
}

func TestALargeDownloadIsWhole(t *testing.T) {
	r := newRig(t)
	block := strings.Repeat("0123456789abcdef", 4096)
	r.backend.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) {
		for range 64 {
			_, _ = io.WriteString(w, block)
		}
	})
	if a := r.do(call{path: "/bucket/key"}); a.err != nil || a.body != strings.Repeat(block, 64) {
		t.Errorf("%d bytes, %v", len(a.body), a.err)
	}
}

func TestAnEmptyObjectIsStored(t *testing.T) {
	for _, c := range []call{{method: "PUT", path: "/bucket/key"}, framed("", "AAAAAA==")} {
		r := newRig(t)
		if a := r.do(c); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if s := r.only(); s.Length != 0 || s.Header.Get("Content-Length") != "0" || s.Header.Get("Content-Encoding") != "" {
			t.Errorf("length %d, %v", s.Length, s.Header)
		}
		if c.hash != "" && r.only().Header.Get("X-Amz-Checksum-Crc32") != "AAAAAA==" {
			t.Errorf("the checksum of the trailer is lost: %v", r.only().Header)
		}
	}
}

func TestOnlyExposedBucketsAreListed(t *testing.T) {
	r := newRig(t, func(r *rig) { r.door.Buckets.Exposed = []string{"shown", "team-*"} })
	r.backend.says(`<ListAllMyBucketsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Owner><ID>secret</ID></Owner><Buckets><Bucket><Name>shown</Name><CreationDate>2026-11-23T20:00:00.000Z</CreationDate></Bucket>` +
		`<Bucket><Name>hidden</Name><CreationDate>x</CreationDate></Bucket><Bucket><Name>team-a</Name><CreationDate>x</CreationDate></Bucket></Buckets></ListAllMyBucketsResult>`)
	a := r.do(call{path: "/"})
	if a.status != 200 || strings.Contains(a.body, "hidden") || strings.Contains(a.body, "secret") || !strings.Contains(a.body, "<Name>shown</Name>") || !strings.Contains(a.body, "team-a") {
		t.Errorf("%d %s", a.status, a.body)
	}
	r.backend.forget()
	for _, c := range []call{{path: "/hidden/key"}, {method: "PUT", path: "/hidden/key", body: "x"}, {path: "/hidden"}, {method: "DELETE", path: "/hidden"}, {path: "/team-/x"}} {
		a := r.do(c)
		if want := c.path == "/team-/x"; (a.code == "NoSuchBucket") == want {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
	}
	r.refused(r.do(call{method: "PUT", path: "/hidden"}), 403, "AccessDenied", "S3_EXPOSE_BUCKETS")
	r.refused(r.do(call{method: "DELETE", path: "/shown"}), 403, "AccessDenied", "S3_EXPOSE_BUCKETS")
}

func TestBucketsAreMadeInTheBackendsRegion(t *testing.T) {
	for _, c := range []struct {
		region, body, want string
	}{
		{backendRegion, "", "<LocationConstraint>eu-central-1</LocationConstraint>"},
		{backendRegion, "<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>", "<LocationConstraint>eu-central-1</LocationConstraint>"},
		{backendRegion, "<CreateBucketConfiguration><LocationConstraint>us-east-1</LocationConstraint></CreateBucketConfiguration>", "<LocationConstraint>eu-central-1</LocationConstraint>"},
		{"us-east-1", "<CreateBucketConfiguration><LocationConstraint>auto</LocationConstraint></CreateBucketConfiguration>", ""},
	} {
		r := newRig(t, endpoint(func(e *backend.Endpoint) { e.Region = c.region }))
		r.backend.verifier.Regions = []string{c.region}
		r.backend.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) {
			w.Header().Set("Location", "http://secret.backend/newbucket")
		})
		a := r.do(call{method: "PUT", path: "/newbucket", body: c.body})
		if a.status != 200 || a.header.Get("Location") != "/newbucket" {
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
		if got := r.only().Body; !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%+v: the backend got %s", c, got)
		}
	}
}

func TestABucketInAnotherRegionIsRefused(t *testing.T) {
	for _, region := range []string{backendRegion, "us-east-1", ""} {
		r := newRig(t, endpoint(func(e *backend.Endpoint) { e.Region = region }))
		a := r.do(call{method: "PUT", path: "/newbucket", body: "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"})
		r.refused(a, 400, "IllegalLocationConstraintException", "Buckets are made in "+cmp.Or(region, "us-east-1"))
		r.untouched()
	}
}

// What belongs to the gateway is in no listing, whatever form it has.
func TestListingsHideTheGatewaysOwnKeys(t *testing.T) {
	for _, c := range []struct{ query, body, want string }{
		{"list-type=2", `<ListBucketResult><Name>bucket</Name><KeyCount>4</KeyCount><Contents><Key>.s3gateway/a</Key></Contents><Contents><Key>b&amp;c</Key></Contents><CommonPrefixes><Prefix>.s3gateway/</Prefix></CommonPrefixes><CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></ListBucketResult>`,
			`<ListBucketResult><Name>bucket</Name><KeyCount>2</KeyCount><Contents><Key>b&amp;c</Key></Contents><CommonPrefixes><Prefix>d/</Prefix></CommonPrefixes></ListBucketResult>`},
		{"prefix=.s&encoding-type=url", `<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>.s3gateway%2Fa</Key></Contents><Contents><Key>.s3gatewayish</Key></Contents></ListBucketResult>`,
			`<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>.s3gatewayish</Key></Contents></ListBucketResult>`},
		{"versions", `<ListVersionsResult><Version><Key>.s3gateway/a</Key><VersionId>1</VersionId></Version><DeleteMarker><Key>.s3gateway/a</Key></DeleteMarker><Version><Key>a</Key></Version></ListVersionsResult>`,
			`<ListVersionsResult><Version><Key>a</Key></Version></ListVersionsResult>`},
		{"uploads", `<ListMultipartUploadsResult><Upload><Key>.s3gateway/a</Key></Upload></ListMultipartUploadsResult>`, `<ListMultipartUploadsResult></ListMultipartUploadsResult>`},
		{"prefix=other/", `<ListBucketResult>not even looked at, .s3gateway/`, `<ListBucketResult>not even looked at, .s3gateway/`},
	} {
		r := newRig(t)
		r.backend.says(c.body)
		if a := r.do(call{path: "/bucket", query: c.query}); a.status != 200 || a.body != c.want || a.header.Get("Content-Length") != fmt.Sprint(len(c.want)) {
			t.Errorf("?%s: %d\n%s\nwant\n%s", c.query, a.status, a.body, c.want)
		}
	}
}

func TestBodiesThatNobodyAskedForStayHere(t *testing.T) {
	r := newRig(t)
	for _, c := range []call{{method: "GET", path: "/bucket/key", body: "x"}, {method: "DELETE", path: "/bucket/key", body: "x"}, {method: "POST", path: "/bucket/key", query: "uploads", body: "x"}} {
		r.backend.forget()
		if a := r.do(c); a.status != 200 || len(r.only().Wire) > 0 || !slices.Contains([]int64{0, -1}, r.only().Length) {
			t.Errorf("%s: %d, %q", c.method, a.status, r.only().Wire)
		}
	}
}
