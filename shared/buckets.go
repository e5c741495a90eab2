package shared

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// take is a token bucket: the tokens in it, below none where it owes, and when
// that was. It is written back even when nothing is taken, so that a clock which
// was set back is waited for by nobody. Redis has the one clock. It answers with
// the tokens left and the microseconds to wait.
var take = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local rate, burst, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local tokens, at = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) (%S+)$')
tokens = math.min((tonumber(tokens) or burst) + math.max(now - (tonumber(at) or now), 0) * rate, burst)
local wait = math.max(n - tokens, 0) / rate
if wait < 0.000002 then wait = 0 end
if wait == 0 or ARGV[4] == '1' then tokens = tokens - n end
redis.call('SET', KEYS[1], string.format('%.17g %.6f', tokens, now), 'PX', string.format('%.0f', math.min((burst - tokens) / rate * 1000 + 1000, 3e12)))
return {math.floor(math.max(tokens + 0.000001, 0)), math.ceil(math.min(wait, 1e9) * 1000000)}
`)

// errShape is the failure of a script that does not answer as it should.
var errShape = errors.New("an answer of another shape")

// Take takes n tokens out of the bucket of a key, which holds burst tokens and
// gets perSecond of them back each second. wait is how long until they are
// there, 0 when they were; then nothing is taken, unless borrow says that the
// bucket may owe.
func (r *Redis) Take(ctx context.Context, key string, perSecond float64, burst, n int64, borrow bool) (left int64, wait time.Duration, err error) {
	mode := "0"
	if borrow {
		mode = "1"
	}
	err = r.call(ctx, func(ctx context.Context) error {
		got, err := take.Run(ctx, r.client, []string{own + "rate:" + key},
			strconv.FormatFloat(min(perSecond, math.MaxFloat32), 'g', -1, 64), burst, n, mode).Int64Slice()
		if err == nil && len(got) != 2 {
			err = errShape
		}
		if err == nil {
			left, wait = got[0], time.Duration(got[1])*time.Microsecond
		}
		return err
	})
	return left, wait, err
}
