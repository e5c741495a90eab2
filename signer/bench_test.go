package signer

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func benchVerify(b *testing.B, r *http.Request) {
	v := newVerifier()
	b.ReportAllocs()
	for b.Loop() {
		t, err := ParseTarget(r.RequestURI)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := v.Verify(r, t); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyPresigned(b *testing.B) {
	benchVerify(b, message{path: "/bucket/photos/2026/03/a.jpg"}.presigned(b, time.Minute))
}

func BenchmarkVerifyHeader(b *testing.B) {
	benchVerify(b, message{path: "/bucket/photos/2026/03/a.jpg", query: "versionId=abc"}.signed(b))
}

func BenchmarkVerifyRefused(b *testing.B) {
	r := message{path: "/bucket/photos/2026/03/a.jpg"}.presigned(b, time.Minute)
	r.Method = "PUT"
	v := newVerifier()
	b.ReportAllocs()
	for b.Loop() {
		t, _ := ParseTarget(r.RequestURI)
		if _, err := v.Verify(r, t); err == nil {
			b.Fatal("accepted")
		}
	}
}

func benchBody(b *testing.B, c bodyCase, frame bool) {
	buf := make([]byte, 128<<10)
	b.SetBytes(int64(c.length))
	b.ReportAllocs()
	for b.Loop() {
		body, err := c.open(strings.NewReader(c.wire))
		if err != nil {
			b.Fatal(err)
		}
		var r io.Reader = body
		if frame {
			r, _ = FrameTrailer(nil, body)
		}
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buf); err != nil {
			b.Fatal(err)
		}
	}
}

func chunksOf(data string, size int) (chunks []string) {
	for ; len(data) > size; data = data[size:] {
		chunks = append(chunks, data[:size])
	}
	return append(chunks, data)
}

func BenchmarkBody(b *testing.B) {
	data := strings.Repeat("0123456789abcdef", 1<<16)
	chunks := chunksOf(data, 64<<10)
	trailer := bodyCase{hash: StreamingUnsignedTrailer, length: len(data), header: "x-amz-trailer: x-amz-checksum-crc64nvme",
		wire: unsignedTrailer(checksumLine("crc64nvme", data), chunks...)}
	b.Run("plain", func(b *testing.B) {
		benchBody(b, bodyCase{hash: UnsignedPayload, wire: data, length: len(data)}, false)
	})
	b.Run("hash", func(b *testing.B) {
		benchBody(b, bodyCase{hash: sha(data), wire: data, length: len(data), options: BodyOptions{VerifyPayloadHash: true}}, false)
	})
	b.Run("signed chunks", func(b *testing.B) {
		benchBody(b, bodyCase{hash: StreamingSigned, wire: signedChunks(chunks...), length: len(data)}, false)
	})
	b.Run("unsigned trailer", func(b *testing.B) { benchBody(b, trailer, false) })
	b.Run("unsigned trailer, framed anew", func(b *testing.B) { benchBody(b, trailer, true) })
}

func TestVerifyingAPresignedRequestAllocatesLittle(t *testing.T) {
	r := message{path: "/bucket/photos/2026/03/a.jpg"}.presigned(t, time.Minute)
	v := newVerifier()
	allocations := testing.AllocsPerRun(200, func() {
		target, _ := ParseTarget(r.RequestURI)
		if _, err := v.Verify(r, target); err != nil {
			t.Fatal(err)
		}
	})
	if allocations > 20 {
		t.Errorf("%v allocations, want at most 20", allocations)
	}
}
