package quota

import (
	"context"
	"errors"
	"sync"
	"testing"
)

// What overlapping changes of one resource change is taken once, from what is
// there in the end.
func TestWhatAWindowSettles(t *testing.T) {
	of := func(bytes int64) state { return state{Usage: Usage{bytes, 1}} }
	version := func(bytes int64, id string) state { return state{Usage: Usage{bytes, 1}, version: id} }
	failed := errors.New("no answer")
	for name, tt := range map[string]struct {
		before    state
		beforeErr error
		current   bool
		foreign   bool
		outcomes  []outcome
		after     state // what is measured, where it is
		afterErr  error
		want      Usage
		doubt     bool
	}{
		"one write":                            {before: of(10), outcomes: []outcome{{replaced, of(30)}}, current: true, want: Usage{20, 0}},
		"one that was refused":                 {before: of(10), outcomes: []outcome{{kind: nothing}}, current: true},
		"one deletion":                         {before: of(10), outcomes: []outcome{{kind: replaced}}, current: true, want: Usage{-10, -1}},
		"two deletions at once":                {before: of(10), outcomes: []outcome{{kind: replaced}, {kind: replaced}}, current: true, want: Usage{-10, -1}},
		"two writes at once":                   {before: of(10), outcomes: []outcome{{replaced, of(30)}, {replaced, of(40)}}, after: of(30), current: true, want: Usage{20, 0}},
		"no answer":                            {before: of(10), outcomes: []outcome{{kind: unknown}}, after: of(12), current: true, want: Usage{2, 0}},
		"no answer to anything":                {before: of(10), outcomes: []outcome{{kind: unknown}}, afterErr: failed, current: true, want: Usage{50, 1}, doubt: true},
		"a version beside the old one":         {before: version(10, "a"), outcomes: []outcome{{added, version(30, "b")}}, current: true, want: Usage{30, 1}},
		"two versions at once":                 {before: version(10, "a"), outcomes: []outcome{{added, version(30, "b")}, {added, version(40, "c")}}, current: true, want: Usage{70, 2}},
		"no answer, a new version":             {before: version(10, "a"), outcomes: []outcome{{kind: unknown}}, after: version(30, "b"), current: true, want: Usage{30, 1}},
		"no answer, the old version":           {before: version(10, "a"), outcomes: []outcome{{kind: unknown}}, after: version(10, "a"), current: true},
		"a marker in front of a version":       {before: version(10, "a"), outcomes: []outcome{{kind: replaced}}, current: true},
		"a version deleted":                    {before: version(10, "a"), outcomes: []outcome{{kind: replaced}}, want: Usage{-10, -1}},
		"what was there is not known":          {beforeErr: failed, outcomes: []outcome{{replaced, of(30)}}, current: true, want: Usage{30, 1}, doubt: true},
		"another replica changes it":           {before: of(10), foreign: true, outcomes: []outcome{{replaced, of(30)}}, current: true, want: Usage{30, 1}, doubt: true},
		"another replica changes it, deletion": {before: of(10), foreign: true, outcomes: []outcome{{kind: replaced}}, current: true, doubt: true},
	} {
		t.Run(name, func(t *testing.T) {
			measured := 0
			r := resource{name: "r", quotas: []*Quota{{Name: "q"}}, current: tt.current, measure: func(context.Context) (state, error) {
				if measured++; measured == 1 {
					return tt.before, tt.beforeErr
				}
				return tt.after, tt.afterErr
			}}
			w := windows{claim: func(context.Context, string) (func(), bool) { return func() {}, !tt.foreign }}
			var all []*visit
			for range tt.outcomes {
				v := w.enter(t.Context(), r)
				w.take(v, "q", Ticket{Growth: Usage{50, 1}, Count: 7})
				all = append(all, v)
			}
			got := settlement{}
			for i, o := range tt.outcomes {
				got.add(w.exit(t.Context(), all[i], o))
			}
			if got := got["q"]; got.change != tt.want || got.doubt != tt.doubt || len(got.tickets) != len(all) || got.count != 7 {
				t.Errorf("got %+v, want %+v %v", got, tt.want, tt.doubt)
			}
			if len(w.open) != 0 {
				t.Error("the window is still open")
			}
		})
	}
}

// A window that never closes, because its key is written without a pause, holds
// what may be there in the end, and not all that ever was.
func TestWhatAWindowHoldsMeanwhile(t *testing.T) {
	sizes := []int64{50, 80, 70, 0, 80, 90}
	for name, tt := range map[string]struct {
		outcome outcome
		held    Usage // when all but one have ended
		change  Usage // settled until then
	}{
		"one in the place of another":    {outcome{kind: replaced}, Usage{90, 1}, Usage{}},
		"copies in each other's place":   {outcome{kind: inPlace}, Usage{90, 1}, Usage{}},
		"what may be versions":           {outcome{kind: unknown}, Usage{370, 6}, Usage{}},
		"versions":                       {outcome{kind: added, after: state{Usage: Usage{5, 1}, version: "v"}}, Usage{}, Usage{30, 6}},
		"changes that the store refused": {outcome{kind: nothing}, Usage{}, Usage{}},
	} {
		t.Run(name, func(t *testing.T) {
			r := resource{name: "r", quotas: []*Quota{{Name: "q"}}, current: true, measure: func(context.Context) (state, error) { return state{}, nil }}
			w, held, change := windows{}, Usage{}, Usage{}
			settle := func(s settlement) {
				for _, ticket := range s["q"].tickets {
					held = held.minus(ticket.Growth)
				}
				change = change.plus(s["q"].change)
			}
			one := w.enter(t.Context(), r)
			w.take(one, "q", Ticket{})
			for _, size := range sizes {
				next := w.enter(t.Context(), r)
				growth := Usage{size, 1}
				w.take(next, "q", Ticket{Growth: growth})
				held = held.plus(growth)
				settle(w.exit(t.Context(), next, tt.outcome))
			}
			if held != tt.held || change != tt.change {
				t.Errorf("%+v is held, want %+v; %+v was settled, want %+v", held, tt.held, change, tt.change)
			}
			settle(w.exit(t.Context(), one, outcome{kind: nothing}))
			if held != (Usage{}) || len(w.open) != 0 {
				t.Errorf("%+v is held in the end", held)
			}
		})
	}
}

// A window is given up before another one of its key opens, which would take
// itself for another replica's otherwise; others do not wait for that.
func TestAWindowClosesBeforeTheNextOneOpens(t *testing.T) {
	leaving, left := make(chan struct{}), make(chan struct{})
	taken := map[string]bool{}
	var mu sync.Mutex
	w := windows{claim: func(_ context.Context, name string) (func(), bool) {
		mu.Lock()
		defer mu.Unlock()
		ok := !taken[name]
		taken[name] = true
		return func() {
			if name == "a" {
				leaving <- struct{}{}
				<-left
			}
			mu.Lock()
			defer mu.Unlock()
			delete(taken, name)
		}, ok
	}}
	of := func(name string) resource {
		return resource{name: name, measure: func(context.Context) (state, error) { return state{}, nil }}
	}
	v := w.enter(t.Context(), of("a"))
	go w.exit(t.Context(), v, outcome{kind: nothing})
	<-leaving
	next := make(chan *visit)
	go func() { next <- w.enter(t.Context(), of("a")) }()
	w.exit(t.Context(), w.enter(t.Context(), of("b")), outcome{kind: nothing})
	left <- struct{}{}
	if v := <-next; v.foreign {
		t.Error("the window before it is taken for another replica's")
	}
}

// otherReplicas have a resource until they were asked so often.
type otherReplicas struct {
	Shared
	busy int
}

func (o *otherReplicas) Enter(context.Context, string, int64) (func(), bool, error) {
	o.busy--
	return func() {}, o.busy < 0, nil
}

// A change waits for another replica's change of the same resource, for a while.
func TestAChangeWaitsForOtherReplicas(t *testing.T) {
	r := resource{name: "r", measure: func(context.Context) (state, error) { return state{}, nil }}
	enter := func(ctx context.Context, busy int) *visit {
		k := NewKeeper(Options{Shared: &otherReplicas{busy: busy}})
		return (&windows{claim: k.await}).enter(ctx, r)
	}
	if v := enter(t.Context(), 3); v.foreign {
		t.Error("it did not wait")
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if v := enter(ended, 1000); !v.foreign || !v.known {
		t.Errorf("after waiting: foreign %v, known %v", v.foreign, v.known)
	}
}
