package shared

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/quota"
)

// The book in Redis holds to what quota.Local does, for replicas together.
func TestTheBookOfReplicas(t *testing.T) {
	server := testbed.StartRedis(t)
	one, _ := open(t, server.URL)
	two, _ := open(t, server.URL)
	a, b, ctx := NewQuotas(one), NewQuotas(two), t.Context()
	most := quota.Usage{Bytes: 100, Objects: 3}
	if _, _, err := a.Reserve(ctx, "q", quota.Usage{Bytes: 1}, most); !errors.Is(err, quota.ErrNotCounted) {
		t.Fatalf("before it was counted: %v", err)
	}
	before, err := a.Grown(ctx, "q")
	if err != nil || a.Counted(ctx, "q", quota.Usage{Bytes: 40, Objects: 1}, before) != nil {
		t.Fatal(err)
	}
	reserve := func(by *Quotas, growth quota.Usage, want quota.Over) quota.Ticket {
		t.Helper()
		ticket, over, err := by.Reserve(ctx, "q", growth, most)
		if over != want || err != nil {
			t.Errorf("%+v: %v %v, want %v", growth, over, err, want)
		}
		return ticket
	}
	first := reserve(a, quota.Usage{Bytes: 60, Objects: 1}, quota.Fits)
	reserve(b, quota.Usage{Bytes: 1}, quota.OverBytes)
	reserve(b, quota.Usage{Objects: 2}, quota.OverObjects)
	reserve(b, quota.Usage{Bytes: -500}, quota.Fits)
	reserve(b, quota.Usage{Bytes: 1}, quota.OverBytes)
	settle := func(by *Quotas, tickets []quota.Ticket, change quota.Usage, count int64, want quota.Usage) {
		t.Helper()
		if used, err := by.Settle(ctx, "q", tickets, change, count); used != want || err != nil {
			t.Errorf("settled %+v: %+v %v, want %+v", change, used, err, want)
		}
	}
	settle(a, []quota.Ticket{first}, quota.Usage{Bytes: 30, Objects: 1}, first.Count, quota.Usage{Bytes: 70, Objects: 2})
	reserve(b, quota.Usage{Bytes: 31}, quota.OverBytes)

	before, _ = b.Grown(ctx, "q")
	settle(a, nil, quota.Usage{Bytes: 5, Objects: 1}, first.Count, quota.Usage{Bytes: 75, Objects: 3})
	settle(a, nil, quota.Usage{Bytes: -10}, first.Count, quota.Usage{Bytes: 65, Objects: 3})
	if err := b.Counted(ctx, "q", quota.Usage{Bytes: 50, Objects: 2}, before); err != nil {
		t.Fatal(err)
	}
	used, second, err := a.Used(ctx, "q")
	if used != (quota.Usage{Bytes: 55, Objects: 3}) || second <= first.Count || err != nil {
		t.Errorf("counted: %+v %d %v", used, second, err)
	}
	settle(a, nil, quota.Usage{Bytes: -10, Objects: -1}, first.Count, quota.Usage{Bytes: 55, Objects: 3}) // from before
	settle(a, nil, quota.Usage{Bytes: -10, Objects: -1}, second, quota.Usage{Bytes: 45, Objects: 2})
	settle(a, nil, quota.Usage{Bytes: 1 << 50}, second, quota.Usage{Bytes: 45 + 1<<50, Objects: 2})
}

// Replicas that reserve at once get no more than there is.
func TestReplicasReserveAtOnce(t *testing.T) {
	server := testbed.StartRedis(t)
	var all []*Quotas
	for range 3 {
		r, _ := open(t, server.URL)
		all = append(all, NewQuotas(r))
	}
	if err := all[0].Counted(t.Context(), "q", quota.Usage{}, quota.Usage{}); err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	fits := make(chan quota.Over, 60)
	for i := range cap(fits) {
		running.Go(func() {
			_, over, err := all[i%3].Reserve(t.Context(), "q", quota.Usage{Bytes: 10}, quota.Usage{Bytes: 95})
			if err != nil {
				t.Error(err)
			}
			fits <- over
		})
	}
	running.Wait()
	close(fits)
	n := 0
	for over := range fits {
		if over == quota.Fits {
			n++
		}
	}
	if n != 9 {
		t.Errorf("%d fitted", n)
	}
}

// What a replica held that is gone is free again, and that of one which is there
// is not.
func TestWhatADeadReplicaHeld(t *testing.T) {
	server := miniredis.RunT(t)
	now := time.Now()
	server.SetTime(now)
	r, _ := open(t, "redis://"+server.Addr())
	a, b := NewQuotas(r), NewQuotas(r)
	ctx, most := t.Context(), quota.Usage{Bytes: 100}
	if err := a.Counted(ctx, "q", quota.Usage{}, quota.Usage{}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []*Quotas{a, b} {
		if _, over, err := q.Reserve(ctx, "q", quota.Usage{Bytes: 50}, most); over != quota.Fits || err != nil {
			t.Fatal(over, err)
		}
	}
	for range 4 {
		now = now.Add(heldTime / 2)
		server.SetTime(now)
		b.renew(ctx)
	}
	if _, over, err := b.Reserve(ctx, "q", quota.Usage{Bytes: 51}, most); over != quota.OverBytes || err != nil {
		t.Error("what a living replica holds was forgotten", over, err)
	}
	if _, over, err := b.Reserve(ctx, "q", quota.Usage{Bytes: 50}, most); over != quota.Fits || err != nil {
		t.Error("what a dead one held still counts", over, err)
	}
}

// A growth that is reserved while the others are renewed is held like them.
func TestWhatIsReservedWhileOthersAreRenewed(t *testing.T) {
	server := miniredis.RunT(t)
	now := time.Now()
	server.SetTime(now)
	r, _ := open(t, "redis://"+server.Addr())
	book, ctx, most := NewQuotas(r), t.Context(), quota.Usage{Bytes: 100}
	if err := book.Counted(ctx, "q", quota.Usage{}, quota.Usage{}); err != nil {
		t.Fatal(err)
	}
	reserve := func(bytes int64, want quota.Over) quota.Ticket {
		t.Helper()
		ticket, over, err := book.Reserve(ctx, "q", quota.Usage{Bytes: bytes}, most)
		if over != want || err != nil {
			t.Error(over, err)
		}
		return ticket
	}
	done := reserve(50, quota.Fits)
	if _, err := book.Settle(ctx, "q", []quota.Ticket{done}, quota.Usage{}, done.Count); err != nil {
		t.Fatal(err)
	}
	r.client.AddHook(&around{script: loaded(t, r, renewQuota), after: func() { reserve(50, quota.Fits) }})
	for range 4 {
		book.renew(ctx)
		now = now.Add(heldTime / 2)
		server.SetTime(now)
	}
	reserve(51, quota.OverBytes)
}

// What was taken away before a Redis forgot everything is not taken away from
// what was counted anew.
func TestAChangeThatBeganBeforeRedisForgot(t *testing.T) {
	server := testbed.StartRedis(t)
	one, _ := open(t, server.URL)
	book, ctx := NewQuotas(one), t.Context()
	count := func() {
		t.Helper()
		if err := book.Counted(ctx, "q", quota.Usage{Bytes: 100, Objects: 1}, quota.Usage{}); err != nil {
			t.Fatal(err)
		}
	}
	count()
	ticket, _, err := book.Reserve(ctx, "q", quota.Usage{}, quota.Usage{})
	if err != nil {
		t.Fatal(err)
	}
	if err := one.client.FlushAll(ctx).Err(); err != nil {
		t.Fatal(err)
	}
	count()
	if used, err := book.Settle(ctx, "q", []quota.Ticket{ticket}, quota.Usage{Bytes: -100, Objects: -1}, ticket.Count); used.Bytes != 100 || err != nil {
		t.Errorf("%+v %v", used, err)
	}
}

// What somebody else wrote in Redis opens no quota and breaks none: it is counted
// anew, and Redis does not look away.
func TestABookThatSomebodyElseWroteIn(t *testing.T) {
	server := testbed.StartRedis(t)
	one, _ := open(t, server.URL)
	book, ctx, most := NewQuotas(one), t.Context(), quota.Usage{Bytes: 100, Objects: 3}
	key := quotaKey("q")[0]
	count := func() {
		t.Helper()
		before, err := book.Grown(ctx, "q")
		if err != nil || book.Counted(ctx, "q", quota.Usage{Bytes: 100, Objects: 1}, before) != nil {
			t.Fatal(err)
		}
	}
	full := func() {
		t.Helper()
		if _, over, err := book.Reserve(ctx, "q", quota.Usage{Bytes: 1}, most); over != quota.OverBytes || err != nil {
			t.Errorf("%v %v, want a quota that is full", over, err)
		}
	}
	for name, write := range map[string]func() error{
		"text": func() error { return one.client.Set(ctx, key, "x", 0).Err() },
		"a list": func() error {
			return errors.Join(one.client.Del(ctx, key).Err(), one.client.RPush(ctx, key, "x").Err())
		},
		"bytes as words":  func() error { return one.client.HSet(ctx, key, "bytes", "many").Err() },
		"negative bytes":  func() error { return one.client.HSet(ctx, key, "bytes", "-5000").Err() },
		"infinite counts": func() error { return one.client.HSet(ctx, key, "count", "inf").Err() },
	} {
		t.Run(name, func(t *testing.T) {
			count()
			full()
			if err := write(); err != nil {
				t.Fatal(err)
			}
			if _, _, err := book.Reserve(ctx, "q", quota.Usage{Bytes: 1}, most); !errors.Is(err, quota.ErrNotCounted) {
				t.Errorf("%v, want one that is to be counted", err)
			}
			count()
			full()
		})
	}
	for _, junk := range []string{"x", "", "1 2", "-9000 -9 99999999999999", "inf inf inf"} {
		if err := one.client.HSet(ctx, key, "held:"+junk, junk).Err(); err != nil {
			t.Fatal(err)
		}
	}
	full()
	if err := one.Err(); err != nil {
		t.Errorf("Redis looks away: %v", err)
	}
}
