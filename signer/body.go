package signer

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync/atomic"

	gateway "github.com/codeguardians/s3gateway"
)

// BodyOptions say what OpenBody checks itself.
type BodyOptions struct {
	// VerifyPayloadHash compares a signed payload hash with the body here. When
	// false the hash goes on (Body.PayloadHash) and the backend compares.
	VerifyPayloadHash bool
	// OtherChecksums is true where the x-amz-checksum-* headers are of something
	// else than this body: those of CompleteMultipartUpload are the object's.
	OtherChecksums bool
}

// Body is a request's payload as plain bytes of known length. It hands out all
// but the last byte as they pass, and the last one only when the source has
// ended and everything that came with the payload (chunk signatures, trailer,
// checksum, hash, length) was checked: a reader that was promised Length bytes
// never gets them from a body that failed.
//
// Read is for one goroutine; Err, TrailerValue and Close may be called from
// others meanwhile.
type Body struct {
	payload     io.Reader // plain bytes; io.EOF only when all checks passed
	length      int64
	remaining   int64
	trailerName string
	payloadHash string

	proven  bool // the payload gave io.EOF
	held    [1]byte
	failure atomic.Pointer[gateway.Error]
	trailer atomic.Pointer[string]
	closed  atomic.Bool
}

// OpenBody opens the payload of a verified request by its signed payload mode.
// The source is r.Body, which stays the caller's to drain and close. Errors are
// *gateway.Error: MissingContentLength, InvalidRequest, InvalidArgument,
// IncompleteBody. A declared checksum that a store may not know is compared here.
func (a *Auth) OpenBody(r *http.Request, o BodyOptions) (*Body, error) {
	b, err := a.openPayload(r, o)
	if err != nil {
		return nil, err
	}
	if o.OtherChecksums {
		return b, nil
	}
	if !a.Presigned && b.trailerName == "" { // the algorithm in a link is a default of the SDK that made it
		if err := a.checkSDKAlgorithm(r, ""); err != nil {
			return nil, err
		}
	}
	proofs, err := Proofs(func(name string) string { return a.header(r, name) })
	if err != nil {
		return nil, err
	}
	for _, p := range proofs {
		b.payload = proofReader{b.payload, p}
	}
	return b, nil
}

// openPayload opens the payload by its mode.
func (a *Auth) openPayload(r *http.Request, o BodyOptions) (*Body, error) {
	mode, literal := payloadModes[a.PayloadHash]
	b := &Body{payloadHash: UnsignedPayload}
	source := io.Reader(r.Body)
	if r.Body == nil {
		source = http.NoBody
	}
	if mode.framed {
		if err := a.openFramed(b, r, source); err != nil {
			return nil, err
		}
		return b, nil
	}
	if err := a.plainLength(b, r); err != nil {
		return nil, err
	}
	b.payload = source
	if !literal {
		b.payloadHash = a.PayloadHash
		if o.VerifyPayloadHash {
			b.payload = newHashReader(source, a.PayloadHash)
		}
	}
	return b, nil
}

// plainLength takes Content-Length, and refuses what belongs to a framed body:
// framing under a plain payload mode would be stored as data.
func (a *Auth) plainLength(b *Body, r *http.Request) error {
	if r.ContentLength < 0 {
		return gateway.Errorf(gateway.MissingContentLength, "You must provide the Content-Length HTTP header.")
	}
	b.length, b.remaining = r.ContentLength, r.ContentLength
	if a.header(r, "X-Amz-Trailer") != "" {
		return gateway.Errorf(gateway.InvalidRequest, "x-amz-trailer needs one of the STREAMING-…-TRAILER values in x-amz-content-sha256.")
	}
	if v := a.header(r, "X-Amz-Decoded-Content-Length"); v != "" && v != strconv.FormatInt(r.ContentLength, 10) {
		return gateway.Errorf(gateway.InvalidRequest, "x-amz-decoded-content-length differs from Content-Length, and the body is not framed.")
	}
	return nil
}

// isAWSChunked reports the aws-chunked token in Content-Encoding.
func isAWSChunked(values []string) bool {
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(token), "aws-chunked") {
				return true
			}
		}
	}
	return false
}

// ContentEncoding gives the Content-Encoding of the stored object: the values
// joined, without the aws-chunked token that describes only the transfer.
func ContentEncoding(values []string) string {
	if !isAWSChunked(values) {
		return strings.Join(values, ", ")
	}
	var kept []string
	for _, value := range values {
		for token := range strings.SplitSeq(value, ",") {
			token = strings.TrimSpace(token)
			if token != "" && !strings.EqualFold(token, "aws-chunked") {
				kept = append(kept, token)
			}
		}
	}
	return strings.Join(kept, ", ")
}

// Read gives plain payload bytes. Every error but io.EOF is a *gateway.Error,
// or http.ErrBodyReadAfterClose, and sticks.
func (b *Body) Read(p []byte) (int, error) {
	if err := b.Err(); err != nil {
		return 0, err
	}
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	switch {
	case b.remaining == 0:
		if err := b.prove(); err != nil {
			return 0, err
		}
		return 0, io.EOF
	case len(p) == 0:
		return 0, nil
	case b.remaining == 1:
		return b.readLast(p)
	}
	n, err := b.payload.Read(p[:min(int64(len(p)), b.remaining-1)])
	b.remaining -= int64(n)
	if err != nil {
		err = b.fail(early(err))
		if n > 0 {
			err = nil // the bytes first; the error sticks
		}
	}
	return n, err
}

// readLast takes the last byte and lets it go once the payload is proven.
func (b *Body) readLast(p []byte) (int, error) {
	if _, err := io.ReadFull(b.payload, b.held[:]); err != nil {
		return 0, b.fail(early(err))
	}
	if err := b.prove(); err != nil {
		return 0, err
	}
	p[0] = b.held[0]
	b.remaining = 0
	return 1, nil
}

// prove drives the payload to its end, where its checks are.
func (b *Body) prove() error {
	for !b.proven {
		var extra [1]byte
		n, err := b.payload.Read(extra[:])
		switch {
		case n > 0:
			return b.fail(incomplete("The request body is longer than was declared."))
		case err == io.EOF:
			b.proven = true
		case err != nil:
			return b.fail(err)
		}
	}
	return nil
}

// fail makes err typed and keeps the first one.
func (b *Body) fail(err error) error {
	b.failure.CompareAndSwap(nil, typed(err))
	return b.failure.Load()
}

// early turns an end before the last byte into what it is.
func early(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// typed gives a source's error a code. Everything that is not a deadline, or
// already ours, is a client that stopped sending.
func typed(err error) *gateway.Error {
	var e *gateway.Error
	switch {
	case errors.As(err, &e):
		return e
	case errors.Is(err, os.ErrDeadlineExceeded):
		return gateway.Errorf(gateway.RequestTimeout, "Your socket connection to the server was not read from or written to within the timeout period.").Because(err)
	}
	return incomplete("You did not provide the number of bytes specified by the Content-Length HTTP header").Because(err)
}

func incomplete(message string) *gateway.Error {
	return gateway.Errorf(gateway.IncompleteBody, "%s", message)
}

// Close ends reading: later Reads fail. It does not close or drain the source,
// which the door does within its own bounds.
func (b *Body) Close() error {
	b.closed.Store(true)
	return nil
}

// Length is the exact number of bytes that an unfailed body gives.
func (b *Body) Length() int64 { return b.length }

// Err is the failure that ended the body, nil if there was none so far.
func (b *Body) Err() error {
	if e := b.failure.Load(); e != nil {
		return e
	}
	return nil
}

// TrailerName is the declared checksum trailer, lower-case; "" for none.
func (b *Body) TrailerName() string { return b.trailerName }

// TrailerValue is the trailer's value, in base64, verified against the payload;
// "" before Read gave the last byte.
func (b *Body) TrailerValue() string {
	if v := b.trailer.Load(); v != nil {
		return *v
	}
	return ""
}

// PayloadHash is the x-amz-content-sha256 for the plain form of this body: the
// hash that the client signed, else UNSIGNED-PAYLOAD.
func (b *Body) PayloadHash() string { return b.payloadHash }
