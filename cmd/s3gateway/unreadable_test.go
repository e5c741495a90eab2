package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// What HTTP itself cannot read never reaches a handler; it is answered in the
// form of its door all the same, the answer can be read while the client still
// sends, and the connection ends.
func TestWhatHTTPCannotReadIsAnsweredInTheFormOfItsDoor(t *testing.T) {
	cases := []struct {
		name, request string
		status        int
		code          string // of S3; empty for a problem of the REST door
	}{
		{"an escape that is none", "GET /b/%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400, "InvalidURI"},
		{"an escape that ends early", "PUT /b/100% HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n" + strings.Repeat("x", 500_000), 400, "InvalidURI"},
		{"a control character in the target", "GET /b/\x7f HTTP/1.1\r\nHost: h\r\n\r\n", 400, "InvalidURI"},
		{"a target that is no path", "GET b/k HTTP/1.1\r\nHost: h\r\n\r\n", 400, "InvalidURI"},
		{"HEAD with an escape that is none", "HEAD /b/%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400, "InvalidURI"},
		{"a header without a name", "GET /b/k HTTP/1.1\r\nHost: h\r\n: x\r\n\r\n", 400, "InvalidRequest"},
		{"a header with a space in its name", "GET /b/k HTTP/1.1\r\nHost: h\r\na b: x\r\n\r\n", 400, "InvalidRequest"},
		{"a control character in a header", "GET /b/k HTTP/1.1\r\nHost: h\r\na: x\x01\r\n\r\n", 400, "InvalidRequest"},
		{"no host", "GET /b/k HTTP/1.1\r\n\r\n", 400, "InvalidRequest"},
		{"two hosts", "GET /b/k HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "InvalidRequest"},
		{"two lengths", "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400, "InvalidRequest"},
		{"a negative length", "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n", 400, "InvalidRequest"},
		{"no HTTP at all", "\x16\x03\x01\x00\x01\r\n\r\n", 400, "InvalidRequest"},
		{"a transfer coding that nobody knows", "PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "NotImplemented"},
		{"HTTP of another time", "GET /b/k HTTP/3.0\r\nHost: h\r\n\r\n", 505, "InvalidRequest"},
		{"a flood of headers", "GET /b/k HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("a: "+strings.Repeat("x", 1000)+"\r\n", 200) + "\r\n", 431, "RequestHeaderSectionTooLarge"},
		{"a line without an end", "GET /b/" + strings.Repeat("k", 200_000) + " HTTP/1.1\r\n\r\n", 414, "RequestURITooLong"},
		{"an escape that is none on the REST door", "GET /api/v1/upload/%zz HTTP/1.1\r\nHost: h\r\n\r\n", 400, ""},
	}
	for _, settings := range [][]string{open, append(secure(t), open...)} {
		w := newWorld(t, settings...)
		for _, c := range cases {
			t.Run(w.url[:5]+" "+c.name, func(t *testing.T) {
				head := strings.HasPrefix(c.request, "HEAD ")
				conn := w.dial()
				defer conn.Close()
				go func() { _, _ = io.WriteString(conn, c.request) }()
				reader := bufio.NewReader(conn)
				got := readAnswer(t, reader, head)
				if got.header.Get("Date") == "" {
					t.Errorf("headers %v", got.header)
				}
				if _, err := reader.ReadByte(); err != io.EOF {
					t.Errorf("the connection did not end: %v", err)
				}
				switch {
				case head:
					if got.status != c.status || len(got.body) > 0 || got.header.Get("X-Amz-Error-Code") != c.code {
						t.Errorf("%+v", got)
					}
				case c.code == "":
					got.isProblem(t, c.status, "escape")
				default:
					got.isS3Error(t, c.status, c.code)
				}
			})
		}
		w.unchanged()
	}
}

// Bytes that look like a server's refusal are an object like any other, and a
// connection that served it still refuses what it must.
func TestAnObjectThatLooksLikeARefusalIsServedAsItIs(t *testing.T) {
	w := newWorld(t, open...)
	text := "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request"
	body := bytes.Repeat([]byte(text), 5_000)
	if _, err := w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String("a.txt"), Body: bytes.NewReader(body)}); err != nil {
		t.Fatal(err)
	}
	conn := w.dial()
	defer conn.Close()
	reader := bufio.NewReader(conn)
	for range 3 {
		r := w.signedGet("")
		if err := r.Write(conn); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(reader, r)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%d bytes of %d came back: %v", len(got), len(body), err)
		}
	}
	if _, err := io.WriteString(conn, "GET /b/%zz HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	readAnswer(t, reader, false).isS3Error(t, 400, "InvalidURI")
}

// HTTP/1.0 has no chunks, and what looks like them is no other request.
func TestARequestOfHTTP10IsTheLastOfItsConnection(t *testing.T) {
	w := newWorld(t, open...)
	conn := w.dial()
	defer conn.Close()
	text := "PUT /" + w.bucket + "/a HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" +
		"GET /api/v1/upload/health HTTP/1.1\r\nHost: h\r\n\r\n"
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	readAnswer(t, reader, false).isS3Error(t, 403, "AccessDenied")
	if next, err := reader.Peek(1); err == nil {
		t.Errorf("another answer: %q", next)
	}
	w.unchanged()
}

func TestOptionsOfTheServerIsNoPath(t *testing.T) {
	w := newWorld(t, open...)
	conn := w.dial()
	defer conn.Close()
	if _, err := io.WriteString(conn, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	readAnswer(t, bufio.NewReader(conn), false).isS3Error(t, 400, "InvalidURI")
}

// dial opens a connection to the gateway, with TLS where it has it.
func (w *world) dial() net.Conn {
	w.t.Helper()
	scheme, address, _ := strings.Cut(w.url, "://")
	var conn net.Conn
	var err error
	if scheme == "https" {
		conn, err = tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	} else {
		conn, err = net.Dial("tcp", address)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	return conn
}

func readAnswer(t *testing.T, reader *bufio.Reader, head bool) answer {
	t.Helper()
	r := &http.Request{Method: "GET"}
	if head {
		r.Method = "HEAD"
	}
	resp, err := http.ReadResponse(reader, r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.Proto, resp.StatusCode, resp.Header, body}
}
