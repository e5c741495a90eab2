package embedded

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/crc64nvme"
)

// These tests hold what the gateway relies on when it forwards a body: what is
// not proven is not stored.

const trailerMode = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

// signed makes a signed request on the store with the payload hash and headers.
func signed(t *testing.T, s *Store, method, path, hash string, body io.Reader, length int64, header map[string]string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://embedded"+path, body)
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = length
	req.Header.Set("X-Amz-Content-Sha256", hash)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	err = v4.NewSigner().SignHTTP(t.Context(), s.Credentials(), req, hash, "s3", s.Region(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// send gives status and body of the answer.
func send(t *testing.T, s *Store, req *http.Request) (int, string) {
	t.Helper()
	resp, err := transport(t, s).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// framed writes body as the gateway does: one chunk and a trailer.
func framed(body, trailer string) string {
	return fmt.Sprintf("%x\r\n%s\r\n0\r\n%s\r\n\r\n", len(body), body, trailer)
}

func crc32c(s string) string {
	sum := crc32.Checksum([]byte(s), crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

func crc64(s string) string {
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, crc64nvme.Checksum([]byte(s))))
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestOnlyProvenBodiesAreStored(t *testing.T) {
	s := start(t, dataDir(t))
	c := client(t, s)
	trailer := func(name string) map[string]string {
		return map[string]string{"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "5", "X-Amz-Trailer": name}
	}
	tests := []struct {
		name   string
		hash   string
		body   string
		header map[string]string
		status int
		code   string
	}{
		{name: "the signed hash fits", hash: sha("hello"), body: "hello", status: 200},
		{name: "no hash", hash: "UNSIGNED-PAYLOAD", body: "hello", status: 200},
		{name: "the signed hash does not fit", hash: sha("other"), body: "hello", status: 400, code: "XAmzContentSHA256Mismatch"},
		{name: "a trailing CRC32C fits", hash: trailerMode, body: framed("hello", "x-amz-checksum-crc32c:"+crc32c("hello")), header: trailer("x-amz-checksum-crc32c"), status: 200},
		{name: "a trailing CRC64NVME fits", hash: trailerMode, body: framed("hello", "x-amz-checksum-crc64nvme:"+crc64("hello")), header: trailer("x-amz-checksum-crc64nvme"), status: 200},
		{name: "a trailing CRC32C does not fit", hash: trailerMode, body: framed("hello", "x-amz-checksum-crc32c:"+crc32c("other")), header: trailer("x-amz-checksum-crc32c"), status: 400, code: "BadDigest"},
		{name: "a trailing CRC64NVME does not fit", hash: trailerMode, body: framed("hello", "x-amz-checksum-crc64nvme:"+crc64("other")), header: trailer("x-amz-checksum-crc64nvme"), status: 400, code: "BadDigest"},
		{name: "the declared trailer is missing", hash: trailerMode, body: "5\r\nhello\r\n0\r\n\r\n", header: trailer("x-amz-checksum-crc32c"), status: 400},
		{name: "a checksum header does not fit", hash: "UNSIGNED-PAYLOAD", body: "hello", header: map[string]string{"X-Amz-Checksum-Crc32c": crc32c("other")}, status: 400, code: "BadDigest"},
		{name: "Content-MD5 does not fit", hash: "UNSIGNED-PAYLOAD", body: "hello", header: map[string]string{"Content-Md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, status: 400, code: "BadDigest"},
	}
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			key := "k" + strconv.Itoa(i)
			req := signed(t, s, http.MethodPut, "/files/"+key, tt.hash, strings.NewReader(tt.body), int64(len(tt.body)), tt.header)
			status, text := send(t, s, req)
			if status != tt.status || !strings.Contains(text, tt.code) {
				t.Errorf("%d %s, want %d %s", status, text, tt.status, tt.code)
			}
			stored := strings.Contains(strings.Join(keys(t, c), " "), key)
			if stored != (tt.status == 200) {
				t.Errorf("stored: %v", stored)
			}
			if !stored {
				return
			}
			if _, text := send(t, s, signed(t, s, http.MethodGet, "/files/"+key, sha(""), nil, 0, nil)); text != "hello" {
				t.Errorf("stored %q", text)
			}
		})
	}
	if s.Err() != nil {
		t.Errorf("the child died: %v", s.Err())
	}
}

// TestShortBodyStoresNothing cuts the connection before the promised length:
// what the gateway does when the end of a body is refused.
func TestShortBodyStoresNothing(t *testing.T) {
	s := start(t, dataDir(t))
	c := client(t, s)
	put(t, c, "old", "before")
	bucket := aws.String("files")
	upload, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: bucket, Key: aws.String("parts")})
	if err != nil {
		t.Fatal(err)
	}
	part := "/files/parts?partNumber=1&uploadId=" + aws.ToString(upload.UploadId)
	mebibyte := strings.Repeat("x", 1<<20)
	trailer := "x-amz-checksum-crc32c:" + crc32c("hello")
	aws5 := map[string]string{"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "5", "X-Amz-Trailer": "x-amz-checksum-crc32c"}
	aws1M := map[string]string{"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "1048576", "X-Amz-Trailer": "x-amz-checksum-crc32c"}
	tests := []struct {
		name, path, hash, sent string
		length                 int
		header                 map[string]string
	}{
		{"four bytes of five", "/files/short", "UNSIGNED-PAYLOAD", "hell", 5, nil},
		{"all but the last byte", "/files/short", "UNSIGNED-PAYLOAD", mebibyte, 1<<20 + 1, nil},
		{"all but the last byte of a part", part, "UNSIGNED-PAYLOAD", mebibyte, 1<<20 + 1, nil},
		{"all but the last byte over an older object", "/files/old", "UNSIGNED-PAYLOAD", mebibyte, 1<<20 + 1, nil},
		{"nothing of a body", "/files/short", "UNSIGNED-PAYLOAD", "", 5, nil},
		{"framed, without the trailer", "/files/short", trailerMode, "5\r\nhello\r\n0\r\n", len(framed("hello", trailer)), aws5},
		{"framed, without the last chunk", "/files/short", trailerMode, "5\r\nhello\r\n", len(framed("hello", trailer)), aws5},
		{"framed, cut within a chunk", "/files/short", trailerMode, "100000\r\n" + mebibyte[:1<<19], len(framed(mebibyte, trailer)), aws1M},
		{"framed, cut after a large chunk", "/files/short", trailerMode, "100000\r\n" + mebibyte + "\r\n", len(framed(mebibyte, trailer)), aws1M},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			sendShort(t, s, signed(t, s, http.MethodPut, tt.path, tt.hash, nil, int64(tt.length), tt.header), tt.sent)
			if got := keys(t, c); len(got) != 1 {
				t.Errorf("objects %v", got)
			}
			parts, err := c.ListParts(t.Context(), &s3.ListPartsInput{Bucket: bucket, Key: aws.String("parts"), UploadId: upload.UploadId})
			if err != nil || len(parts.Parts) != 0 {
				t.Errorf("parts %v, %v", parts, err)
			}
		})
	}
	wantObject(t, c, "old", "before")
	if s.Err() != nil {
		t.Errorf("the child died: %v", s.Err())
	}
}

// sendShort sends the head of req and then only sent, and wants no success.
func sendShort(t *testing.T, s *Store, req *http.Request, sent string) {
	t.Helper()
	var head bytes.Buffer
	fmt.Fprintf(&head, "%s %s HTTP/1.1\r\nHost: embedded\r\nContent-Length: %d\r\n", req.Method, req.URL.RequestURI(), req.ContentLength)
	if err := req.Header.Write(&head); err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("unix", s.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, head.String()+"\r\n"+sent); err != nil {
		t.Fatal(err)
	}
	if err := conn.(*net.UnixConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return // closed without an answer: no success either
	}
	defer resp.Body.Close()
	if resp.StatusCode < 400 {
		t.Errorf("status %d", resp.StatusCode)
	}
}

func TestConnectionsAreKept(t *testing.T) {
	s := start(t, dataDir(t))
	conn, err := net.Dial("unix", s.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for i, body := range []string{"one", "two", "three"} {
		req := signed(t, s, http.MethodPut, "/files/kept", sha(body), strings.NewReader(body), int64(len(body)), nil)
		if i == 1 { // a refusal keeps the connection too
			req = signed(t, s, http.MethodPut, "/files/kept", sha("other"), strings.NewReader(body), int64(len(body)), nil)
		}
		if err := req.Write(conn); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(answers, req)
		if err != nil {
			t.Fatalf("request %d on the connection: %v", i, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.Close {
			t.Errorf("request %d: the store closes the connection (%s)", i, resp.Status)
		}
	}
}
