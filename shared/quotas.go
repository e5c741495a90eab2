package shared

import (
	"context"
	"crypto/rand"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/codeguardians/s3gateway/quota"
)

// Quotas is a quota.Book in Redis. Each quota is one hash: what is used, what was
// ever added, the number of countings, and what each replica holds, with the
// time until which that counts: of a replica that died nothing is held.
//
// Amounts are numbers of Lua, exact up to 2^53.
type Quotas struct {
	*Redis
	// holder is the name under which this replica holds. It has a new one
	// after each call that failed: what became of that one nobody knows, and
	// what is held under a name that is not renewed is soon forgotten.
	holder atomic.Pointer[string]
	// held are the names of the quotas of which this replica ever held something.
	held sync.Map
}

// heldTime is how long counts what a replica holds that no longer says so.
const heldTime = 30 * time.Second

// NewQuotas makes the book of this replica.
func NewQuotas(r *Redis) *Quotas {
	q := &Quotas{Redis: r}
	q.hold()
	r.onRenew(q.renew)
	return q
}

// quotaLibrary is the beginning of each script: what the hash says, with now in
// milliseconds. What no script here wrote is not believed: it goes, and the quota
// is counted anew.
const quotaLibrary = `
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local kind = redis.call('TYPE', KEYS[1]).ok
if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
local f, held, foreign, all = {}, {0, 0}, false, redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 5) == 'held:' then
    local b, o, till = string.match(all[i + 1], '^(%d+) (%d+) (%d+)$')
    if not till or tonumber(till) < now then
      redis.call('HDEL', KEYS[1], all[i])
    else
      held[1], held[2] = held[1] + tonumber(b), held[2] + tonumber(o)
      f[all[i]] = {tonumber(b), tonumber(o)}
    end
  else
    f[all[i]] = string.match(all[i + 1], '^%d+$') and tonumber(all[i + 1])
    foreign = foreign or not f[all[i]]
  end
end
if foreign then
  redis.call('DEL', KEYS[1])
  f, held = {}, {0, 0}
end
local function num(name) return f[name] or 0 end
local function put(name, n) redis.call('HSET', KEYS[1], name, string.format('%.0f', n)) end
local function hold(replica, bytes, objects, ttl)
  local own = f[replica] or {0, 0}
  own = {math.max(own[1] + bytes, 0), math.max(own[2] + objects, 0)}
  if own[1] == 0 and own[2] == 0 then
    redis.call('HDEL', KEYS[1], replica)
  else
    redis.call('HSET', KEYS[1], replica, string.format('%.0f %.0f %.0f', own[1], own[2], now + ttl))
  end
end
`

// reserveQuota answers with the number of countings and what is over: nothing,
// bytes, objects.
var reserveQuota = redis.NewScript(quotaLibrary + `
local bytes, objects, mostBytes, mostObjects = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
if num('count') == 0 then return {0, 0} end
if mostBytes > 0 and bytes > 0 and num('bytes') + held[1] + bytes > mostBytes then return {num('count'), 1} end
if mostObjects > 0 and objects > 0 and num('objects') + held[2] + objects > mostObjects then return {num('count'), 2} end
hold(ARGV[1], bytes, objects, tonumber(ARGV[6]))
return {num('count'), 0}
`)

// settleQuota answers with what is used.
var settleQuota = redis.NewScript(quotaLibrary + `
local bytes, objects = tonumber(ARGV[4]), tonumber(ARGV[5])
hold(ARGV[1], -tonumber(ARGV[2]), -tonumber(ARGV[3]), tonumber(ARGV[7]))
put('grown bytes', num('grown bytes') + math.max(bytes, 0))
put('grown objects', num('grown objects') + math.max(objects, 0))
if tonumber(ARGV[6]) ~= num('count') then bytes, objects = math.max(bytes, 0), math.max(objects, 0) end
local b, o = math.max(num('bytes') + bytes, 0), math.max(num('objects') + objects, 0)
put('bytes', b)
put('objects', o)
return {b, o}
`)

// countedQuota writes down a counting. Its number is one that no counting had
// which a Redis has forgotten.
var countedQuota = redis.NewScript(quotaLibrary + `
put('bytes', tonumber(ARGV[1]) + math.max(num('grown bytes') - tonumber(ARGV[3]), 0))
put('objects', tonumber(ARGV[2]) + math.max(num('grown objects') - tonumber(ARGV[4]), 0))
put('count', math.max(num('count') + 1, t[1] * 1000000 + t[2]))
return 1
`)

// readQuota answers with all numbers.
var readQuota = redis.NewScript(quotaLibrary + `
return {num('bytes'), num('objects'), num('grown bytes'), num('grown objects'), num('count')}
`)

// renewQuota moves on until when counts what a replica holds.
var renewQuota = redis.NewScript(quotaLibrary + `
if f[ARGV[1]] then hold(ARGV[1], 0, 0, tonumber(ARGV[2])) end
return 1
`)

func (q *Quotas) run(ctx context.Context, s *redis.Script, name string, want int, args ...any) (got []int64, err error) {
	err = q.call(ctx, func(ctx context.Context) (err error) {
		got, err = s.Run(ctx, q.client, quotaKey(name), args...).Int64Slice()
		if err == nil && len(got) != want {
			err = errShape
		}
		return err
	})
	if err != nil {
		q.hold()
	}
	return got, err
}

// Reserve is quota.Book.Reserve. The error may be ErrAway.
func (q *Quotas) Reserve(ctx context.Context, name string, growth, most quota.Usage) (quota.Ticket, quota.Over, error) {
	growth.Bytes, growth.Objects = max(growth.Bytes, 0), max(growth.Objects, 0)
	holder := *q.holder.Load()
	q.held.Store(name, true)
	got, err := q.run(ctx, reserveQuota, name, 2, holder, growth.Bytes, growth.Objects, most.Bytes, most.Objects, heldTime.Milliseconds())
	if err != nil {
		return quota.Ticket{}, quota.Fits, err
	}
	if got[0] == 0 {
		return quota.Ticket{}, quota.Fits, quota.ErrNotCounted
	}
	return quota.Ticket{Growth: growth, Count: got[0], Holder: holder}, quota.Over(got[1]), nil
}

// Settle is quota.Book.Settle.
func (q *Quotas) Settle(ctx context.Context, name string, tickets []quota.Ticket, change quota.Usage, count int64) (quota.Usage, error) {
	holder, held := *q.holder.Load(), quota.Usage{}
	for _, t := range tickets {
		if t.Holder != holder {
			continue // forgotten, or soon
		}
		held.Bytes, held.Objects = held.Bytes+t.Growth.Bytes, held.Objects+t.Growth.Objects
	}
	got, err := q.run(ctx, settleQuota, name, 2, holder, held.Bytes, held.Objects, change.Bytes, change.Objects, count, heldTime.Milliseconds())
	if err != nil {
		return quota.Usage{}, err
	}
	return quota.Usage{Bytes: got[0], Objects: got[1]}, nil
}

// Grown is quota.Book.Grown.
func (q *Quotas) Grown(ctx context.Context, name string) (quota.Usage, error) {
	got, err := q.run(ctx, readQuota, name, 5)
	if err != nil {
		return quota.Usage{}, err
	}
	return quota.Usage{Bytes: got[2], Objects: got[3]}, nil
}

// Used is quota.Book.Used.
func (q *Quotas) Used(ctx context.Context, name string) (quota.Usage, int64, error) {
	got, err := q.run(ctx, readQuota, name, 5)
	if err == nil && got[4] == 0 {
		err = quota.ErrNotCounted
	}
	if err != nil {
		return quota.Usage{}, 0, err
	}
	return quota.Usage{Bytes: got[0], Objects: got[1]}, got[4], nil
}

// Counted is quota.Book.Counted.
func (q *Quotas) Counted(ctx context.Context, name string, found, before quota.Usage) error {
	return q.call(ctx, func(ctx context.Context) error {
		return countedQuota.Run(ctx, q.client, quotaKey(name), found.Bytes, found.Objects, before.Bytes, before.Objects).Err()
	})
}

// hold takes a new name to hold under.
func (q *Quotas) hold() {
	name := "held:" + rand.Text()
	q.holder.Store(&name)
}

// quotaKey is the hash of a quota.
func quotaKey(name string) []string { return []string{own + "quota:" + name} }

// renew says that what this replica holds is still held.
func (q *Quotas) renew(ctx context.Context) {
	q.held.Range(func(name, _ any) bool {
		err := q.call(ctx, func(ctx context.Context) error {
			return renewQuota.Run(ctx, q.client, quotaKey(name.(string)), *q.holder.Load(), heldTime.Milliseconds()).Err()
		})
		return err == nil
	})
}
