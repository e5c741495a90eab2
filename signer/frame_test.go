package signer

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	gateway "github.com/codeguardians/s3gateway"
)

// assertOurs wants a typed error with a code of its own.
func assertOurs(t *testing.T, err error) {
	t.Helper()
	var e *gateway.Error
	if !errors.As(err, &e) || e.Code == gateway.Internal {
		t.Fatalf("error %T %v is not ours", err, err)
	}
}

// assertBounded reads a body that may be anything and wants no more than was
// declared or given, and the last byte only from a body that did not fail.
func assertBounded(t *testing.T, b *Body, given int) {
	t.Helper()
	got, err := io.ReadAll(b)
	switch {
	case int64(len(got)) > b.Length() || len(got) > given:
		t.Fatalf("%d bytes out of %d given, %d declared", len(got), given, b.Length())
	case err == nil && int64(len(got)) != b.Length():
		t.Fatalf("%d of %d bytes without an error", len(got), b.Length())
	case err != nil:
		assertOurs(t, err)
		if b.Length() > 0 && int64(len(got)) == b.Length() {
			t.Fatalf("the last byte of a failed body was released: %v", err)
		}
	}
}

func framed(t *testing.T, data, line string) *Body {
	t.Helper()
	name, _, _ := strings.Cut(line, ":")
	wire := unsignedTrailer(line)
	if data != "" {
		wire = unsignedTrailer(line, data)
	}
	b, err := bodyCase{hash: StreamingUnsignedTrailer, wire: wire, length: len(data), header: "x-amz-trailer: " + name}.
		open(strings.NewReader(wire))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFrameTrailer(t *testing.T) {
	for _, size := range []int{1, 2, 15, 16, frameChunk - 1, frameChunk, frameChunk + 1, 3*frameChunk + 5} {
		for name := range checksums {
			data := strings.Repeat("x", size)
			line := checksumLine(name, data)
			b := framed(t, data, line)
			body, length := FrameTrailer(nil, b)
			wire, err := io.ReadAll(iotest.HalfReader(body))
			if err != nil || int64(len(wire)) != length {
				t.Fatalf("%s, %d bytes: %d bytes framed, %d promised, %v", name, size, len(wire), length, err)
			}
			// What leaves is what the decoder takes in.
			again, err := bodyCase{hash: StreamingUnsignedTrailer, wire: string(wire), length: size, header: "x-amz-trailer: " + b.TrailerName()}.open(strings.NewReader(string(wire)))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(again); err != nil || string(got) != data {
				t.Fatalf("%s, %d bytes: decoded %d, %v", name, size, len(got), err)
			}
			if !strings.HasSuffix(string(wire), "\r\n0\r\n"+line+"\r\n\r\n") {
				t.Errorf("end of the frame: %q", wire[len(wire)-60:])
			}
		}
	}
}

func TestFrameTrailerOfNothing(t *testing.T) {
	body, length := FrameTrailer(nil, framed(t, "", checksumLine("crc32", "")))
	wire, err := io.ReadAll(body)
	if want := "0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n"; err != nil || string(wire) != want || length != int64(len(want)) {
		t.Errorf("%q, length %d, %v", wire, length, err)
	}
}

func TestFrameTrailerOfAFailedBody(t *testing.T) {
	for _, data := range []string{"", "h", "hello", strings.Repeat("x", frameChunk)} {
		b := framed(t, data, checksumLine("crc32", "jello"))
		body, length := FrameTrailer(nil, b)
		wire, err := io.ReadAll(body)
		wantCode(t, err, gateway.BadDigest)
		if strings.Contains(string(wire), "x-amz-checksum") || int64(len(wire)) >= length {
			t.Errorf("%d bytes of %d left, with the trailer: %q", len(wire), length, wire)
		}
		if err := body.Close(); err != nil || gateway.CodeOf(b.Err()) != gateway.BadDigest {
			t.Errorf("Close %v, Err %v", err, b.Err())
		}
	}
}

func TestFrameTrailerWithoutATrailer(t *testing.T) {
	b, err := bodyCase{hash: UnsignedPayload, wire: "hello"}.open(strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	body, length := FrameTrailer(nil, b)
	if got, err := io.ReadAll(body); string(got) != "hello" || err != nil || length != 5 {
		t.Errorf("%q, length %d, %v", got, length, err)
	}
}

func TestFrameTrailerReadsThroughWhatStandsInFront(t *testing.T) {
	refusal := gateway.Errorf(gateway.TypeNotAllowed, "no")
	for _, data := range []string{"", "hello"} {
		b := framed(t, data, checksumLine("crc32", data))
		body, length := FrameTrailer(io.MultiReader(b, iotest.ErrReader(refusal)), b)
		wire, err := io.ReadAll(body)
		wantCode(t, err, gateway.TypeNotAllowed)
		if strings.Contains(string(wire), "x-amz-checksum") || int64(len(wire)) >= length {
			t.Errorf("the end of the frame left: %q", wire)
		}
	}
}
