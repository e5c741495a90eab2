package shared

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/go-redis/v9"
)

// flightTime is how long a request counts whose replica no longer says that it
// is under way. Each says so three times as often.
const flightTime = 30 * time.Second

// flight is one request under way here.
type flight struct{ key, token string }

// enter adds a member to the set of what is under way, by the time at which it
// counts no more.
var enter = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`)

// renew moves those times on.
var renew = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
for i = 2, #ARGV do redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i]) end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1
`)

// Enter counts a request under a key, unless most are counted there on all
// replicas together. leave takes it back. When a replica dies, what it counted
// is gone after half a minute.
func (r *Redis) Enter(ctx context.Context, key string, most int64) (leave func(), ok bool, err error) {
	f, asked := flight{key: own + "flight:" + key, token: rand.Text()}, false
	err = r.call(ctx, func(ctx context.Context) error {
		asked = true
		n, err := enter.Run(ctx, r.client, []string{f.key}, most, flightTime.Milliseconds(), f.token).Int64()
		ok = n == 1
		return err
	})
	if err != nil && asked {
		r.noteLeft(f)
	}
	if err != nil || !ok {
		return nil, false, err
	}
	r.mu.Lock()
	r.held[f] = struct{}{}
	r.mu.Unlock()
	return func() { r.leave(ctx, f) }, true, nil
}

func (r *Redis) leave(ctx context.Context, f flight) {
	r.mu.Lock()
	delete(r.held, f)
	r.mu.Unlock()
	if r.call(ctx, func(ctx context.Context) error { return r.client.ZRem(ctx, f.key, f.token).Err() }) != nil {
		r.noteLeft(f)
	}
}

// noteLeft has Redis told soon that something left.
func (r *Redis) noteLeft(f ...flight) {
	r.mu.Lock()
	r.left = append(r.left, f...)
	r.mu.Unlock()
}

// renewFlights says that what is under way here still is, and that the rest is
// not.
func (r *Redis) renewFlights(ctx context.Context) {
	const batch = 500
	byKey := map[string][]any{}
	r.mu.Lock()
	for f := range r.held {
		byKey[f.key] = append(byKey[f.key], f.token)
	}
	r.mu.Unlock()
	for key, tokens := range byKey {
		for len(tokens) > 0 {
			n := min(len(tokens), batch)
			args := append([]any{flightTime.Milliseconds()}, tokens[:n]...)
			tokens = tokens[n:]
			err := r.call(ctx, func(ctx context.Context) error { return renew.Run(ctx, r.client, []string{key}, args...).Err() })
			r.noteRenewed(key, args[1:])
			if err != nil {
				return
			}
		}
	}
	r.mu.Lock()
	left := r.left
	r.left = nil
	r.mu.Unlock()
	for i, f := range left {
		if r.call(ctx, func(ctx context.Context) error { return r.client.ZRem(ctx, f.key, f.token).Err() }) != nil {
			r.noteLeft(left[i:]...)
			return
		}
	}
}

// noteRenewed notes what left while it was renewed, and so was put back.
func (r *Redis) noteRenewed(key string, tokens []any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, token := range tokens {
		f := flight{key, token.(string)}
		if _, held := r.held[f]; !held {
			r.left = append(r.left, f)
		}
	}
}
