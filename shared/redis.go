package shared

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/rs/zerolog"
)

const (
	// Patience is how long one call may take where nobody says otherwise: a Redis
	// that hangs must not hang requests.
	Patience = 100 * time.Millisecond
	// Between firstRetry and lastRetry lie the times at which a Redis that is
	// away is asked again.
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Second
	// own stands before every key, so that others may use the same Redis.
	own = "s3gateway:"
)

// ErrAway says that Redis did not answer, or has not yet answered again. What
// it does not know must be decided without it.
var ErrAway = errors.New("redis is away")

// Redis is the connection to one Redis. It is safe for concurrent use.
type Redis struct {
	client   *redis.Client
	patience time.Duration
	log      zerolog.Logger

	mu      sync.Mutex
	away    bool
	missed  bool // generations were not counted while it was away
	reason  error
	changed chan struct{} // closed when it goes away
	held    map[flight]struct{}
	left    []flight // what may still be counted although it is over
	renews  []func(context.Context)
}

// Open reads a URL (redis, rediss or unix; user, password and database in it)
// and connects when it is first needed. patience is how long one call may take,
// 0 stands for Patience. No error of it shows the URL.
func Open(url string, patience time.Duration, log zerolog.Logger) (*Redis, error) {
	o, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("REDIS_URL cannot be read; accepted: redis://user:password@host:port/db, rediss://… or unix:///path?db=n")
	}
	if patience == 0 {
		patience = Patience
	}
	o.MaxRetries = -1
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = time.Second, patience, patience, patience
	o.DisableIdentity = true
	o.Protocol = 2
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &Redis{client: redis.NewClient(o), patience: patience, log: log, changed: make(chan struct{}), held: map[flight]struct{}{}}, nil
}

// Quiet turns off what the client library writes to standard error by itself:
// this package says once that Redis is away. It is for all of the process.
func Quiet() { redis.SetLogger(silent{}) }

type silent struct{}

// Printf writes nothing.
func (silent) Printf(context.Context, string, ...any) {}

// Err is nil while Redis answers, otherwise an ErrAway with the reason.
func (r *Redis) Err() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.away {
		return nil
	}
	return errors.Join(ErrAway, r.reason)
}

// call asks Redis within its patience, unless it is known to be away. That a
// client leaves must not look as if Redis did.
func (r *Redis) call(ctx context.Context, ask func(context.Context) error) error {
	r.mu.Lock()
	away := r.away
	r.mu.Unlock()
	if away {
		return ErrAway
	}
	return r.ask(ctx, ask)
}

func (r *Redis) ask(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.patience)
	defer cancel()
	err := ask(ctx)
	if err == nil || errors.Is(err, redis.Nil) {
		return nil
	}
	r.goneAway(err)
	return ErrAway
}

// goneAway notes it, once.
func (r *Redis) goneAway(reason error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reason = reason
	if r.away || errors.Is(reason, redis.ErrClosed) {
		return
	}
	r.away = true
	close(r.changed)
	r.log.Warn().AnErr("cause", reason).Msg("Redis is away: limits and quotas are those of this replica alone, and no cache entry is served")
}

func (r *Redis) goneWrong() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.changed
}

// Run asks a Redis that is away again, and keeps what is in flight from
// expiring. It returns when ctx ends.
func (r *Redis) Run(ctx context.Context) {
	renew := time.NewTicker(flightTime / 3)
	defer renew.Stop()
	// Who asks nothing would not notice that it is away.
	_ = r.call(ctx, r.probe)
	for {
		select {
		case <-ctx.Done():
			return
		case <-renew.C:
			_ = r.call(ctx, r.probe)
			r.renewAll(ctx)
		case <-r.goneWrong():
			r.comeBack(ctx)
		}
	}
}

// onRenew has renew called as often as what is in flight is renewed.
func (r *Redis) onRenew(renew func(context.Context)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.renews = append(r.renews, renew)
}

func (r *Redis) renewAll(ctx context.Context) {
	r.renewFlights(ctx)
	r.mu.Lock()
	renews := r.renews
	r.mu.Unlock()
	for _, renew := range renews {
		renew(ctx)
	}
}

// comeBack asks until Redis answers.
func (r *Redis) comeBack(ctx context.Context) {
	for wait := firstRetry; ; wait = min(2*wait, lastRetry) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
		if r.greet(ctx) == nil {
			r.renewAll(ctx)
			return
		}
	}
}

// probe asks Redis to write something: one that is full, or a replica of another,
// answers a PING and yet counts nothing.
func (r *Redis) probe(ctx context.Context) error {
	return r.client.Set(ctx, own+"probe", "1", time.Second).Err()
}

// greet asks whether Redis is there. What was not counted meanwhile makes every
// entry of every replica's cache old.
func (r *Redis) greet(ctx context.Context) error {
	r.mu.Lock()
	missed := r.missed
	r.mu.Unlock()
	err := r.ask(ctx, func(ctx context.Context) error {
		if missed {
			return newEpoch.Run(ctx, r.client, []string{generationsKey}).Err()
		}
		return r.probe(ctx)
	})
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missed && !missed {
		return ErrAway // once more, with a new epoch
	}
	if r.away {
		r.away, r.reason, r.changed = false, nil, make(chan struct{})
		r.log.Info().Msg("Redis is back: limits, quotas and the cache are shared again")
	}
	r.missed = false
	return nil
}

// Close ends the connections.
func (r *Redis) Close() error { return r.client.Close() }

var _ io.Closer = (*Redis)(nil)
