package wire

import (
	"crypto/md5" // Content-MD5 of S3, not a secret
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/signer"
)

// sourceError is an error of reading a request's body: the caller's.
type sourceError struct{ err error }

func (e *sourceError) Error() string { return "reading the request: " + e.err.Error() }
func (e *sourceError) Unwrap() error { return e.err }

// source marks the errors of a request's body, so that they are not taken for the
// store's.
type source struct{ io.Reader }

// Read reads from the request's body.
func (s source) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = &sourceError{err}
	}
	return n, err
}

// checksums are the algorithms of S3 in its own spelling.
var checksums = checksumTable("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256", "SHA512", "MD5", "XXHASH64", "XXHASH3", "XXHASH128")

type checksum struct {
	algorithm, header string
	size              int // of the sum, in bytes
}

func checksumTable(algorithms ...string) []checksum {
	var table []checksum
	for _, name := range algorithms {
		h, _ := signer.NewChecksum(name)
		table = append(table, checksum{name, textproto.CanonicalMIMEHeaderKey("X-Amz-Checksum-" + name), h.Size()})
	}
	return table
}

func findChecksum(algorithm string) (checksum, bool) {
	for _, c := range checksums {
		if strings.EqualFold(c.algorithm, algorithm) {
			return c, true
		}
	}
	return checksum{}, false
}

// valid reports whether value is a sum of the algorithm in base64.
func (c checksum) valid(value string) bool {
	sum, err := base64.StdEncoding.Strict().DecodeString(value)
	return err == nil && len(sum) == c.size && !strings.ContainsAny(value, "\r\n")
}

// declaredChecksum returns the checksum that a header declares, zero without one.
// valid checks its value.
func declaredChecksum(h http.Header, valid func(checksum, string) bool) (localstore.Checksum, error) {
	var found localstore.Checksum
	var bad *failure
	for _, c := range checksums {
		if _, sent := h[c.header]; !sent {
			continue
		}
		if found.Algorithm != "" {
			return found, invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		found = localstore.Checksum{Algorithm: c.algorithm, Value: h.Get(c.header)}
		if !valid(c, found.Value) {
			bad = invalidRequest("Value for %s header is invalid.", strings.ToLower(c.header))
		}
	}
	if bad != nil {
		return found, bad
	}
	return found, nil
}

// framedPayloads are the values of x-amz-content-sha256 for a body in aws-chunked
// framing. Signatures of its chunks are not checked on this hop.
var framedPayloads = map[string]bool{
	signer.StreamingSigned: true, signer.StreamingSignedTrailer: true, signer.StreamingUnsignedTrailer: true,
	"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD": true, "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER": true,
}

// openBody returns the plain bytes of the request's body, and what its sender
// declared of them.
func (x *exchange) openBody() (io.Reader, localstore.Expect, error) {
	e, err := x.declared()
	if err != nil {
		return nil, e, err
	}
	body := io.Reader(http.NoBody)
	if x.r.Body != nil {
		body = source{x.r.Body}
	}
	if framedPayloads[x.header.Get("X-Amz-Content-Sha256")] {
		return x.openFramed(body, e)
	}
	if x.r.ContentLength < 0 {
		return nil, e, refuse("MissingContentLength", "You must provide the Content-Length HTTP header.")
	}
	if x.header.Get("X-Amz-Trailer") != "" {
		return nil, e, invalidRequest("x-amz-trailer needs one of the STREAMING-…-TRAILER values in x-amz-content-sha256.")
	}
	e.Length = x.r.ContentLength
	return body, e, nil
}

// declared reads the digests in the request's headers.
func (x *exchange) declared() (localstore.Expect, error) {
	e := localstore.Expect{Length: -1}
	if _, sent := x.header["Content-Md5"]; sent {
		sum, err := base64.StdEncoding.DecodeString(x.header.Get("Content-Md5"))
		if err != nil || len(sum) != md5.Size {
			return e, refuse("InvalidDigest", "The Content-Md5 you specified is not valid.").with("Content-MD5", x.header.Get("Content-Md5"))
		}
		e.MD5 = sum
	}
	if value := x.header.Get("X-Amz-Content-Sha256"); value != "" && value != signer.UnsignedPayload && !framedPayloads[value] {
		sum, err := hex.DecodeString(value)
		if err != nil || len(sum) != sha256.Size {
			return e, invalidArgument("x-amz-content-sha256", value, "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.")
		}
		e.SHA256 = sum
	}
	c, err := declaredChecksum(x.header, checksum.valid)
	if err == nil && c.Algorithm != "" {
		e.Algorithm, e.Checksum = c.Algorithm, func() string { return c.Value }
	}
	return e, err
}

// openFramed decodes an aws-chunked body.
func (x *exchange) openFramed(body io.Reader, e localstore.Expect) (io.Reader, localstore.Expect, error) {
	value := x.header.Get("X-Amz-Decoded-Content-Length")
	if value == "" {
		return nil, e, refuse("MissingContentLength", "You must provide the x-amz-decoded-content-length HTTP header with a streaming body.")
	}
	length, err := strconv.ParseInt(value, 10, 64)
	if err != nil || length < 0 {
		return nil, e, invalidArgument("x-amz-decoded-content-length", value, "x-amz-decoded-content-length must be a number of bytes.")
	}
	e.Length = length
	trailer := strings.ToLower(strings.TrimSpace(x.header.Get("X-Amz-Trailer")))
	chunks := newChunkReader(body, length, trailer)
	if trailer == "" {
		return chunks, e, nil
	}
	c, known := findChecksum(strings.TrimPrefix(trailer, "x-amz-checksum-"))
	if !known || !strings.HasPrefix(trailer, "x-amz-checksum-") {
		return nil, e, invalidRequest("The value specified in the x-amz-trailer header is not supported")
	}
	if e.Algorithm != "" {
		return nil, e, invalidRequest("Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
	}
	chunks.checksum = c
	e.Algorithm, e.Checksum = c.algorithm, func() string { return chunks.value }
	return chunks, e, nil
}
