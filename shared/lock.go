package shared

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// lockTime is how long a lock holds whose owner no longer renews it.
	lockTime = 15 * time.Second
	// lockPoll is how often one who waits for a lock asks again.
	lockPoll = 50 * time.Millisecond
)

// unlock deletes a lock only if it is still the owner's.
var unlock = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)

// extend lets a lock hold longer if it is still the owner's.
var extend = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
return 0
`)

// Lock takes the one lock of an id on all replicas, and waits for it until ctx
// ends. The context that it gives ends with ctx, with unlock, and with the lock:
// when it was lost, because Redis forgot it or was away for as long as it holds,
// its cause is ErrAway. What is done under the lock is done under that context.
// The error is ErrAway or that of ctx.
func (r *Redis) Lock(ctx context.Context, id string) (under context.Context, release func(), err error) {
	key, token := own+"lock:"+id, rand.Text()
	for {
		var got bool
		err := r.call(ctx, func(ctx context.Context) (err error) {
			got, err = r.client.SetNX(ctx, key, token, lockTime).Result()
			return err
		})
		if err != nil {
			return nil, nil, err
		}
		if got {
			break
		}
		select {
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		case <-time.After(lockPoll):
		}
	}
	under, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.keep(under, cancel, key, token)
	}()
	return under, func() {
		cancel(context.Canceled)
		<-done
		_ = r.call(context.WithoutCancel(ctx), func(ctx context.Context) error {
			return unlock.Run(ctx, r.client, []string{key}, token).Err()
		})
	}, nil
}

// keep renews a lock until under ends, and ends under when the lock is lost.
func (r *Redis) keep(under context.Context, cancel context.CancelCauseFunc, key, token string) {
	tick := time.NewTicker(lockTime / 5)
	defer tick.Stop()
	sure := time.Now()
	for {
		select {
		case <-under.Done():
			return
		case <-tick.C:
		}
		asked := time.Now()
		var mine int64
		err := r.call(under, func(ctx context.Context) (err error) {
			mine, err = extend.Run(ctx, r.client, []string{key}, token, lockTime.Milliseconds()).Int64()
			return err
		})
		switch {
		case err == nil && mine == 1:
			sure = asked
		case err == nil, time.Since(sure) > lockTime*3/5:
			cancel(ErrAway)
			return
		}
	}
}
