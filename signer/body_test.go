package signer

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	gateway "github.com/codeguardians/s3gateway"
)

const seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"

// chunkSigner is the client's side of chunk signatures.
type chunkSigner struct {
	key         *signingKey
	date, scope string
	last        string
}

func newChunkSigner() *chunkSigner {
	return &chunkSigner{
		key:  deriveKey(testSecret, "20260314", testRegion, "s3"),
		date: "20260314T150926Z", scope: "20260314/" + testRegion + "/s3/aws4_request", last: seed,
	}
}

func (s *chunkSigner) sign(kind, rest string) string {
	sum := s.key.sign([]byte(kind + "\n" + s.date + "\n" + s.scope + "\n" + s.last + "\n" + rest))
	s.last = hex.EncodeToString(sum[:])
	return s.last
}

func (s *chunkSigner) chunk(data string) string {
	sum := sha256.Sum256([]byte(data))
	sig := s.sign("AWS4-HMAC-SHA256-PAYLOAD", EmptyHash+"\n"+hex.EncodeToString(sum[:]))
	return fmt.Sprintf("%x;chunk-signature=%s\r\n", len(data), sig)
}

func (s *chunkSigner) trailer(line string) string {
	sum := sha256.Sum256([]byte(line + "\n"))
	return line + "\r\nx-amz-trailer-signature:" + s.sign("AWS4-HMAC-SHA256-TRAILER", hex.EncodeToString(sum[:])) + "\r\n\r\n"
}

func signedChunks(chunks ...string) string {
	s, b := newChunkSigner(), strings.Builder{}
	for _, data := range chunks {
		b.WriteString(s.chunk(data) + data + "\r\n")
	}
	return b.String() + s.chunk("") + "\r\n"
}

func signedTrailer(line string, chunks ...string) string {
	s, b := newChunkSigner(), strings.Builder{}
	for _, data := range chunks {
		b.WriteString(s.chunk(data) + data + "\r\n")
	}
	return b.String() + s.chunk("") + s.trailer(line)
}

func unsignedTrailer(line string, chunks ...string) string {
	b := strings.Builder{}
	for _, data := range chunks {
		fmt.Fprintf(&b, "%x\r\n%s\r\n", len(data), data)
	}
	return b.String() + "0\r\n" + line + "\r\n\r\n"
}

func checksumLine(name, data string) string {
	h, _ := NewChecksum(name)
	h.Write([]byte(data))
	return "x-amz-checksum-" + name + ":" + base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// bodyCase is a request with a body in one payload mode, after Verify.
type bodyCase struct {
	hash, wire string
	header     string // "name: value" lines
	length     int    // decoded; sent as x-amz-decoded-content-length for framed modes, unless -1
	options    BodyOptions
}

func (c bodyCase) open(source io.Reader) (*Body, error) {
	s := newChunkSigner()
	a := &Auth{PayloadHash: c.hash, chain: chain{sign: s.key.sign, date: s.date, scope: s.scope, signature: seed}}
	r := &http.Request{Header: http.Header{}, Body: io.NopCloser(source), ContentLength: int64(len(c.wire))}
	if payloadModes[c.hash].framed && c.length >= 0 {
		r.Header.Set("X-Amz-Decoded-Content-Length", fmt.Sprint(c.length))
	}
	for line := range strings.Lines(c.header) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		r.Header.Add(name, value)
	}
	return a.OpenBody(r, c.options)
}

// sources are the ways in which bytes arrive.
var sources = map[string]func(io.Reader) io.Reader{
	"at once":        func(r io.Reader) io.Reader { return r },
	"byte by byte":   iotest.OneByteReader,
	"half reads":     iotest.HalfReader,
	"with their EOF": iotest.DataErrReader,
}

const crc32Hello = "x-amz-trailer: x-amz-checksum-crc32"

func TestBodyModes(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 10000)
	for _, c := range []struct {
		name, want string
		bodyCase
	}{
		{"unsigned payload", "hello", bodyCase{hash: UnsignedPayload, wire: "hello"}},
		{"unsigned empty payload", "", bodyCase{hash: UnsignedPayload}},
		{"payload hash for the backend", "hello", bodyCase{hash: sha("hello"), wire: "hello"}},
		{"payload hash verified here", "hello", bodyCase{hash: sha("hello"), wire: "hello", options: BodyOptions{VerifyPayloadHash: true}}},
		{"empty payload hash verified here", "", bodyCase{hash: EmptyHash, options: BodyOptions{VerifyPayloadHash: true}}},
		{"signed chunks", "hello world", bodyCase{hash: StreamingSigned, wire: signedChunks("hello", " world"), length: 11}},
		{"signed chunks, empty", "", bodyCase{hash: StreamingSigned, wire: signedChunks()}},
		{"signed chunks, large", big, bodyCase{hash: StreamingSigned, wire: signedChunks(big[:65536], big[65536:131072], big[131072:]), length: len(big)}},
		{"signed chunks without the last CRLF", "hello", bodyCase{hash: StreamingSigned, wire: strings.TrimSuffix(signedChunks("hello"), "\r\n"), length: 5}},
		{"signed trailer", "hello", bodyCase{hash: StreamingSignedTrailer, wire: signedTrailer(checksumLine("sha256", "hello"), "hel", "lo"), length: 5, header: "x-amz-trailer: x-amz-checksum-sha256"}},
		{"signed trailer whose line ends in LF and CRLF, as minio-go sends it", "hello", bodyCase{hash: StreamingSignedTrailer, wire: strings.Replace(signedTrailer(checksumLine("sha256", "hello"), "hel", "lo"), "\r\nx-amz-trailer-s", "\n\r\nx-amz-trailer-s", 1), length: 5, header: "x-amz-trailer: x-amz-checksum-sha256"}},
		{"unsigned trailer", "hello", bodyCase{hash: StreamingUnsignedTrailer, wire: unsignedTrailer(checksumLine("crc32", "hello"), "hello"), length: 5, header: crc32Hello}},
		{"unsigned trailer whose line ends in LF and CRLF", "hello", bodyCase{hash: StreamingUnsignedTrailer, wire: "5\r\nhello\r\n0\r\n" + checksumLine("crc32", "hello") + "\n\r\n", length: 5, header: crc32Hello}},
		{"unsigned trailer whose line ends in LF and CRLF, and the empty line after it", "hello", bodyCase{hash: StreamingUnsignedTrailer, wire: "5\r\nhello\r\n0\r\n" + checksumLine("crc32", "hello") + "\n\r\n\r\n", length: 5, header: crc32Hello}},
		{"unsigned trailer of an algorithm that stores may not know", "hello", bodyCase{hash: StreamingUnsignedTrailer, wire: unsignedTrailer(checksumLine("xxhash3", "hello"), "hello"), length: 5, header: "x-amz-trailer: x-amz-checksum-xxhash3"}},
		{"unsigned trailer, empty", "", bodyCase{hash: StreamingUnsignedTrailer, wire: unsignedTrailer(checksumLine("crc32", "")), header: crc32Hello}},
		{"unsigned trailer, large", big, bodyCase{hash: StreamingUnsignedTrailer, wire: unsignedTrailer(checksumLine("crc64nvme", big), big[:100], big[100:]), length: len(big), header: "x-amz-trailer: x-amz-checksum-crc64nvme"}},
		{"unsigned trailer without the last CRLF", "hello", bodyCase{hash: StreamingUnsignedTrailer, wire: strings.TrimSuffix(unsignedTrailer(checksumLine("crc32", "hello"), "hello"), "\r\n"), length: 5, header: crc32Hello}},
		{"trailer mode without any trailer", "hello", bodyCase{hash: StreamingUnsignedTrailer, wire: "5\r\nhello\r\n0\r\n\r\n", length: 5}},
		{"chunk-signature in an unsigned stream", "hello", bodyCase{hash: StreamingUnsignedTrailer, wire: "5;chunk-signature=abc\r\nhello\r\n0;chunk-signature=def\r\n" + checksumLine("crc32", "hello") + "\r\n\r\n", length: 5, header: crc32Hello}},
		{"trailer name in upper case, algorithm agreeing", "hello", bodyCase{hash: StreamingUnsignedTrailer, wire: unsignedTrailer("X-Amz-Checksum-CRC32: "+checksumLine("crc32", "hello")[len("x-amz-checksum-crc32:"):], "hello"), length: 5, header: "x-amz-trailer: X-Amz-Checksum-Crc32\nx-amz-sdk-checksum-algorithm: CRC32"}},
		{"chunk size in upper case with zeros", strings.Repeat("a", 10), bodyCase{hash: StreamingUnsignedTrailer, wire: "00000000000000A\r\naaaaaaaaaa\r\n000\r\n\r\n", length: 10}},
	} {
		for how, source := range sources {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				b, err := c.open(source(strings.NewReader(c.wire)))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(b)
				if err != nil || string(got) != c.want || b.Length() != int64(len(c.want)) || b.Err() != nil {
					t.Fatalf("%d bytes of %d, %v, Err %v", len(got), b.Length(), err, b.Err())
				}
				if name := b.TrailerName(); name != "" && name+":"+b.TrailerValue() != checksumLine(strings.TrimPrefix(name, checksumPrefix), c.want) {
					t.Errorf("trailer %s = %q", name, b.TrailerValue())
				}
				if want := map[bool]string{true: c.hash, false: UnsignedPayload}[isPayloadHash(c.hash)]; b.PayloadHash() != want {
					t.Errorf("payload hash = %q, want %q", b.PayloadHash(), want)
				}
			})
		}
	}
}

func sha(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func TestOpenBodyRefusals(t *testing.T) {
	for _, c := range []struct {
		name string
		bodyCase
		want gateway.Code
	}{
		{"decoded length absent", bodyCase{hash: StreamingSigned, wire: "0\r\n\r\n", length: -1}, gateway.MissingContentLength},
		{"decoded length not a number", bodyCase{hash: StreamingSigned, length: -1, header: "x-amz-decoded-content-length: 5x"}, gateway.InvalidArgument},
		{"decoded length negative", bodyCase{hash: StreamingSigned, length: -1, header: "x-amz-decoded-content-length: -1"}, gateway.InvalidArgument},
		{"decoded length over int64", bodyCase{hash: StreamingSigned, length: -1, header: "x-amz-decoded-content-length: 9223372036854775808"}, gateway.InvalidArgument},
		{"decoded length over Content-Length", bodyCase{hash: StreamingSigned, wire: "0\r\n\r\n", length: 500}, gateway.IncompleteBody},
		{"two trailers", bodyCase{hash: StreamingUnsignedTrailer, wire: "0\r\n\r\n", header: "x-amz-trailer: x-amz-checksum-crc32,x-amz-checksum-sha1"}, gateway.InvalidRequest},
		{"trailer that is no checksum", bodyCase{hash: StreamingUnsignedTrailer, wire: "0\r\n\r\n", header: "x-amz-trailer: x-amz-meta-a"}, gateway.InvalidRequest},
		{"trailer of an unknown checksum", bodyCase{hash: StreamingUnsignedTrailer, wire: "0\r\n\r\n", header: "x-amz-trailer: x-amz-checksum-md4"}, gateway.InvalidRequest},
		{"trailer in a mode without", bodyCase{hash: StreamingSigned, wire: "0\r\n\r\n", header: crc32Hello}, gateway.InvalidRequest},
		{"trailer with a plain body", bodyCase{hash: UnsignedPayload, wire: "x", header: crc32Hello}, gateway.InvalidRequest},
		{"another checksum beside the trailer", bodyCase{hash: StreamingUnsignedTrailer, wire: "0\r\n\r\n", header: crc32Hello + "\nx-amz-checksum-sha1: AAAA"}, gateway.InvalidRequest},
		{"SDK algorithm differs from the trailer", bodyCase{hash: StreamingUnsignedTrailer, wire: "0\r\n\r\n", header: crc32Hello + "\nx-amz-sdk-checksum-algorithm: SHA1"}, gateway.InvalidRequest},
		{"SDK algorithm without a checksum", bodyCase{hash: StreamingUnsignedTrailer, wire: "0\r\n\r\n", header: "x-amz-sdk-checksum-algorithm: SHA1"}, gateway.InvalidRequest},
		{"SDK algorithm without a checksum of a plain body", bodyCase{hash: UnsignedPayload, wire: "x", header: "x-amz-sdk-checksum-algorithm: SHA1"}, gateway.InvalidRequest},
		{"SDK algorithm differs from the checksum", bodyCase{hash: UnsignedPayload, wire: "hello", header: "x-amz-sdk-checksum-algorithm: SHA1\n" + strings.Replace(checksumLine("crc32", "hello"), ":", ": ", 1)}, gateway.InvalidRequest},
		{"two checksums", bodyCase{hash: UnsignedPayload, wire: "hello", header: strings.Replace(checksumLine("crc32", "hello"), ":", ": ", 1) + "\n" + strings.Replace(checksumLine("sha1", "hello"), ":", ": ", 1)}, gateway.InvalidRequest},
		{"a checksum that is too short", bodyCase{hash: UnsignedPayload, wire: "x", header: "x-amz-checksum-crc32: AAAA"}, gateway.InvalidRequest},
		{"a checksum that is not base64", bodyCase{hash: StreamingUnsignedTrailer, wire: "0\r\n\r\n", header: "x-amz-checksum-sha256: !"}, gateway.InvalidRequest},
		{"decoded length of a plain body differs", bodyCase{hash: UnsignedPayload, wire: "x", header: "x-amz-decoded-content-length: 2"}, gateway.InvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := c.open(strings.NewReader(c.wire))
			wantCode(t, err, c.want)
			if b != nil {
				t.Error("a body beside the error")
			}
		})
	}
	t.Run("no Content-Length", func(t *testing.T) {
		r := &http.Request{Header: http.Header{}, Body: http.NoBody, ContentLength: -1}
		_, err := (&Auth{PayloadHash: UnsignedPayload}).OpenBody(r, BodyOptions{})
		wantCode(t, err, gateway.MissingContentLength)
	})
}

// The SDK that makes a link names its default algorithm in it, without a body
// whose checksum could come.
func TestTheAlgorithmInALinkNeedsNoChecksum(t *testing.T) {
	r := &http.Request{Header: http.Header{}, Body: http.NoBody}
	promoted := http.Header{"X-Amz-Sdk-Checksum-Algorithm": {"CRC32"}}
	if _, err := (&Auth{PayloadHash: UnsignedPayload, Presigned: true, Promoted: promoted}).OpenBody(r, BodyOptions{}); err != nil {
		t.Error(err)
	}
}

func TestBodySourceErrors(t *testing.T) {
	mine := gateway.Errorf(gateway.SlowDown, "slow")
	for _, c := range []struct {
		name string
		err  error
		want gateway.Code
	}{
		{"client gone", io.ErrUnexpectedEOF, gateway.IncompleteBody},
		{"connection reset", errors.New("reset"), gateway.IncompleteBody},
		{"read deadline", fmt.Errorf("read: %w", os.ErrDeadlineExceeded), gateway.RequestTimeout},
		{"a typed error of a reader below", mine, gateway.SlowDown},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, after := range []int{0, 1, 4, 5} {
				b, err := bodyCase{hash: UnsignedPayload, wire: "hello"}.open(io.MultiReader(strings.NewReader("hello"[:after]), iotest.ErrReader(c.err)))
				if err != nil {
					t.Fatal(err)
				}
				assertNoEnd(t, b, c.want)
			}
		})
	}
}

func TestBodyClose(t *testing.T) {
	closed := false
	a := &Auth{PayloadHash: UnsignedPayload}
	b, err := a.OpenBody(&http.Request{Body: closer{strings.NewReader("hello"), &closed}, ContentLength: 5}, BodyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_ = b.Close()
	if _, err := b.Read(make([]byte, 1)); !errors.Is(err, http.ErrBodyReadAfterClose) || b.Err() != nil || closed {
		t.Errorf("read after close: %v, Err %v, source closed %v", err, b.Err(), closed)
	}
}

type closer struct {
	io.Reader
	closed *bool
}

func (c closer) Close() error { *c.closed = true; return nil }

func TestContentEncoding(t *testing.T) {
	for in, want := range map[string]string{
		"aws-chunked": "", "aws-chunked,gzip": "gzip", "gzip, AWS-Chunked ,br": "gzip, br", "gzip": "gzip", "": "",
	} {
		if got := ContentEncoding([]string{in}); got != want {
			t.Errorf("ContentEncoding(%q) = %q, want %q", in, got, want)
		}
	}
}
