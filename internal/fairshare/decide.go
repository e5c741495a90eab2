// Package fairshare divides what requests hold of a shared thing among those who
// ask for it: memory for buffers, slots in flight, room under a quota.
//
// A Pool is one such thing. While it has room, everyone gets what they ask for.
// Only when somebody has to wait are there shares: each caller has an equal one,
// anonymous clients together have one, and within it each address has an equal
// part. The class that is furthest above its share then loses one stream, the one
// that holds most for how fast it moves. No class loses one that is not above its
// share.
package fairshare

import "time"

// Class is what a share belongs to: the address of a client within a caller. An
// empty Caller stands for all anonymous clients.
type Class struct{ Caller, Address string }

// Hold is what one stream holds of a pool.
type Hold struct {
	Class Class
	Units int64
	// Moved are the bytes that the stream moved during Over, the time for which
	// it has been watched. A stream that was not watched long enough is not
	// ended: nothing is known about its rate.
	Moved int64
	Over  time.Duration
}

// watchFor is the least time for which a stream is watched before it may be
// ended.
const watchFor = time.Second

// shares are the sums of a pool by caller and by class.
type shares struct {
	total    float64
	callers  map[string]float64
	classes  map[Class]float64
	ofCaller map[string]float64 // classes of each caller
}

func sharesOf(total int64, holds []Hold, waiting []Class) *shares {
	s := &shares{total: float64(total), callers: map[string]float64{}, classes: map[Class]float64{}, ofCaller: map[string]float64{}}
	add := func(c Class, units int64) {
		if _, known := s.classes[c]; !known {
			s.ofCaller[c.Caller]++
		}
		s.callers[c.Caller] += float64(units)
		s.classes[c] += float64(units)
	}
	for _, h := range holds {
		add(h.Class, h.Units)
	}
	for _, c := range waiting {
		add(c, 0)
	}
	return s
}

// callerAbove returns how far a caller is above its share.
func (s *shares) callerAbove(caller string) float64 {
	return s.callers[caller] - s.total/float64(len(s.callers))
}

// classAbove returns how far a class is above its part of its caller's share.
func (s *shares) classAbove(c Class) float64 {
	return s.classes[c] - s.total/float64(len(s.callers))/s.ofCaller[c.Caller]
}

// Victim returns the index of the hold whose stream is ended for the sake of a
// class that waits, -1 for none. A class that is above its share itself has
// nobody ended.
func Victim(total int64, holds []Hold, asks Class, waiting []Class) int {
	s := sharesOf(total, holds, append([]Class{asks}, waiting...))
	if s.callerAbove(asks.Caller) >= 0 && len(s.callers) > 1 || s.classAbove(asks) >= 0 {
		return -1
	}
	caller, most := "", 0.0
	for name := range s.callers {
		if above := s.callerAbove(name); name != asks.Caller && (above > most || above == most && above > 0 && name < caller) {
			caller, most = name, above
		}
	}
	if most <= 0 {
		caller = asks.Caller // its own addresses share what it has
	}
	class, most := Class{}, 0.0
	for c := range s.classes {
		above := s.classAbove(c)
		if c.Caller == caller && c != asks && (above > most || above == most && above > 0 && c.Address < class.Address) {
			class, most = c, above
		}
	}
	if most <= 0 {
		return -1
	}
	return slowest(holds, class)
}

// slowest returns the hold of a class with most units for the rate of its stream.
func slowest(holds []Hold, class Class) int {
	at, most := -1, 0.0
	for i, h := range holds {
		if h.Class != class || h.Over < watchFor || h.Units == 0 {
			continue
		}
		if cost := float64(h.Units) / (1 + float64(h.Moved)/h.Over.Seconds()); cost > most {
			at, most = i, cost
		}
	}
	return at
}

// first returns the index of the waiter that is served next: of the caller and
// then the class that hold least, the stream that moved most, so that what was
// begun is finished, and then the one that came first. -1 is for no waiter.
func first(holds []Hold, waiting []waiting) int {
	s := sharesOf(0, holds, nil)
	at := -1
	for i, w := range waiting {
		if at < 0 || s.before(w, waiting[at]) {
			at = i
		}
	}
	return at
}

// waiting is one stream that waits.
type waiting struct {
	class Class
	moved int64
	seq   int64
}

func (s *shares) before(a, b waiting) bool {
	switch x, y := s.callers[a.class.Caller], s.callers[b.class.Caller]; {
	case x != y:
		return x < y
	}
	switch x, y := s.classes[a.class], s.classes[b.class]; {
	case x != y:
		return x < y
	case a.moved != b.moved:
		return a.moved > b.moved
	}
	return a.seq < b.seq
}
