package shared

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/internal/testlog"
)

func TestMain(m *testing.M) {
	Quiet()
	m.Run()
}

// log is read while Run writes it.
type log struct{ testlog.Buffer }

func (l *log) count(text string) int { return strings.Count(l.String(), text) }

// patient is a patience that a busy machine does not use up.
const patient = 10 * time.Second

func open(t *testing.T, url string) (*Redis, *log) {
	t.Helper()
	return openWith(t, url, patient)
}

func openWith(t *testing.T, url string, patience time.Duration) (*Redis, *log) {
	t.Helper()
	written := &log{}
	r, err := Open(url, patience, zerolog.New(written))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
		_ = r.Close()
	})
	return r, written
}

// onBoth runs a test on miniredis and on a real redis-server.
func onBoth(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("miniredis", func(t *testing.T) { test(t, "redis://"+miniredis.RunT(t).Addr()) })
	t.Run("redis-server", func(t *testing.T) { test(t, testbed.StartRedis(t).URL) })
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("never came true: " + what)
		}
	}
}

func TestABucketIsOneForAllReplicas(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		a, _ := open(t, url)
		b, _ := open(t, url)
		var allowed atomic.Int64
		var wg sync.WaitGroup
		for _, r := range []*Redis{a, b} {
			wg.Go(func() {
				for range 20 {
					_, wait, err := r.Take(t.Context(), "k", 0.01, 25, 1, false)
					if err != nil {
						t.Error(err)
					}
					if wait == 0 {
						allowed.Add(1)
					} else if wait < 90*time.Second || wait > 101*time.Second {
						t.Errorf("wait %v, want about 100 s", wait)
					}
				}
			})
		}
		wg.Wait()
		if allowed.Load() != 25 {
			t.Errorf("%d allowed, want 25", allowed.Load())
		}
		if left, wait, err := a.Take(t.Context(), "other", 10, 25, 5, false); left != 20 || wait != 0 || err != nil {
			t.Errorf("another key: %d left, wait %v, %v", left, wait, err)
		}
	})
}

func TestABucketMayOwe(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		r, _ := open(t, url)
		for i, want := range []time.Duration{0, time.Second, 2 * time.Second} {
			_, wait, err := r.Take(t.Context(), "k", 1000, 1000, 1000, true)
			if err != nil || wait > want || wait < want-300*time.Millisecond {
				t.Errorf("take %d: wait %v, %v, want about %v", i, wait, err, want)
			}
		}
	})
}

func TestTokensComeBack(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		r, _ := open(t, url)
		if _, wait, err := r.Take(t.Context(), "k", 20, 1, 1, false); wait != 0 || err != nil {
			t.Fatal(wait, err)
		}
		eventually(t, "a token is back", func() bool {
			_, wait, err := r.Take(t.Context(), "k", 20, 1, 1, false)
			return wait == 0 && err == nil
		})
	})
}

// A rate that was raised is not waited for as long as the one before it was
// slow, nor does a clock that is set back keep a bucket closed.
func TestABucketUnderAnotherRateOrClock(t *testing.T) {
	drain := func(t *testing.T, r *Redis, perSecond float64) {
		t.Helper()
		if _, wait, err := r.Take(t.Context(), "k", perSecond, 1, 1, false); wait != 0 || err != nil {
			t.Fatal(wait, err)
		}
		if _, wait, err := r.Take(t.Context(), "k", perSecond, 1, 1, false); wait <= 0 || err != nil {
			t.Fatal(wait, err)
		}
	}
	onBoth(t, func(t *testing.T, url string) {
		r, _ := open(t, url)
		drain(t, r, 0.001)
		_, wait, err := r.Take(t.Context(), "k", 10, 5, 1, false)
		if wait > 100*time.Millisecond || err != nil {
			t.Errorf("under a rate of 10/s: wait %v, %v", wait, err)
		}
		if _, wait, err := r.Take(t.Context(), "k", 10, 50, 40, true); wait < 3500*time.Millisecond || err != nil {
			t.Errorf("a new rate fills the bucket: wait %v, %v", wait, err)
		}
	})
	mini := miniredis.RunT(t)
	now := time.Now()
	mini.SetTime(now)
	r, _ := open(t, "redis://"+mini.Addr())
	drain(t, r, 1)
	mini.SetTime(now.Add(-time.Hour))
	if _, wait, err := r.Take(t.Context(), "k", 1, 1, 1, false); wait > time.Second || err != nil {
		t.Errorf("after the clock was set back: wait %v, %v", wait, err)
	}
	mini.SetTime(now.Add(-time.Hour + time.Second))
	if _, wait, err := r.Take(t.Context(), "k", 1, 1, 1, false); wait != 0 || err != nil {
		t.Errorf("a second later: wait %v, %v", wait, err)
	}
}

// around has something done before and after the first call of a script, or its
// answer lost.
type around struct {
	script        *redis.Script
	before, after func()
	lost          error
	once          sync.Once
}

func (*around) DialHook(next redis.DialHook) redis.DialHook { return next }

func (*around) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (a *around) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) (err error) {
		if args := cmd.Args(); len(args) < 2 || args[1] != a.script.Hash() {
			return next(ctx, cmd)
		}
		first := false
		a.once.Do(func() { first = true })
		if first && a.before != nil {
			a.before()
		}
		err = next(ctx, cmd)
		if first && a.after != nil {
			a.after()
		}
		if first && a.lost != nil {
			cmd.SetErr(a.lost)
			return a.lost
		}
		return err
	}
}

// loaded has the server know a script, so that its first call is the only one.
func loaded(t *testing.T, r *Redis, s *redis.Script) *redis.Script {
	t.Helper()
	if err := s.Load(t.Context(), r.client).Err(); err != nil {
		t.Fatal(err)
	}
	return s
}

// A request that ends while it is renewed is not counted any longer.
func TestWhatLeavesWhileItIsRenewed(t *testing.T) {
	r, _ := open(t, "redis://"+miniredis.RunT(t).Addr())
	leave, ok, err := r.Enter(t.Context(), "k", 2)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, ok, err := r.Enter(t.Context(), "k", 2); !ok || err != nil {
		t.Fatal(ok, err)
	}
	r.client.AddHook(&around{script: loaded(t, r, renew), before: leave})
	r.renewFlights(t.Context())
	if _, ok, err := r.Enter(t.Context(), "k", 2); !ok || err != nil {
		t.Errorf("it still counts: %v", err)
	}
	if _, ok, err := r.Enter(t.Context(), "k", 2); ok || err != nil {
		t.Errorf("the other one counts no more: %v", err)
	}
}

// What ends while Redis is away, or begins with a call of which nobody knows what
// became, takes no place when it is back.
func TestWhatLeavesWhileRedisIsAway(t *testing.T) {
	mini := miniredis.RunT(t)
	r, err := Open("redis://"+mini.Addr(), patient, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	leave, ok, err := r.Enter(t.Context(), "k", 2)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	hook := &around{script: loaded(t, r, enter), lost: errors.New("no answer")}
	r.client.AddHook(hook)
	if _, ok, err := r.Enter(t.Context(), "k", 2); ok || err == nil {
		t.Fatal(ok, err)
	}
	leave()
	if err := r.greet(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.renewAll(t.Context())
	for range 2 {
		if _, ok, err := r.Enter(t.Context(), "k", 2); !ok || err != nil {
			t.Errorf("what is over still counts: %v", err)
		}
	}
}

func TestInFlightOverReplicas(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		a, _ := open(t, url)
		b, _ := open(t, url)
		leave, ok, err := a.Enter(t.Context(), "k", 2)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		if _, ok, err := b.Enter(t.Context(), "k", 2); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if _, ok, err := b.Enter(t.Context(), "k", 2); ok || err != nil {
			t.Errorf("a third: %v %v", ok, err)
		}
		leave()
		if _, ok, err := b.Enter(t.Context(), "k", 2); !ok || err != nil {
			t.Errorf("after one left: %v %v", ok, err)
		}
	})
}

func TestTheCountOfADeadReplicaGoes(t *testing.T) {
	mini := miniredis.RunT(t)
	now := time.Now()
	mini.SetTime(now)
	dead, err := Open("redis://"+mini.Addr(), patient, zerolog.Nop())
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := dead.Enter(t.Context(), "k", 1); !ok || err != nil {
		t.Fatal(ok, err)
	}
	_ = dead.Close()
	r, _ := open(t, "redis://"+mini.Addr())
	mini.SetTime(now.Add(flightTime - time.Second))
	if _, ok, _ := r.Enter(t.Context(), "k", 1); ok {
		t.Error("it went too early")
	}
	mini.SetTime(now.Add(flightTime + time.Second))
	if _, ok, err := r.Enter(t.Context(), "k", 1); !ok || err != nil {
		t.Errorf("it is still counted: %v", err)
	}
	mini.SetTime(now.Add(2 * flightTime))
	r.renewFlights(t.Context())
	mini.SetTime(now.Add(2*flightTime + flightTime/2))
	if _, ok, _ := r.Enter(t.Context(), "k", 1); ok {
		t.Error("one that was renewed went")
	}
}

func TestGenerations(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		a, _ := open(t, url)
		b, _ := open(t, url)
		epoch, before, ok := a.Generations("o1", "b2")
		if !ok || epoch == 0 {
			t.Fatal(epoch, before, ok)
		}
		b.Bump(0, "o1")
		again, after, ok := a.Generations("o1", "b2")
		if !ok || again != epoch || after[0] != before[0]+1 || after[1] != before[1] {
			t.Errorf("epoch %d then %d, generations %v then %v", epoch, again, before, after)
		}
		b.Bump(150*time.Millisecond, "b2")
		if _, _, ok := a.Generations("o1", "b2"); ok {
			t.Error("a shard that is blocked has a generation")
		}
		if _, _, ok := a.Generations("o1"); !ok {
			t.Error("another shard is blocked")
		}
		eventually(t, "the block ends", func() bool { _, _, ok := a.Generations("o1", "b2"); return ok })
	})
}

func TestARedisThatForgotBeginsAnotherEpoch(t *testing.T) {
	mini := miniredis.RunT(t)
	r, _ := open(t, "redis://"+mini.Addr())
	before, _, _ := r.Generations("o1")
	mini.FlushAll()
	if after, _, ok := r.Generations("o1"); !ok || after == before {
		t.Errorf("epoch %d then %d", before, after)
	}
}

func TestALockHasOneOwner(t *testing.T) {
	onBoth(t, func(t *testing.T, url string) {
		a, _ := open(t, url)
		b, _ := open(t, url)
		var inside, most atomic.Int64
		var wg sync.WaitGroup
		for i := range 6 {
			r := []*Redis{a, b}[i%2]
			wg.Go(func() {
				release, err := r.Lock(t.Context(), "upload", func() {})
				if err != nil {
					t.Error(err)
					return
				}
				most.Store(max(most.Load(), inside.Add(1)))
				time.Sleep(5 * time.Millisecond)
				inside.Add(-1)
				release()
			})
		}
		wg.Wait()
		if most.Load() != 1 {
			t.Errorf("%d at once", most.Load())
		}
		told := make(chan struct{}, 100)
		release, err := a.Lock(t.Context(), "upload", func() { told <- struct{}{} })
		if err != nil {
			t.Fatal(err)
		}
		defer release()
		ctx, cancel := context.WithTimeout(t.Context(), 2*lockWatch)
		defer cancel()
		if _, err := b.Lock(ctx, "upload", func() {}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("waiting for another's lock: %v", err)
		}
		<-told // the owner learns that it is waited for
	})
}

func TestALockThatAnotherOwnsIsNotReleased(t *testing.T) {
	mini := miniredis.RunT(t)
	r, _ := open(t, "redis://"+mini.Addr())
	release, err := r.Lock(t.Context(), "upload", func() {})
	if err != nil {
		t.Fatal(err)
	}
	if err := mini.Set(own+"lock:upload", "another"); err != nil {
		t.Fatal(err)
	}
	release()
	if got, _ := mini.Get(own + "lock:upload"); got != "another" {
		t.Errorf("the other's lock is %q", got)
	}
}

func TestRedisThatGoesAndComesBack(t *testing.T) {
	server := testbed.StartRedis(t)
	r, written := open(t, server.URL)
	if _, _, err := r.Take(t.Context(), "k", 1, 1, 1, false); err != nil || r.Err() != nil {
		t.Fatal(err, r.Err())
	}
	epoch, _, _ := r.Generations("o1")
	server.Stop()
	for range 5 {
		if _, _, err := r.Take(t.Context(), "k", 1, 1, 1, false); !errors.Is(err, ErrAway) {
			t.Errorf("while it is away: %v", err)
		}
	}
	r.Bump(0, "o1")
	if _, _, ok := r.Generations("o1"); ok || r.Err() == nil {
		t.Error("generations while it is away")
	}
	if _, err := r.Lock(t.Context(), "id", func() {}); !errors.Is(err, ErrAway) {
		t.Errorf("a lock while it is away: %v", err)
	}
	server.Start()
	eventually(t, "Redis is back", func() bool { return r.Err() == nil })
	if _, _, err := r.Take(t.Context(), "k", 1, 1, 1, false); err != nil {
		t.Error(err)
	}
	if after, _, ok := r.Generations("o1"); !ok || after == epoch {
		t.Errorf("a write was not counted, and the epoch is still %d", after)
	}
	if written.count("Redis is away") != 1 || written.count("Redis is back") != 1 {
		t.Errorf("log: %s", written.String())
	}
}

// A Redis that answers and takes nothing is away until it does, and that is said
// once, also where nobody asks it for anything.
func TestARedisThatIsFull(t *testing.T) {
	server := testbed.StartRedis(t)
	r, _ := open(t, server.URL)
	if _, _, err := r.Take(t.Context(), "k", 1, 9, 1, false); err != nil {
		t.Fatal(err)
	}
	limit := func(bytes string) {
		t.Helper()
		if err := r.client.ConfigSet(t.Context(), "maxmemory", bytes).Err(); err != nil {
			t.Fatal(err)
		}
	}
	limit("1")
	idle, written := open(t, server.URL)
	eventually(t, "a full one is away", func() bool { return idle.Err() != nil })
	for range 3 {
		if err := idle.greet(t.Context()); err == nil {
			t.Error("a full one was taken for one that counts")
		}
	}
	limit("0")
	eventually(t, "it is back", func() bool { return idle.Err() == nil })
	if written.count("Redis is away") != 1 || written.count("Redis is back") != 1 {
		t.Errorf("log: %s", written.String())
	}
}

// A Redis that takes connections and says nothing costs one wait, not one for
// each request.
func TestRedisThatHangs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, _ := openWith(t, "redis://:secret-of-redis@"+l.Addr().String(), 0)
	began := time.Now()
	for range 50 {
		if _, _, err := r.Take(t.Context(), "k", 1, 1, 1, false); !errors.Is(err, ErrAway) {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took > 5*Patience {
		t.Errorf("50 calls took %v", took)
	}
}

func TestAClientThatLeavesDoesNotMakeRedisLookAway(t *testing.T) {
	r, _ := open(t, "redis://"+miniredis.RunT(t).Addr())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := r.Take(ctx, "k", 1, 1, 1, false); err != nil || r.Err() != nil {
		t.Errorf("%v, %v", err, r.Err())
	}
}

func TestTheURLIsNeverShown(t *testing.T) {
	mini := miniredis.RunT(t)
	mini.RequireAuth("right-password")
	r, written := open(t, "redis://:wrong-password@"+mini.Addr())
	_, _, err := r.Take(t.Context(), "k", 1, 1, 1, false)
	if !errors.Is(err, ErrAway) {
		t.Errorf("with a wrong password: %v", err)
	}
	_, bad := Open("redis://:hidden-password@host:port:port/x?db=y", patient, zerolog.Nop())
	for _, text := range []string{r.Err().Error(), bad.Error()} {
		if strings.Contains(text, "wrong-password") || strings.Contains(text, "hidden-password") {
			t.Errorf("shown: %s", text)
		}
	}
	if written.count("wrong-password") > 0 {
		t.Error("logged")
	}
	right, _ := open(t, "redis://:right-password@"+mini.Addr()+"/3")
	if _, _, err := right.Take(t.Context(), "k", 1, 1, 1, false); err != nil {
		t.Error(err)
	}
}
