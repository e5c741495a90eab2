package precondition

import (
	"net/http"
	"testing"
	"time"
)

var (
	modified = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	earlier  = modified.Add(-time.Second).Format(http.TimeFormat)
	same     = modified.Format(http.TimeFormat)
	there    = State{Exists: true, ETag: `"a"`, Modified: modified}
)

func TestConditionsAreEvaluatedAsRFC9110Says(t *testing.T) {
	for _, c := range []struct {
		name string
		set  Set
		at   State
		read bool
		want Outcome
	}{
		{"no condition", Set{}, there, true, Holds},
		{"a tag that matches", Set{Match: `"a"`}, there, false, Holds},
		{"a tag without quotes", Set{Match: `a`}, there, false, Holds},
		{"a list with the tag", Set{Match: `"x", "a"`}, there, false, Holds},
		{"a list without it", Set{Match: `"x","y"`}, there, false, Failed},
		{"a weak tag under If-Match", Set{Match: `W/"a"`}, there, false, Failed},
		{"any object", Set{Match: "*"}, there, false, Holds},
		{"any object where none is", Set{Match: "*"}, State{}, false, Failed},
		{"no object where one is", Set{NoneMatch: "*"}, there, false, Failed},
		{"no object where none is", Set{NoneMatch: "*"}, State{}, false, Holds},
		{"a weak tag under If-None-Match", Set{NoneMatch: `W/"a"`}, there, true, NotModified},
		{"a comma within a tag", Set{NoneMatch: `"x,a"`}, there, true, Holds},
		{"not modified since its date", Set{ModifiedSince: same}, there, true, NotModified},
		{"modified since an earlier date", Set{ModifiedSince: earlier}, there, true, Holds},
		{"a date that is none", Set{ModifiedSince: "yesterday"}, there, true, Holds},
		{"unmodified since its date", Set{UnmodifiedSince: same}, there, true, Holds},
		{"unmodified since an earlier date", Set{UnmodifiedSince: earlier}, there, true, Failed},
		{"a time that is not known", Set{UnmodifiedSince: same}, State{Exists: true, ETag: "a"}, false, Failed},
		{"If-Match takes the place of the date", Set{Match: `"a"`, UnmodifiedSince: earlier}, there, true, Holds},
		{"If-None-Match takes the place of the date", Set{NoneMatch: `"x"`, ModifiedSince: same}, there, true, Holds},
		{"If-Match before If-None-Match", Set{Match: `"x"`, NoneMatch: `"a"`}, there, true, Failed},
		{"both", Set{Match: `"a"`, NoneMatch: `"a"`}, there, true, NotModified},
	} {
		if got := c.set.Evaluate(c.at, c.read); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestIfRangeMatchesByStrongValidatorsAlone(t *testing.T) {
	for _, c := range []struct {
		value string
		age   time.Duration
		want  bool
	}{
		{`"a"`, 0, true}, {`"b"`, 0, false}, {`W/"a"`, 0, false}, {`"a", "b"`, 0, false}, {"*", 0, false}, {"a", 0, false},
		{same, time.Minute, true}, {same, 0, false}, {earlier, time.Minute, false}, {"", 0, false},
	} {
		if got := RangeHolds(c.value, there, modified.Add(c.age)); got != c.want {
			t.Errorf("%q after %v: %v", c.value, c.age, got)
		}
	}
}
