package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// idleTime is how long a client may send nothing in the middle of a body. An
// upload may take as long as it moves; one that stands still holds a buffer.
const idleTime = time.Minute

// body is a request's body with a deadline that moves with progress, and with
// errors that say what happened.
type body struct {
	src     io.Reader
	control *http.ResponseController
}

func newBody(w http.ResponseWriter, r *http.Request) io.Reader {
	if r.Body == nil || r.Body == http.NoBody {
		return http.NoBody
	}
	return &body{src: r.Body, control: http.NewResponseController(w)}
}

// Read moves the deadline. At the body's end it is lifted: the server goes on
// watching the connection, and would take a deadline that passes while the
// backend works for a client that left.
func (b *body) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(idleTime)) // not every writer has one
	n, err := b.src.Read(p)
	if err == nil {
		return n, nil
	}
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{})
		return n, err
	}
	return n, bodyError(err)
}

func bodyError(err error) error {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return gateway.Errorf(gateway.RequestTimeout, "Nothing was sent for %d s.", int(idleTime/time.Second)).Because(err)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, http.ErrBodyReadAfterClose):
		err = errors.Join(errClientGone, err)
	}
	return gateway.Errorf(gateway.IncompleteBody, "The request body ended early.").Because(err)
}
