package quota

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/fairshare"
)

const (
	// firstReserve is what an upload reserves of a quota before its first byte
	// arrived, and reserveGrowth how many times what arrived it reserves then: a
	// client that stands still keeps little from others.
	firstReserve  = 64 << 10
	reserveGrowth = 4
)

// grows reports whether the reservation of a change grows with its body.
func (c *change) grows() bool {
	return (c.request.kind == putsObject || c.request.kind == putsPart) && !c.request.record && c.request.length > firstReserve
}

// growing is the body of a request whose reservation grows with it. A body that
// does not fit any more fails; then the backend stores nothing.
type growing struct {
	io.ReadCloser
	c *change
	v *visit

	mu       sync.Mutex // of the transport's reading and the change's end
	arrived  int64
	reserved int64 // bytes that the reservation is enough for
	ended    bool
}

// watchBody has the reservation of a change grow with its body. The copy of the
// request is the one to send.
func (c *change) watchBody(r *http.Request) *http.Request {
	if !c.grows() || r.Body == nil || r.Body == http.NoBody {
		return r
	}
	c.body = &growing{ReadCloser: r.Body, c: c, v: c.windows[0], reserved: firstReserve}
	sent := *r
	sent.Body = c.body
	return &sent
}

// Read reads what the reservation is enough for.
func (g *growing) Read(p []byte) (int, error) {
	n, err := g.ReadCloser.Read(p)
	if n == 0 {
		return n, err
	}
	if full := g.reserve(int64(n)); full != nil {
		return 0, full
	}
	return n, err
}

// reserve holds more once that is needed for the bytes that arrived.
func (g *growing) reserve(n int64) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ended {
		return http.ErrBodyReadAfterClose
	}
	g.arrived += n
	length := g.c.request.length
	if g.arrived <= g.reserved || g.reserved >= length {
		return nil
	}
	next := min(reserveGrowth*g.arrived, length)
	before, after := g.c.growth(g.v, Usage{Bytes: g.reserved}), g.c.growth(g.v, Usage{Bytes: next})
	more := Usage{Bytes: max(after.Bytes, 0) - max(before.Bytes, 0)}
	if more.Bytes > 0 {
		if err := g.c.reserveMore(g.v, more); err != nil {
			return err
		}
	}
	g.reserved = next
	return nil
}

// end keeps the reservation as it is: the change settles it.
func (g *growing) end() {
	if g != nil {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.ended = true
	}
}

// reserveMore adds to the reservations of a window.
func (c *change) reserveMore(v *visit, more Usage) error {
	for _, q := range v.quotas {
		t, err := c.hold(q, more)
		if err != nil {
			return err
		}
		if !c.guard.windows.addTo(v, q.Name, t) {
			c.extra = append(c.extra, otherTicket{q.Name, t})
		}
	}
	return nil
}

// otherTicket is a reservation beside the one of a window: it was made while another
// book was in use.
type otherTicket struct {
	quota  string
	ticket Ticket
}

// addTo adds a reservation to one of the same book.
func (w *windows) addTo(v *visit, name string, t Ticket) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	old := v.tickets[name]
	if old.Holder != t.Holder || old.Local != t.Local {
		return false
	}
	old.Growth = old.Growth.plus(t.Growth)
	v.tickets[name] = old
	return true
}

// hold reserves a growth under one quota. Where it does not fit only because of
// what others have reserved, one of a class above its share may be ended for it.
func (c *change) hold(q *Quota, growth Usage) (Ticket, error) {
	most := Usage{}
	if q.binds(gateway.RecordFrom(c.ctx).Snapshot().Caller) {
		most = q.Most
	}
	t, over, err := c.guard.Keeper.reserve(c.ctx, q, growth, most)
	if err != nil {
		return t, err
	}
	grant := c.grant(q)
	if over == OverBytes && c.guard.Keeper.roomBeside(c.ctx, q, growth) {
		if err := c.guard.Keeper.awaitRoom(c.ctx, q, grant, growth.Bytes); err != nil {
			return t, err
		}
		if t, over, err = c.guard.Keeper.reserve(c.ctx, q, growth, most); err != nil {
			return t, err
		}
		if over != Fits {
			grant.Shrink(growth.Bytes)
		}
	} else if over == Fits {
		grant.Add(max(growth.Bytes, 0))
	}
	if over != Fits {
		return t, q.refuse(over)
	}
	return t, nil
}

// grant is what the change's stream holds of a quota.
func (c *change) grant(q *Quota) *fairshare.Grant {
	if c.grants == nil {
		c.grants = map[string]*fairshare.Grant{}
	}
	if c.grants[q.Name] == nil {
		c.grants[q.Name] = c.guard.Keeper.pool(q.Name).Empty(c.ctx)
	}
	return c.grants[q.Name]
}

// free ends what the change's stream holds of quotas.
func (c *change) free() {
	for _, g := range c.grants {
		g.Release()
	}
}

// pool is who holds what of a quota's room in this process.
func (k *Keeper) pool(name string) *fairshare.Pool {
	k.mu.Lock()
	defer k.mu.Unlock()
	p := k.pools[name]
	if p == nil {
		if k.pools == nil {
			k.pools = map[string]*fairshare.Pool{}
		}
		p = fairshare.NewPool("room under the quota of "+name, 0, time.Now)
		k.pools[name] = p
	}
	return p
}

// Held returns how many bytes requests of this process have reserved of a quota.
func (k *Keeper) Held(name string) int64 { return k.pool(name).Held() }

// roomBeside reports whether a growth fits beside what is stored, so that only
// reservations are in its way.
func (k *Keeper) roomBeside(ctx context.Context, q *Quota, growth Usage) bool {
	used, _, err := k.book().Used(ctx, q.Name)
	return err == nil && (&account{used: used}).over(growth, q.Most) == Fits
}

// awaitRoom waits until others hold little enough of a quota, or refuses.
func (k *Keeper) awaitRoom(ctx context.Context, q *Quota, g *fairshare.Grant, bytes int64) error {
	used, _, err := k.book().Used(ctx, q.Name)
	if err != nil {
		return err
	}
	k.pool(q.Name).SetTotal(q.Most.Bytes - used.Bytes)
	if err := g.GrowOrEnd(ctx, bytes); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return q.refuse(OverBytes)
	}
	return nil
}
