package shared

import (
	"context"
	"errors"
	"math"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// take is a token bucket kept as one number, the time at which it will be full
// (the theoretical arrival time of GCRA, ITU-T I.371). Redis has the one clock.
// It answers with the tokens left and the microseconds to wait.
var take = redis.NewScript(`
local t = redis.call('TIME')
local now = t[1] + t[2] / 1000000
local rate, burst, n = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local full = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local after, most = full + n / rate, now + burst / rate
local wait = math.max(after - most, 0)
if wait < 0.000002 then wait = 0 end
if wait == 0 or ARGV[4] == '1' then
  redis.call('SET', KEYS[1], string.format('%.6f', after), 'PX', string.format('%.0f', math.min((after - now) * 1000 + 1000, 3e12)))
  full = after
end
return {math.floor(math.max((most - full) * rate + 0.000001, 0)), math.ceil(math.min(wait, 1e9) * 1000000)}
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
