package proxy

import (
	"net/http"
	"slices"
	"strings"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

// proofHeaders are those by which every store compares a body.
var proofHeaders = []string{
	"Content-Md5", "X-Amz-Checksum-Crc32", "X-Amz-Checksum-Crc32c", "X-Amz-Checksum-Crc64nvme", "X-Amz-Checksum-Sha1", "X-Amz-Checksum-Sha256",
}

// frame announces a body that is framed with a trailer.
func (x *exchange) frame(req *backend.Request, trailer string, length int64) {
	req.PayloadHash = signer.StreamingUnsignedTrailer
	req.Header.Set("X-Amz-Trailer", trailer)
	req.Header.Set("X-Amz-Decoded-Content-Length", decimal(length))
	x.chunked(req)
}

// chunked names the framing of a body to a backend that wants to know.
func (x *exchange) chunked(req *backend.Request) {
	addEncoding(req.Header, "aws-chunked")
}

// prove adds a proof to a body that would travel without one, so that a byte that
// changes between here and the store is noticed there. A checksum of the gateway's
// own is for whole objects that declare none; a part may have only its upload's
// algorithm, which is not known here.
func (x *exchange) prove(req *backend.Request) {
	proven := slices.ContainsFunc(proofHeaders, func(name string) bool { return req.Header.Get(name) != "" })
	if x.at.Backend.Transport != nil {
		return // bytes that do not leave the process arrive as they are
	}
	if proven || req.Length == 0 || req.PayloadHash != signer.UnsignedPayload {
		return
	}
	part, declared := false, false
	for _, p := range req.Query {
		part = part || p.Key == "uploadId"
	}
	for name := range req.Header {
		declared = declared || strings.HasPrefix(name, "X-Amz-Checksum-")
	}
	switch {
	case x.at.Backend.Trailers && !part && !declared:
		length := req.Length
		req.Body, req.Length = signer.FrameChecksum(req.Body, length, req.Body)
		x.frame(req, signer.ProvenTrailer, length)
	case x.at.Backend.SignedChunks:
		req.PayloadHash = signer.StreamingSigned
		x.chunked(req)
	default:
		return
	}
	req.Proven = true
}

// dropProof leaves the gateway's own checksum out of an answer.
func (x *exchange) dropProof(req backend.Request, answer http.Header) {
	if req.Header.Get("X-Amz-Trailer") == signer.ProvenTrailer && x.header.Get("X-Amz-Trailer") == "" {
		answer.Del("X-Amz-Checksum-Crc64nvme")
		answer.Del("X-Amz-Checksum-Type")
	}
}
