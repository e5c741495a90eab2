package api

import (
	"errors"
	"io"
	"net/http"
	"os"

	gateway "github.com/codeguardians/s3gateway"
)

// body is a request's body whose errors say what happened.
type body struct{ src io.Reader }

func newBody(r *http.Request) io.Reader {
	if r.Body == nil || r.Body == http.NoBody {
		return http.NoBody
	}
	return body{r.Body}
}

// Read translates the errors of the connection.
func (b body) Read(p []byte) (int, error) {
	n, err := b.src.Read(p)
	if err == nil || err == io.EOF {
		return n, err
	}
	return n, bodyError(err)
}

func bodyError(err error) error {
	var own *gateway.Error
	switch {
	case errors.As(err, &own):
		return err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return gateway.Errorf(gateway.RequestTimeout, "The upload stood still for too long.").Because(err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, http.ErrBodyReadAfterClose):
		err = errors.Join(errClientGone, err)
	}
	return gateway.Errorf(gateway.IncompleteBody, "The request body ended early.").Because(err)
}
