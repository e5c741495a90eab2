package api

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	// lockWait is how long a request waits for the one that it ends.
	lockWait = 15 * time.Second
	// lockNudge is how often that one is told.
	lockNudge = 50 * time.Millisecond
)

// UploadLocks let one request at a time write an upload. Without one that
// replicas share, the condition on the state decides between them: the later
// one is refused.
type UploadLocks interface {
	// Lock waits until name is free or ctx ends, and asks the holder again and
	// again to end, by its interrupt. interrupt may be called from another
	// goroutine until unlock has returned.
	Lock(ctx context.Context, name string, interrupt func()) (unlock func(), err error)
}

// lockedOut is the refusal of a request that another one overtook.
func lockedOut() *gateway.Error {
	return &gateway.Error{
		Code: uploadLocked, Message: "Another request is writing this upload. Ask for the offset and go on from there.",
		RetryAfter: time.Second,
	}
}

// hold locks an upload for a request. A client that comes back by another
// connection ends the one that it lost, which keeps what it had.
func (d *door) hold(w http.ResponseWriter, r *http.Request, id string) (unlock func(), err error) {
	body := &interruptible{src: r.Body, rc: http.NewResponseController(w)}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = body
	}
	ctx, cancel := context.WithTimeout(r.Context(), lockWait)
	defer cancel()
	// The owner is part of the name: a stranger's request interrupts nobody.
	unlock, err = d.UploadLocks.Lock(ctx, callerOf(r).Owner()+"\x00"+id, body.interrupt)
	if err != nil {
		if r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
		return nil, lockedOut().Because(err)
	}
	return unlock, nil
}

// interruptible is a body whose reading another request can end. Only while it
// is being read: behind the end of the body the deadline would take the answer
// away from a client that is waiting for it.
type interruptible struct {
	src     io.ReadCloser
	rc      *http.ResponseController
	mu      sync.Mutex
	reading bool
	over    bool
}

// Read gives what the body gives, or the refusal.
func (b *interruptible) Read(p []byte) (int, error) {
	if b.enter() {
		return 0, lockedOut()
	}
	n, err := b.src.Read(p)
	over := b.leave()
	switch {
	case over && err == io.EOF:
		_ = b.rc.SetReadDeadline(time.Time{}) // all is here, so it counts
	case over && err != nil:
		err = lockedOut()
	}
	return n, err
}

func (b *interruptible) enter() (over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = !b.over
	return b.over
}

func (b *interruptible) leave() (over bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	return b.over
}

// Close closes the body.
func (b *interruptible) Close() error { return b.src.Close() }

// interrupt ends a Read that is waiting, and those that would follow. It is to
// be called again: a wrapper of the body may be about to move the deadline on.
func (b *interruptible) interrupt() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
	if b.reading {
		_ = b.rc.SetReadDeadline(time.Unix(1, 0))
	}
}

// localLocks are the locks of one process.
type localLocks struct {
	mu   sync.Mutex
	held map[string]*heldLock
}

type heldLock struct {
	interrupt func()
	free      chan struct{}
}

// NewUploadLocks makes the locks of one process. They outlive a door that is made
// anew.
func NewUploadLocks() UploadLocks { return &localLocks{} }

// Lock waits for the holder, if there is one.
func (l *localLocks) Lock(ctx context.Context, name string, interrupt func()) (func(), error) {
	nudge := time.NewTicker(lockNudge)
	defer nudge.Stop()
	for {
		mine, free := l.try(name, interrupt)
		if mine != nil {
			return func() { l.unlock(name, mine) }, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-free:
		case <-nudge.C:
		}
	}
}

// try takes a free lock, or tells its holder to end.
func (l *localLocks) try(name string, interrupt func()) (mine *heldLock, free chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if h := l.held[name]; h != nil {
		h.interrupt() // under the mutex: never after its request is over
		return nil, h.free
	}
	mine = &heldLock{interrupt: interrupt, free: make(chan struct{})}
	if l.held == nil {
		l.held = map[string]*heldLock{}
	}
	l.held[name] = mine
	return mine, nil
}

func (l *localLocks) unlock(name string, h *heldLock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[name] == h {
		delete(l.held, name)
		close(h.free)
	}
}
