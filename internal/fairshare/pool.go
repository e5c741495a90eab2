package fairshare

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	// patience is how long a stream waits before another one is ended for it:
	// what moves frees what it holds by itself.
	patience = 2 * time.Second
	// lookEvery is how often the streams of a pool are watched while one waits.
	lookEvery = 250 * time.Millisecond
	// endWithin is how long an ended stream may take to free what it holds before
	// another one is ended too.
	endWithin = 5 * time.Second
)

// ErrFull is returned for what did not become free in time.
var ErrFull = errors.New("all of it is held by others")

// Pool is a shared thing of a number of units. It is safe for concurrent use.
type Pool struct {
	// name is told to a client whose stream is ended.
	name string
	now  func() time.Time

	mu      sync.Mutex
	total   int64
	held    int64
	grants  map[*Grant]bool
	waiters []*waiter
	seq     int64
	watched time.Time // when all streams were looked at
	looked  time.Time // when a stream to end was last looked for
	ended   time.Time // when the last stream was ended
}

// NewPool returns a pool of total units. name completes "other clients wait for".
func NewPool(name string, total int64, now func() time.Time) *Pool {
	return &Pool{name: name, total: total, now: now, grants: map[*Grant]bool{}}
}

// Grant is what one stream holds of a pool.
type Grant struct {
	pool   *Pool
	stream *Stream
	units  int64
	waits  bool
	// The bytes that the stream had moved when it was looked at, and before that.
	last, previous look
}

type look struct {
	at    time.Time
	moved int64
}

type waiter struct {
	grant *Grant
	units int64
	class Class
	since time.Time
	seq   int64
	// done is closed when the units were granted, or with refused when they
	// cannot be.
	done    chan struct{}
	refused bool
}

// Take waits until n units are free and holds them for the context's stream. The
// error is ErrFull after wait, or the context's.
func (p *Pool) Take(ctx context.Context, n int64, wait time.Duration) (*Grant, error) {
	g := p.Empty(ctx)
	if err := g.Grow(ctx, n, wait); err != nil {
		return nil, err
	}
	return g, nil
}

// Empty returns a grant of nothing, for the context's stream.
func (p *Pool) Empty(ctx context.Context) *Grant { return &Grant{pool: p, stream: From(ctx)} }

// Add holds n units more, whether they are free or not: what was decided
// elsewhere is only noted here.
func (g *Grant) Add(n int64) {
	g.pool.mu.Lock()
	defer g.pool.mu.Unlock()
	g.pool.watch()
	g.pool.grant(g, n)
}

// GrowOrEnd is TakeOrEnd for a grant.
func (g *Grant) GrowOrEnd(ctx context.Context, n int64) error {
	if !g.pool.attainable(g.stream.class(), n) {
		return ErrFull
	}
	return g.Grow(ctx, n, patience+endWithin)
}

// TakeOrEnd is Take for what is refused at once where all of it is held, unless a
// stream of a class above its share can be ended for this one.
func (p *Pool) TakeOrEnd(ctx context.Context, n int64) (*Grant, error) {
	g := p.Empty(ctx)
	if err := g.GrowOrEnd(ctx, n); err != nil {
		return nil, err
	}
	return g, nil
}

// attainable reports whether n units are free, or held by a class that may lose
// them.
func (p *Pool) attainable(asks Class, n int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiters) == 0 && p.held+n <= p.total {
		return true
	}
	holds := p.holds(nil)
	for i := range holds {
		holds[i].Over = max(holds[i].Over, watchFor)
	}
	return Victim(p.total, holds, asks, nil) >= 0
}

// Held returns how many units are held.
func (p *Pool) Held() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

// SetTotal changes how many units there are. What is held stays.
func (p *Pool) SetTotal(total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.total = total
	p.serve()
}

// Grow holds n units more.
func (g *Grant) Grow(ctx context.Context, n int64, wait time.Duration) error {
	p := g.pool
	w := p.enqueue(g, n)
	if w == nil {
		return nil
	}
	limit := time.NewTimer(wait)
	defer limit.Stop()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-w.done:
			if w.refused {
				return ErrFull
			}
			return nil
		case <-tick.C:
			p.relieve()
			if err := g.stream.Err(); err != nil && p.leave(w) {
				return err
			}
		case <-ctx.Done():
			if p.leave(w) {
				return ctx.Err()
			}
		case <-limit.C:
			if p.leave(w) {
				return ErrFull
			}
		}
	}
}

// Shrink frees n of the units.
func (g *Grant) Shrink(n int64) {
	if g == nil || n <= 0 {
		return
	}
	p := g.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	n = min(n, g.units)
	if g.stream.Err() != nil {
		p.ended = time.Time{} // what it was ended for is there
	}
	g.units -= n
	p.held -= n
	if g.units == 0 {
		delete(p.grants, g)
	}
	p.serve()
}

// Release frees all units. Calling it again does nothing.
func (g *Grant) Release() {
	if g != nil {
		g.Shrink(g.Units())
	}
}

// Keep gives back all but n units.
func (g *Grant) Keep(n int64) {
	if g != nil {
		g.Shrink(max(g.Units()-n, 0))
	}
}

// Units returns how many are held.
func (g *Grant) Units() int64 {
	g.pool.mu.Lock()
	defer g.pool.mu.Unlock()
	return g.units
}

// enqueue grants n units at once, or returns the waiter for them.
func (p *Pool) enqueue(g *Grant, n int64) *waiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watch()
	if len(p.waiters) == 0 && p.held+n <= p.total {
		p.grant(g, n)
		return nil
	}
	p.seq++
	w := &waiter{grant: g, units: n, class: g.stream.class(), since: p.now(), seq: p.seq, done: make(chan struct{})}
	g.waits = true
	p.waiters = append(p.waiters, w)
	p.serve()
	if !slices.Contains(p.waiters, w) && !w.refused {
		return nil
	}
	return w
}

func (p *Pool) grant(g *Grant, n int64) {
	g.units += n
	p.held += n
	p.grants[g] = true
}

// leave takes a waiter back. It reports false if that was served meanwhile.
func (p *Pool) leave(w *waiter) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	at := slices.Index(p.waiters, w)
	if at < 0 {
		return false
	}
	p.remove(at)
	p.serve()
	return true
}

func (p *Pool) remove(at int) {
	p.waiters[at].grant.waits = false
	p.waiters = slices.Delete(p.waiters, at, at+1)
}

// serve grants what is free to those who wait, in their order. One who cannot be
// served yet is not overtaken. Where all that is held is held by streams that wait
// for more, the last of them is refused, or all would wait without end.
func (p *Pool) serve() {
	for len(p.waiters) > 0 {
		at := p.next(nil)
		if w := p.waiters[at]; p.held+w.units <= p.total {
			p.remove(at)
			p.grant(w.grant, w.units)
			close(w.done)
			continue
		}
		if at = p.last(); at < 0 {
			return
		}
		w := p.waiters[at]
		p.remove(at)
		w.refused = true
		close(w.done)
		// Its units become free when it is told.
		return
	}
}

// next returns the index of the waiter that is served next.
func (p *Pool) next(skip func(*waiter) bool) int {
	queue := make([]waiting, 0, len(p.waiters))
	index := make([]int, 0, len(p.waiters))
	for i, w := range p.waiters {
		if skip == nil || !skip(w) {
			queue, index = append(queue, waiting{w.class, w.grant.stream.Moved(), w.seq}), append(index, i)
		}
	}
	at := first(p.holds(nil), queue)
	if at < 0 {
		return -1
	}
	return index[at]
}

// last returns the index of the waiter that is refused so that others go on, -1
// while anything is held by a stream that does not wait.
func (p *Pool) last() int {
	for g := range p.grants {
		if !g.waits {
			return -1
		}
	}
	at := -1
	for i, w := range p.waiters {
		if w.grant.units > 0 && (at < 0 || w.grant.stream.Moved() < p.waiters[at].grant.stream.Moved()) {
			at = i
		}
	}
	return at
}

// holds returns what is held, in the order of list if that is not nil.
func (p *Pool) holds(list *[]*Grant) []Hold {
	all := make([]Hold, 0, len(p.grants))
	now := p.now()
	for g := range p.grants {
		h := Hold{Class: g.stream.class(), Units: g.units}
		if g.stream != nil && !g.previous.at.IsZero() && !g.waits {
			h.Moved, h.Over = g.stream.Moved()-g.previous.moved, now.Sub(g.previous.at)
		}
		all = append(all, h)
		if list != nil {
			*list = append(*list, g)
		}
	}
	return all
}

// watch looks at all streams, at most once in watchFor.
func (p *Pool) watch() {
	now := p.now()
	if now.Sub(p.watched) < watchFor {
		return
	}
	p.watched = now
	for g := range p.grants {
		g.previous, g.last = g.last, look{now, g.stream.Moved()}
	}
}

// relieve ends one stream for the sake of the waiter that is next, once that has
// waited long enough.
func (p *Pool) relieve() {
	p.mu.Lock()
	var victim *Grant
	// One look serves all who wait: each goes through all of them.
	if now := p.now(); now.Sub(p.looked) >= lookEvery {
		p.looked = now
		victim = p.victim()
	}
	p.mu.Unlock()
	if victim != nil {
		victim.stream.End(ended(p.name))
	}
}

func (p *Pool) victim() *Grant {
	p.watch()
	now := p.now()
	at := p.next(nil)
	if at < 0 || now.Sub(p.waiters[at].since) < patience || now.Sub(p.ended) < endWithin {
		return nil
	}
	classes := make([]Class, 0, len(p.waiters))
	for _, w := range p.waiters {
		classes = append(classes, w.class)
	}
	var grants []*Grant
	holds := p.holds(&grants)
	found := Victim(p.total, holds, p.waiters[at].class, classes)
	if found < 0 || grants[found].stream.Err() != nil {
		return nil
	}
	p.ended = now
	return grants[found]
}

// ended is the refusal of a stream that was ended for others.
func ended(name string) *gateway.Error {
	return gateway.Errorf(gateway.StreamEnded, "The request was ended: other clients wait for %s, and it moved too slowly for its share. Send the rest again.", name)
}
