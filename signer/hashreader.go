package signer

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"

	gateway "github.com/codeguardians/s3gateway"
)

// hashReader gives io.EOF only when the bytes that passed have the signed hash.
type hashReader struct {
	source io.Reader
	hash   hash.Hash
	want   string // lower-case hex
}

func newHashReader(source io.Reader, want string) *hashReader {
	return &hashReader{source: source, hash: sha256.New(), want: want}
}

func (h *hashReader) Read(p []byte) (int, error) {
	n, err := h.source.Read(p)
	h.hash.Write(p[:n])
	if err != io.EOF {
		return n, err
	}
	if got := hex.EncodeToString(h.hash.Sum(nil)); got != h.want {
		return n, gateway.Errorf(gateway.SHA256Mismatch, "The provided 'x-amz-content-sha256' header does not match what was computed.").
			With("ClientComputedContentSHA256", h.want).With("S3ComputedContentSHA256", got)
	}
	return n, io.EOF
}
