package quota

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/fairshare"
)

// Shared is what replicas share: a book, and leases.
type Shared interface {
	Book
	// Enter counts a holder under a key, unless most are counted there; leave
	// takes it back, and so does the end of the process.
	Enter(ctx context.Context, key string, most int64) (leave func(), ok bool, err error)
}

// Options of a Keeper.
type Options struct {
	// Shared is nil where this process is alone.
	Shared Shared
	// Every is the time between two countings; Wait is how long a request
	// waits for the first one.
	Every, Wait time.Duration
	Now         func() time.Time
	Log         zerolog.Logger
}

// Keeper has the quotas in force and the book of what is stored. It is safe for
// concurrent use.
type Keeper struct {
	options Options
	rules   atomic.Pointer[Rules]
	clients sync.Map // of *backend.Client, by their endpoints' names
	local   Local

	mu       sync.Mutex
	doubtful map[string]bool // quotas that are to be counted again soon
	counted  map[string]counting
	failed   map[string]error
	changed  chan struct{} // closed after a counting
	wake     chan struct{}
	pools    map[string]*fairshare.Pool // what streams hold of the room under quotas
}

// NewKeeper makes a Keeper without quotas.
func NewKeeper(o Options) *Keeper {
	return &Keeper{
		options: o, doubtful: map[string]bool{}, counted: map[string]counting{}, failed: map[string]error{},
		changed: make(chan struct{}), wake: make(chan struct{}, 1),
	}
}

// Guard makes the guard of a backend, and has its buckets counted.
func (k *Keeper) Guard(c *backend.Client) *Guard {
	k.clients.Store(c.Name, c)
	return &Guard{Client: c, Keeper: k, windows: windows{claim: k.await}}
}

// Use puts quotas in force. Those that are new, or hold for other places now, are
// counted: of what was stored under them meanwhile nobody knows.
func (k *Keeper) Use(r *Rules) {
	if old := k.rules.Swap(r); old != nil {
		k.doubtNew(r, old)
		for _, q := range old.all {
			if !r.has(q.Name) {
				k.local.forget(q.Name)
			}
		}
	}
	k.poke()
}

// poke has Run look what is to be done.
func (k *Keeper) poke() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

type rulesKey struct{}

// Under has what is done within a context held to certain quotas, whichever are
// in force meanwhile.
func Under(ctx context.Context, r *Rules) context.Context {
	return context.WithValue(ctx, rulesKey{}, r)
}

func (k *Keeper) rulesFor(ctx context.Context) *Rules {
	if r, ok := ctx.Value(rulesKey{}).(*Rules); ok {
		return r
	}
	return k.rules.Load()
}

// claim takes a resource for this replica. While the others cannot be asked they
// do not count.
func (k *Keeper) claim(ctx context.Context, name string) (leave func(), ok bool) {
	if k.options.Shared == nil {
		return func() {}, true
	}
	leave, ok, err := k.options.Shared.Enter(ctx, "quota:"+name, 1)
	if err != nil {
		return func() {}, true
	}
	return leave, ok
}

// await is claim that waits until ctx ends.
func (k *Keeper) await(ctx context.Context, name string) (leave func(), ok bool) {
	for {
		if leave, ok = k.claim(ctx, name); ok {
			return leave, true
		}
		select {
		case <-ctx.Done():
			return nil, false
		case <-time.After(claimPoll):
		}
	}
}

// reserve asks the book, and waits a moment for the first counting.
func (k *Keeper) reserve(ctx context.Context, q *Quota, growth, most Usage) (Ticket, Over, error) {
	var enough <-chan time.Time
	for {
		k.mu.Lock()
		changed := k.changed
		k.mu.Unlock()
		t, over, err := k.ask(ctx, q.Name, growth, most)
		if err == nil {
			return t, over, nil
		}
		if enough == nil {
			enough = time.After(k.options.Wait)
		}
		k.poke()
		select {
		case <-changed:
			continue
		case <-enough:
		case <-ctx.Done():
		}
		return Ticket{}, Fits, errAwait(q, k.failure(q.Name))
	}
}

// retryAfter is what a client is told to wait for the first counting.
const retryAfter = 5 * time.Second

// errAwait is the refusal while nothing was counted yet.
func errAwait(q *Quota, cause error) error {
	return (&gateway.Error{
		Code: gateway.ServiceUnavailable, RetryAfter: retryAfter,
		Message: "What is stored is being counted for the quota of " + q.Name + ". Please try again.",
	}).Because(errors.Join(ErrNotCounted, cause))
}

// room refuses a growth that does not fit what is written down.
func (k *Keeper) room(ctx context.Context, quotas []*Quota, growth Usage) error {
	caller := gateway.RecordFrom(ctx).Snapshot().Caller
	for _, q := range quotas {
		if !q.binds(caller) {
			continue
		}
		used, _, err := k.book().Used(ctx, q.Name)
		if err != nil {
			continue // whoever stores it waits for that
		}
		if over := (&account{used: used}).over(growth, q.Most); over != Fits {
			return q.refuse(over)
		}
	}
	return nil
}

// ask asks the shared book, or the own one where there is no other.
func (k *Keeper) ask(ctx context.Context, name string, growth, most Usage) (Ticket, Over, error) {
	if k.options.Shared != nil {
		t, over, err := k.options.Shared.Reserve(ctx, name, growth, most)
		if err == nil || errors.Is(err, ErrNotCounted) {
			return t, over, err
		}
		k.doubt(name) // what is stored now, the others do not know
	}
	return k.local.Reserve(ctx, name, growth, most)
}

// settle writes down what became of changes.
func (k *Keeper) settle(ctx context.Context, s settlement) {
	for name, e := range s {
		var own, shared []Ticket
		for _, t := range e.tickets {
			if t.Local {
				own = append(own, t)
			} else {
				shared = append(shared, t)
			}
		}
		if e.doubt {
			k.doubt(name)
		}
		if len(shared) == 0 {
			_, _ = k.local.Settle(ctx, name, own, e.change, e.count)
			continue
		}
		used, err := k.options.Shared.Settle(ctx, name, shared, e.change, e.count)
		if err != nil {
			k.doubt(name)
			_, _ = k.local.Settle(ctx, name, own, e.change, 0)
			continue
		}
		_, _ = k.local.Settle(ctx, name, own, Usage{}, 0)
		k.mirror(name, used)
	}
}

// mirror keeps in mind what the shared book says, for when it is away.
func (k *Keeper) mirror(name string, used Usage) {
	if k.options.Shared != nil {
		k.local.note(name, used)
	}
}

// doubt has a quota counted again soon.
func (k *Keeper) doubt(name string) {
	k.mu.Lock()
	k.doubtful[name] = true
	k.mu.Unlock()
}

// missed has quotas counted again that were put in force while a request was
// under way: their counting may not have found what it stored.
func (k *Keeper) missed(then *Rules) {
	if now := k.rules.Load(); now != then {
		k.doubtNew(now, then)
	}
}

// doubtNew has those quotas of now counted again that nobody counted before.
func (k *Keeper) doubtNew(now, before *Rules) {
	if now == nil {
		return
	}
	for _, q := range now.all {
		if !before.counts(q) {
			k.doubt(q.Name)
		}
	}
}

func (k *Keeper) failure(name string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.failed[name]
}

// Err is why quotas are not what they should be: one that could not be counted.
func (k *Keeper) Err() error {
	for _, q := range k.all() {
		if err := k.failure(q.Name); err != nil {
			return gateway.Errorf(gateway.ServiceUnavailable, "What is stored could not be counted for the quota of %s. Until it can, nothing is stored under it, or it goes by the last counting.", q.Name).Because(err)
		}
	}
	return nil
}

// Report is a quota and how much of it is used.
type Report struct {
	Name       string
	Used, Most Usage
}

// Reports are those of all quotas in force that were counted.
func (k *Keeper) Reports() (all []Report) {
	for _, q := range k.all() {
		if used, _, err := k.local.Used(context.Background(), q.Name); err == nil {
			all = append(all, Report{q.Name, used, q.Most})
		}
	}
	return all
}

func (k *Keeper) all() []*Quota {
	if r := k.rules.Load(); r != nil {
		return r.all
	}
	return nil
}
