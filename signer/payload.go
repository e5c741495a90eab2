package signer

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// The values of x-amz-content-sha256 besides a hash
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html).
const (
	UnsignedPayload          = "UNSIGNED-PAYLOAD"
	StreamingSigned          = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
	StreamingSignedTrailer   = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"
	StreamingUnsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"

	streamingECDSA        = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD"
	streamingECDSATrailer = "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER"

	// EmptyHash is the SHA-256 of no bytes.
	EmptyHash = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// payloadModes tells for each literal whether its body is framed in chunks,
// whether the chunks are signed and whether a trailer may follow.
var payloadModes = map[string]struct{ framed, signed, trailer bool }{
	UnsignedPayload:          {},
	StreamingSigned:          {framed: true, signed: true},
	StreamingSignedTrailer:   {framed: true, signed: true, trailer: true},
	StreamingUnsignedTrailer: {framed: true, trailer: true},
}

// checkPayloadHash accepts a hash or a literal that OpenBody can prove.
func checkPayloadHash(value string) error {
	if _, ok := payloadModes[value]; ok || isPayloadHash(value) {
		return nil
	}
	if value == streamingECDSA || value == streamingECDSATrailer {
		return errECDSA()
	}
	return gateway.Errorf(gateway.InvalidArgument,
		"x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.").
		With("ArgumentName", "x-amz-content-sha256").With("ArgumentValue", value)
}

// isPayloadHash reports 64 hexadecimal digits.
func isPayloadHash(value string) bool {
	if len(value) != hex.EncodedLen(sha256.Size) {
		return false
	}
	for i := range len(value) {
		if _, ok := hexDigit(value[i]); !ok {
			return false
		}
	}
	return true
}

// payloadClaim is what a request says of its payload: the value, and the
// spellings of the canonical request's last line that count for it.
type payloadClaim struct {
	value    string
	signed   bool // by SignedHeaders or the signed query
	variants []string
}

// payloadOf reads x-amz-content-sha256. A header-signed request must have it, as
// on S3. A presigned one need not; signers differ on whether a value that is
// there goes into the last line too, so both count (Verify says when).
func payloadOf(h, promoted http.Header, c *claim) (payloadClaim, error) {
	const name = "X-Amz-Content-Sha256"
	p := payloadClaim{value: h.Get(name), signed: c.signs("x-amz-content-sha256")}
	if v := promoted.Get(name); v != "" {
		p.value, p.signed = v, true
	}
	switch {
	case p.value == "" && c.presigned:
		p.value, p.variants = UnsignedPayload, []string{UnsignedPayload}
		return p, nil
	case p.value == "":
		return p, gateway.Errorf(gateway.InvalidRequest, "Missing required header for this request: x-amz-content-sha256")
	}
	p.variants = []string{p.value}
	if c.presigned && p.value != UnsignedPayload {
		p.variants = append(p.variants, UnsignedPayload)
	}
	if err := checkPayloadHash(p.value); err != nil {
		return p, err
	}
	if isPayloadHash(p.value) {
		p.value = strings.ToLower(p.value)
	}
	return p, nil
}

// anonymousPayload is the payload claim of a request without a signature, once
// checkAnonymous let it pass.
func anonymousPayload(h http.Header) string {
	if v := h.Get("X-Amz-Content-Sha256"); v != "" && v != UnsignedPayload {
		return strings.ToLower(v)
	}
	return UnsignedPayload
}
