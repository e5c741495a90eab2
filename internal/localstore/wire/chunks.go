package wire

import (
	"bufio"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// maxChunkLine bounds the header of a chunk or a line of the trailer, in bytes.
const maxChunkLine = 4 << 10

// chunkReader decodes aws-chunked framing
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html).
// It reads io.EOF only after the final chunk, the trailer and the end of the
// source. Signatures are passed over.
type chunkReader struct {
	src       *bufio.Reader
	left      int64 // of the open chunk
	remaining int64 // of the declared length, in no chunk so far
	open      bool
	trailer   string // its declared name, "" for none
	checksum  checksum
	value     string // of the trailer, after io.EOF
	err       error
}

func newChunkReader(src io.Reader, length int64, trailer string) *chunkReader {
	return &chunkReader{src: bufio.NewReaderSize(src, maxChunkLine), remaining: length, trailer: trailer}
}

// Read reads decoded bytes.
func (c *chunkReader) Read(p []byte) (int, error) {
	for c.left == 0 && c.err == nil {
		c.err = c.next()
	}
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.src.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if err != nil {
		c.err = early(err)
	}
	return n, c.err
}

// next ends the open chunk and begins the following one. After the final chunk it
// reads to the end of the body and returns io.EOF.
func (c *chunkReader) next() error {
	if c.open {
		if line, err := c.line(); err != nil || line != "" {
			return firstOf(early(err), badChunk("a chunk longer than its size"))
		}
	}
	c.open = true
	line, err := c.line()
	if err != nil {
		return early(err)
	}
	digits, _, _ := strings.Cut(line, ";")
	size, err := strconv.ParseUint(digits, 16, 63)
	if err != nil {
		return badChunk("a chunk size that is no number")
	}
	if int64(size) > c.remaining || size == 0 && c.remaining > 0 {
		return incomplete()
	}
	if size == 0 {
		return c.finish()
	}
	c.left = int64(size)
	c.remaining -= c.left
	return nil
}

// finish reads the trailer and what follows, which must be nothing.
func (c *chunkReader) finish() error {
	for {
		line, err := c.line()
		if err != nil && err != io.EOF {
			return err
		}
		// minio-go ends the checksum's line with LF and sends an empty one after it.
		if name, value, ok := strings.Cut(line, ":"); ok {
			if name = strings.ToLower(strings.TrimSpace(name)); name == c.trailer && c.value == "" {
				c.value = strings.TrimSpace(value)
			} else if name != "x-amz-trailer-signature" {
				return badTrailer()
			}
		} else if line != "" {
			return badTrailer()
		}
		if err == io.EOF {
			return c.end()
		}
	}
}

func (c *chunkReader) end() error {
	switch {
	case c.trailer == "":
		return io.EOF
	case c.value == "":
		return badTrailer()
	case !c.checksum.valid(c.value):
		return invalidRequest("Value for %s trailing header is invalid.", c.trailer)
	}
	return io.EOF
}

// line reads a line without its end. io.EOF means that the source ended before
// it.
func (c *chunkReader) line() (string, error) {
	raw, err := c.src.ReadSlice('\n')
	switch {
	case errors.Is(err, bufio.ErrBufferFull):
		return "", badChunk("a line over 4 KiB")
	case err == io.EOF && len(raw) > 0:
		return "", incomplete()
	case err != nil:
		return "", err
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r"), nil
}

// early turns an end of the source within the framing into what it is.
func early(err error) error {
	if err == io.EOF {
		return incomplete()
	}
	return err
}

func firstOf(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func incomplete() *failure {
	return refuse(localstore.IncompleteBody, "You did not provide the number of bytes specified by the Content-Length HTTP header.")
}

func badChunk(what string) *failure {
	return invalidRequest("The aws-chunked body is malformed: %s.", what)
}

func badTrailer() *failure {
	return refuse("MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema.")
}
