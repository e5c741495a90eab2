package main

import (
	"net/http"
	"strconv"
	"testing"
)

// Whatever way bytes come by, a quota that is one byte too small keeps them out,
// and one that fits takes them.
func TestTheQuotaHoldsOnEveryWayToStoreBytes(t *testing.T) {
	for _, way := range ways {
		for _, c := range []struct {
			name  string
			quota int
			want  refusal
		}{
			{"exactly the quota", limit, refusal{}},
			{"one byte over", limit - 1, refusal{507, "QuotaExceeded"}},
		} {
			t.Run(way.name+"/"+c.name, func(t *testing.T) {
				w := newWorld(t, "MAX_FILE_SIZE=0", "ALLOWED_FILE_TYPES=image/png", "QUOTA_BYTES="+strconv.Itoa(c.quota))
				want, inPlace := c.want, method(way) == http.MethodPatch
				if inPlace {
					want = refusal{} // it takes no more room than before
				}
				got := way.put(w, "picture.png", "image/png", png(limit))
				if got != want {
					t.Fatalf("got %+v, want %+v", got, want)
				}
				if want != (refusal{}) {
					w.unchanged()
					return
				}
				w.holds(limit, inPlace)
			})
		}
	}
}

