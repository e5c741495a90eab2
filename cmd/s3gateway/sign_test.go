package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// sign signs a request with the SDK's signer, as its path stands.
func sign(t *testing.T, r *http.Request, payloadHash, secret string, at time.Time) {
	t.Helper()
	signAs(t, r, payloadHash, aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: secret}, at)
}

func signAs(t *testing.T, r *http.Request, payloadHash string, keys aws.Credentials, at time.Time) {
	t.Helper()
	r.Header.Set("X-Amz-Content-Sha256", payloadHash)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	if err := signer.SignHTTP(t.Context(), keys, r, payloadHash, "s3", "us-east-1", at); err != nil {
		t.Fatal(err)
	}
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// signedPut is a PUT of bytes whose hash is signed.
func (w *world) signedPut(key string, body []byte, headers ...string) *http.Request {
	r := newRequest(w.t, http.MethodPut, w.url+"/"+w.bucket+"/"+key, bytes.NewReader(body), headers...)
	sign(w.t, r, hexSHA256(body), testSecret, time.Now())
	return r
}

// chunking says how a body is framed, and what is wrong with it.
type chunking struct {
	trailer       bool // a CRC32C after the last chunk
	unsigned      bool
	badChunk      int // this chunk's signature is wrong; 0 for none
	badTrailer    bool
	badTrailerSig bool
	noEnd         bool
	declared      int // x-amz-decoded-content-length, when not the real one
}

const chunkSize = 64 << 10

// chunkedPut is a PUT in one of the STREAMING payload modes, framed by hand
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html).
func (w *world) chunkedPut(key string, body []byte, c chunking, headers ...string) *http.Request {
	w.t.Helper()
	mode := "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	if c.unsigned {
		mode = "STREAMING-UNSIGNED-PAYLOAD"
	}
	r := newRequest(w.t, http.MethodPut, w.url+"/"+w.bucket+"/"+key, nil, headers...)
	if c.trailer {
		mode += "-TRAILER"
		r.Header.Set("X-Amz-Trailer", "x-amz-checksum-crc32c")
	}
	r.Header.Set("Content-Encoding", "aws-chunked")
	declared := len(body)
	if c.declared != 0 {
		declared = c.declared
	}
	r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(declared))
	at := time.Now().UTC()
	sign(w.t, r, mode, testSecret, at)
	framed := frame(body, c, at, r.Header.Get("Authorization"))
	r.Body, r.ContentLength = newRequest(w.t, "PUT", w.url, bytes.NewReader(framed)).Body, int64(len(framed))
	return r
}

func frame(body []byte, c chunking, at time.Time, authorization string) []byte {
	_, previous, _ := strings.Cut(authorization, "Signature=")
	scope := at.Format("20060102") + "/us-east-1/s3/aws4_request"
	key := []byte("AWS4" + testSecret)
	for _, part := range strings.Split(scope, "/") {
		key = mac(key, part)
	}
	next := func(kind, tail string) string {
		previous = hex.EncodeToString(mac(key, strings.Join([]string{kind, at.Format("20060102T150405Z"), scope, previous, tail}, "\n")))
		return previous
	}
	var out bytes.Buffer
	chunk := func(n int, data []byte) {
		signature := next("AWS4-HMAC-SHA256-PAYLOAD", hexSHA256(nil)+"\n"+hexSHA256(data))
		if n == c.badChunk {
			signature = strings.Repeat("0", 64)
		}
		if c.unsigned {
			fmt.Fprintf(&out, "%x\r\n", len(data))
		} else {
			fmt.Fprintf(&out, "%x;chunk-signature=%s\r\n", len(data), signature)
		}
		out.Write(data)
	}
	n := 1
	for rest := body; len(rest) > 0; n++ {
		size := min(chunkSize, len(rest))
		chunk(n, rest[:size])
		out.WriteString("\r\n")
		rest = rest[size:]
	}
	if c.noEnd {
		return out.Bytes()
	}
	chunk(n, nil)
	if !c.trailer {
		out.WriteString("\r\n")
		return out.Bytes()
	}
	sum := crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
	if c.badTrailer {
		sum++
	}
	line := "x-amz-checksum-crc32c:" + base64.StdEncoding.EncodeToString([]byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
	out.WriteString(line + "\r\n")
	if !c.unsigned {
		signature := next("AWS4-HMAC-SHA256-TRAILER", hexSHA256([]byte(line+"\n")))
		if c.badTrailerSig {
			signature = strings.Repeat("0", 64)
		}
		out.WriteString("x-amz-trailer-signature:" + signature + "\r\n")
	}
	out.WriteString("\r\n")
	return out.Bytes()
}

func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}
