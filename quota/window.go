package quota

import (
	"cmp"
	"context"
	"sync"
)

// state is what is stored under one name.
type state struct {
	Usage
	// version is its version id; "" or "null" where the next write takes its
	// place, unless stays is true: the bucket has begun to keep versions since.
	version string
	stays   bool
}

func (s state) versioned() bool { return s.version != "" && s.version != "null" }

// resource is something whose size changes as a whole: a key, one version of
// it, a multipart upload, or a part of one.
type resource struct {
	name string
	// alias is the name that it shares with whatever may be the same thing at
	// the store. Empty: name.
	alias   string
	quotas  []*Quota
	current bool // a key, whatever its version: what a write replaces may stay as one
	measure func(context.Context) (state, error)
	// hidden measures what is there of a key that seems to have gone; nil for
	// what is no key.
	hidden func(context.Context) (state, error)
}

// outcome is what became of one change of a resource.
type outcome struct {
	kind  outcomeKind
	after state // of replaced, and what added has added
}

type outcomeKind int

const (
	unknown  outcomeKind = iota // it must be measured again
	inPlace                     // so must it, but no version was added
	nothing                     // the resource is as it was
	replaced                    // after is there now
	added                       // after is there beside what was there before
)

// window is the time in which changes of one resource overlap. What they changed
// is one number, taken when the last of them ends.
type window struct {
	resource
	users   int
	ready   chan struct{} // closed when before is known
	closing bool          // nobody comes in any more
	gone    chan struct{} // closed when another one may open

	before  state
	known   bool // before was measured
	foreign bool // another replica, or another spelling, changes the resource at the same time
	leave   func()

	// By the names of quotas: the number of countings when the first change
	// began, and what the changes that ended have reserved, as far as it may
	// still be there in the end.
	since map[string]int64
	kept  map[string][]kept
	ended tally
}

// kept is a reservation of a change that ended.
type kept struct {
	Ticket
	inPlace bool // the change took the place of what was there
}

// tally sums up the changes that ended, however many they were.
type tally struct {
	all     int
	changes int   // 1: after is what is there; more: it must be measured
	after   state // of the last one that said so
}

// visit is one change in a window.
type visit struct {
	*window
	tickets map[string]Ticket // by the names of quotas
}

// windows are those that are open, by the names of their resources.
type windows struct {
	mu      sync.Mutex
	open    map[string]*window
	aliases map[string]int // open windows by the aliases of their resources
	// claim takes a resource for this replica as long as leave was not called,
	// and waits for it until ctx ends; ok is false when another one has it
	// still. Nil: there are no others.
	claim func(ctx context.Context, name string) (leave func(), ok bool)
}

// enter opens the window of a resource, or joins those who are in it.
func (w *windows) enter(ctx context.Context, r resource) *visit {
	r.alias = cmp.Or(r.alias, r.name)
	w.mu.Lock()
	for v := w.open[r.name]; v != nil; v = w.open[r.name] {
		if !v.closing {
			v.users++
			w.mu.Unlock()
			<-v.ready
			return newVisit(v)
		}
		w.mu.Unlock()
		<-v.gone
		w.mu.Lock()
	}
	v := &window{
		resource: r, users: 1, ready: make(chan struct{}), gone: make(chan struct{}), leave: func() {},
		since: map[string]int64{}, kept: map[string][]kept{},
	}
	if w.open == nil {
		w.open, w.aliases = map[string]*window{}, map[string]int{}
	}
	w.open[r.name] = v
	v.foreign = w.aliases[r.alias] > 0
	w.aliases[r.alias]++
	w.mu.Unlock()
	defer close(v.ready)
	if w.claim != nil && !v.foreign {
		if leave, ok := w.claim(ctx, r.alias); ok {
			v.leave = leave
		} else {
			v.foreign = true
		}
	}
	before, err := r.measure(context.WithoutCancel(ctx))
	v.before, v.known = before, err == nil
	return newVisit(v)
}

func newVisit(v *window) *visit { return &visit{window: v, tickets: map[string]Ticket{}} }

// growth is what storing so much under the window's resource adds at most.
func (v *window) growth(incoming Usage) Usage {
	if !v.known || v.foreign || v.current && (v.before.versioned() || v.before.stays) {
		return incoming
	}
	return incoming.minus(v.before.Usage)
}

// take notes what a change has reserved.
func (w *windows) take(v *visit, name string, t Ticket) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v.tickets[name] = t
	if _, ok := v.since[name]; !ok {
		v.since[name] = t.Count
	}
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

// exit ends one change, and gives what is to be settled: what is known of it, and
// where it is the last one, of all.
func (w *windows) exit(ctx context.Context, v *visit, o outcome) settlement {
	w.mu.Lock()
	s := v.end(o)
	for v.users == 1 {
		ended := v.ended
		w.mu.Unlock()
		after, measured := v.result(ctx, ended)
		w.mu.Lock()
		if v.users > 1 || v.ended.all > ended.all {
			continue // somebody came in meanwhile
		}
		v.closing = true
		s.add(v.settle(after, measured))
		w.mu.Unlock()
		v.leave() // before another one can open, which would find it claimed
		w.mu.Lock()
		delete(w.open, v.name)
		if w.aliases[v.alias]--; w.aliases[v.alias] == 0 {
			delete(w.aliases, v.alias)
		}
		close(v.gone)
		break
	}
	v.users--
	w.mu.Unlock()
	return s
}

// end takes in how a change ended. A version beside the others, and a change that
// was none, are settled at once, and so is what was reserved beyond what may
// still be there in the end: a key that is written without a pause would
// otherwise hold as much as all that was ever written there.
func (v *visit) end(o outcome) settlement {
	v.ended.all++
	s := settlement{}
	switch o.kind {
	case replaced:
		v.ended.changes++
		v.ended.after = o.after
	case unknown, inPlace:
		v.ended.changes += 2
	}
	for name, t := range v.tickets {
		switch o.kind {
		case added:
			s[name] = entry{change: o.after.Usage, count: v.since[name], tickets: []Ticket{t}}
			continue
		case replaced, inPlace, unknown:
			t = v.keep(name, kept{t, o.kind != unknown})
		}
		if t.Growth != (Usage{}) {
			s[name] = entry{count: v.since[name], tickets: []Ticket{t}}
		}
	}
	return s
}

// keep holds on to a reservation, and gives the one that is not needed any more.
// Of changes that took each other's place one is there in the end.
func (v *window) keep(name string, t kept) (free Ticket) {
	for i, old := range v.kept[name] {
		switch {
		case old.Holder != t.Holder || old.Local != t.Local:
		case t.Growth == Usage{}:
			return Ticket{}
		case !old.inPlace || !t.inPlace:
		case t.Growth.atLeast(old.Growth) == old.Growth:
			return t.Ticket
		case t.Growth.atLeast(old.Growth) == t.Growth:
			v.kept[name][i] = t
			return old.Ticket
		}
	}
	v.kept[name] = append(v.kept[name], t)
	return Ticket{}
}

// result is what is there when all changes ended, and whether it is known.
func (v *window) result(ctx context.Context, ended tally) (after state, known bool) {
	switch ended.changes {
	case 0:
		return v.before, true
	case 1:
		return ended.after, true
	}
	after, err := v.measure(ctx)
	if err == nil && after == (state{}) && v.hidden != nil && v.before.Objects > 0 && !v.before.versioned() {
		after, err = v.hidden(ctx)
	}
	return after, err == nil
}

// settle gives what the window as a whole has changed.
func (v *window) settle(after state, known bool) settlement {
	s := settlement{}
	if v.ended.changes == 0 {
		return s
	}
	change, doubt := v.change(after, known)
	for _, q := range v.quotas {
		e := entry{change: change, doubt: doubt, count: v.since[q.Name]}
		for _, t := range v.kept[q.Name] {
			e.tickets = append(e.tickets, t.Ticket)
		}
		s[q.Name] = e
	}
	return s
}

// change is what the changes that said nothing for themselves changed together.
func (v *window) change(after state, known bool) (change Usage, doubt bool) {
	before := v.before
	switch {
	case !known:
		return v.reserved(), true
	case !v.known || v.foreign:
		return after.Usage, true
	case !v.current || !before.versioned() && !after.versioned():
		return after.Usage.minus(before.Usage), false
	case after == before:
		return Usage{}, false
	}
	// What was there stays as a version.
	return after.Usage, v.ended.all > 1
}

// reserved is what the changes said that they would add at most.
func (v *window) reserved() (sum Usage) {
	for _, all := range v.kept {
		var of Usage
		for _, t := range all {
			of = of.plus(t.Growth)
		}
		sum = sum.atLeast(of)
	}
	return sum
}
