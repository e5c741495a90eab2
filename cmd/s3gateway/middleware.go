package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/drain"
	"github.com/codeguardians/s3gateway/internal/fairshare"
	"github.com/codeguardians/s3gateway/policy"
)

type middleware func(http.Handler) http.Handler

// chain puts middlewares around a handler, the first outermost.
func chain(h http.Handler, all ...middleware) http.Handler {
	for i := len(all) - 1; i >= 0; i-- {
		h = all[i](h)
	}
	return h
}

// statusClientGone is logged for a client that left before its answer; the
// number is nginx's, and no client ever sees it.
const statusClientGone = 499

// recordRequests gives each request its id and its record, and writes the
// record to the log when the request is over.
func recordRequests(log zerolog.Logger, now func() time.Time, trusted []netip.Prefix) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			record := &gateway.Record{}
			record.Update(func(f *gateway.Fields) {
				f.ID, f.Start, f.Client = newRequestID(), now(), policy.ClientAddress(r, trusted)
			})
			w.Header().Set("Server", "s3gateway")
			seen := &recorder{ResponseWriter: w}
			defer func() {
				failure := recover()
				facts := record.Snapshot()
				if r.Context().Err() != nil && (seen.status == 0 || gateway.CodeOf(facts.Err) == gateway.RequestTimeout) {
					seen.status = statusClientGone
				}
				audit(log, r.Method, seen.status, facts)
				logRequest(log, now(), r, seen, facts)
				if failure != nil {
					panic(failure) // net/http cuts the connection
				}
			}()
			next.ServeHTTP(seen, r.WithContext(gateway.WithRecord(r.Context(), record)))
		})
	}
}

func newRequestID() string {
	var id [8]byte
	rand.Read(id[:]) // never fails
	return strings.ToUpper(hex.EncodeToString(id[:]))
}

// maxLoggedPath is as much of a path as a log line has, in bytes: the longest key
// that is served, and a little more.
const maxLoggedPath = 1100

// logRequest writes one line per request. The query stays out of it, and the host
// of a whole URL: they may carry a signature, or a password.
func logRequest(log zerolog.Logger, end time.Time, r *http.Request, seen *recorder, f gateway.Fields) {
	status := seen.status
	level := zerolog.InfoLevel
	if code := gateway.CodeOf(f.Err); status >= http.StatusInternalServerError && status != http.StatusNotImplemented &&
		code != gateway.QuotaExceeded && (code != gateway.SlowDown || gateway.AsError(f.Err).Status != 0) { // those are the policy at work
		level = zerolog.ErrorLevel
	}
	line := log.WithLevel(level)
	if log.GetLevel() > level {
		return
	}
	line = line.Str("id", f.ID).Str("door", string(f.Door)).Str("method", r.Method).Str("path", gateway.Clip(rawPath(r.RequestURI), maxLoggedPath)).
		Str("client", f.Client).Int("status", status).Int64("bytes", seen.bytes).Dur("took", end.Sub(f.Start))
	for name, value := range map[string]string{
		"operation": f.Operation, "caller": f.Caller, "cache": f.Cache, "backend_request_id": f.Backend,
	} {
		if value != "" {
			line = line.Str(name, value)
		}
	}
	if f.Err != nil {
		line = line.Str("code", string(gateway.CodeOf(f.Err)))
		if e := gateway.AsError(f.Err); level == zerolog.ErrorLevel || log.GetLevel() <= zerolog.DebugLevel {
			line = line.Str("refusal", e.Message)
			if e.Err != nil {
				line = line.AnErr("cause", e.Err)
			}
		}
	}
	line.Msg("request")
}

// recorder notes status and size of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

// Unwrap lets http.ResponseController reach the connection.
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes the first final status.
func (w *recorder) WriteHeader(status int) {
	if w.status == 0 && status >= http.StatusOK {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write counts what was written.
func (w *recorder) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// recoverPanics turns a bug into a logged stack and a cut connection: one
// request's fault must not take the process down, and half an answer must not
// look like a whole one.
func recoverPanics(log zerolog.Logger) middleware {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				failure := recover()
				if failure == nil {
					return
				}
				if err, ok := failure.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
					log.Error().Interface("panic", failure).Bytes("stack", debug.Stack()).
						Str("id", gateway.RecordFrom(r.Context()).Snapshot().ID).Msg("bug: a request panicked")
				}
				panic(http.ErrAbortHandler)
			}()
			next.ServeHTTP(w, r)
		})
	}
}

// endOldConnections ends the connection behind a request of HTTP/1.0. net/http
// passes over its Transfer-Encoding, and would read its chunks as the next
// request (RFC 9112 section 6.1).
func endOldConnections(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !r.ProtoAtLeast(1, 1) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

// shareFairly makes each request a stream that can be ended when others wait for
// what it holds. The record knows the client's address.
func shareFairly(next http.Handler) http.Handler {
	return fairshare.Handler(func(r *http.Request) string {
		return policy.AddressKey(gateway.RecordFrom(r.Context()).Snapshot().Client)
	}, next)
}

// stallTimeout is how long a client may send or take no byte. It bounds pauses,
// not requests: an upload may last as long as it moves.
const stallTimeout = 60 * time.Second

// guardStalls moves the connection's deadlines on with each byte: a client may
// pause for so long.
func guardStalls(pause time.Duration) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			// The deadline of this connection's last request is still set.
			_ = rc.SetWriteDeadline(time.Time{})
			var body *movingBody
			if r.Body != nil && r.Body != http.NoBody {
				body = &movingBody{ReadCloser: r.Body, rc: rc, pause: pause}
				r.Body = body
			}
			next.ServeHTTP(&movingWriter{ResponseWriter: w, rc: rc, pause: pause}, r)
			_ = rc.SetWriteDeadline(time.Now().Add(pause)) // for what is still buffered
			if body != nil && !body.over.Load() && r.ProtoMajor == 1 {
				// net/http reads what is left of the body before it sends the
				// answer, and would wait for it without end.
				_ = rc.SetReadDeadline(time.Now().Add(min(pause, drain.MaxTime)))
				_ = rc.SetWriteDeadline(time.Now().Add(drain.MaxTime + pause))
			}
		})
	}
}

type movingBody struct {
	io.ReadCloser
	rc    *http.ResponseController
	pause time.Duration
	over  atomic.Bool // its end or an error was read
}

// Read allows each read its time. After the last byte the deadline is lifted:
// net/http goes on reading in the background to notice a client that leaves.
// After an error it stays, so that net/http does not wait for the rest.
func (b *movingBody) Read(p []byte) (int, error) {
	_ = b.rc.SetReadDeadline(time.Now().Add(b.pause))
	n, err := b.ReadCloser.Read(p)
	if err == nil {
		// The time until the next read is the backend's. HTTP/2 would end the
		// body at a deadline although nobody reads.
		_ = b.rc.SetReadDeadline(time.Time{})
		return n, nil
	}
	b.over.Store(true)
	if errors.Is(err, io.EOF) {
		_ = b.rc.SetReadDeadline(time.Time{})
	}
	return n, err
}

type movingWriter struct {
	http.ResponseWriter
	rc    *http.ResponseController
	pause time.Duration
}

// Unwrap lets http.ResponseController reach the connection.
func (w *movingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write allows each write its time. The time until the next one is the backend's.
func (w *movingWriter) Write(p []byte) (int, error) {
	_ = w.rc.SetWriteDeadline(time.Now().Add(w.pause))
	n, err := w.ResponseWriter.Write(p)
	if err == nil {
		_ = w.rc.SetWriteDeadline(time.Time{})
	}
	return n, err
}
