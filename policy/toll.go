package policy

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// toll is a limit on the bytes of one key, each way for itself. Bytes are paid
// for after they moved, and who owes waits before it moves more: so what is
// charged is what was moved, and a stream is never cut.
type toll struct {
	key    Key
	shared SharedBuckets
	now    func() time.Time

	mu    sync.Mutex
	local *rate.Limiter
	lease int64     // bytes of the shared bucket that are still to be used here
	until time.Time // the shared bucket gives nothing before
}

// leases is how many leases of the shared bucket make up a second's worth: at
// so many round trips a second replicas share a rate, however small their
// chunks are.
const leases = 10

// quantum is how many bytes move at once under a rate: a tenth of a second's
// worth, so that waits are short and streams take turns.
func quantum(r Rate) int {
	const most = 64 << 10
	return int(max(1, min(most, r.PerSecond/leases, float64(r.Burst))))
}

func newToll(key Key, r Rate, shared SharedBuckets, now func() time.Time) *toll {
	return &toll{key: key, shared: shared, now: now, local: rate.NewLimiter(rate.Limit(r.PerSecond), int(r.Burst))}
}

// wait is how long a stream stands still before it moves on.
func (t *toll) wait(r Rate) time.Duration {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	adapt(t.local, r, now)
	var local time.Duration
	if tokens := t.local.TokensAt(now); tokens < 0 {
		local = timeFor(-tokens, r)
	}
	return max(local, t.until.Sub(now))
}

// pay charges bytes that moved. A lease of the shared bucket is taken when the
// last one is used up; its wait is that of all streams of the key.
func (t *toll) pay(ctx context.Context, r Rate, n int64) {
	now := t.now()
	t.mu.Lock()
	defer t.mu.Unlock()
	adapt(t.local, r, now)
	t.local.ReserveN(now, int(min(n, r.Burst)))
	if t.shared == nil {
		return
	}
	if t.lease -= n; t.lease > 0 {
		return
	}
	need := max(-t.lease, int64(r.PerSecond/leases), 1)
	need = min(need, max(r.Burst, -t.lease))
	_, wait, err := t.shared.Take(ctx, t.key.String(), r.PerSecond, r.Burst, need, true)
	if err != nil {
		t.lease, t.until = 0, time.Time{} // the local limit is all there is
		return
	}
	t.lease += need
	t.until = now.Add(wait)
}
