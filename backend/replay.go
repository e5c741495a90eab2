package backend

import (
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// maxReplay is how much of a body is kept, in bytes, so that it can be sent once
// more when the connection turns out to be gone. A longer one is sent again only
// while no more than this was read: from expectContinueFrom on, nothing is read
// before the backend asked for it.
const maxReplay = 64 << 10

// replayBuffers are shared by all requests; one holds a buffer until its body is
// longer, or sent.
var replayBuffers = sync.Pool{New: func() any { b := make([]byte, 0, maxReplay); return &b }}

// replay is a body that can be read again from its beginning, up to maxReplay.
// An attempt that was given up may still be reading while the next begins: they
// take turns, and the old one gets nothing more. A nil *replay is no body.
type replay struct {
	source io.ReadCloser

	mu      sync.Mutex
	kept    *[]byte // what was read so far; nil when it is too much
	err     error   // how the source ended
	last    *attempt
	settled atomic.Bool // there will be no other attempt
}

func newReplay(source io.ReadCloser) *replay {
	kept := replayBuffers.Get().(*[]byte)
	*kept = (*kept)[:0]
	return &replay{source: source, kept: kept}
}

// attempt gives the body from its beginning, and ends the attempt before it;
// false when the beginning is gone. It waits for a read that is under way.
func (r *replay) attempt() (*attempt, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last != nil {
		r.last.closed = true
	}
	r.last = &attempt{replay: r}
	return r.last, r.whole()
}

// again reports whether another attempt would get the whole body. It does not
// wait for a read that is under way: the backend has answered already.
func (r *replay) again() bool {
	if r == nil {
		return true
	}
	if !r.mu.TryLock() {
		return false
	}
	defer r.mu.Unlock()
	return r.whole()
}

func (r *replay) whole() bool { return r.kept != nil && (r.err == nil || r.err == io.EOF) }

// settle makes the attempt under way the last. It does not wait for it: the
// transport closes it in its own time.
func (r *replay) settle() {
	if r == nil {
		return
	}
	r.settled.Store(true)
	if r.mu.TryLock() {
		if r.last == nil || r.last.closed {
			r.end()
		}
		r.mu.Unlock()
	}
}

// abandon ends the source without waiting for an attempt that reads: its client
// may have stopped sending.
func (r *replay) abandon() {
	if r == nil {
		return
	}
	_ = r.source.Close() // its failure is the body's own to tell
	if r.mu.TryLock() {
		r.release()
		r.mu.Unlock()
	}
}

func (r *replay) end() {
	r.release()
	_ = r.source.Close()
}

func (r *replay) release() {
	if r.kept != nil {
		replayBuffers.Put(r.kept)
		r.kept = nil
	}
}

// attempt is one reading of a replay.
type attempt struct {
	*replay
	at     int
	closed bool
}

// Read gives what earlier attempts read, then the source's next bytes.
func (a *attempt) Read(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.closed:
		return 0, http.ErrBodyReadAfterClose
	case a.kept != nil && a.at < len(*a.kept):
		n := copy(p, (*a.kept)[a.at:])
		a.at += n
		return n, nil
	case a.err != nil:
		return 0, a.err
	}
	n, err := a.source.Read(p)
	a.err = err
	a.at += n
	if a.kept != nil && len(*a.kept)+n > maxReplay {
		a.release()
	}
	if a.kept != nil {
		*a.kept = append(*a.kept, p[:n]...)
	}
	return n, err
}

// Close ends this attempt, and the source when there will be no other.
func (a *attempt) Close() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		a.closed = true
		if a.settled.Load() {
			a.end()
		}
	}
	return nil
}
