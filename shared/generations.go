package shared

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

// generationsKey is a hash: a counter for each shard (g), the time until which a
// shard is blocked (b), and the epoch, which is part of every generation.
const generationsKey = own + "generations"

// read answers with the epoch and a generation per shard; -1 for one that is
// blocked. A Redis that has forgotten everything begins another epoch.
var read = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('HEXISTS', KEYS[1], 'epoch') == 0 then
  redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', t[1] * 1000000 + t[2]))
end
local out = {tonumber(redis.call('HGET', KEYS[1], 'epoch'))}
for i = 1, #ARGV do
  local blocked = tonumber(redis.call('HGET', KEYS[1], 'b' .. ARGV[i]) or '0')
  if blocked > now then out[i + 1] = -1
  else out[i + 1] = tonumber(redis.call('HGET', KEYS[1], 'g' .. ARGV[i]) or '0') end
end
return out
`)

// bump begins a new generation of shards, and may block them for a time.
var bump = redis.NewScript(`
local t = redis.call('TIME')
local till = t[1] * 1000 + math.floor(t[2] / 1000) + ARGV[1]
for i = 2, #ARGV do
  redis.call('HINCRBY', KEYS[1], 'g' .. ARGV[i], 1)
  if ARGV[1] ~= '0' then
    if tonumber(redis.call('HGET', KEYS[1], 'b' .. ARGV[i]) or '0') < till then
      redis.call('HSET', KEYS[1], 'b' .. ARGV[i], string.format('%.0f', till))
    end
  end
end
return 1
`)

var newEpoch = redis.NewScript(`
local t = redis.call('TIME')
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', t[1] * 1000000 + t[2]))
return 1
`)

// Generations gives the epoch and the generation of each shard as they are now.
// ok is false when nothing of them may be served or kept: one is blocked, or
// Redis is away.
func (r *Redis) Generations(shards ...string) (epoch int64, generations []int64, ok bool) {
	args := make([]any, len(shards))
	for i, s := range shards {
		args[i] = s
	}
	var got []int64
	err := r.call(context.Background(), func(ctx context.Context) (err error) {
		got, err = read.Run(ctx, r.client, []string{generationsKey}, args...).Int64Slice()
		if err == nil && len(got) != len(shards)+1 {
			err = errShape
		}
		return err
	})
	if err != nil {
		return 0, nil, false
	}
	for _, g := range got[1:] {
		if g < 0 {
			return 0, nil, false
		}
	}
	return got[0], got[1:], true
}

// Bump begins a new generation of shards; with block above 0 nothing of them is
// served or kept for that long. When Redis is away the epoch changes as soon as
// it is back, so that what others kept meanwhile is not served any more.
func (r *Redis) Bump(block time.Duration, shards ...string) {
	args := make([]any, 0, len(shards)+1)
	args = append(args, block.Milliseconds())
	for _, s := range shards {
		args = append(args, s)
	}
	err := r.call(context.Background(), func(ctx context.Context) error {
		return bump.Run(ctx, r.client, []string{generationsKey}, args...).Err()
	})
	if err != nil {
		r.mu.Lock()
		r.missed = true
		r.mu.Unlock()
	}
}
