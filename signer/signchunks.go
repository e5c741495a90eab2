package signer

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// announceChunks prepares a request whose payload hash is StreamingSigned for its
// signature, which covers the lengths of the plain body and of the framed one. It
// returns the former, 0 for a request without such a body.
func announceChunks(r *http.Request) (plain int64) {
	if r.Header.Get("X-Amz-Content-Sha256") != StreamingSigned || r.Body == nil || r.Body == http.NoBody || r.ContentLength <= 0 {
		return 0
	}
	plain = r.ContentLength
	r.Header.Set("X-Amz-Decoded-Content-Length", strconv.FormatInt(plain, 10))
	r.ContentLength, r.GetBody = signedLength(plain), nil
	return plain
}

// signChunks makes a signed request send its plain body in chunks that the same
// key signs (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html).
func (t *Transport) signChunks(r *http.Request, plain int64, credentials aws.Credentials) {
	if plain == 0 {
		return
	}
	date := r.Header.Get("X-Amz-Date")
	_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
	r.Body = &chunkedBody{
		src: r.Body, left: plain, date: date, signature: signature,
		scope: strings.Join([]string{date[:8], t.region(), serviceS3, terminator}, "/"),
		key:   deriveKey(credentials.SecretAccessKey, date[:8], t.region(), serviceS3),
	}
}

// signedLength is the length of a payload in signed chunks.
func signedLength(payload int64) int64 {
	chunk := func(n int64) int64 {
		return int64(len(strconv.FormatInt(n, 16))+len(chunkSignature)+hex.EncodedLen(sha256.Size)) + 2 + n + 2
	}
	length := payload / frameChunk * chunk(frameChunk)
	if rest := payload % frameChunk; rest > 0 {
		length += chunk(rest)
	}
	return length + chunk(0)
}

const chunkSignature = ";chunk-signature="

// chunkBuffers hold one chunk of a body: its signature stands before its bytes.
var chunkBuffers = sync.Pool{New: func() any { b := make([]byte, frameChunk); return &b }}

// chunkedBody frames and signs a body. It is for one goroutine; Close may come
// from another.
type chunkedBody struct {
	src       io.ReadCloser
	left      int64 // bytes of the body that are not in a chunk yet
	date      string
	scope     string
	signature string // of the chunk before
	key       *signingKey

	buf   *[]byte // of the pool, while a chunk is being handed out
	head  []byte
	data  []byte
	tail  string
	ended bool
}

// Read yields framing and bytes. The source is read to its end before the last
// chunk is signed, so that a body whose proof fails stays short.
func (c *chunkedBody) Read(p []byte) (int, error) {
	for len(c.head)+len(c.data)+len(c.tail) == 0 {
		if c.ended {
			c.release()
			return 0, io.EOF
		}
		if err := c.advance(); err != nil {
			c.release()
			return 0, err
		}
	}
	n := copy(p, c.head)
	c.head = c.head[n:]
	m := copy(p[n:], c.data)
	c.data = c.data[m:]
	k := copy(p[n+m:], c.tail)
	c.tail = c.tail[k:]
	return n + m + k, nil
}

// advance signs the next chunk; the last one is empty.
func (c *chunkedBody) advance() error {
	if c.buf == nil {
		c.buf, _ = chunkBuffers.Get().(*[]byte)
	}
	c.data = (*c.buf)[:min(c.left, frameChunk)]
	if _, err := io.ReadFull(c.src, c.data); err != nil {
		c.data = nil
		return early(err)
	}
	c.left -= int64(len(c.data))
	if len(c.data) == 0 {
		if err := toEnd(c.src); err != nil {
			return err
		}
		c.ended = true
	}
	sum := sha256.Sum256(c.data)
	text := make([]byte, 0, 384)
	for _, part := range []string{"AWS4-HMAC-SHA256-PAYLOAD", "\n", c.date, "\n", c.scope, "\n", c.signature, "\n", EmptyHash, "\n"} {
		text = append(text, part...)
	}
	signed := c.key.sign(hex.AppendEncode(text, sum[:]))
	c.signature = hex.EncodeToString(signed[:])
	c.head = append(strconv.AppendInt(c.head[:0], int64(len(c.data)), 16), chunkSignature+c.signature+"\r\n"...)
	c.tail = "\r\n"
	return nil
}

// toEnd reads a source that should have no byte left.
func toEnd(src io.Reader) error {
	var extra [1]byte
	for {
		n, err := src.Read(extra[:])
		switch {
		case n > 0:
			return incomplete("The request body is longer than was declared.")
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

func (c *chunkedBody) release() {
	if c.buf != nil {
		chunkBuffers.Put(c.buf)
		c.buf, c.data = nil, nil
	}
}

// Close closes the body.
func (c *chunkedBody) Close() error { return c.src.Close() }
