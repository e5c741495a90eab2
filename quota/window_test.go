package quota

import (
	"context"
	"errors"
	"testing"
)

// What overlapping changes of one resource change is taken once, from what is
// there in the end.
func TestWhatAWindowSettles(t *testing.T) {
	of := func(bytes int64) state { return state{Usage: Usage{bytes, 1}} }
	version := func(bytes int64, id string) state { return state{Usage{bytes, 1}, id} }
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
			var all []*window
			for range tt.outcomes {
				v := w.enter(t.Context(), r)
				w.take(v, "q", Ticket{Growth: Usage{50, 1}, Count: 7})
				all = append(all, v)
			}
			for i, o := range tt.outcomes {
				s, last := w.exit(t.Context(), all[i], o)
				if last != (i == len(all)-1) {
					t.Fatalf("change %d is the last one: %v", i, last)
				}
				if !last {
					continue
				}
				if got := s["q"]; got.change != tt.want || got.doubt != tt.doubt || len(got.tickets) != len(all) || got.count != 7 {
					t.Errorf("got %+v, want %+v %v", got, tt.want, tt.doubt)
				}
			}
			if len(w.open) != 0 {
				t.Error("the window is still open")
			}
		})
	}
}
