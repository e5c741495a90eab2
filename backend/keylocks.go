package backend

import (
	"context"
	"io"
	"net/http"
	"sync"

	"golang.org/x/sync/semaphore"

	gateway "github.com/codeguardians/s3gateway"
)

// KeyLocks keep a conditional change of a key, which the gateway makes of a HEAD
// and a second request, apart from the writes of that key. Implementations are
// safe for concurrent use.
type KeyLocks interface {
	// Share waits until no caller has the key alone. Many share it at once. It
	// fails only when ctx ends.
	Share(ctx context.Context, name string) (release func(), err error)
	// Own waits until no other caller has the key. It fails when ctx ends, and
	// where the lock that all replicas share is not available.
	Own(ctx context.Context, name string) (release func(), err error)
}

// NewKeyLocks returns the locks of one process.
func NewKeyLocks() KeyLocks { return &localKeys{held: map[string]*keyLock{}} }

type localKeys struct {
	mu   sync.Mutex
	held map[string]*keyLock
}

// keyLock is the lock of one key while any caller has it or waits for it.
type keyLock struct {
	*semaphore.Weighted
	users int
}

// allShares is the weight of a lock that is held alone. A semaphore serves those
// who wait in order, so writers cannot starve the owner.
const allShares = 1 << 30

// Share takes one share of the key.
func (l *localKeys) Share(ctx context.Context, name string) (func(), error) {
	return l.take(ctx, name, 1)
}

// Own takes the key alone.
func (l *localKeys) Own(ctx context.Context, name string) (func(), error) {
	return l.take(ctx, name, allShares)
}

func (l *localKeys) take(ctx context.Context, name string, weight int64) (func(), error) {
	l.mu.Lock()
	k := l.held[name]
	if k == nil {
		k = &keyLock{Weighted: semaphore.NewWeighted(allShares)}
		l.held[name] = k
	}
	k.users++
	l.mu.Unlock()
	leave := func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if k.users--; k.users == 0 {
			delete(l.held, name)
		}
	}
	if err := k.Acquire(ctx, weight); err != nil {
		leave()
		return nil, err
	}
	return sync.OnceFunc(func() {
		k.Release(weight)
		leave()
	}), nil
}

// lockName names a key for KeyLocks. Clients of one store share it under
// whatever name their backends have, and a key in every spelling that a store
// may take for it.
func (e *Endpoint) lockName(bucket, key string) string {
	return e.URL.Host + "/" + bucket + "/" + gateway.CleanKey(key)
}

// needsLocks reports whether some condition is enforced here and not by the
// backend, so that writes have to take part.
func (e *Endpoint) needsLocks() bool { return !e.ConditionalDeletes || !e.ConditionalCopies }

// replacesObject reports a request that puts other bytes under its key: PutObject,
// CopyObject and CompleteMultipartUpload.
func replacesObject(r *http.Request, key string) bool {
	if key == "" || gateway.Reserved(key) {
		return false
	}
	query := r.URL.Query()
	switch r.Method {
	case http.MethodPut:
		query.Del("x-id") // the SDK's name of the operation
		return len(query) == 0
	case http.MethodPost:
		return query.Has("uploadId")
	}
	return false
}

// locking holds a share of a key from the moment at which a write of it could be
// done until its answer was read.
type locking struct {
	client *Client
	next   http.RoundTripper
}

// owned marks the context of a request whose key is held alone already.
type owned struct{}

// RoundTrip passes the request on. A body that is still coming holds nothing:
// the share is taken with its last byte, without which no store writes.
func (l *locking) RoundTrip(r *http.Request) (*http.Response, error) {
	bucket, key := l.client.named(r.URL)
	if !l.client.needsLocks() || r.Context().Value(owned{}) != nil || !replacesObject(r, key) {
		return l.next.RoundTrip(r)
	}
	share := &share{take: func() (func(), error) {
		return l.client.Locks.Share(r.Context(), l.client.lockName(bucket, key))
	}}
	out := r
	if r.Body == nil || r.Body == http.NoBody {
		if err := share.acquire(); err != nil {
			return nil, err
		}
	} else {
		out = share.guard(r)
	}
	resp, err := l.next.RoundTrip(out)
	if err != nil {
		share.release()
		return nil, err
	}
	resp.Body = &releasingBody{ReadCloser: resp.Body, release: share.release}
	return resp, nil
}

// share is a lock that is taken at most once, by the transport's goroutine, and
// let go for good by the handler's.
type share struct {
	take func() (func(), error)

	mu   sync.Mutex
	held func()
	over bool
}

// guard returns the request with bodies that take the share at their end. The
// transport asks for another one where its connection turns out to be closed.
func (s *share) guard(r *http.Request) *http.Request {
	out := r.WithContext(r.Context()) // a round tripper leaves its request as it is
	out.Body = &lastByteBody{ReadCloser: r.Body, left: r.ContentLength, share: s}
	if r.GetBody != nil {
		out.GetBody = func() (io.ReadCloser, error) {
			body, err := r.GetBody()
			return &lastByteBody{ReadCloser: body, left: r.ContentLength, share: s}, err
		}
	}
	return out
}

func (s *share) acquire() error {
	held, err := s.take()
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held != nil { // another body of the same request had it
		held()
		return nil
	}
	if s.over {
		held()
		return http.ErrBodyReadAfterClose
	}
	s.held = held
	return nil
}

func (s *share) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.held != nil {
		s.held()
	}
}

// lastByteBody takes the share once it has the last byte and before it hands it
// on: a client that keeps that byte back holds nothing.
type lastByteBody struct {
	io.ReadCloser
	left  int64
	share *share
}

// Read hands on what the body yields.
func (b *lastByteBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.left -= int64(n)
	if n > 0 && b.left <= 0 {
		if locked := b.share.acquire(); locked != nil {
			return 0, locked
		}
	}
	return n, err
}

// releasingBody lets the share go with the answer: a copy or a Complete is done
// only when all of it is there.
type releasingBody struct {
	io.ReadCloser
	release func()
}

// Close closes the answer.
func (b *releasingBody) Close() error {
	err := b.ReadCloser.Close()
	b.release()
	return err
}
