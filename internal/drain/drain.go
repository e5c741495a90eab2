// Package drain lets a client read the answer to an upload that is refused
// while it is still sending.
//
// A server that answers and closes with unread bytes in its socket resets the
// connection, and most clients (Python requests, Go, Java) then report a broken
// pipe in place of the answer. net/http reads at most 256 KiB behind a handler.
// So a refusal is written with "Connection: close", flushed, and then a bounded
// part of the body is read and thrown away:
//
//	drain.Before(w, r) // sets Connection: close where it is needed
//	…                  // write the whole answer, with its Content-Length
//	drain.Body(w, r)   // flushes it and drains
//
// Both are no-ops where nothing is to be drained: a request without a body, a
// body that was read to its end, HTTP/2 (a stream is closed on its own), and a
// client that waits for 100 Continue, was never asked for its body and does not
// send it.
package drain

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// The bounds of what is drained for one refused request: MaxBytes as fast as they
// come, and then little, until MaxTime is over. A client that sends longer may
// lose the answer.
const (
	MaxBytes = 8 << 20
	MaxTime  = 2 * time.Second
	// awaitTime is how long a client that said it waits for 100 Continue, and was
	// never asked, may show that it does not wait: RFC 9110 section 10.1.1 lets
	// it send at any time, and Go's does so at once.
	awaitTime = 200 * time.Millisecond
	// What is read behind MaxBytes: so much in so long.
	lingerBytes, lingerPause = 64 << 10, 50 * time.Millisecond
)

// serverDrains is what net/http itself reads of a body behind a handler; a
// refusal that leaves less unread may keep its connection.
const serverDrains = 256 << 10

// Middleware lets Before and Body know how much of the body was read, however
// the handlers wrap it. Without it they take a body for unread.
func Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !hasBody(r) || trackedOf(r) != nil {
			next.ServeHTTP(w, r)
			return
		}
		t := &tracked{body: r.Body}
		r = r.WithContext(context.WithValue(r.Context(), trackedKey{}, t))
		r.Body = t
		next.ServeHTTP(w, r)
	})
}

// Before prepares w for a refusal of r. Call it before the header is written.
func Before(w http.ResponseWriter, r *http.Request) {
	if !unfinished(r) {
		return
	}
	if left := unreadLength(r); left >= 0 && left < serverDrains && !awaitsContinue(r) {
		return
	}
	w.Header().Set("Connection", "close")
	// Without it net/http refuses to read the body once the answer has begun.
	// An error means a writer that cannot, and then reading fails soon enough.
	_ = http.NewResponseController(w).EnableFullDuplex()
}

// Body flushes the answer and drains the rest of r's body, within MaxBytes and
// MaxTime. Call it after the whole answer was written.
func Body(w http.ResponseWriter, r *http.Request) {
	if w.Header().Get("Connection") != "close" || !unfinished(r) {
		return
	}
	rc := http.NewResponseController(w)
	waits := awaitsContinue(r) // reading asks for nothing any more: the answer is out
	if rc.Flush() != nil || waits && !sends(rc, r) {
		return
	}
	// A client that trickles must not hold the handler: without a deadline
	// nothing is read at all.
	if rc.SetReadDeadline(time.Now().Add(MaxTime)) != nil {
		return
	}
	defer interrupt(rc, MaxTime)()
	if _, err := io.CopyN(io.Discard, source(r), MaxBytes); err == nil {
		linger(source(r))
	}
}

// linger goes on reading, slowly, until the client stops or MaxTime is over. One
// that still sends is held up by a full window, and reads the answer meanwhile; a
// close would reset it, and what it had not read yet would be lost.
func linger(body io.Reader) {
	pause := time.NewTicker(lingerPause)
	defer pause.Stop()
	for {
		if _, err := io.CopyN(io.Discard, body, lingerBytes); err != nil {
			return
		}
		<-pause.C
	}
}

// sends reports whether a client that said it would wait sends its body all the
// same.
func sends(rc *http.ResponseController, r *http.Request) bool {
	if rc.SetReadDeadline(time.Now().Add(awaitTime)) != nil {
		return false
	}
	defer interrupt(rc, awaitTime)()
	var first [1]byte
	n, _ := source(r).Read(first[:])
	return n > 0
}

// interrupt ends every read of the connection from a time on, until the
// function that it gives is called. The deadline alone is not enough: a wrapper
// of the body may move it on with each read.
func interrupt(rc *http.ResponseController, after time.Duration) (stop func()) {
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		timer := time.NewTimer(after)
		defer timer.Stop()
		for {
			select {
			case <-done:
				return
			case <-timer.C:
				_ = rc.SetReadDeadline(time.Unix(1, 0))
				timer.Reset(MaxTime / 20)
			}
		}
	}()
	return func() {
		close(done)
		<-stopped
	}
}

// tracked counts what is read of a body.
type tracked struct {
	body  io.ReadCloser
	read  atomic.Int64
	asked atomic.Bool // a Read was made: 100 Continue has gone out
	ended atomic.Bool // EOF, or an error after which nothing comes
}

type trackedKey struct{}

// Read passes on what the body gives. An empty buffer does not count as asking.
func (t *tracked) Read(p []byte) (int, error) {
	if len(p) > 0 {
		t.asked.Store(true)
	}
	n, err := t.body.Read(p)
	t.read.Add(int64(n))
	if err != nil && !errors.Is(err, http.ErrBodyReadAfterClose) {
		t.ended.Store(true)
	}
	return n, err
}

// Close leaves the body open: the server closes it behind the handler, and a
// body that a handler closed could not be drained.
func (t *tracked) Close() error { return nil }

func trackedOf(r *http.Request) *tracked {
	t, _ := r.Context().Value(trackedKey{}).(*tracked)
	return t
}

func hasBody(r *http.Request) bool {
	return r.ProtoMajor == 1 && r.Body != nil && r.Body != http.NoBody && r.ContentLength != 0
}

func unfinished(r *http.Request) bool {
	if t := trackedOf(r); t != nil {
		return !t.ended.Load() && (r.ContentLength < 0 || t.read.Load() < r.ContentLength)
	}
	return hasBody(r)
}

// unreadLength is what is left of a body of known length, otherwise -1.
func unreadLength(r *http.Request) int64 {
	if r.ContentLength < 0 {
		return -1
	}
	if t := trackedOf(r); t != nil {
		return r.ContentLength - t.read.Load()
	}
	return r.ContentLength
}

// awaitsContinue reports whether the client holds its body back until it is
// asked for (RFC 9110 section 10.1.1), and was not.
func awaitsContinue(r *http.Request) bool {
	t := trackedOf(r)
	return strings.EqualFold(r.Header.Get("Expect"), "100-continue") && (t == nil || !t.asked.Load())
}

// source is where the rest of the body is read from: past every wrapper of a
// handler, whose errors stick and whose hashes cost.
func source(r *http.Request) io.Reader {
	if t := trackedOf(r); t != nil {
		return t
	}
	return r.Body
}
