package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

// Keys are bytes: what a client names is what the backend is asked for, in the
// one encoding that is signed.
func TestKeysReachTheBackendByteForByte(t *testing.T) {
	r := newRig(t)
	for _, key := range []string{
		"plain", "year=2026/month=11", "a+b", "a&b", "a;b", "a,b", "a:b", "a@b", "a!b", "a*b", "a'b", "(a)", "100%", "a#b", "a?b", "~a",
		"a//b", "//a", "a/", "a//", "/", "a/./b", "a/../b", "../../etc/passwd", "..", ".", "a%2Fb", "%41", "a%", "a b", "a\nb", "a\tb", "a\\b",
		"ünïcödé/ключ/鍵", "e\u0301", "\"<>|", "${x}", "a=b&c=d?e=f", strings.Repeat("k", 1024), strings.Repeat("ü", 512),
	} {
		r.backend.forget()
		if a := r.do(call{method: "GET", path: "/bucket/" + key}); a.status != 200 {
			t.Errorf("key %q: %d %s", key, a.status, a.body)
			continue
		}
		if got, want := r.only().URI, signer.EncodePath("/bucket/"+key); got != want {
			t.Errorf("key %q went out as %s, want %s", key, got, want)
		}
	}
}

// raw sends a request whose target is exactly what a client wrote, signed over
// the strict form as AWS's SDKs do.
func (r *rig) raw(method, target, decodedPath string, header map[string]string) reply {
	r.t.Helper()
	_, query, _ := strings.Cut(target, "?")
	q := r.request(call{method: method, path: decodedPath, query: query, header: header})
	creds := aws.Credentials{AccessKeyID: clientKey, SecretAccessKey: clientSecret}
	err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
		SignHTTP(context.Background(), creds, q, q.Header.Get("X-Amz-Content-Sha256"), "s3", "us-east-1", time.Now())
	if err != nil {
		r.t.Fatal(err)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, target, q.URL.Host)
	if err := q.Header.Write(&text); err != nil {
		r.t.Fatal(err)
	}
	return r.exchange(text.String() + "\r\n")
}

// exchange writes bytes to the gateway and reads its answer.
func (r *rig) exchange(text string) reply {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		r.t.Fatal(err)
	}
	method, _, _ := strings.Cut(text, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		r.t.Fatal(err)
	}
	return readReply(resp)
}

func TestLaxEncodingsOfClientsMeanTheSameBytes(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ name, target, decoded, want string }{
		{"sub-delimiters bare", "/bucket/a=b:c@d!$'()*,;", "/bucket/a=b:c@d!$'()*,;", "/bucket/a%3Db%3Ac%40d%21%24%27%28%29%2A%2C%3B"},
		{"lower-case hex", "/bucket/%c3%bc", "/bucket/\xc3\xbc", "/bucket/%C3%BC"},
		{"over-encoded letter", "/bucket/%41", "/bucket/A", "/bucket/A"},
		{"plus in a path is a plus", "/bucket/a+b", "/bucket/a+b", "/bucket/a%2Bb"},
		{"trailing slash of a bucket", "/bucket/", "/bucket/", "/bucket"},
		{"empty pairs carry nothing", "/bucket/k?&versionId=a&", "/bucket/k", "/bucket/k?versionId=a"},
		{"plus in a query is a plus", "/bucket?prefix=a%2Bb", "/bucket", "/bucket?prefix=a%2Bb"},
		{"the query goes out in its signed order", "/bucket?prefix=b&delimiter=%2F&list-type=2", "/bucket", "/bucket?delimiter=%2F&list-type=2&prefix=b"},
		{"semicolon in a value", "/bucket?prefix=a%3Bb&max-keys=2", "/bucket", "/bucket?max-keys=2&prefix=a%3Bb"},
		{"x-id ends here", "/bucket/k?x-id=GetObject&versionId=null", "/bucket/k", "/bucket/k?versionId=null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.backend.forget()
			r.backend.says("<ListBucketResult></ListBucketResult>")
			if a := r.raw("GET", c.target, c.decoded, nil); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if got := r.only().URI; got != c.want {
				t.Errorf("went out as %s, want %s", got, c.want)
			}
		})
	}
}

// An escaped slash is one path to a server and another to a proxy in front; the
// signature is over what was sent, and the key is what it decodes to.
func TestAnEscapedSlashIsPartOfTheKey(t *testing.T) {
	r := newRig(t)
	q := r.request(call{method: "GET", path: "/bucket/a/b"})
	q.URL.Path, q.URL.RawPath = "/bucket/a/b", "/bucket/a%2Fb"
	creds := aws.Credentials{AccessKeyID: clientKey, SecretAccessKey: clientSecret}
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
		SignHTTP(context.Background(), creds, q, q.Header.Get("X-Amz-Content-Sha256"), "s3", "us-east-1", time.Now()); err != nil {
		t.Fatal(err)
	}
	resp, err := r.http.RoundTrip(q)
	if err != nil {
		t.Fatal(err)
	}
	if a := readReply(resp); a.status != 200 || r.only().URI != "/bucket/a/b" {
		t.Errorf("%d, went out as %s", a.status, r.only().URI)
	}
}

func TestHeadersGoOnByTheList(t *testing.T) {
	r := newRig(t)
	a := r.do(call{method: "PUT", path: "/bucket/key", body: "x", header: map[string]string{
		"Content-Type": "text/x", "Cache-Control": "no-store", "Content-Language": "de", "Content-Disposition": "inline",
		"If-None-Match": "*", "X-Amz-Meta-Colour": "blue, grey", "X-Amz-Storage-Class": "STANDARD_IA", "X-Amz-Tagging": "a=b",
		"X-Amz-Server-Side-Encryption": "aws:kms", "X-Amz-Checksum-Crc32": "jNy3gw==",
		// not S3's business
		"Cookie": "session=1", "X-Forwarded-For": "1.2.3.4", "Accept-Encoding": "gzip", "User-Agent": "me", "Te": "trailers",
		"X-Custom": "1", "Proxy-Authorization": "secret", "Origin": "https://example.com", "Via": "1.1 x", "X-Amzn-Trace-Id": "Root=1",
	}})
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	got := r.only().Header
	for _, name := range []string{"Authorization", "Content-Length", "User-Agent", "X-Amz-Content-Sha256", "X-Amz-Date"} {
		got.Del(name)
	}
	var names []string
	for name := range got {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"Cache-Control", "Content-Disposition", "Content-Language", "Content-Type", "If-None-Match", "Origin", "X-Amz-Checksum-Crc32",
		"X-Amz-Meta-Colour", "X-Amz-Server-Side-Encryption", "X-Amz-Storage-Class", "X-Amz-Tagging"}
	if !slices.Equal(names, want) {
		t.Errorf("went on:\n%v\nwant\n%v", names, want)
	}
	if got.Get("X-Amz-Meta-Colour") != "blue, grey" {
		t.Errorf("metadata %q", got.Get("X-Amz-Meta-Colour"))
	}
}

func TestNothingOfTheClientsProofReachesTheBackend(t *testing.T) {
	r := newRig(t)
	for _, c := range []call{
		{method: "GET", path: "/bucket/key", query: "versionId=v"},
		{method: "GET", path: "/bucket/key", presign: true},
		{method: "PUT", path: "/bucket/key", body: "hello"},
		{method: "PUT", path: "/bucket/key", body: "hello", presign: true},
	} {
		r.backend.forget()
		if a := r.do(c); a.status != 200 {
			t.Fatalf("%s: %d %s", c.method, a.status, a.body)
		}
		s := r.only()
		all := s.URI + fmt.Sprint(s.Header)
		if strings.Contains(all, clientKey) || strings.Contains(s.URI, "X-Amz-") || !strings.Contains(all, backendKey) {
			t.Errorf("%s: the backend got %s", c.method, all)
		}
	}
}

func TestHeadersThatAreRefusedAreNamed(t *testing.T) {
	long := strings.Repeat("a", 100)
	for _, c := range []struct {
		name         string
		method       string
		header       map[string]string
		edit         func(*http.Request)
		status       int
		code, inBody string
	}{
		{"unknown x-amz header", "PUT", map[string]string{"X-Amz-Future": "1"}, nil, 501, "NotImplemented", "x-amz-future"},
		{"header of another operation", "DELETE", map[string]string{"X-Amz-Storage-Class": "GLACIER"}, nil, 501, "NotImplemented", "x-amz-storage-class"},
		{"MinIO's own header", "DELETE", map[string]string{"X-Minio-Force-Delete": "true"}, nil, 403, "AccessDenied", "x-minio-force-delete"},
		{"MinIO unpacks an archive", "PUT", map[string]string{"X-Amz-Meta-Snowball-Auto-Extract": "true"}, nil, 403, "AccessDenied", "x-amz-meta-snowball-auto-extract"},
		{"MinIO unpacks with options", "PUT", map[string]string{"X-Amz-Meta-Minio-Snowball-Prefix": "a"}, nil, 403, "AccessDenied", "minio-snowball"},
		{"the gateway's own mark", "PUT", map[string]string{"X-Amz-Meta-S3gateway-Mark": long}, nil, 403, "AccessDenied", "s3gateway-mark"},
		{"a header of the next hop only", "PUT", map[string]string{"If-None-Match": "*", "Connection": "close, If-None-Match"}, nil, 400, "InvalidRequest", "if-none-match"},
		{"two content types", "PUT", nil, func(q *http.Request) { q.Header["Content-Type"] = []string{"image/png", "text/html"} }, 400, "InvalidRequest", "content-type"},
		{"two canned ACLs", "PUT", nil, func(q *http.Request) { q.Header["X-Amz-Acl"] = []string{"private", "public-read"} }, 400, "InvalidRequest", "x-amz-acl"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.refused(r.do(call{method: c.method, path: "/bucket/key", header: c.header, edit: c.edit}), c.status, c.code, c.inBody)
			r.untouched()
		})
	}
}

// A presigned query may carry x-amz-* parameters in the place of headers.
func TestPromotedParametersAreJudgedAndForwardedAsHeaders(t *testing.T) {
	r := newRig(t)
	a := r.do(call{method: "PUT", path: "/bucket/key", query: "x-amz-meta-a=b&x-amz-storage-class=GLACIER", body: "x", presign: true})
	s := r.only()
	if a.status != 200 || s.URI != "/bucket/key" || s.Header.Get("X-Amz-Meta-A") != "b" || s.Header.Get("X-Amz-Storage-Class") != "GLACIER" {
		t.Errorf("%d; backend got %s %v", a.status, s.URI, s.Header)
	}
	r.backend.forget()
	r.refused(r.do(call{method: "PUT", path: "/bucket/key", query: "x-amz-future=1", presign: true}), 501, "NotImplemented", "x-amz-future")
	r.refused(r.do(call{method: "PUT", path: "/bucket/key", query: "x-amz-meta-snowball-auto-extract=true", presign: true}), 403, "AccessDenied", "snowball")
	// The copy source decides the operation from the query too, and a link may not copy.
	r.refused(r.do(call{method: "PUT", path: "/bucket/key", query: "x-amz-copy-source=/bucket/other", presign: true, creds: r.linkKeys()}), 403, "AccessDenied", "CopyObject")
	r.untouched()
}

func TestContentEncodingLosesOnlyTheFraming(t *testing.T) {
	for _, c := range []struct {
		given, plain, framed string
	}{
		{"aws-chunked", "", "aws-chunked"},
		{"aws-chunked,gzip", "gzip", "aws-chunked,gzip"},
		{"gzip, AWS-Chunked", "gzip", "aws-chunked,gzip"},
		{"gzip,br", "gzip,br", "aws-chunked,gzip,br"},
	} {
		r := newRig(t)
		body := "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
		a := r.do(call{method: "PUT", path: "/bucket/key", body: body, hash: signer.StreamingUnsignedTrailer, header: map[string]string{
			"Content-Encoding": c.given, "X-Amz-Decoded-Content-Length": "5", "X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Sdk-Checksum-Algorithm": "CRC32"}})
		if a.status != 200 {
			t.Fatalf("%+v: %d %s", c, a.status, a.body)
		}
		if s := r.only(); s.Header.Get("Content-Encoding") != c.framed || s.Body != "hello" {
			t.Errorf("%+v: backend got %q, body %q", c, s.Header.Get("Content-Encoding"), s.Body)
		}
		plain := newRig(t, endpoint(func(e *backend.Endpoint) { e.Trailers = false }))
		plain.do(call{method: "PUT", path: "/bucket/key", body: body, hash: signer.StreamingUnsignedTrailer, header: map[string]string{
			"Content-Encoding": c.given, "X-Amz-Decoded-Content-Length": "5", "X-Amz-Trailer": "x-amz-checksum-crc32"}})
		if s := plain.only(); s.Header.Get("Content-Encoding") != c.plain || string(s.Wire) != "hello" || s.Length != 5 {
			t.Errorf("%+v: backend without trailers got %q, %q", c, s.Header.Get("Content-Encoding"), s.Wire)
		}
	}
}
