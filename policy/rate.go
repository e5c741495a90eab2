package policy

import (
	"cmp"
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

// Limiter holds one bucket per key, of those that were seen last. It is safe
// for concurrent use. A nil *Limiter allows everything.
type Limiter struct {
	rate  Rate
	now   func() time.Time
	most  int
	mu    sync.Mutex
	lru   *simplelru.LRU[string, *rate.Limiter]
	wary  bool // the LRU has been full, so a newcomer may be one that was evicted
	limit rate.Limit
}

// Decision is the answer to one request.
type Decision struct {
	Allowed    bool
	RetryAfter time.Duration // until a token is back; 0 when allowed
	Remaining  int64         // whole tokens left
	Limit      int64         // the burst; 0 when there is no limit
	Setting    string        // the setting that holds the limit
}

// maxRetryAfter is the longest wait that is told to a client.
const maxRetryAfter = 24 * time.Hour

// NewLimiter makes a limiter for at most entries keys (at least one). It is nil
// when r is no limit.
func NewLimiter(r Rate, entries int, now func() time.Time) *Limiter {
	if !(r.PerSecond > 0) {
		return nil
	}
	if r.Burst <= 0 {
		r.Burst = int64(max(1, math.Ceil(min(r.PerSecond, math.MaxInt32))))
	}
	r.Burst = min(r.Burst, math.MaxInt32)
	r.Setting = cmp.Or(r.Setting, "RATE_LIMIT")
	entries = max(entries, 1)
	lru, err := simplelru.NewLRU[string, *rate.Limiter](entries, nil)
	if err != nil {
		panic("policy: " + err.Error()) // only for a size below one
	}
	return &Limiter{rate: r, now: now, most: entries, lru: lru, limit: rate.Limit(r.PerSecond)}
}

// Allow takes one token of a key. A new key has a full bucket; once the limiter
// has been full a newcomer has one token, or a client could get a new bucket by
// having its old one pushed out.
func (l *Limiter) Allow(key string) Decision {
	if l == nil {
		return Decision{Allowed: true}
	}
	now := l.now()
	l.mu.Lock()
	defer l.mu.Unlock()
	bucket := l.bucket(key, now)
	d := Decision{Allowed: bucket.AllowN(now, 1), Limit: l.rate.Burst, Setting: l.rate.Setting}
	tokens := bucket.TokensAt(now)
	d.Remaining = int64(max(tokens, 0))
	if !d.Allowed {
		d.RetryAfter = l.wait(1 - tokens)
	}
	return d
}

func (l *Limiter) bucket(key string, now time.Time) *rate.Limiter {
	if b, ok := l.lru.Get(key); ok {
		return b
	}
	b := rate.NewLimiter(l.limit, int(l.rate.Burst))
	if l.wary {
		b.AllowN(now, int(l.rate.Burst)-1)
	}
	l.lru.Add(key, b)
	l.wary = l.wary || l.lru.Len() >= l.most
	return b
}

// wait is how long it takes for tokens to come back.
func (l *Limiter) wait(tokens float64) time.Duration {
	seconds := tokens / l.rate.PerSecond
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
	seconds := max((d.RetryAfter+time.Second-1)/time.Second, 1)
	err := gateway.Errorf(gateway.SlowDown, "Too many requests. Try again in %d s. The limit is set by %s.",
		seconds, cmp.Or(d.Setting, "RATE_LIMIT"))
	err.RetryAfter = seconds * time.Second
	return err
}

// LimitByAddress limits requests by the address of the client, before anything
// else looks at them. fail writes the door's answer. A nil limiter limits
// nothing.
func LimitByAddress(l *Limiter, trusted []netip.Prefix, fail func(http.ResponseWriter, *http.Request, error)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		if l == nil {
			return next
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := l.Allow(AddressKey(ClientAddress(r, trusted))).Err(); err != nil {
				fail(w, r, err)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}
