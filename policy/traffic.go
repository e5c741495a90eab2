package policy

import (
	"context"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/codeguardians/s3gateway"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// TrafficOptions of a Traffic.
type TrafficOptions struct {
	// Entries is how many callers and buckets are remembered.
	Entries int
	// Now is the clock of requests, StreamNow that of bytes: a stream waits in
	// real time.
	Now, StreamNow func() time.Time
	// Buckets and Flights are shared by replicas; nil: this process is alone.
	Buckets SharedBuckets
	Flights SharedFlights
}

// Traffic keeps what is counted for the limits on traffic of callers and
// buckets, by both doors. The limits themselves come with each request. It is
// safe for concurrent use.
type Traffic struct {
	limiter *Limiter
	flights flights
	options TrafficOptions

	mu    sync.Mutex
	tolls *simplelru.LRU[Key, *toll]
}

// NewTraffic makes a Traffic.
func NewTraffic(o TrafficOptions) *Traffic {
	tolls, err := simplelru.NewLRU[Key, *toll](max(o.Entries, 1), nil)
	if err != nil {
		panic("policy: " + err.Error()) // only for a size below one
	}
	return &Traffic{
		limiter: NewLimiter(o.Entries, o.Now, o.Buckets), options: o, tolls: tolls,
		flights: flights{shared: o.Flights, slots: map[Key]*slots{}},
	}
}

// toll gives the one of a key.
func (t *Traffic) toll(key Key, r Rate) *toll {
	t.mu.Lock()
	defer t.mu.Unlock()
	if old, ok := t.tolls.Get(key); ok {
		return old
	}
	fresh := newToll(key, r, t.options.Buckets, t.options.StreamNow)
	t.tolls.Add(key, fresh)
	return fresh
}

// Handler makes each request a Passage. It stands inside of whatever moves
// deadlines on, because a stream that is slowed down is not one that stalls.
func (t *Traffic) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := &Passage{traffic: t, ctx: r.Context(), control: http.NewResponseController(w)}
		defer p.leave()
		r = r.WithContext(context.WithValue(r.Context(), passageKey{}, p))
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &slowBody{ReadCloser: r.Body, p: p}
		}
		next.ServeHTTP(&slowWriter{ResponseWriter: w, p: p}, r)
	})
}

type passageKey struct{}

// Passage is one request under the limits on traffic. A nil *Passage has none.
type Passage struct {
	traffic *Traffic
	ctx     context.Context
	control *http.ResponseController

	mu     sync.Mutex
	seen   []Key // what was counted; a request counts once
	leaves []func()
	told   http.Header
	dues   atomic.Pointer[[]due]
}

// due is one limit on the bytes of a passage.
type due struct {
	up, down *toll
	rate     Rate
}

// PassageFrom gives the passage of a request, nil outside of Traffic.Handler.
func PassageFrom(ctx context.Context) *Passage {
	p, _ := ctx.Value(passageKey{}).(*Passage)
	return p
}

// Tell has each limit on requests described in the headers of the answer, as
// long as it has not begun.
func (p *Passage) Tell(h http.Header) {
	if p != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.told = h
	}
}

// Caller counts the request for who was authenticated. The refusal is a
// *gateway.Error with code SlowDown. Nobody in particular has no limits.
func (p *Passage) Caller(rules *Policy, c gateway.Caller) error {
	if p == nil || c.Anonymous() {
		return nil
	}
	own := rules.ratesOfCaller(c.Name)
	return p.count(Key{Kind: "caller", Name: c.Name}, &own)
}

// Bucket counts the request for a bucket and a class of actions, those of the
// caller too. It comes after the question whether the caller may: who may not
// must not use up what others share.
func (p *Passage) Bucket(rules *Policy, c gateway.Caller, bucket string, a gateway.Action) error {
	if p == nil || bucket == "" {
		return nil
	}
	class := classOf(a)
	if !c.Anonymous() && class >= 0 {
		own := rules.ratesOfCaller(c.Name)
		if err := p.request(Key{Kind: "caller", Name: c.Name, Class: string(classes[class])}, own.actions[class]); err != nil {
			return err
		}
	}
	of := rules.ratesOfBucket(bucket)
	if err := p.count(Key{Kind: "bucket", Name: bucket}, &of); err != nil || class < 0 {
		return err
	}
	return p.request(Key{Kind: "bucket", Name: bucket, Class: string(classes[class])}, of.actions[class])
}

// count counts the request for a key, and its bytes from here on.
func (p *Passage) count(key Key, own *rates) error {
	if own.inFlight > 0 && p.first(Key{Kind: key.Kind, Name: key.Name, Class: "in flight"}) {
		leave, ok := p.traffic.flights.enter(p.ctx, key, own.inFlight)
		if !ok {
			return slowDown("Too many requests at once.", time.Second, "in_flight of "+own.entry)
		}
		p.mu.Lock()
		p.leaves = append(p.leaves, leave)
		p.mu.Unlock()
	}
	if own.bytes != nil && own.bytes.limits() && p.first(Key{Kind: key.Kind, Name: key.Name, Class: "bytes"}) {
		r := own.bytes.filled()
		up, down := key, key
		up.Class, down.Class = "up", "down"
		p.owe(due{up: p.traffic.toll(up, r), down: p.traffic.toll(down, r), rate: r})
	}
	if own.requests == nil {
		return nil
	}
	return p.request(key, *own.requests)
}

// request takes one token of a key, once.
func (p *Passage) request(key Key, r Rate) error {
	if !r.limits() || !p.first(key) {
		return nil
	}
	d := p.traffic.limiter.Allow(p.ctx, key, r)
	p.describe(key, d)
	return d.Err()
}

// first reports whether a key is counted for the first time.
func (p *Passage) first(key Key) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range p.seen {
		if k == key {
			return false
		}
	}
	p.seen = append(p.seen, key)
	return true
}

func (p *Passage) owe(d due) {
	var all []due
	if old := p.dues.Load(); old != nil {
		all = append(all, *old...)
	}
	all = append(all, d)
	p.dues.Store(&all)
}

// leave ends the passage.
func (p *Passage) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, leave := range p.leaves {
		leave()
	}
	p.leaves = nil
}

// Incoming slows bytes that the gateway itself brings for a request, such as those
// of a copy between two backends, to the limits of what the client sends. A nil
// Passage returns the body as it is.
func (p *Passage) Incoming(body io.ReadCloser) io.ReadCloser {
	if p == nil {
		return body
	}
	return &slowBody{ReadCloser: body, p: p}
}

// slowBody is a request's body that comes no faster than its limits.
type slowBody struct {
	io.ReadCloser
	p *Passage
}

// Read waits while bytes are owed, then reads a little.
func (b *slowBody) Read(buf []byte) (int, error) {
	dues := b.p.dues.Load()
	if dues == nil || len(buf) == 0 {
		return b.ReadCloser.Read(buf)
	}
	for _, d := range *dues {
		if err := b.p.stand(d.up, d.rate, b.p.control.SetReadDeadline); err != nil {
			return 0, err
		}
		buf = buf[:min(len(buf), quantum(d.rate))]
	}
	n, err := b.ReadCloser.Read(buf)
	for _, d := range *dues {
		if n > 0 {
			d.up.pay(b.p.ctx, d.rate, int64(n))
		}
	}
	return n, err
}

// slowWriter is an answer that goes no faster than its limits.
type slowWriter struct {
	http.ResponseWriter
	p *Passage
}

// Unwrap lets http.ResponseController reach the connection.
func (w *slowWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write writes a little at a time and waits in between.
func (w *slowWriter) Write(buf []byte) (written int, err error) {
	dues := w.p.dues.Load()
	if dues == nil || len(buf) == 0 {
		return w.ResponseWriter.Write(buf)
	}
	for len(buf) > 0 && err == nil {
		piece := buf
		for _, d := range *dues {
			if err := w.p.stand(d.down, d.rate, w.p.control.SetWriteDeadline); err != nil {
				return written, err
			}
			piece = piece[:min(len(piece), quantum(d.rate))]
		}
		var n int
		n, err = w.ResponseWriter.Write(piece)
		for _, d := range *dues {
			d.down.pay(w.p.ctx, d.rate, int64(n))
		}
		written, buf = written+n, buf[n:]
	}
	return written, err
}

// stand waits until a toll lets a stream go on, or the request is over. The
// connection's deadline is lifted meanwhile: on HTTP/2 it ends a stream that
// nobody reads.
func (p *Passage) stand(t *toll, r Rate, setDeadline func(time.Time) error) error {
	wait := t.wait(r)
	if wait <= 0 {
		return nil
	}
	_ = setDeadline(time.Time{})
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return context.Cause(p.ctx)
		case <-timer.C:
		}
		if wait = t.wait(r); wait <= 0 {
			return nil
		}
		timer.Reset(wait)
	}
}
