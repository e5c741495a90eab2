package policy

import (
	"context"
	"sync"
)

// SharedFlights counts what is under way on all replicas. Enter adds one to a
// key unless most are there; leave takes it back. A count whose replica died
// goes by itself. An error means that nobody can say.
type SharedFlights interface {
	Enter(ctx context.Context, key string, most int64) (leave func(), ok bool, err error)
}

// flights counts what is under way. Its memory is bounded by that.
type flights struct {
	shared SharedFlights // nil: what is here is all
	mu     sync.Mutex
	count  map[Key]int64
}

// enter adds one, unless most are there. leave is called once.
func (f *flights) enter(ctx context.Context, key Key, most int64) (leave func(), ok bool) {
	f.mu.Lock()
	if f.count[key] >= most {
		f.mu.Unlock()
		return nil, false
	}
	f.count[key]++
	f.mu.Unlock()
	leaveLocal := func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.count[key]--; f.count[key] <= 0 {
			delete(f.count, key)
		}
	}
	if f.shared == nil {
		return leaveLocal, true
	}
	leaveShared, ok, err := f.shared.Enter(ctx, key.String(), most)
	switch {
	case err != nil:
		return leaveLocal, true
	case !ok:
		leaveLocal()
		return nil, false
	}
	return func() { leaveShared(); leaveLocal() }, true
}
