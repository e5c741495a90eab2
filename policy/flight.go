package policy

import (
	"context"
	"sync"
	"time"

	"github.com/codeguardians/s3gateway/internal/fairshare"
)

// SharedFlights counts what is under way on all replicas. Enter adds one to a
// key unless most are there; leave takes it back. A count whose replica died
// goes by itself. An error means that nobody can say.
type SharedFlights interface {
	Enter(ctx context.Context, key string, most int64) (leave func(), ok bool, err error)
}

// flights are the slots of what is under way. Their memory is bounded by that.
type flights struct {
	shared SharedFlights // nil: what is here is all
	mu     sync.Mutex
	slots  map[Key]*slots
}

// slots are those of one key.
type slots struct {
	*fairshare.Pool
	users int
}

// enter takes a slot, unless most are taken. Where they are taken by a class above
// its share, one stream of it is ended. leave is called once.
func (f *flights) enter(ctx context.Context, key Key, most int64) (leave func(), ok bool) {
	s := f.open(key, most)
	free, ok := f.take(ctx, key, s, most)
	if !ok {
		f.close(key, s)
		return nil, false
	}
	return func() { free(); f.close(key, s) }, true
}

func (f *flights) take(ctx context.Context, key Key, s *slots, most int64) (leave func(), ok bool) {
	grant, err := s.TakeOrEnd(ctx, 1)
	if err != nil {
		return nil, false
	}
	leaveShared, ok := f.enterShared(ctx, key, most)
	if !ok {
		// Other replicas have the rest. Of the slots that are taken here one may
		// become free.
		grant.Release()
		s.SetTotal(s.Held())
		if grant, err = s.TakeOrEnd(ctx, 1); err != nil {
			return nil, false
		}
		if leaveShared, ok = f.enterShared(ctx, key, most); !ok {
			grant.Release()
			return nil, false
		}
	}
	return func() { leaveShared(); grant.Release() }, true
}

// enterShared asks the other replicas. While they cannot be asked they do not
// count.
func (f *flights) enterShared(ctx context.Context, key Key, most int64) (leave func(), ok bool) {
	if f.shared == nil {
		return func() {}, true
	}
	leave, ok, err := f.shared.Enter(ctx, key.String(), most)
	if err != nil {
		return func() {}, true
	}
	return leave, ok
}

// open returns the slots of a key until close.
func (f *flights) open(key Key, most int64) *slots {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.slots[key]
	if s == nil {
		s = &slots{Pool: fairshare.NewPool("requests in flight (in_flight of "+key.Kind+" "+key.Name+")", most, time.Now)}
		f.slots[key] = s
	}
	s.users++
	s.SetTotal(most)
	return s
}

func (f *flights) close(key Key, s *slots) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.users--; s.users == 0 && f.slots[key] == s {
		delete(f.slots, key)
	}
}
