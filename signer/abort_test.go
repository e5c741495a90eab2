package signer

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
)

// storingBackend keeps an object only when its whole body arrived, as S3 does.
type storingBackend struct {
	*httptest.Server
	done   chan bool // one value a request: stored or not
	stored []byte
}

func newStoringBackend(t *testing.T) *storingBackend {
	s := &storingBackend{done: make(chan bool, 1)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		if err == nil {
			s.stored = data
		}
		s.done <- err == nil
	}))
	t.Cleanup(s.Close)
	return s
}

// put sends a body as the gateway does: plain or framed, with its exact length.
func (s *storingBackend) put(ctx context.Context, b *Body, frame bool) error {
	r, err := http.NewRequestWithContext(ctx, "PUT", s.URL+"/b/k", b)
	if err != nil {
		return err
	}
	r.ContentLength = b.Length()
	if frame {
		r.Body, r.ContentLength = FrameTrailer(nil, b)
	}
	resp, err := (&Transport{Base: s.Client().Transport, Credentials: staticCreds}).RoundTrip(r)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

func TestABodyThatFailsIsNeverStored(t *testing.T) {
	data := strings.Repeat("0123456789abcdef", 20000)
	good, bad := checksumLine("crc32c", data), checksumLine("crc32c", data+"x")
	trailer := func(line string) bodyCase {
		return bodyCase{hash: StreamingUnsignedTrailer, wire: unsignedTrailer(line, data), length: len(data), header: "x-amz-trailer: x-amz-checksum-crc32c"}
	}
	signed := signedChunks(chunksOf(data, 64<<10)...)
	for _, c := range []struct {
		name string
		bodyCase
		frame  bool
		stored bool
		want   gateway.Code
	}{
		{"good trailer, sent plain", trailer(good), false, true, ""},
		{"good trailer, framed anew", trailer(good), true, true, ""},
		{"bad trailer, sent plain", trailer(bad), false, false, gateway.BadDigest},
		{"bad trailer, framed anew", trailer(bad), true, false, gateway.BadDigest},
		{"good chunk signatures", bodyCase{hash: StreamingSigned, wire: signed, length: len(data)}, false, true, ""},
		{"bad final chunk signature", bodyCase{hash: StreamingSigned, wire: changeLastSignature(signed), length: len(data)}, false, false, gateway.SignatureDoesNotMatch},
		{"bad payload hash", bodyCase{hash: sha("other"), wire: data, options: BodyOptions{VerifyPayloadHash: true}}, false, false, gateway.SHA256Mismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			backend := newStoringBackend(t)
			b, err := c.open(strings.NewReader(c.wire))
			if err != nil {
				t.Fatal(err)
			}
			err = backend.put(t.Context(), b, c.frame)
			if stored := <-backend.done; stored != c.stored || (err == nil) != c.stored {
				t.Fatalf("stored %v, error %v", stored, err)
			}
			wantCode(t, b.Err(), c.want)
			if c.stored && !c.frame && !bytes.Equal(backend.stored, []byte(data)) {
				t.Errorf("%d bytes stored, want %d", len(backend.stored), len(data))
			}
		})
	}
}

func TestVerifierIsSafeForConcurrentUse(t *testing.T) {
	v := newVerifier()
	errs := make(chan error, 8)
	for i := range cap(errs) {
		go func() {
			r := message{path: "/bucket/" + strings.Repeat("x", i)}.signed(t)
			target, err := ParseTarget(r.RequestURI)
			for range 200 {
				if err == nil {
					_, err = v.Verify(r, target)
				}
			}
			errs <- err
		}()
	}
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}
