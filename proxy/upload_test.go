package proxy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/drain"
	"github.com/codeguardians/s3gateway/signer"
)

// png is the beginning of a picture; the rest of it does not matter.
const png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"

// framed is a body in unsigned aws-chunked form with a CRC32 trailer.
func framed(data, trailer string) call {
	body := ""
	if data != "" {
		body = fmt.Sprintf("%x\r\n%s\r\n", len(data), data)
	}
	body += "0\r\nx-amz-checksum-crc32:" + trailer + "\r\n\r\n"
	return call{method: "PUT", path: "/bucket/key", body: body, hash: signer.StreamingUnsignedTrailer, header: map[string]string{
		"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": fmt.Sprint(len(data)), "X-Amz-Trailer": "x-amz-checksum-crc32"}}
}

func with(c call, name, value string) call {
	header := map[string]string{name: value}
	for n, v := range c.header {
		if n != name {
			header[n] = v
		}
	}
	c.header = header
	return c
}

// What headers show is refused before a byte goes on, and nothing of it reaches
// the backend.
func TestUploadsAreRefusedByWhatTheyDeclare(t *testing.T) {
	put := func(body string, header map[string]string) call {
		return call{method: "PUT", path: "/bucket/key", body: body, header: header}
	}
	typed := func(contentType string) map[string]string { return map[string]string{"Content-Type": contentType} }
	for _, c := range []struct {
		name       string
		call       call
		status     int
		code, part string
	}{
		{"declared length over the limit", put(strings.Repeat("x", 101), typed("image/png")), 400, "EntityTooLarge", "100 bytes"},
		{"decoded length over the limit", with(framed(strings.Repeat("x", 101), "AAAAAA=="), "Content-Type", "image/png"), 400, "EntityTooLarge", "100 bytes"},
		{"part over the limit", call{method: "PUT", path: "/bucket/key", query: "partNumber=2&uploadId=u", body: strings.Repeat("x", 101)}, 400, "EntityTooLarge", ""},
		{"declared type", put(png, typed("text/html")), 403, "AccessDenied", "ALLOWED_FILE_TYPES"},
		{"type that is no type", put(png, typed("image/png, text/html")), 403, "AccessDenied", "File type"},
		{"extension", call{method: "PUT", path: "/bucket/a.html", body: png, header: typed("image/png")}, 403, "AccessDenied", "extension"},
		{"first bytes", put("<!DOCTYPE html><script>", typed("image/png")), 403, "AccessDenied", "first bytes"},
		{"first bytes without a declaration", put("<!DOCTYPE html><script>", nil), 403, "AccessDenied", "first bytes"},
		{"first bytes in frames", with(framed("<!DOCTYPE html><script>", crc32Of("<!DOCTYPE html><script>")), "Content-Type", "image/png"), 403, "AccessDenied", "first bytes"},
		{"first bytes of part 1", call{method: "PUT", path: "/bucket/key", query: "partNumber=1&uploadId=u", body: "<!DOCTYPE html>"}, 403, "AccessDenied", "first bytes"},
		{"type of a multipart upload", call{method: "POST", path: "/bucket/key", query: "uploads", header: typed("text/html")}, 403, "AccessDenied", "declaration"},
		{"presigned", call{method: "PUT", path: "/bucket/key", body: png, header: typed("text/html"), presign: true}, 403, "AccessDenied", "File type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, limits(100, "image/*"))
			r.refused(r.do(c.call), c.status, c.code, c.part)
			r.untouched()
		})
	}
}

func TestUploadsWithinThePolicyPass(t *testing.T) {
	for _, c := range []call{
		{method: "PUT", path: "/bucket/a.png", body: png, header: map[string]string{"Content-Type": "image/png"}},
		{method: "PUT", path: "/bucket/a", body: png + strings.Repeat("\x00", 100-len(png))},
		{method: "PUT", path: "/bucket/empty", header: map[string]string{"Content-Type": "image/png"}},
		{method: "PUT", path: "/bucket/a", query: "partNumber=2&uploadId=u", body: "anything at all"},
		with(framed(png, crc32Of(png)), "Content-Type", "image/png"),
	} {
		r := newRig(t, limits(100, "image/*"))
		if a := r.do(c); a.status != 200 || a.header.Get("Etag") != `"etag"` {
			t.Errorf("%s?%s: %d %s", c.path, c.query, a.status, a.body)
			continue
		}
		s := r.only()
		if want := c.body; c.hash == "" && (s.Body != want || s.Header.Get("Content-Encoding") != "" || s.Length != int64(len(want))) {
			t.Errorf("%s: stored %q", c.path, s.Body)
		}
	}
}

func crc32Of(data string) string {
	sum, _ := signer.NewChecksum("crc32")
	sum.Write([]byte(data))
	return base64Of(sum.Sum(nil))
}

// A body that fails at its end stores nothing, whatever was streamed before,
// the client reads S3's code, and the gateway serves the next request.
func TestABodyThatFailsStoresNothing(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 1<<16) // 1 MiB
	otherHash := "0000000000000000000000000000000000000000000000000000000000000000"
	short := func(data string) call {
		c := framed(data, crc32Of(data))
		c.body = c.body[:len(c.body)/2]
		return c
	}
	for _, c := range []struct {
		name   string
		change func(*backend.Endpoint)
		call   call
		code   string
	}{
		{"wrong trailer", nil, framed(big, "AAAAAA=="), "BadDigest"},
		{"wrong trailer, plain to the backend", func(e *backend.Endpoint) { e.Trailers = false }, framed(big, "AAAAAA=="), "BadDigest"},
		{"wrong trailer of nothing", nil, framed("", "jNy3gw=="), "BadDigest"},
		{"frames without end", nil, short(big), "IncompleteBody"},
		{"wrong payload hash, compared here", func(e *backend.Endpoint) { e.VerifyPayload = true },
			call{method: "PUT", path: "/bucket/key", body: big, hash: otherHash}, "XAmzContentSHA256Mismatch"},
		{"wrong payload hash of a short body, compared here", func(e *backend.Endpoint) { e.VerifyPayload = true },
			call{method: "PUT", path: "/bucket/key", body: "x", hash: otherHash}, "XAmzContentSHA256Mismatch"},
		{"chunk larger than declared", nil, with(framed(big, crc32Of(big)), "X-Amz-Decoded-Content-Length", "5"), "IncompleteBody"},
		{"framing without a mode", nil, call{method: "PUT", path: "/bucket/key", body: "1\r\nx\r\n0\r\n\r\n", header: map[string]string{"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "1"}}, "InvalidRequest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var changes []func(*rig)
			if c.change != nil {
				changes = append(changes, endpoint(c.change))
			}
			r := newRig(t, changes...)
			if a := r.do(c.call); a.status != 400 || a.code != c.code {
				t.Errorf("answer %d %s, want 400 %s", a.status, a.body, c.code)
			}
			if stored := r.backend.stored(); len(stored) > 0 {
				t.Errorf("the backend stored %d bytes", len(stored[0].Body))
			}
			if a := r.do(call{method: "PUT", path: "/bucket/next", body: "fine"}); a.status != 200 {
				t.Errorf("the next request: %d %s", a.status, a.body)
			}
		})
	}
}

// signedHead gives the request line and header of a signed call, for clients
// that are written by hand.
func (r *rig) signedHead(c call, more string) string {
	r.t.Helper()
	q := r.request(c)
	creds := aws.Credentials{AccessKeyID: clientKey, SecretAccessKey: clientSecret}
	if err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).
		SignHTTP(context.Background(), creds, q, q.Header.Get("X-Amz-Content-Sha256"), "s3", "us-east-1", time.Now()); err != nil {
		r.t.Fatal(err)
	}
	var text bytes.Buffer
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n", q.Method, q.URL.RequestURI(), q.URL.Host)
	if err := q.Header.Write(&text); err != nil {
		r.t.Fatal(err)
	}
	return text.String() + more + "\r\n"
}

func (r *rig) dial() net.Conn {
	r.t.Helper()
	conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

// A client that hangs up in the middle leaves no object behind, and no
// goroutine (TestMain).
func TestAClientThatLeavesStoresNothing(t *testing.T) {
	r := newRig(t)
	conn := r.dial()
	head := r.signedHead(call{method: "PUT", path: "/bucket/key", hash: signer.UnsignedPayload, edit: func(q *http.Request) { q.ContentLength = 0 }}, "Content-Length: 5000000\r\n")
	_, err := io.WriteString(conn, head+strings.Repeat("x", 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	eventually(t, "the backend notices", func() bool { return len(r.backend.requests()) > 0 })
	if s := r.backend.requests()[0]; s.Err == nil {
		t.Errorf("stored %d bytes", len(s.Body))
	}
}

func TestLengthIsWanted(t *testing.T) {
	r := newRig(t)
	c := call{method: "PUT", path: "/bucket/key", hash: signer.UnsignedPayload}
	for name, more := range map[string]string{"chunked": "Transfer-Encoding: chunked\r\n\r\n0\r\n", "none": ""} {
		a := r.exchange(r.signedHead(c, more))
		if a.status != 411 || a.code != "MissingContentLength" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	r.untouched()
}

// A client that waits for 100 Continue is told no before it sends; one that
// does not wait reads the same answer while it is still sending.
func TestARefusalReachesAClientThatSends(t *testing.T) {
	r := newRig(t, limits(100, "image/*"))
	c := call{method: "PUT", path: "/bucket/key", hash: signer.UnsignedPayload}
	conn, start := r.dial(), time.Now()
	if _, err := io.WriteString(conn, r.signedHead(c, "Expect: 100-continue\r\nContent-Length: 8388608\r\n")); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(conn)
	if err != nil || !bytes.HasPrefix(all, []byte("HTTP/1.1 400 ")) || !bytes.Contains(all, []byte("<Code>EntityTooLarge</Code>")) {
		t.Errorf("with Expect: %v %q", err, all)
	}
	if took := time.Since(start); took > drain.MaxTime {
		t.Errorf("with Expect it took %v", took)
	}
	conn = r.dial()
	if _, err := io.WriteString(conn, r.signedHead(c, "Content-Length: 8388608\r\n")); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write(make([]byte, 8<<20)); err != nil {
		t.Fatalf("the body could not be sent: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	r.refused(readReply(resp), 400, "EntityTooLarge", "MAX_FILE_SIZE")
	r.untouched()
}

// A backend that refuses early is heard, and its refusal passes.
func TestABackendThatRefusesEarlyIsHeard(t *testing.T) {
	r := newRig(t)
	r.backend.answersEarly(func(w http.ResponseWriter, _ *http.Request) bool {
		w.WriteHeader(http.StatusInsufficientStorage)
		_, _ = io.WriteString(w, "<Error><Code>XMinioStorageFull</Code><Message>full</Message></Error>")
		return true
	})
	a := r.do(call{method: "PUT", path: "/bucket/key", body: strings.Repeat("x", 4<<20), hash: signer.UnsignedPayload})
	r.refused(a, 507, "XMinioStorageFull", "full")
}
