package shared

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// lockTime is how long a lock holds whose owner is gone.
	lockTime = 15 * time.Second
	// lockPoll is how often one who waits for a lock asks again, and tells its
	// owner that it does.
	lockPoll = 100 * time.Millisecond
	// lockWatch is how often an owner says that it is there, and looks whether
	// somebody waits.
	lockWatch = 200 * time.Millisecond
	// wantedTime is how long one who no longer asks counts as waiting.
	wantedTime = time.Second
)

// unlock deletes a lock only if it is still the owner's.
var unlock = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)

// acquire gives a free lock to the asker, or leaves word that it waits.
var acquire = redis.NewScript(`
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then redis.call('DEL', KEYS[2]) return 1 end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
return 0
`)

// watch lets a lock hold longer. It gives 1 where its owner should end: somebody
// waits, or it is not the owner any more.
var watch = redis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 1 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return redis.call('EXISTS', KEYS[2])
`)

// Lock takes the one lock of a name on all replicas, and waits for it until ctx
// ends. Its owner is told by interrupt, again and again, when another one waits
// for it or when it was lost; interrupt may be called from another goroutine
// until unlock has returned. The error is ErrAway or that of ctx. A Redis that
// goes away while the lock is held takes it from nobody, and keeps it from
// nobody: what is done under it needs a condition of its own.
func (r *Redis) Lock(ctx context.Context, name string, interrupt func()) (release func(), err error) {
	keys, token := []string{own + "lock:" + name, own + "wanted:" + name}, rand.Text()
	for {
		var got int64
		err := r.call(ctx, func(ctx context.Context) (err error) {
			got, err = acquire.Run(ctx, r.client, keys, token, lockTime.Milliseconds(), wantedTime.Milliseconds()).Int64()
			return err
		})
		if err != nil {
			return nil, err
		}
		if got == 1 {
			break
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(lockPoll):
		}
	}
	held, cancel := context.WithCancel(context.WithoutCancel(ctx))
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.keep(held, keys, token, interrupt)
	}()
	return func() {
		cancel()
		<-done
		_ = r.call(context.WithoutCancel(ctx), func(ctx context.Context) error {
			return unlock.Run(ctx, r.client, keys[:1], token).Err()
		})
	}, nil
}

// keep holds a lock until ctx ends.
func (r *Redis) keep(ctx context.Context, keys []string, token string, interrupt func()) {
	tick := time.NewTicker(lockWatch)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var end int64
		err := r.call(ctx, func(ctx context.Context) (err error) {
			end, err = watch.Run(ctx, r.client, keys, token, lockTime.Milliseconds()).Int64()
			return err
		})
		if err == nil && end == 1 {
			interrupt()
		}
	}
}
