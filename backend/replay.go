package backend

import (
	"io"
	"net/http"
	"sync"
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
// take turns, and the old one gets nothing more.
type replay struct {
	source io.ReadCloser

	mu   sync.Mutex
	kept *[]byte // what was read so far; nil when it is too much
	err  error   // how the source ended
	// idle: the attempt is closed; settled: there will be no other.
	idle, settled bool
}

func newReplay(source io.ReadCloser) *replay {
	kept := replayBuffers.Get().(*[]byte)
	*kept = (*kept)[:0]
	return &replay{source: source, kept: kept}
}

// attempt gives the body from its beginning; false when that is gone.
func (r *replay) attempt() (*attempt, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle = false
	return &attempt{replay: r}, r.kept != nil && (r.err == nil || r.err == io.EOF)
}

// settle makes the attempt under way the last.
func (r *replay) settle() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled = true
	if r.idle {
		r.release()
		_ = r.source.Close() // its failure is the body's own to tell
	}
}

// abandon ends the source without waiting for an attempt that reads: its client
// may have stopped sending.
func (r *replay) abandon() {
	_ = r.source.Close()
	if r.mu.TryLock() {
		r.release()
		r.mu.Unlock()
	}
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
	if a.closed {
		return nil
	}
	a.closed, a.idle = true, true
	if a.settled {
		a.release()
		return a.source.Close()
	}
	return nil
}
