package fairshare

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// Stream is one request: how many bytes it has moved, and a way to end it. It is
// safe for concurrent use.
type Stream struct {
	address string
	record  *gateway.Record
	control *http.ResponseController
	moved   atomic.Int64
	ended   atomic.Pointer[gateway.Error]
	writing atomic.Bool // an answer of success has begun

	mu   sync.Mutex // of End, against the end of the handler
	over bool
}

type streamKey struct{}

// From returns the stream of a request's context, nil outside of Handler. What
// holds without a stream is never ended.
func From(ctx context.Context) *Stream {
	s, _ := ctx.Value(streamKey{}).(*Stream)
	return s
}

// Handler makes each request a Stream. address returns the key of the client's
// address. It wraps the handler that moves deadlines on with each byte, so that a
// deadline set to end a stream is seen.
func Handler(address func(*http.Request) string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s := &Stream{address: address(r), record: gateway.RecordFrom(r.Context()), control: http.NewResponseController(w)}
		defer s.finish()
		r = r.WithContext(context.WithValue(r.Context(), streamKey{}, s))
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &streamBody{ReadCloser: r.Body, s: s}
		}
		next.ServeHTTP(&streamWriter{ResponseWriter: w, s: s}, r)
	})
}

// class returns the class of the stream as it is known now: a request is
// anonymous until it is authenticated.
func (s *Stream) class() Class {
	if s == nil {
		return Class{}
	}
	return Class{Caller: s.record.Snapshot().Caller, Address: s.address}
}

// Moved returns the bytes that were read and written so far.
func (s *Stream) Moved() int64 {
	if s == nil {
		return 0
	}
	return s.moved.Load()
}

// End ends the stream: what it reads and writes from now on fails with err. A
// read or write that is waiting is woken. Only the first call counts.
func (s *Stream) End(err *gateway.Error) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || !s.ended.CompareAndSwap(nil, err) {
		return
	}
	past := time.Unix(1, 0)
	_ = s.control.SetReadDeadline(past)
	// An answer that has not begun must still reach the client.
	if s.writing.Load() {
		_ = s.control.SetWriteDeadline(past)
	}
}

// finish keeps the deadlines of End from the connection's next request.
func (s *Stream) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
}

// EndAfter ends the stream with err unless stop is called before.
func (s *Stream) EndAfter(d time.Duration, err *gateway.Error) (stop func()) {
	if s == nil {
		return func() {}
	}
	timer := time.AfterFunc(d, func() { s.End(err) })
	return func() { timer.Stop() }
}

// Err returns the error that ended the stream, nil if none did.
func (s *Stream) Err() error {
	if s == nil {
		return nil
	}
	if err := s.ended.Load(); err != nil {
		return err
	}
	return nil
}

// streamBody counts the bytes of a request's body.
type streamBody struct {
	io.ReadCloser
	s *Stream
}

// Read reads unless the stream was ended.
func (b *streamBody) Read(p []byte) (int, error) {
	if err := b.s.Err(); err != nil {
		return 0, err
	}
	n, err := b.ReadCloser.Read(p)
	b.s.moved.Add(int64(n))
	if err != nil && err != io.EOF {
		if ended := b.s.Err(); ended != nil {
			return n, ended
		}
	}
	return n, err
}

// streamWriter counts the bytes of an answer.
type streamWriter struct {
	http.ResponseWriter
	s     *Stream
	begun bool
}

// Unwrap lets http.ResponseController reach the connection.
func (w *streamWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader notes that the answer is the one of success: a stream that is ended
// from then on is cut.
func (w *streamWriter) WriteHeader(status int) {
	if status >= 200 && !w.begun {
		w.begun = true
		w.s.writing.Store(status < 400)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write writes unless the stream was ended while its answer was under way.
func (w *streamWriter) Write(p []byte) (int, error) {
	if !w.begun {
		w.WriteHeader(http.StatusOK)
	}
	if w.s.writing.Load() {
		if err := w.s.Err(); err != nil {
			return 0, err
		}
	}
	n, err := w.ResponseWriter.Write(p)
	w.s.moved.Add(int64(n))
	if err != nil && w.s.writing.Load() {
		if ended := w.s.Err(); ended != nil {
			return n, ended
		}
	}
	return n, err
}
