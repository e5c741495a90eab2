package signer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	gateway "github.com/codeguardians/s3gateway"
)

// chunk checks a chunk's signature, given the hash of its data, and moves on to
// it (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html).
func (c *chain) chunk(signature string, data []byte) error {
	return c.next("AWS4-HMAC-SHA256-PAYLOAD", signature, EmptyHash+"\n", data)
}

// trailer checks the trailer's signature
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html).
func (c *chain) trailer(signature, line string) error {
	sum := sha256.Sum256([]byte(line))
	return c.next("AWS4-HMAC-SHA256-TRAILER", signature, "", sum[:])
}

func (c *chain) next(kind, signature, fixed string, sum []byte) error {
	buf := make([]byte, 0, 384)
	for _, part := range []string{kind, "\n", c.date, "\n", c.scope, "\n", c.signature, "\n", fixed} {
		buf = append(buf, part...)
	}
	buf = hex.AppendEncode(buf, sum)
	want := c.sign(buf)
	if !hmac.Equal(want[:], decodeSignature(signature)) {
		return gateway.Errorf(gateway.SignatureDoesNotMatch, "The signature of a chunk or trailer of the body does not match. Check your key and signing method.").
			With("StringToSign", string(buf)).With("SignatureProvided", signature)
	}
	c.signature = signature
	return nil
}
