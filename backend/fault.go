package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// stallTime is how long a backend may take or send no byte of a body.
const stallTime = 60 * time.Second

// errFault marks a failure of the backend, or of the way to it.
var errFault = errors.New("the storage backend failed")

// errStalled ends a request whose backend stands still.
var errStalled = errors.New("the storage backend stands still")

// Fault decides whose fault it is that a request of a backend failed, and returns
// what its client is told. An error that is typed already keeps its word: the
// client's body failed, or the backend refused. A client that left is
// RequestTimeout. Everything else is the backend's: ServiceUnavailable, with the
// cause for the log.
func Fault(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var own *gateway.Error
	typed := errors.As(err, &own)
	left := ctx.Err() != nil && !errors.Is(context.Cause(ctx), errStalled)
	switch {
	case typed && own.Status != 0, typed && !left:
		return err
	case left:
		return gateway.Errorf(gateway.RequestTimeout, "").Because(fmt.Errorf("the client left: %w", err))
	}
	return unreachable(err)
}

// Broken is the fault of a backend whose answer is not one.
func Broken(format string, args ...any) *gateway.Error {
	return unreachable(fmt.Errorf(format, args...))
}

// faults gives what goes wrong on the way to a backend its name: failures of the
// connection, of an answer that ends early, and of one that stands still.
type faults struct {
	next  http.RoundTripper
	stall time.Duration
}

// RoundTrip passes the request on.
func (f faults) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancelCause(r.Context())
	resp, err := f.next.RoundTrip(r.WithContext(ctx))
	if err != nil {
		cancel(nil)
		return nil, err
	}
	// A copy or Complete may be silent for long behind its header.
	stall := cmp.Or(f.stall, stallTime)
	if r.Method != http.MethodGet {
		stall = patientTimeout
	}
	resp.Body = &faultBody{ReadCloser: resp.Body, ctx: ctx, cancel: cancel, stall: stall}
	return resp, nil
}

// faultBody is the body of an answer. It is for one goroutine.
type faultBody struct {
	io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	stall  time.Duration
}

// Read hands on what the answer yields. Its errors but io.EOF are *gateway.Error.
func (b *faultBody) Read(p []byte) (int, error) {
	timer := time.AfterFunc(b.stall, func() { b.cancel(errStalled) })
	n, err := b.ReadCloser.Read(p)
	timer.Stop()
	if err != nil && err != io.EOF {
		if errors.Is(context.Cause(b.ctx), errStalled) {
			err = errStalled
		}
		err = Fault(b.ctx, err)
	}
	return n, err
}

// Close ends the answer.
func (b *faultBody) Close() error {
	err := b.ReadCloser.Close()
	b.cancel(nil)
	return err
}

// movingConn is a connection to a backend that has to take bytes: net/http's
// transport has no limit for that.
type movingConn struct {
	net.Conn
	stall time.Duration
}

// Write allows each write its time.
func (c movingConn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(c.stall)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
