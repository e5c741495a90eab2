package shared

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// keyPoll is how often a caller that waits for a key asks again.
const keyPoll = 20 * time.Millisecond

// shareKey counts a writer of a key, unless a caller holds the key alone or waits
// for that. The members of the set are writers, by the time at which they count
// no more.
var shareKey = redis.NewScript(`
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[2])
return 1
`)

// ownKey announces a caller that wants a key alone, which keeps new writers out,
// and answers 1 once no writer is left.
var ownKey = redis.NewScript(`
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
if redis.call('ZCARD', KEYS[2]) > 0 then return 0 end
return 1
`)

// keepKey lets a share and an own lock live longer.
var keepKey = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('PEXPIRE', KEYS[1], ARGV[2]) end
if redis.call('ZSCORE', KEYS[2], ARGV[1]) then
  redis.call('ZADD', KEYS[2], now + ARGV[2], ARGV[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[2])
end
return 1
`)

// dropKey ends either.
var dropKey = redis.NewScript(`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
`)

// ShareKey waits until no replica has the key alone, and keeps it from being had
// so until release is called. The error is ErrAway or that of ctx.
func (r *Redis) ShareKey(ctx context.Context, name string) (release func(), err error) {
	return r.takeKey(ctx, name, shareKey)
}

// OwnKey waits until no replica writes the key, and keeps it from being written.
// The error is ErrAway or that of ctx. A lock whose process is gone ends after 15
// seconds.
func (r *Redis) OwnKey(ctx context.Context, name string) (release func(), err error) {
	return r.takeKey(ctx, name, ownKey)
}

func (r *Redis) takeKey(ctx context.Context, name string, script *redis.Script) (release func(), err error) {
	keys, token := []string{own + "key:" + name, own + "writers:" + name}, rand.Text()
	for {
		var got int64
		err := r.call(ctx, func(ctx context.Context) (err error) {
			got, err = script.Run(ctx, r.client, keys, token, lockTime.Milliseconds()).Int64()
			return err
		})
		if err == nil && got == 1 {
			break
		}
		if err == nil {
			err = pause(ctx, keyPoll)
		}
		if err != nil {
			r.dropKey(ctx, keys, token)
			return nil, err
		}
	}
	stop := r.keepAlive(ctx, keys, token)
	return sync.OnceFunc(func() {
		stop()
		r.dropKey(ctx, keys, token)
	}), nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func (r *Redis) dropKey(ctx context.Context, keys []string, token string) {
	_ = r.call(ctx, func(ctx context.Context) error { return dropKey.Run(ctx, r.client, keys, token).Err() })
}

// keepAlive renews a lock until stop is called, which waits for a renewal under
// way. Most locks are over before the first one.
func (r *Redis) keepAlive(ctx context.Context, keys []string, token string) (stop func()) {
	held, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() {
		for pause(held, lockTime/3) == nil {
			_ = r.call(held, func(ctx context.Context) error {
				return keepKey.Run(ctx, r.client, keys, token, lockTime.Milliseconds()).Err()
			})
		}
	})
	return func() {
		cancel()
		running.Wait()
	}
}
