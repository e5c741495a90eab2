package fairshare

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

func hold(caller, address string, units, moved int64) Hold {
	return Hold{Class: Class{caller, address}, Units: units, Moved: moved, Over: 2 * time.Second}
}

// Of the class furthest above its share the stream goes that holds most for its
// rate, and nobody below a share loses one.
func TestWhoseStreamIsEnded(t *testing.T) {
	young := hold("a", "1", 60, 0)
	young.Over = 0
	for name, c := range map[string]struct {
		holds []Hold
		asks  Class
		want  int
	}{
		"the slow one of the greedy caller":    {[]Hold{hold("a", "1", 40, 1<<20), hold("a", "1", 40, 10), hold("b", "2", 20, 0)}, Class{"c", "3"}, 1},
		"the larger of two that stand still":   {[]Hold{hold("a", "1", 30, 0), hold("a", "1", 60, 0)}, Class{"b", "2"}, 1},
		"everybody has their share":            {[]Hold{hold("a", "1", 50, 0), hold("b", "2", 50, 0)}, Class{"b", "2"}, -1},
		"who asks is above its share":          {[]Hold{hold("a", "1", 70, 0), hold("b", "2", 30, 0)}, Class{"a", "1"}, -1},
		"a caller alone, from one address":     {[]Hold{hold("a", "1", 100, 0)}, Class{"a", "1"}, -1},
		"a caller alone, from another address": {[]Hold{hold("a", "1", 100, 0)}, Class{"a", "2"}, 0},
		"anonymous clients are one class":      {[]Hold{hold("", "1", 50, 0), hold("", "2", 50, 9)}, Class{"a", "3"}, 0},
		"an anonymous client with its share":   {[]Hold{hold("a", "1", 33, 0), hold("b", "1", 33, 0), hold("", "3", 34, 0)}, Class{"", "3"}, -1},
		"one anonymous address among others":   {[]Hold{hold("", "1", 90, 0), hold("", "2", 10, 0)}, Class{"", "3"}, 0},
		"nothing is known of a young stream":   {[]Hold{young, hold("b", "2", 40, 0)}, Class{"c", "3"}, -1},
	} {
		if got := Victim(100, c.holds, c.asks, nil); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// Whatever is held, no stream of a class at or below its share is ended, and never
// one of who asks.
func TestNobodyBelowTheirShareIsEnded(t *testing.T) {
	for seed := range uint64(20_000) {
		random := rand.New(rand.NewPCG(seed, 1))
		const total = 1000
		var holds []Hold
		class := func() Class {
			return Class{string("\x00abc"[random.IntN(4)]), string("123"[random.IntN(3)])}
		}
		for left := int64(total); left > 0 && len(holds) < 20; {
			h := hold("", "", min(left, 1+random.Int64N(300)), random.Int64N(1000))
			h.Class = class()
			holds, left = append(holds, h), left-h.Units
		}
		asks := class()
		at := Victim(total, holds, asks, nil)
		if at < 0 {
			continue
		}
		s := sharesOf(total, holds, []Class{asks})
		if victim := holds[at].Class; victim == asks || s.classAbove(victim) <= 0 || s.classAbove(asks) >= 0 ||
			victim.Caller != asks.Caller && s.callerAbove(victim.Caller) <= 0 {
			t.Fatalf("seed %d: %v is ended for %v of %v", seed, victim, asks, holds)
		}
	}
}

// request is a stream of a caller, as Handler makes one.
func request(t *testing.T, caller, address string) (context.Context, *Stream) {
	record := &gateway.Record{}
	record.Update(func(f *gateway.Fields) { f.Caller = caller })
	s := &Stream{address: address, record: record, control: http.NewResponseController(httptest.NewRecorder())}
	return context.WithValue(t.Context(), streamKey{}, s), s
}

type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// With room for all nobody is watched or ended; one who waits has the slowest
// stream of the greedy caller ended, and gets what it held.
func TestAStreamIsEndedOnlyUnderPressure(t *testing.T) {
	time := &clock{now: time.Unix(1000, 0)}
	p := NewPool("memory", 100, time.Now)
	idle, idler := request(t, "greedy", "1")
	quick, mover := request(t, "greedy", "1")
	held, err := p.Take(idle, 50, minute)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Take(quick, 50, minute); err != nil {
		t.Fatal(err)
	}
	time.advance(10 * minute)
	p.relieve()
	if idler.Err() != nil || mover.Err() != nil {
		t.Fatal("a stream was ended although nobody waits")
	}
	other, _ := request(t, "other", "2")
	got := make(chan error, 1)
	go func() {
		_, err := p.Take(other, 30, minute)
		got <- err
	}()
	waitFor(t, func() bool { p.mu.Lock(); defer p.mu.Unlock(); return len(p.waiters) == 1 })
	p.relieve()
	if idler.Err() != nil {
		t.Fatal("a stream was ended before the wait was long enough")
	}
	mover.moved.Add(1 << 20)
	for range 3 {
		time.advance(patience)
		p.relieve()
	}
	if gateway.CodeOf(idler.Err()) != gateway.StreamEnded || !strings.Contains(idler.Err().Error(), "memory") || mover.Err() != nil {
		t.Fatalf("idle %v, moving %v", idler.Err(), mover.Err())
	}
	held.Release()
	if err := <-got; err != nil {
		t.Error(err)
	}
}

const minute = time.Minute

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("never came true")
		}
	}
}

// Who holds least is served first, whoever came first.
func TestTheCallerThatHoldsLeastIsServedFirst(t *testing.T) {
	p := NewPool("memory", 100, time.Now)
	a, _ := request(t, "a", "1")
	b, _ := request(t, "b", "2")
	most, err := p.Take(a, 100, minute)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan string, 2)
	take := func(ctx context.Context, name string) {
		waiters := func() int { p.mu.Lock(); defer p.mu.Unlock(); return len(p.waiters) }
		before := waiters()
		go func() {
			if _, err := p.Take(ctx, 10, minute); err == nil {
				served <- name
			}
		}()
		waitFor(t, func() bool { return waiters() == before+1 })
	}
	take(a, "a")
	take(b, "b")
	most.Shrink(10)
	if first := <-served; first != "b" {
		t.Errorf("%s was served first", first)
	}
	most.Shrink(10)
	if second := <-served; second != "a" {
		t.Error(second)
	}
}

// Streams that all hold and wait for more would do so without end: the one that
// moved least is refused, and the others go on.
func TestStreamsThatWaitForEachOther(t *testing.T) {
	p := NewPool("memory", 100, time.Now)
	grants := make([]*Grant, 4)
	ctx := make([]context.Context, 4)
	for i := range grants {
		var s *Stream
		ctx[i], s = request(t, "a", "1")
		s.moved.Store(int64(100 - i))
		var err error
		if grants[i], err = p.Take(ctx[i], 25, minute); err != nil {
			t.Fatal(err)
		}
	}
	var all sync.WaitGroup
	refused := make(chan int, 4)
	for i := range grants {
		all.Go(func() {
			if err := grants[i].Grow(ctx[i], 25, minute); err != nil {
				refused <- i
			}
			grants[i].Release()
		})
	}
	all.Wait()
	close(refused)
	n := 0
	for range refused {
		n++
	}
	if n == 0 || n > 2 || p.held != 0 {
		t.Errorf("%d were refused, %d units are held in the end", n, p.held)
	}
}

// A wait ends when its time is over, or the client has gone.
func TestAWaitEnds(t *testing.T) {
	p := NewPool("memory", 1, time.Now)
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := p.Take(ctx, 1, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Take(ctx, 1, time.Millisecond); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	if _, err := p.TakeOrEnd(ctx, 1); !errors.Is(err, ErrFull) {
		t.Error(err)
	}
	cancel()
	if _, err := p.Take(ctx, 1, minute); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if len(p.waiters) != 0 || p.held != 1 {
		t.Error(p.waiters, p.held)
	}
}

// An ended stream's read is woken, and its handler still answers.
func TestAnEndedReadIsWoken(t *testing.T) {
	streams := make(chan *Stream, 1)
	server := httptest.NewServer(Handler(func(*http.Request) string { return "here" }, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		streams <- From(r.Context())
		_, err := io.Copy(io.Discard, r.Body)
		if gateway.CodeOf(err) == gateway.StreamEnded {
			http.Error(w, err.Error(), http.StatusRequestTimeout)
		}
	})))
	defer server.Close()
	body, _ := io.Pipe()
	r, err := http.NewRequestWithContext(t.Context(), "PUT", server.URL, io.MultiReader(strings.NewReader("some"), body))
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		s := <-streams
		waitFor(t, func() bool { return s.Moved() == 4 })
		s.End(ended("memory"))
	}()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusRequestTimeout || !strings.Contains(string(text), "other clients wait for memory") {
		t.Errorf("%d %s", resp.StatusCode, text)
	}
}
