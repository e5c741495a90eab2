package signer

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
)

func TestBodyRefusals(t *testing.T) {
	hello := checksumLine("crc32", "hello")
	trailer := func(wire string) bodyCase {
		return bodyCase{hash: StreamingUnsignedTrailer, wire: wire, length: 5, header: crc32Hello}
	}
	plain := func(wire string) bodyCase { return bodyCase{hash: StreamingUnsignedTrailer, wire: wire, length: 5} }
	signed := func(wire string) bodyCase { return bodyCase{hash: StreamingSigned, wire: wire, length: 5} }
	signedTr := func(wire string) bodyCase {
		return bodyCase{hash: StreamingSignedTrailer, wire: wire, length: 5, header: crc32Hello}
	}
	valid := signedChunks("hello")
	for _, c := range []struct {
		name string
		bodyCase
		want gateway.Code
	}{
		{"payload hash of other bytes", bodyCase{hash: sha("jello"), wire: "hello", options: BodyOptions{VerifyPayloadHash: true}}, gateway.SHA256Mismatch},
		{"empty payload with a hash of some", bodyCase{hash: sha("jello"), options: BodyOptions{VerifyPayloadHash: true}}, gateway.SHA256Mismatch},
		{"chunk data changed", signed(strings.Replace(valid, "hello", "jello", 1)), gateway.SignatureDoesNotMatch},
		{"chunks swapped", signed(swapped()), gateway.SignatureDoesNotMatch},
		{"last chunk's signature changed", signed(changeLastSignature(valid)), gateway.SignatureDoesNotMatch},
		{"signature in upper case", signed(strings.ToUpper(valid)), gateway.InvalidRequest},
		{"unsigned chunks in a signed stream", signed("5\r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"empty chunk signature", signed("5;chunk-signature=\r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"unknown chunk extension", signed(strings.Replace(valid, "chunk-signature", "chunk-sig", 1)), gateway.InvalidRequest},
		{"no final chunk", signed(valid[:strings.Index(valid, "0;chunk")]), gateway.IncompleteBody},
		{"client gone in a chunk", signed(valid[:len(valid)/2-40]), gateway.IncompleteBody},
		{"client gone in the final chunk header", signed(valid[:len(valid)-10]), gateway.IncompleteBody},
		{"data after the end", signed(valid + "x"), gateway.InvalidRequest},
		{"data after the trailer", trailer(unsignedTrailer(hello, "hello") + "x"), gateway.InvalidRequest},
		{"second stream after the end", plain("5\r\nhello\r\n0\r\n\r\n5\r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"fewer bytes than declared", plain("4\r\nhell\r\n0\r\n\r\n"), gateway.IncompleteBody},
		{"more bytes than declared", plain("6\r\nhello!\r\n0\r\n\r\n"), gateway.IncompleteBody},
		{"more bytes than declared in a second chunk", plain("5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n"), gateway.IncompleteBody},
		{"negative chunk size", plain("-5\r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"signed chunk size", plain("+5\r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"chunk size with 0x", plain("0x5\r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"chunk size with a space", plain("5 \r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"chunk size of 17 digits", plain("00000000000000005\r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"chunk size over int64", plain("8000000000000000\r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"huge chunk size", plain("7fffffffffffffff\r\nhello\r\n0\r\n\r\n"), gateway.IncompleteBody},
		{"no chunk size", plain("\r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"chunk longer than its size", plain("5\r\nhellooo\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"chunk header with a bare LF", plain("5\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"chunk header with a bare CR", plain("5\r;chunk-signature=\r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"chunk header over 4 KiB", plain("5;chunk-signature=" + strings.Repeat("a", 4096) + "\r\nhello\r\n0\r\n\r\n"), gateway.InvalidRequest},
		{"endless chunk header", plain(strings.Repeat("0", 1<<16)), gateway.InvalidRequest},
		{"trailer of other bytes", trailer(unsignedTrailer(checksumLine("crc32", "jello"), "hello")), gateway.BadDigest},
		{"trailer that is not base64", trailer(unsignedTrailer("x-amz-checksum-crc32:????", "hello")), gateway.InvalidRequest},
		{"trailer of the wrong size", trailer(unsignedTrailer("x-amz-checksum-crc32:AAAA", "hello")), gateway.InvalidRequest},
		{"declared trailer absent", trailer("5\r\nhello\r\n0\r\n\r\n"), gateway.MalformedTrailer},
		{"declared trailer absent at the end of the source", trailer("5\r\nhello\r\n0\r\n"), gateway.MalformedTrailer},
		{"unsigned trailer line that ends in LF", trailer("5\r\nhello\r\n0\r\n" + hello + "\nx\r\n"), gateway.InvalidRequest},
		{"trailer not declared", plain(unsignedTrailer(hello, "hello")), gateway.MalformedTrailer},
		{"other trailer than declared", trailer(unsignedTrailer(checksumLine("sha1", "hello"), "hello")), gateway.MalformedTrailer},
		{"trailer twice", trailer(unsignedTrailer(hello+"\r\n"+hello, "hello")), gateway.MalformedTrailer},
		{"second trailer", trailer(unsignedTrailer(hello+"\r\nx-amz-meta-a:b", "hello")), gateway.MalformedTrailer},
		{"trailer without a colon", trailer(unsignedTrailer("x-amz-checksum-crc32", "hello")), gateway.MalformedTrailer},
		{"trailer cut short", trailer("5\r\nhello\r\n0\r\n" + hello), gateway.IncompleteBody},
		{"trailer over 4 KiB", trailer(unsignedTrailer("x-amz-checksum-crc32:"+strings.Repeat("A", 5000), "hello")), gateway.InvalidRequest},
		{"signature of an unsigned trailer", trailer(unsignedTrailer(hello+"\r\nx-amz-trailer-signature:"+seed, "hello")), gateway.MalformedTrailer},
		{"trailer signature wrong", signedTr(changeLastSignature(signedTrailer(hello, "hello"))), gateway.SignatureDoesNotMatch},
		{"trailer changed", signedTr(strings.Replace(signedTrailer(checksumLine("crc32", "jello"), "hello"), checksumLine("crc32", "jello"), hello, 1)), gateway.SignatureDoesNotMatch},
		{"signed trailer of other bytes", signedTr(signedTrailer(checksumLine("crc32", "jello"), "hello")), gateway.BadDigest},
		{"trailer signature absent", signedTr(strings.Split(signedTrailer(hello, "hello"), "x-amz-trailer-sig")[0] + "\r\n"), gateway.MalformedTrailer},
		{"trailer signature alone", bodyCase{hash: StreamingSignedTrailer, wire: signedTrailerAlone(), length: 5}, gateway.MalformedTrailer},
	} {
		for how, source := range sources {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				b, err := c.open(source(strings.NewReader(c.wire)))
				if err != nil {
					t.Fatalf("refused at open: %v", err)
				}
				assertNoEnd(t, b, c.want)
			})
		}
	}
}

// assertNoEnd reads a body that must fail, and wants its last byte unreleased,
// its error typed, sticky and known to Err.
func assertNoEnd(t *testing.T, b *Body, want gateway.Code) {
	t.Helper()
	got, err := io.ReadAll(b)
	wantCode(t, err, want)
	if err == nil || b.Length() > 0 && int64(len(got)) >= b.Length() {
		t.Errorf("%d of %d bytes were released, error %v", len(got), b.Length(), err)
	}
	if b.Err() != err || b.TrailerValue() != "" {
		t.Errorf("Err = %v, trailer %q", b.Err(), b.TrailerValue())
	}
	if n, again := b.Read(make([]byte, 10)); n != 0 || again != err {
		t.Errorf("read after the failure: %d, %v", n, again)
	}
}

func swapped() string {
	s := newChunkSigner()
	first, second := s.chunk("he")+"he\r\n", s.chunk("llo")+"llo\r\n"
	return second + first + s.chunk("") + "\r\n"
}

func changeLastSignature(wire string) string {
	b := []byte(wire)
	i := bytes.LastIndexAny(b, "0123456789abcdef")
	b[i] = "1032547698badcfe"[strings.IndexByte("0123456789abcdef", b[i])]
	return string(b)
}

func signedTrailerAlone() string {
	s := newChunkSigner()
	sum := sha256.Sum256([]byte(":\n"))
	return s.chunk("hello") + "hello\r\n" + s.chunk("") + "x-amz-trailer-signature:" + s.sign("AWS4-HMAC-SHA256-TRAILER", hex.EncodeToString(sum[:])) + "\r\n\r\n"
}
