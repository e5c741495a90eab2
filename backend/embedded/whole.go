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
	if body != nil && length > 0 {
		utils.ContextKeyBodyReader.Set(ctx, &wholeReader{src: body, left: int64(length)})
	}
	return ctx.Next()
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
