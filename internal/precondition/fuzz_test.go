package precondition

import (
	"strings"
	"testing"
	"time"
)

// A list matches an ETag only if it names it, and a strong comparison matches less
// than a weak one.
func FuzzMatchesAny(f *testing.F) {
	for _, s := range []string{"*", `"a"`, `W/"a"`, `"a", "b"`, `"a`, `a`, `"a,b"`, `,`, `W/`, `"*"`} {
		f.Add(s, "a")
	}
	f.Fuzz(func(t *testing.T, list, etag string) {
		strong, weak := MatchesAny(list, etag, false), MatchesAny(list, etag, true)
		if strong && !weak {
			t.Fatalf("%q and %q match strongly alone", list, etag)
		}
		bare := strings.Trim(strings.TrimPrefix(strings.TrimSpace(etag), "W/"), `" `)
		if weak && strings.TrimSpace(list) != "*" && !strings.Contains(list, bare) {
			t.Fatalf("%q matches %q without naming it", list, etag)
		}
		_ = RangeHolds(list, State{Exists: true, ETag: etag, Modified: time.Unix(0, 0)}, time.Unix(5, 0))
	})
}
