package policy

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway"
)

var alice = gateway.Caller{Name: "alice"}

// underRates gives rules with rates of one caller and one bucket.
func underRates(t *testing.T, caller, bucket Rates) *Policy {
	t.Helper()
	rules, err := NewRules([]CallerRules{{Name: "alice", Everything: true, Rates: caller}, {Name: "bob", Everything: true}},
		[]BucketRules{{Name: "shop", Rates: bucket}})
	if err != nil {
		t.Fatal(err)
	}
	return &Policy{Rules: rules, Rate: Rate{PerSecond: 1, Burst: 2, Setting: "RATE_LIMIT"}}
}

// pass runs one request through a Traffic.
func pass(t *Traffic, r *http.Request, h func(w http.ResponseWriter, r *http.Request, p *Passage)) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	t.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h(w, r, PassageFrom(r.Context())) })).ServeHTTP(w, r)
	return w
}

func newTraffic(c *clock) *Traffic {
	return NewTraffic(TrafficOptions{Entries: 100, Now: c.now, StreamNow: time.Now})
}

// ask asks for one action of a caller on a bucket.
func ask(t *Traffic, p *Policy, c gateway.Caller, bucket string, actions ...gateway.Action) (err error) {
	pass(t, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, _ *http.Request, passage *Passage) {
		if err = passage.Caller(p, c); err != nil {
			return
		}
		for _, a := range actions {
			if err = passage.Bucket(p, c, bucket, a); err != nil {
				return
			}
		}
	})
	return err
}

func TestRatesOfCallersBucketsAndActions(t *testing.T) {
	two, three, lifted := Rate{PerSecond: 0.1, Burst: 2}, Rate{PerSecond: 0.1, Burst: 3}, Rate{}
	for name, c := range map[string]struct {
		caller, bucket Rates
		who            gateway.Caller
		action         gateway.Action
		allowed        int
		setting        string
	}{
		"the setting holds for a caller without a rate of its own": {Rates{}, Rates{}, gateway.Caller{Name: "bob"}, gateway.Read, 2, "RATE_LIMIT."},
		"a rate of its own takes its place":                        {Rates{Requests: &three}, Rates{}, alice, gateway.Read, 3, "rate of caller alice."},
		"a rate of none lifts it":                                  {Rates{Requests: &lifted}, Rates{}, alice, gateway.Read, 20, ""},
		"a class of actions has a rate of its own":                 {Rates{Requests: &lifted, Actions: map[gateway.Action]Rate{gateway.Write: three}}, Rates{}, alice, gateway.Write, 3, "rates.write of caller alice."},
		"other classes are free of it":                             {Rates{Requests: &lifted, Actions: map[gateway.Action]Rate{gateway.Write: three}}, Rates{}, alice, gateway.Read, 20, ""},
		"deleting a version is deleting":                           {Rates{Requests: &lifted, Actions: map[gateway.Action]Rate{gateway.Delete: two}}, Rates{}, alice, gateway.DeleteVersion, 2, "rates.delete of caller alice."},
		"a bucket has a rate":                                      {Rates{Requests: &lifted}, Rates{Requests: &three}, alice, gateway.Read, 3, "rate of bucket shop."},
		"a bucket has one for everybody, the anonymous too":        {Rates{}, Rates{Requests: &three}, gateway.Caller{}, gateway.Read, 3, "rate of bucket shop."},
		"a bucket has one by class":                                {Rates{Requests: &lifted}, Rates{Actions: map[gateway.Action]Rate{gateway.List: two}}, alice, gateway.List, 2, "rates.list of bucket shop."},
	} {
		t.Run(name, func(t *testing.T) {
			p, traffic := underRates(t, c.caller, c.bucket), newTraffic(newClock())
			n, err := 0, error(nil)
			for n < 20 && err == nil {
				if err = ask(traffic, p, c.who, "shop", c.action); err == nil {
					n++
				}
			}
			if n != c.allowed {
				t.Errorf("%d allowed, want %d", n, c.allowed)
			}
			if c.setting != "" && (gateway.CodeOf(err) != gateway.SlowDown || !strings.HasSuffix(gateway.AsError(err).Message, c.setting)) {
				t.Errorf("refused with %v, want the setting %s", err, c.setting)
			}
		})
	}
}

func TestARequestCountsOnceHoweverOftenItAsks(t *testing.T) {
	p, traffic := underRates(t, Rates{}, Rates{Requests: &Rate{PerSecond: 0.1, Burst: 2}}), newTraffic(newClock())
	for i := range 2 {
		if err := ask(traffic, p, alice, "shop", gateway.Read, gateway.Write, gateway.Read, gateway.Delete); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	if ask(traffic, p, gateway.Caller{Name: "bob"}, "shop", gateway.Read) == nil {
		t.Error("the bucket's rate does not hold for all callers together")
	}
}

func TestACallerAtItsLimitDoesNotHinderAnother(t *testing.T) {
	p, traffic := underRates(t, Rates{}, Rates{}), newTraffic(newClock())
	for range 50 {
		_ = ask(traffic, p, alice, "shop", gateway.Read)
	}
	if err := ask(traffic, p, gateway.Caller{Name: "bob"}, "shop", gateway.Read); err != nil {
		t.Errorf("bob: %v", err)
	}
}

func TestARateThatChangesHoldsFromTheNextRequestOn(t *testing.T) {
	c := newClock()
	l := newLimited(Rate{PerSecond: 0.1, Burst: 1}, 10, c.now)
	if allowed(l, "a", 5) != 1 {
		t.Fatal("the first rate does not hold")
	}
	l.rate = Rate{PerSecond: 10, Burst: 5}
	if allowed(l, "a", 1) != 0 {
		t.Error("a new rate fills the bucket")
	}
	c.advance(time.Second)
	if n := allowed(l, "a", 20); n != 5 {
		t.Errorf("%d allowed under the new rate, want 5", n)
	}
	l.rate = Rate{PerSecond: 10, Burst: 2}
	c.advance(time.Minute)
	if n := allowed(l, "a", 20); n != 2 {
		t.Errorf("%d allowed under the smaller burst, want 2", n)
	}
}

func TestRequestsInFlight(t *testing.T) {
	p, traffic := underRates(t, Rates{Requests: &Rate{}, InFlight: 2}, Rates{}), newTraffic(newClock())
	in, out := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			pass(traffic, httptest.NewRequest("GET", "/", nil), func(_ http.ResponseWriter, _ *http.Request, passage *Passage) {
				if err := passage.Caller(p, alice); err != nil {
					t.Error(err)
				}
				in <- struct{}{}
				<-out
			})
		})
		<-in
	}
	err := ask(traffic, p, alice, "shop", gateway.Read)
	if gateway.CodeOf(err) != gateway.SlowDown || !strings.Contains(err.Error(), "in_flight of caller alice") {
		t.Errorf("the third: %v", err)
	}
	if err := ask(traffic, p, gateway.Caller{Name: "bob"}, "shop", gateway.Read); err != nil {
		t.Errorf("another caller: %v", err)
	}
	close(out)
	wg.Wait()
	if err := ask(traffic, p, alice, "shop", gateway.Read); err != nil {
		t.Errorf("after the others: %v", err)
	}
	if len(traffic.flights.slots) != 0 {
		t.Errorf("%v is still counted", traffic.flights.slots)
	}
}

func TestStreamsAreSlowedAndNotCut(t *testing.T) {
	const size = 60_000
	rate := Rate{PerSecond: 100_000, Burst: 10_000}
	p := underRates(t, Rates{Bytes: &rate}, Rates{})
	for _, way := range []string{"up", "down", "brought from another backend"} {
		t.Run(way, func(t *testing.T) {
			traffic, body := newTraffic(newClock()), bytes.Repeat([]byte{7}, size)
			began := time.Now()
			got := pass(traffic, httptest.NewRequest("PUT", "/", bytes.NewReader(body)), func(w http.ResponseWriter, r *http.Request, passage *Passage) {
				if err := passage.Caller(p, alice); err != nil {
					t.Fatal(err)
				}
				if way == "down" {
					_, _ = w.Write(body)
					return
				}
				source := r.Body
				if way != "up" {
					source = passage.Incoming(io.NopCloser(bytes.NewReader(body)))
				}
				read, err := io.ReadAll(source)
				if err != nil || !bytes.Equal(read, body) {
					t.Errorf("%d bytes, %v", len(read), err)
				}
			})
			if way == "down" && !bytes.Equal(got.Body.Bytes(), body) {
				t.Errorf("%d bytes came", got.Body.Len())
			}
			// All but the burst, and what moved last, takes its time.
			if took := time.Since(began); took < 380*time.Millisecond || took > 5*time.Second {
				t.Errorf("took %v, want about half a second", took)
			}
		})
	}
}

func TestAStreamThatWaitsEndsWithItsRequest(t *testing.T) {
	rate := Rate{PerSecond: 1, Burst: 1}
	p, traffic := underRates(t, Rates{Bytes: &rate}, Rates{}), newTraffic(newClock())
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("the client left")
	r := httptest.NewRequest("PUT", "/", strings.NewReader("abcdef")).WithContext(ctx)
	pass(traffic, r, func(w http.ResponseWriter, r *http.Request, passage *Passage) {
		if err := passage.Caller(p, alice); err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(20*time.Millisecond, func() { cancel(gone) })
		if read, err := io.ReadAll(r.Body); !errors.Is(err, gone) || len(read) > 3 {
			t.Errorf("read %q, %v", read, err)
		}
		if n, err := w.Write([]byte("abcdef")); !errors.Is(err, gone) || n > 3 {
			t.Errorf("wrote %d, %v", n, err)
		}
	})
}

func TestNoPassageLimitsNothing(t *testing.T) {
	p := PassageFrom(t.Context())
	p.Tell(http.Header{})
	if err := errors.Join(p.Caller(&Policy{}, alice), p.Bucket(&Policy{}, alice, "shop", gateway.Read)); err != nil {
		t.Error(err)
	}
}

func TestFieldsDescribeEachLimit(t *testing.T) {
	p := underRates(t, Rates{Actions: map[gateway.Action]Rate{gateway.Write: {PerSecond: 0.5, Burst: 3}}}, Rates{})
	got := pass(newTraffic(newClock()), httptest.NewRequest("GET", "/", nil), func(w http.ResponseWriter, _ *http.Request, passage *Passage) {
		passage.Tell(w.Header())
		if err := errors.Join(passage.Caller(p, alice), passage.Bucket(p, alice, "shop", gateway.Write)); err != nil {
			t.Error(err)
		}
	})
	if a, b := got.Header().Get("RateLimit-Policy"), got.Header().Get("RateLimit"); a != `"caller";q=2;w=2, "caller-write";q=3;w=6` || b != `"caller";r=1;t=1, "caller-write";r=2;t=2` {
		t.Errorf("RateLimit-Policy: %s\nRateLimit: %s", a, b)
	}
}
