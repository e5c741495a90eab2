package backend

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// One refusal that came of a damaged request does not make a store one without
// conditions, and a store that has none is asked again after a while.
func TestABackendIsFoundToEnforceConditions(t *testing.T) {
	for _, tt := range []struct {
		name    string
		damaged int // so many of its first answers are 400
		ignores bool
		want    []bool // of one question after another, a minute apart
	}{
		{"it enforces them", 0, false, []bool{true, true}},
		{"one request is damaged", 1, false, []bool{true, true}},
		{"two are", 2, false, []bool{false, true}},
		{"it ignores them", 0, true, []bool{false, false}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			asked, now := 0, time.Now()
			stored := map[string]bool{}
			c := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodDelete {
					return
				}
				asked++
				switch {
				case asked <= tt.damaged:
					w.WriteHeader(http.StatusBadRequest)
					fmt.Fprint(w, "<Error><Code>InvalidRequest</Code><Message>Invalid Request</Message></Error>")
				case !tt.ignores && (r.Header.Get("If-Match") != "" || stored[r.URL.Path]):
					w.WriteHeader(http.StatusPreconditionFailed)
				}
				stored[r.URL.Path] = true
			})
			c.log, c.now = zerolog.Nop(), func() time.Time { return now }
			for i, want := range tt.want {
				got, err := c.EnforcesWrites(t.Context(), "bucket")
				if err != nil || got != want {
					t.Errorf("question %d: %v, %v", i, got, err)
				}
				before := asked
				if again, err := c.EnforcesWrites(t.Context(), "bucket"); err != nil || again != want || asked != before {
					t.Errorf("question %d, at once: %v, %v, %d requests", i, again, err, asked-before)
				}
				now = now.Add(2 * believed)
			}
		})
	}
}
