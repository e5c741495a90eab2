//go:build !slim

package embedded

import (
	"errors"
	"io"

	"github.com/gofiber/fiber/v3"
	"github.com/versity/versitygw/s3api/utils"
	"github.com/versity/versitygw/s3err"
)

// wholeBodies makes the store refuse a body that ends before its
// Content-Length. fasthttp gives a plain io.EOF when a connection is cut within
// a body, and the store would keep the piece as an object and answer 200.
func wholeBodies(ctx fiber.Ctx) error {
	body, length := ctx.Request().BodyStream(), ctx.Request().Header.ContentLength()
	if body == nil || length <= 0 {
		return ctx.Next()
	}
	whole := &wholeReader{src: body, left: int64(length)}
	utils.ContextKeyBodyReader.Set(ctx, whole)
	err := ctx.Next()
	if ctx.Request().BodyStream() == body { // a small document was taken whole, past whole
		whole.drain()
	}
	return err
}

// drainBytes is how much of a refused body is read away. The store says 100 to
// every request that asks, so the gateway is sending already, and a connection
// that closes on it would take the refusal with it.
const drainBytes = 64 << 20

// drain reads what is left of a body whose answer is known.
func (r *wholeReader) drain() {
	if r.left > 0 && r.left <= drainBytes {
		_, _ = io.CopyN(io.Discard, r, r.left)
	}
}

// wholeReader turns an early io.EOF of src into S3's IncompleteBody.
type wholeReader struct {
	src  io.Reader
	left int64 // bytes that are still to come
}

// Read implements io.Reader.
func (r *wholeReader) Read(p []byte) (int, error) {
	n, err := r.src.Read(p)
	r.left -= int64(n)
	if errors.Is(err, io.EOF) && r.left > 0 {
		err = s3err.GetAPIError(s3err.ErrIncompleteBody)
	}
	return n, err
}
