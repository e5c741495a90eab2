package proxy

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/codeguardians/s3gateway/signer"
)

// chunked sends a body in signed chunks, as the Java SDK and s3fs do. spoil may
// change the framed body before it is sent.
func (r *rig) chunked(chunks []string, spoil func(string) string) reply {
	r.t.Helper()
	at := time.Now().UTC()
	data := strings.Join(chunks, "")
	q := r.request(call{method: "PUT", path: "/bucket/key", hash: signer.StreamingSigned, header: map[string]string{
		"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": fmt.Sprint(len(data))}})
	q.ContentLength = 0
	err := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }).SignHTTP(context.Background(),
		aws.Credentials{AccessKeyID: clientKey, SecretAccessKey: clientSecret}, q, signer.StreamingSigned, "s3", "us-east-1", at)
	if err != nil {
		r.t.Fatal(err)
	}
	_, last, _ := strings.Cut(q.Header.Get("Authorization"), "Signature=")
	day := at.Format("20060102")
	key := []byte("AWS4" + clientSecret)
	for _, part := range []string{day, "us-east-1", "s3", "aws4_request"} {
		key = mac(key, part)
	}
	var body strings.Builder
	for _, chunk := range append(chunks, "") {
		sum := sha256.Sum256([]byte(chunk))
		last = hex.EncodeToString(mac(key, strings.Join([]string{"AWS4-HMAC-SHA256-PAYLOAD", at.Format("20060102T150405Z"),
			day + "/us-east-1/s3/aws4_request", last, signer.EmptyHash, hex.EncodeToString(sum[:])}, "\n")))
		fmt.Fprintf(&body, "%x;chunk-signature=%s\r\n%s\r\n", len(chunk), last, chunk)
	}
	text := body.String()
	if spoil != nil {
		text = spoil(text)
	}
	q.Body, q.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	resp, err := r.http.RoundTrip(q)
	if err != nil {
		r.t.Fatal(err)
	}
	return readReply(resp)
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	_, _ = io.WriteString(h, text)
	return h.Sum(nil)
}

func TestSignedChunksAreProvenToTheLast(t *testing.T) {
	chunks := []string{strings.Repeat("a", 1<<20), strings.Repeat("b", 1<<16), "the end"}
	r := newRig(t)
	if a := r.chunked(chunks, nil); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if s := r.only(); s.Body != strings.Join(chunks, "") || s.Header.Get("Content-Encoding") != "aws-chunked" ||
		s.Header.Get("X-Amz-Content-Sha256") != signer.StreamingUnsignedTrailer || s.Header.Get("X-Amz-Trailer") != signer.ProvenTrailer {
		t.Errorf("stored %d bytes, %v", len(s.Body), s.Header)
	}
	for name, c := range map[string]struct {
		spoil func(string) string
		code  string
	}{
		"a byte of the last chunk":  {func(s string) string { return strings.Replace(s, "the end", "the eND", 1) }, "SignatureDoesNotMatch"},
		"a byte of the first chunk": {func(s string) string { return strings.Replace(s, "aaaa", "abaa", 1) }, "SignatureDoesNotMatch"},
		"the final chunk's signature": {func(s string) string {
			i := strings.LastIndex(s, "=")
			return s[:i+1] + strings.Repeat("0", 64) + "\r\n\r\n"
		}, "SignatureDoesNotMatch"},
		"no final chunk":              {func(s string) string { return s[:strings.LastIndex(s, "0;chunk")] }, "IncompleteBody"},
		"bytes after the final chunk": {func(s string) string { return s + "more" }, "InvalidRequest"},
		"a size that lies":            {func(s string) string { return strings.Replace(s, "7;chunk", "6;chunk", 1) }, "SignatureDoesNotMatch"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			if a := r.chunked(chunks, c.spoil); a.status < 400 || a.status > 403 || a.code != c.code {
				t.Errorf("%d %s", a.status, a.body)
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

// Clients with a stream of unknown framed size (HTTP/1.1 chunked around
// aws-chunked) say the length of the object in x-amz-decoded-content-length:
// that is the length that S3 and MinIO go by.
func TestAFramedBodyNeedsNoContentLength(t *testing.T) {
	r := newRig(t)
	body := "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
	send := func(header map[string]string) reply {
		return r.do(call{method: "PUT", path: "/bucket/key", hash: signer.StreamingUnsignedTrailer, header: header,
			edit: func(q *http.Request) { q.Body, q.ContentLength = io.NopCloser(strings.NewReader(body)), -1 }})
	}
	framed := map[string]string{"Content-Encoding": "aws-chunked", "X-Amz-Trailer": "x-amz-checksum-crc32", "X-Amz-Decoded-Content-Length": "5"}
	if a := send(framed); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if s := r.only(); s.Body != "hello" || s.Length <= 0 {
		t.Errorf("stored %q with Content-Length %d", s.Body, s.Length)
	}
	r.backend.forget()
	delete(framed, "X-Amz-Decoded-Content-Length")
	r.refused(send(framed), 411, "MissingContentLength", "x-amz-decoded-content-length")
	r.untouched()
}

func TestSignedChunksNeedABody(t *testing.T) {
	for _, c := range []call{{method: "GET", path: "/bucket/key"}, {method: "DELETE", path: "/bucket/key"}, {method: "GET", path: "/bucket"}} {
		for _, mode := range []string{signer.StreamingSigned, signer.StreamingSignedTrailer} {
			r := newRig(t)
			c.hash = mode
			r.refused(r.do(c), 400, "InvalidRequest", "x-amz-content-sha256")
			r.untouched()
		}
		// MinIO takes this one, and it proves nothing.
		r := newRig(t)
		c.hash = signer.StreamingUnsignedTrailer
		if a := r.do(c); a.status >= 400 {
			t.Errorf("%s %s: %d %s", c.method, c.path, a.status, a.body)
		}
	}
}
