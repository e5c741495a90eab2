package backend

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"

	gateway "github.com/codeguardians/s3gateway"
)

// resend sends a request and, once more, one whose kept connection the backend
// had closed: it may close an idle one at any time, also while a request is on
// its way (RFC 9112 section 9.3.1). net/http itself does so only where there is
// no body and the method is safe. What makes it right here: the connection had
// served before, no byte of an answer came, the method means the same when done
// twice, no condition could see the first try, and the body is still there.
func resend(wire http.RoundTripper, r *http.Request, body *replay) (*http.Response, error) {
	var failed error
	for range maxTries {
		var seen sighting
		try := r.WithContext(httptrace.WithClientTrace(r.Context(), seen.trace()))
		if body != nil {
			part, whole := body.attempt()
			if !whole && failed != nil {
				return nil, failed
			}
			try.Body = part
		}
		resp, err := wire.RoundTrip(try)
		if err == nil {
			return resp, nil
		}
		if failed = err; !seen.kept.Load() || seen.answered.Load() || !repeatable(r) || !connectionGone(r.Context(), err) {
			break
		}
	}
	return nil, failed
}

// maxTries bounds how many kept connections may turn out to be gone.
const maxTries = 4

// sighting is what was seen of one try.
type sighting struct{ kept, answered atomic.Bool }

func (s *sighting) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(i httptrace.GotConnInfo) {
			s.kept.Store(i.Reused)
			s.answered.Store(false)
		},
		GotFirstResponseByte: func() { s.answered.Store(true) },
	}
}

// repeatable reports a request that may reach the backend twice.
func repeatable(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
	default:
		return false
	}
	return r.Header.Get("If-Match") == "" && r.Header.Get("If-None-Match") == ""
}

// connectionGone tells the end of a connection from all that is no such thing:
// a client that left, a time limit, a body that failed its checks.
func connectionGone(ctx context.Context, err error) bool {
	var timeout net.Error
	var own *gateway.Error
	return ctx.Err() == nil && !errors.As(err, &own) && !(errors.As(err, &timeout) && timeout.Timeout())
}
