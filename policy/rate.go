package policy

import (
	"cmp"
	"context"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/codeguardians/s3gateway"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/time/rate"
)

// Rate is how often something may happen: a token bucket. The zero value is no
// limit.
type Rate struct {
	PerSecond float64 // tokens that come back each second
	Burst     int64   // tokens at most; 0 means one second's worth, at least one
	Setting   string  // named to a client that is refused; "" means RATE_LIMIT
}

// limits reports whether there is a limit at all.
func (r Rate) limits() bool { return r.PerSecond > 0 }

// filled gives the rate with what was left to defaults.
func (r Rate) filled() Rate {
	if r.Burst <= 0 {
		r.Burst = int64(max(1, math.Ceil(min(r.PerSecond, math.MaxInt32))))
	}
	r.Burst = min(r.Burst, math.MaxInt)
	r.Setting = cmp.Or(r.Setting, "RATE_LIMIT")
	return r
}

// Key names what is limited. The fields stand apart, so that no caller's name
// can be made to look like another's.
type Key struct {
	Kind  string // "address", "caller" or "bucket"
	Name  string
	Class string // of actions, or "" for all
}

// String gives a text that no other key has.
func (k Key) String() string { return k.Kind + ":" + k.Class + ":" + k.Name }

// SharedBuckets are token buckets that replicas share. Take takes n tokens of
// the bucket of a key; the bucket holds burst tokens, of which perSecond come
// back each second. wait is 0 when they were there. When they were not, wait is
// how long until they are; then nothing was taken, or, with borrow, they were
// taken nevertheless. left are the whole tokens left. An error means that
// nobody can say, and that the local limit is all there is.
type SharedBuckets interface {
	Take(ctx context.Context, key string, perSecond float64, burst, n int64, borrow bool) (left int64, wait time.Duration, err error)
}

// Limiter holds one bucket per key, of those that were seen last. It is safe
// for concurrent use. What the rate of a key is, its user says at each use, so
// that it may change. A nil *Limiter allows everything.
type Limiter struct {
	now    func() time.Time
	shared SharedBuckets // nil: the buckets here are all
	most   int
	mu     sync.Mutex
	lru    *simplelru.LRU[Key, *rate.Limiter]
	wary   bool // the LRU has been full, so a newcomer may be one that was evicted
}

// Decision is the answer to one request.
type Decision struct {
	Allowed    bool
	RetryAfter time.Duration // until a token is back; 0 when allowed
	Remaining  int64         // whole tokens left
	Limit      int64         // the burst; 0 when there is no limit
	Setting    string        // the setting that holds the limit
	rate       float64       // tokens per second
}

// maxRetryAfter is the longest wait that is told to a client.
const maxRetryAfter = 24 * time.Hour

// NewLimiter makes a limiter for at most entries keys (at least one). shared
// may be nil.
func NewLimiter(entries int, now func() time.Time, shared SharedBuckets) *Limiter {
	entries = max(entries, 1)
	lru, err := simplelru.NewLRU[Key, *rate.Limiter](entries, nil)
	if err != nil {
		panic("policy: " + err.Error()) // only for a size below one
	}
	return &Limiter{now: now, shared: shared, most: entries, lru: lru}
}

// Allow takes one token of a key. A new key has a full bucket; once the limiter
// has been full a newcomer has one token, or a client could get a new bucket by
// having its old one pushed out.
//
// With shared buckets a request must pass both: one replica alone never lets
// more pass than all may, so what it refuses by itself costs no round trip.
func (l *Limiter) Allow(ctx context.Context, key Key, r Rate) Decision {
	if l == nil || !r.limits() {
		return Decision{Allowed: true}
	}
	r = r.filled()
	d, giveBack := l.local(key, r)
	if l.shared == nil || !d.Allowed {
		return d
	}
	left, wait, err := l.shared.Take(ctx, key.String(), r.PerSecond, r.Burst, 1, false)
	if err != nil {
		return d
	}
	d.Allowed, d.RetryAfter, d.Remaining = wait <= 0, min(max(wait, 0), maxRetryAfter), left
	if !d.Allowed {
		giveBack()
	}
	return d
}

// local takes a token of the bucket in this process. giveBack undoes that.
func (l *Limiter) local(key Key, r Rate) (d Decision, giveBack func()) {
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.bucket(key, r, now)
	d = Decision{Limit: r.Burst, Setting: r.Setting, rate: r.PerSecond}
	if l.shared == nil {
		d.Allowed = bucket.AllowN(now, 1)
	} else {
		taken := bucket.ReserveN(now, 1)
		giveBack = func() { taken.CancelAt(now) }
		if d.Allowed = taken.DelayFrom(now) == 0; !d.Allowed {
			giveBack()
		}
	}
	tokens := bucket.TokensAt(now)
	d.Remaining = int64(max(tokens, 0))
	if !d.Allowed {
		d.RetryAfter = timeFor(1-tokens, r)
	}
	return d, giveBack
}

func (l *Limiter) bucket(key Key, r Rate, now time.Time) *rate.Limiter {
	if b, ok := l.lru.Get(key); ok {
		adapt(b, r, now)
		return b
	}
	b := rate.NewLimiter(rate.Limit(r.PerSecond), int(r.Burst))
	if l.wary {
		b.AllowN(now, int(r.Burst)-1)
	}
	l.lru.Add(key, b)
	l.wary = l.wary || l.lru.Len() >= l.most
	return b
}

// adapt gives a bucket a rate that has changed; what is in it stays.
func adapt(b *rate.Limiter, r Rate, now time.Time) {
	if b.Limit() != rate.Limit(r.PerSecond) {
		b.SetLimitAt(now, rate.Limit(r.PerSecond))
	}
	if b.Burst() != int(r.Burst) {
		b.SetBurstAt(now, int(r.Burst))
	}
}

// timeFor is how long it takes for tokens to come back.
func timeFor(tokens float64, r Rate) time.Duration {
	seconds := tokens / r.PerSecond
	if !(seconds < maxRetryAfter.Seconds()) {
		return maxRetryAfter
	}
	return max(time.Duration(math.Ceil(seconds*float64(time.Second))), 1)
}

// Err gives the refusal, a *gateway.Error with code SlowDown whose RetryAfter is
// in whole seconds, rounded up. It is nil for a request that is allowed.
func (d Decision) Err() error {
	if d.Allowed {
		return nil
	}
	return slowDown("Too many requests.", d.RetryAfter, cmp.Or(d.Setting, "RATE_LIMIT"))
}

// slowDown is a refusal that names when to come again and the setting.
func slowDown(what string, after time.Duration, setting string) error {
	seconds := max((after+time.Second-1)/time.Second, 1)
	err := gateway.Errorf(gateway.SlowDown, "%s Try again in %d s. The limit is set by %s.", what, seconds, setting)
	err.RetryAfter = seconds * time.Second
	return err
}

// LimitByAddress limits requests by the address of the client, before anything
// else looks at them. fail writes the door's answer. A nil limiter limits nothing.
func LimitByAddress(l *Limiter, r Rate, trusted []netip.Prefix, fail func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		if l == nil || !r.limits() {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			key := Key{Kind: "address", Name: AddressKey(ClientAddress(req, trusted))}
			if err := l.Allow(req.Context(), key, r).Err(); err != nil {
				fail(w, req, err)
				return
			}
			next.ServeHTTP(w, req)
		})
	}
}
