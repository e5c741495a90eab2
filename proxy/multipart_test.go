package proxy

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// partsBackend lists parts in pages of two and completes uploads.
func partsBackend(r *rig, sizes ...int64) {
	r.backend.answers(func(w http.ResponseWriter, q *http.Request, s seen) {
		w.Header().Set("Content-Type", "application/xml")
		if q.Method != http.MethodGet {
			_, _ = io.WriteString(w, `<CompleteMultipartUploadResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Location>http://secret.backend/x</Location>`+
				`<Bucket>secret</Bucket><Key>secret</Key><ETag>&quot;abc-2&quot;</ETag><ChecksumCRC32>AAAA</ChecksumCRC32></CompleteMultipartUploadResult>`)
			return
		}
		first := 0
		if _, after, ok := strings.Cut(s.URI, "part-number-marker="); ok {
			_, _ = fmt.Sscanf(after, "%d", &first)
		}
		last := min(first+2, len(sizes))
		fmt.Fprintf(w, "<ListPartsResult><IsTruncated>%t</IsTruncated><NextPartNumberMarker>%d</NextPartNumberMarker>", last < len(sizes), last)
		for n := first + 1; n <= last; n++ {
			fmt.Fprintf(w, `<Part><PartNumber>%d</PartNumber><ETag>"etag%d"</ETag><Size>%d</Size></Part>`, n, n, sizes[n-1])
		}
		_, _ = io.WriteString(w, "</ListPartsResult>")
	})
}

func completeBody(numbers ...int) string {
	var b strings.Builder
	b.WriteString(`<CompleteMultipartUpload xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	for _, n := range numbers {
		fmt.Fprintf(&b, `<Part><PartNumber>%d</PartNumber><ETag>"etag%d"</ETag><ChecksumSHA512>sum%d</ChecksumSHA512></Part>`, n, n, n)
	}
	b.WriteString("</CompleteMultipartUpload>")
	return b.String()
}

func complete(body string) call {
	return call{method: "POST", path: "/bucket/dir/a key.png", query: "uploadId=up%2F1", body: body}
}

func (r *rig) methods() string {
	var all []string
	for _, s := range r.backend.requests() {
		all = append(all, s.Method)
	}
	return strings.Join(all, " ")
}

// The whole object is judged before it comes to be.
func TestCompleteJudgesTheWholeObject(t *testing.T) {
	for _, c := range []struct {
		name    string
		sizes   []int64
		body    string
		status  int
		code    string
		methods string // at the backend
	}{
		{"within the limit, over two pages", []int64{4000, 1, 1}, completeBody(1, 2, 3), 200, "", "GET GET POST"},
		{"only the named parts count", []int64{4000, 6000, 1}, completeBody(1, 3), 200, "", "GET GET POST"},
		{"the sum is over the limit", []int64{4000, 4000, 3000}, completeBody(1, 2, 3), 400, "EntityTooLarge", "GET GET DELETE"},
		{"a part that is not there", []int64{4000}, completeBody(1, 2), 400, "InvalidPart", "GET"},
		{"another ETag", []int64{4000}, strings.Replace(completeBody(1), "etag1", "other", 1), 400, "InvalidPart", "GET"},
		{"no ETag", []int64{4000}, strings.Replace(completeBody(1), `"etag1"`, "", 1), 400, "InvalidPart", "GET"},
		{"without part 1", []int64{4000, 10}, completeBody(2), 400, "InvalidPart", "GET"},
		{"a part 1 too small to be judged", []int64{10, 10}, completeBody(1, 2), 400, "EntityTooSmall", "GET"},
		{"out of order", []int64{4000, 10}, completeBody(2, 1), 400, "InvalidPartOrder", ""},
		{"the same part twice", []int64{4000, 10}, completeBody(1, 1), 400, "InvalidPartOrder", ""},
		{"part 0", []int64{4000}, completeBody(0), 400, "InvalidArgument", ""},
		{"part 10001", []int64{4000}, completeBody(10001), 400, "InvalidArgument", ""},
		{"no part", nil, completeBody(), 400, "MalformedXML", ""},
		{"no document", nil, "", 400, "MalformedXML", ""},
		{"another document", nil, "<Delete></Delete>", 400, "MalformedXML", ""},
		{"a number that is none", nil, "<CompleteMultipartUpload><Part><PartNumber>x</PartNumber></Part></CompleteMultipartUpload>", 400, "MalformedXML", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, limits(10000, "image/*"))
			partsBackend(r, c.sizes...)
			a := r.do(complete(c.body))
			if a.status != c.status || a.code != c.code {
				t.Errorf("%d %s", a.status, a.body)
			}
			if got := r.methods(); got != c.methods {
				t.Errorf("the backend got %q, want %q", got, c.methods)
			}
			for _, s := range r.backend.requests() {
				if !strings.Contains(s.URI, "uploadId=up%2F1") || !strings.HasPrefix(s.URI, "/bucket/dir/a%20key.png?") {
					t.Errorf("%s %s is not about the upload", s.Method, s.URI)
				}
			}
		})
	}
}

func TestCompleteNamesTheGatewayAndLosesNothing(t *testing.T) {
	r := newRig(t)
	partsBackend(r)
	c := with(complete(completeBody(1, 2)), "X-Amz-Checksum-Crc64nvme", "AAAAAAAAAAA=")
	c.header["If-None-Match"], c.header["X-Amz-Checksum-Type"] = "*", "FULL_OBJECT"
	a := r.do(c)
	want := "<Location>http://" + r.server.Listener.Addr().String() + "/bucket/dir/a%20key.png</Location><Bucket>bucket</Bucket><Key>dir/a key.png</Key>"
	if a.status != 200 || !strings.Contains(a.body, want) || strings.Contains(a.body, "secret") || !strings.Contains(a.body, "abc-2") || !strings.Contains(a.body, "<ChecksumCRC32>AAAA</ChecksumCRC32>") {
		t.Errorf("%d %s", a.status, a.body)
	}
	s := r.only()
	if !strings.Contains(s.Body, "<ChecksumSHA512>sum2</ChecksumSHA512>") || s.Header.Get("X-Amz-Checksum-Crc64nvme") == "" ||
		s.Header.Get("X-Amz-Checksum-Type") != "FULL_OBJECT" || s.Header.Get("If-None-Match") != "*" || s.Header.Get("Content-Md5") == "" {
		t.Errorf("backend got %v %s", s.Header, s.Body)
	}
}

// A result that names a key which XML cannot hold is one all the same.
func TestAResultWithAKeyThatXMLCannotHold(t *testing.T) {
	r := newRig(t)
	r.backend.says("<CompleteMultipartUploadResult><Key>a&#x1;b</Key><ETag>e</ETag></CompleteMultipartUploadResult>")
	a := r.do(call{method: "POST", path: "/bucket/a\x01b", query: "uploadId=u", body: completeBody(1)})
	if a.status != 200 || !strings.Contains(a.body, "<Key>a\uFFFDb</Key><ETag>e</ETag>") {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The checksums of a Complete are the object's: its document has others.
func TestTheChecksumsOfACompleteAreTheObjects(t *testing.T) {
	for name, value := range map[string]string{
		"X-Amz-Checksum-Crc32": "AAAAAA==-2", "X-Amz-Checksum-Sha512": strings.Repeat("A", 86) + "==", "X-Amz-Checksum-Md5": strings.Repeat("A", 22) + "==",
	} {
		r := newRig(t)
		r.backend.says("<CompleteMultipartUploadResult></CompleteMultipartUploadResult>")
		a := r.do(call{method: "POST", path: "/bucket/key", query: "uploadId=u", body: completeBody(1), header: map[string]string{name: value}})
		if a.status != 200 || r.only().Header.Get(name) != value {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}

func TestAnEndlessPartListEnds(t *testing.T) {
	r := newRig(t, limits(10000, "image/*"))
	n := 0
	r.backend.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) {
		n++
		fmt.Fprintf(w, "<ListPartsResult><IsTruncated>true</IsTruncated><NextPartNumberMarker>%d</NextPartNumberMarker></ListPartsResult>", n)
	})
	r.refused(r.do(complete(completeBody(1))), 503, "ServiceUnavailable", "")
	if n > maxPages {
		t.Errorf("%d pages were read", n)
	}
}

// copyBackend is a source of a size and type, and answers copies.
func copyBackend(r *rig, size int64, contentType, head string) {
	r.backend.answers(func(w http.ResponseWriter, q *http.Request, _ seen) {
		w.Header().Set("Etag", `"source"`)
		switch q.Method {
		case http.MethodHead:
			w.Header().Set("Last-Modified", "Mon, 23 Nov 2026 20:00:01 GMT")
			w.Header().Set("Content-Length", fmt.Sprint(size))
			w.Header().Set("Content-Type", contentType)
		case http.MethodGet:
			w.WriteHeader(http.StatusPartialContent)
			_, _ = io.WriteString(w, head)
		default:
			root := "CopyObjectResult"
			if q.URL.Query().Has("partNumber") {
				root = "CopyPartResult"
			}
			_, _ = io.WriteString(w, "<"+root+"><ETag>&quot;copied&quot;</ETag></"+root+">")
		}
	})
}

func TestCopiesAreJudgedAsUploadsAndPinned(t *testing.T) {
	for _, c := range []struct {
		name         string
		size         int64
		contentType  string
		head         string
		query        string
		header       map[string]string
		status       int
		code         string
		methods      string
		ifMatch, rng string // of the last request, of the look at the bytes
	}{
		{"a picture", 100, "image/png", png, "", nil, 200, "", "HEAD GET PUT", `"source"`, "bytes=0-3071"},
		{"too large", 10001, "image/png", png, "", nil, 400, "EntityTooLarge", "HEAD GET", "", ""},
		{"the source's type", 100, "text/html", png, "", nil, 403, "AccessDenied", "HEAD GET", "", ""},
		{"the source's bytes", 100, "image/png", "<!DOCTYPE html>", "", nil, 403, "AccessDenied", "HEAD GET", "", ""},
		{"a new type", 100, "image/png", png, "", map[string]string{"X-Amz-Metadata-Directive": "REPLACE", "Content-Type": "text/html"}, 403, "AccessDenied", "HEAD GET", "", ""},
		{"a type that is not taken over", 100, "image/png", png, "", map[string]string{"X-Amz-Metadata-Directive": "COPY", "Content-Type": "text/html"}, 200, "", "HEAD GET PUT", `"source"`, "bytes=0-3071"},
		{"a directive that stores read differently", 100, "text/html", png, "", map[string]string{"X-Amz-Metadata-Directive": "replace", "Content-Type": "image/png"}, 400, "InvalidArgument", "HEAD GET", "", ""},
		{"own condition that holds", 100, "image/png", png, "", map[string]string{"X-Amz-Copy-Source-If-Match": "source"}, 200, "", "HEAD GET PUT", `"source"`, ""},
		{"own condition that fails", 100, "image/png", png, "", map[string]string{"X-Amz-Copy-Source-If-Match": `"other"`}, 412, "PreconditionFailed", "HEAD", "", ""},
		{"own condition on the time", 100, "image/png", png, "", map[string]string{"X-Amz-Copy-Source-If-Unmodified-Since": "Mon, 23 Nov 2026 20:00:00 GMT"}, 412, "PreconditionFailed", "HEAD", "", ""},
		{"an empty source", 0, "image/png", "", "", nil, 200, "", "HEAD PUT", `"source"`, ""},
		{"part 1", 9000, "text/html", png, "partNumber=1&uploadId=u", map[string]string{"X-Amz-Copy-Source-Range": "bytes=100-8000"}, 200, "", "HEAD GET PUT", `"source"`, "bytes=100-3171"},
		{"part 1 of other bytes", 9000, "image/png", "<!DOCTYPE html>", "partNumber=1&uploadId=u", map[string]string{"X-Amz-Copy-Source-Range": "bytes=100-8000"}, 403, "AccessDenied", "HEAD GET", "", ""},
		{"part 2 is not looked at", 9000, "text/html", "", "partNumber=2&uploadId=u", nil, 200, "", "HEAD PUT", `"source"`, ""},
		{"part too large by its range", 99999, "image/png", "", "partNumber=2&uploadId=u", map[string]string{"X-Amz-Copy-Source-Range": "bytes=0-10000"}, 400, "EntityTooLarge", "HEAD", "", ""},
		{"part within the limit of a large source", 99999, "image/png", "", "partNumber=2&uploadId=u", map[string]string{"X-Amz-Copy-Source-Range": "bytes=1-10000"}, 200, "", "HEAD PUT", `"source"`, ""},
		{"a range with a sign", 9000, "image/png", png, "partNumber=1&uploadId=u", map[string]string{"X-Amz-Copy-Source-Range": "bytes=+0-5"}, 400, "InvalidArgument", "", "", ""},
		{"a range backwards", 9000, "image/png", png, "partNumber=1&uploadId=u", map[string]string{"X-Amz-Copy-Source-Range": "bytes=5-1"}, 400, "InvalidArgument", "", "", ""},
		{"an open range", 9000, "image/png", png, "partNumber=1&uploadId=u", map[string]string{"X-Amz-Copy-Source-Range": "bytes=5-"}, 400, "InvalidArgument", "", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, limits(10000, "image/*"))
			copyBackend(r, c.size, c.contentType, c.head)
			req := call{method: "PUT", path: "/bucket/new", query: c.query, header: map[string]string{"X-Amz-Copy-Source": "/bucket/a%2Bb/old?versionId=v%2F1"}}
			for name, value := range c.header {
				req.header[name] = value
			}
			a := r.do(req)
			if a.status != c.status || a.code != c.code {
				t.Errorf("%d %s", a.status, a.body)
			}
			if got := r.methods(); got != c.methods {
				t.Fatalf("the backend got %q, want %q", got, c.methods)
			}
			for _, s := range r.backend.requests() {
				switch s.Method {
				case "PUT":
					if got := s.Header.Get("X-Amz-Copy-Source"); got != "/bucket/a%2Bb/old?versionId=v%2F1" || s.Header.Get("X-Amz-Copy-Source-If-Match") != c.ifMatch {
						t.Errorf("copied from %q if %q", got, s.Header.Get("X-Amz-Copy-Source-If-Match"))
					}
				default:
					if s.URI != "/bucket/a%2Bb/old?versionId=v%2F1" || c.rng != "" && s.Method == "GET" && (s.Header.Get("Range") != c.rng || s.Header.Get("If-Match") != `"source"`) {
						t.Errorf("looked at %s %v", s.URI, s.Header)
					}
				}
			}
		})
	}
}

func TestASourceThatCannotBeJudgedIsNotCopied(t *testing.T) {
	r := newRig(t, limits(10000, "image/*"))
	r.backend.answers(func(w http.ResponseWriter, q *http.Request, _ seen) {
		w.Header().Set("Content-Type", "image/png") // neither ETag nor a length
		w.Header()["Date"] = nil
		if q.Method != http.MethodHead {
			_, _ = io.WriteString(w, png)
		}
	})
	r.refused(r.do(call{method: "PUT", path: "/bucket/new", header: map[string]string{"X-Amz-Copy-Source": "/bucket/old"}}), 503, "ServiceUnavailable", "")
	if got := r.methods(); got != "HEAD" {
		t.Errorf("the backend got %q", got)
	}
}

func TestCopySourcesAreReadOneWay(t *testing.T) {
	for _, c := range []struct{ value, want, code string }{
		{"bucket/key", "/bucket/key", ""},
		{"/bucket/key", "/bucket/key", ""},
		{"/bucket/a+b", "/bucket/a%2Bb", ""},
		{"/bucket/a%20b", "/bucket/a%20b", ""},
		{"/bucket/ü", "/bucket/%C3%BC", ""},
		{"bucket%2Fkey", "/bucket/key", ""},
		{"%2Fbucket%2Fa%2Fb", "/bucket/a/b", ""},
		{"/bucket/a%3Fb?versionId=null", "/bucket/a%3Fb?versionId=null", ""},
		{"/bucket//key", "/bucket//key", ""},
		{"/bucket/key?versionId=", "", "InvalidArgument"},
		{"/bucket/key?versionId=a&x=b", "", "InvalidArgument"},
		{"/bucket/key?x=b", "", "InvalidArgument"},
		{"/bucket/a?b?versionId=c", "", "InvalidArgument"},
		{"/bucket/%zz", "", "InvalidArgument"},
		{"/bucket/", "", "InvalidArgument"},
		{"bucket", "", "InvalidArgument"},
		{"arn:aws:s3:us-east-1:1:accesspoint/x/object/key", "", "NotImplemented"},
		{"/bu%2Fcket/..%2f..%2fkey", "", "InvalidBucketName"},
		{"/hidden/key", "", "NoSuchBucket"},
		{"/bucket/.s3gateway/state", "", "AccessDenied"},
		{"/bucket/%2Es3gateway%2Fstate", "", "AccessDenied"},
		{"/bucket//.s3gateway/state", "", "AccessDenied"},
		{"/bucket/" + strings.Repeat("k", 1025), "", "KeyTooLongError"},
	} {
		r := newRig(t, func(r *rig) { r.door.Buckets.Exposed = []string{"bucket", "new"} })
		copyBackend(r, 1, "", "")
		r.backend.hasSources("/")
		a := r.do(call{method: "PUT", path: "/new/key", header: map[string]string{"X-Amz-Copy-Source": c.value}})
		if a.code != c.code {
			t.Errorf("%s: %d %s", c.value, a.status, a.body)
			continue
		}
		if c.want == "" {
			r.untouched()
		} else if got := r.only().Header.Get("X-Amz-Copy-Source"); got != c.want {
			t.Errorf("%s went out as %s, want %s", c.value, got, c.want)
		}
	}
}
