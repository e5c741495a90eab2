package quota

import (
	"context"
	"sync"
)

// state is what is stored under one name.
type state struct {
	Usage
	// version is its version id; "" or "null" where the next write takes its
	// place.
	version string
}

func (s state) versioned() bool { return s.version != "" && s.version != "null" }

// resource is something whose size changes as a whole: a key, one version of
// it, a multipart upload, or a part of one.
type resource struct {
	name    string
	quotas  []*Quota
	current bool // a key, whatever its version: what a write replaces may stay as one
	measure func(context.Context) (state, error)
}

// outcome is what became of one change of a resource.
type outcome struct {
	kind  outcomeKind
	after state // of replaced, and what added has added
}

type outcomeKind int

const (
	unknown  outcomeKind = iota // it must be measured again
	nothing                     // the resource is as it was
	replaced                    // after is there now
	added                       // after is there beside what was there before
)

// window is the time in which changes of one resource overlap. What they changed
// is one number, taken when the last of them ends.
type window struct {
	resource
	users int
	ready chan struct{} // closed when before is known

	before  state
	known   bool // before was measured
	foreign bool // another replica changes the resource at the same time
	leave   func()

	tickets  map[string][]Ticket // of all changes, by the names of quotas
	outcomes []outcome
}

// windows are those that are open, by the names of their resources.
type windows struct {
	mu   sync.Mutex
	open map[string]*window
	// claim takes a resource for this replica as long as leave was not called;
	// ok is false while another one has it. Nil: there are no others.
	claim func(ctx context.Context, name string) (leave func(), ok bool)
}

// enter opens the window of a resource, or joins those who are in it.
func (w *windows) enter(ctx context.Context, r resource) *window {
	w.mu.Lock()
	if v := w.open[r.name]; v != nil {
		v.users++
		w.mu.Unlock()
		<-v.ready
		return v
	}
	v := &window{resource: r, users: 1, ready: make(chan struct{}), leave: func() {}, tickets: map[string][]Ticket{}}
	if w.open == nil {
		w.open = map[string]*window{}
	}
	w.open[r.name] = v
	w.mu.Unlock()
	defer close(v.ready)
	if w.claim != nil {
		if leave, ok := w.claim(ctx, r.name); ok {
			v.leave = leave
		} else {
			v.foreign = true
		}
	}
	before, err := r.measure(context.WithoutCancel(ctx))
	v.before, v.known = before, err == nil
	return v
}

// growth is what storing so much under the window's resource adds at most.
func (v *window) growth(incoming Usage) Usage {
	if !v.known || v.foreign || v.current && v.before.versioned() {
		return incoming
	}
	return incoming.minus(v.before.Usage)
}

// take notes the tickets of a change.
func (w *windows) take(v *window, name string, t Ticket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v.tickets[name] = append(v.tickets[name], t)
}

// entry is what windows that closed have to say to the book of one quota.
type entry struct {
	change  Usage
	doubt   bool  // it may not be what became of the resource: count again
	count   int64 // of the countings when the first change began
	tickets []Ticket
}

// settlement are the entries by the names of quotas.
type settlement map[string]entry

// add takes another one in: a batch settles all its keys at once.
func (s settlement) add(more settlement) {
	for name, e := range more {
		if old, ok := s[name]; ok {
			e.change, e.doubt = e.change.plus(old.change), e.doubt || old.doubt
			e.count, e.tickets = min(e.count, old.count), append(old.tickets, e.tickets...)
		}
		s[name] = e
	}
}

// exit ends one change. Who is the last one gets the settlement of all of them.
func (w *windows) exit(ctx context.Context, v *window, o outcome) (settlement, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v.outcomes = append(v.outcomes, o)
	for v.users == 1 {
		outcomes := v.outcomes
		w.mu.Unlock()
		after, measured := v.end(ctx, outcomes)
		w.mu.Lock()
		if v.users > 1 || len(v.outcomes) > len(outcomes) {
			continue // somebody came in meanwhile
		}
		delete(w.open, v.name)
		v.leave()
		change, doubt := v.change(after, measured)
		s := settlement{}
		for _, q := range v.quotas {
			e := entry{change: change, doubt: doubt, tickets: v.tickets[q.Name]}
			if len(e.tickets) > 0 {
				e.count = e.tickets[0].Count // since when what was measured holds
			}
			s[q.Name] = e
		}
		return s, true
	}
	v.users--
	return nil, false
}

// end is what is there when all changes ended, and whether it had to be measured
// and could be.
func (v *window) end(ctx context.Context, outcomes []outcome) (after state, measured bool) {
	changes := 0
	for _, o := range outcomes {
		switch o.kind {
		case replaced:
			changes++
			after = o.after
		case unknown:
			changes += 2
		}
	}
	if changes == 0 {
		return v.before, true
	}
	if changes == 1 {
		return after, true
	}
	after, err := v.measure(ctx)
	return after, err == nil
}

// change is what all changes of the window together changed.
func (v *window) change(after state, measured bool) (change Usage, doubt bool) {
	changed := false
	for _, o := range v.outcomes {
		if o.kind == added {
			change = change.plus(o.after.Usage)
		}
		changed = changed || o.kind == replaced || o.kind == unknown
	}
	before := v.before
	switch {
	case !changed:
		return change, false
	case !measured:
		return change.plus(v.reserved()), true
	case !v.known || v.foreign:
		return change.plus(after.Usage), true
	case !v.current || !before.versioned() && !after.versioned():
		return change.plus(after.Usage.minus(before.Usage)), false
	case after == before:
		return change, false
	}
	// What was there stays as a version.
	return change.plus(after.Usage), len(v.outcomes) > 1
}

// reserved is what the changes said that they would add at most.
func (v *window) reserved() (sum Usage) {
	for _, tickets := range v.tickets {
		var of Usage
		for _, t := range tickets {
			of = of.plus(t.Growth)
		}
		sum = sum.atLeast(of)
	}
	return sum
}
