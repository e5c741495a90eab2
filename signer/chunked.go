package signer

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// maxFrameLine bounds a chunk header or trailer line, in bytes with its CRLF.
const maxFrameLine = 4 << 10

// chunkReader turns aws-chunked framing into plain bytes. Sizes are checked
// against the declared length before any byte of the chunk goes on, chunk
// signatures when a chunk ends, and io.EOF comes only after the final chunk,
// the trailer and the source's own end. It allocates nothing by declared size.
type chunkReader struct {
	source    *bufio.Reader
	signed    bool
	trailer   trailerSpec
	chain     chain
	onTrailer func(value string)

	data      hash.Hash // of the current chunk, nil when unsigned
	signature string    // of the current chunk
	left      int64     // bytes left in the current chunk
	remaining int64     // decoded bytes not yet announced by a chunk header
	started   bool
	err       error
}

// openFramed sets b up to decode a framed body.
func (a *Auth) openFramed(b *Body, r *http.Request, source io.Reader) error {
	mode := payloadModes[a.PayloadHash]
	length, err := a.decodedLength(r)
	if err != nil {
		return err
	}
	trailer, err := a.declaredTrailer(r, mode.trailer)
	if err != nil {
		return err
	}
	c := &chunkReader{
		source: bufio.NewReaderSize(source, maxFrameLine), signed: mode.signed,
		trailer: trailer, chain: a.chain, remaining: length,
		onTrailer: func(value string) { b.trailer.Store(&value) },
	}
	if mode.signed {
		c.data = sha256.New()
	}
	b.payload, b.length, b.remaining, b.trailerName = c, length, length, trailer.name
	return nil
}

// decodedLength reads x-amz-decoded-content-length, which framed bodies need.
func (a *Auth) decodedLength(r *http.Request) (int64, error) {
	v := a.header(r, "X-Amz-Decoded-Content-Length")
	if v == "" {
		return 0, gateway.Errorf(gateway.MissingContentLength, "You must provide the x-amz-decoded-content-length HTTP header with a streaming body.")
	}
	n, err := strconv.ParseUint(v, 10, 63)
	if err != nil {
		return 0, gateway.Errorf(gateway.InvalidArgument, "x-amz-decoded-content-length must be a number of bytes.").
			With("ArgumentName", "x-amz-decoded-content-length")
	}
	if length := int64(n); r.ContentLength < 0 || r.ContentLength > length {
		return length, nil
	}
	return 0, incomplete("Content-Length is too small for the decoded length and its framing.")
}

func (c *chunkReader) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	if c.left == 0 {
		if c.err = c.nextChunk(); c.err != nil {
			return 0, c.err
		}
	}
	n, err := c.source.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	c.pass(p[:n])
	if err != nil {
		c.err = early(err)
	}
	return n, c.err
}

// pass lets plain bytes into the running digests.
func (c *chunkReader) pass(p []byte) {
	if c.data != nil {
		c.data.Write(p)
	}
	if c.trailer.hash != nil {
		c.trailer.hash.Write(p)
	}
}

// nextChunk closes the chunk just read and opens the next one. At the final
// chunk it checks the rest of the body and gives io.EOF.
func (c *chunkReader) nextChunk() error {
	if c.started {
		if err := c.closeChunk(); err != nil {
			return err
		}
		if err := c.expectCRLF(); err != nil {
			return err
		}
	}
	c.started = true
	line, err := c.line()
	if err != nil {
		return early(err)
	}
	size, signature, err := c.parseHeader(line)
	if err != nil {
		return err
	}
	if size > c.remaining || size == 0 && c.remaining > 0 {
		return incomplete("The sizes of the chunks do not add up to x-amz-decoded-content-length.")
	}
	c.left, c.signature = size, signature
	c.remaining -= size
	if size > 0 {
		return nil
	}
	return c.finish()
}

// closeChunk checks the signature over the chunk that has just passed.
func (c *chunkReader) closeChunk() error {
	if !c.signed {
		return nil
	}
	err := c.chain.chunk(c.signature, c.data.Sum(nil))
	c.data.Reset()
	return err
}

// parseHeader reads "size[;chunk-signature=hex]". Some SDKs send a signature in
// unsigned streams too; it says nothing there and is passed over.
func (c *chunkReader) parseHeader(line string) (size int64, signature string, err error) {
	digits, extension, extended := strings.Cut(line, ";")
	signature, ok := strings.CutPrefix(extension, "chunk-signature=")
	if extended && !ok || c.signed && signature == "" {
		return 0, "", malformedChunk("a chunk header without a chunk-signature")
	}
	if len(digits) == 0 || len(digits) > 16 {
		return 0, "", malformedChunk("a chunk size of no or too many digits")
	}
	var n uint64
	for i := range len(digits) {
		d, ok := hexDigit(digits[i])
		if !ok {
			return 0, "", malformedChunk("a chunk size that is not hexadecimal")
		}
		n = n<<4 | uint64(d)
	}
	if n > math.MaxInt64 {
		return 0, "", malformedChunk("a chunk size out of range")
	}
	return int64(n), signature, nil
}

func malformedChunk(what string) *gateway.Error {
	return gateway.Errorf(gateway.InvalidRequest, "The aws-chunked body is malformed: %s.", what)
}

// finish checks what follows the final chunk's header: its signature, the
// trailer, and that nothing comes after.
func (c *chunkReader) finish() error {
	if err := c.closeChunk(); err != nil {
		return err
	}
	trailers, err := c.readTrailers()
	if err != nil {
		return err
	}
	if err := c.checkTrailerSignature(trailers); err != nil {
		return err
	}
	if err := trailers.check(c.trailer); err != nil {
		return err
	}
	switch _, err := c.source.ReadByte(); {
	case err == nil:
		return malformedChunk("data after its end")
	case err != io.EOF:
		return err
	}
	c.onTrailer(trailers[c.trailer.name])
	return io.EOF
}

// readTrailers reads lines up to the empty one. Its CRLF may be missing: some
// clients leave the last one out.
func (c *chunkReader) readTrailers() (receivedTrailers, error) {
	trailers := receivedTrailers{}
	for {
		line, err := c.trailerLine()
		if err == io.EOF || err == nil && line == "" {
			return trailers, nil
		}
		if err != nil {
			return nil, err
		}
		if err := trailers.add(line, c.trailer, c.signed); err != nil {
			return nil, err
		}
	}
}

// checkTrailerSignature wants a signature exactly where there is a trailer in a
// signed body.
func (c *chunkReader) checkTrailerSignature(t receivedTrailers) error {
	signature, sent := t[trailerSignature]
	if !c.signed || !sent && c.trailer.name == "" {
		return nil
	}
	if !sent || c.trailer.name == "" {
		return malformedTrailer("the trailer and x-amz-trailer-signature go together")
	}
	return c.chain.trailer(signature, c.trailer.name+":"+t[c.trailer.name]+"\n")
}

// line reads one line that ends in CRLF, without it. io.EOF means that the
// source ended cleanly before it.
func (c *chunkReader) line() (string, error) { return withoutCRLF(c.rawLine()) }

func withoutCRLF(raw []byte, err error) (string, error) {
	if err != nil {
		return "", err
	}
	line, ok := bytes.CutSuffix(raw, []byte("\r\n"))
	if !ok || bytes.IndexByte(line, '\r') >= 0 {
		return "", malformedChunk("a line that does not end in CRLF")
	}
	return string(line), nil
}

// trailerLine reads one line after the last chunk. minio-go ends the checksum's
// line with LF, as the trailer's string to sign has it, and puts a CRLF of its
// own before what follows: x-amz-trailer-signature in a signed body, the end in
// an unsigned one. S3 takes that.
func (c *chunkReader) trailerLine() (string, error) {
	raw, err := c.rawLine()
	if err != nil || bytes.HasSuffix(raw, []byte("\r\n")) {
		return withoutCRLF(raw, err)
	}
	line := string(raw[:len(raw)-1])
	if strings.Contains(line, "\r") {
		return "", malformedChunk("a trailer line with a CR in it")
	}
	return line, c.expectCRLF()
}

// rawLine reads up to and with the next LF. It is valid until the next read.
func (c *chunkReader) rawLine() ([]byte, error) {
	raw, err := c.source.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return nil, malformedChunk("a chunk header or trailer line over 4 KiB")
	case err == io.EOF && len(raw) > 0:
		return nil, io.ErrUnexpectedEOF
	}
	return raw, err
}

func (c *chunkReader) expectCRLF() error {
	for _, want := range []byte("\r\n") {
		got, err := c.source.ReadByte()
		if err != nil {
			return early(err)
		}
		if got != want {
			return malformedChunk("a chunk longer than its size")
		}
	}
	return nil
}
