package api

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// conditionsByName are the conditions that an operation has.
var conditionsByName = map[string][]string{
	opDownload:   {"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since", "If-Range"},
	"ChangeFile": {"If-Match"},
	"CopyFile":   {"If-Match"},
	"DeleteFile": {"If-Match"},
}

// knownConditions refuses a condition that the operation does not have: what a
// client made a change depend on is never passed over.
func knownConditions(name string, next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		for _, header := range slices.Sorted(maps.Keys(r.Header)) {
			if strings.HasPrefix(header, "If-") && !slices.Contains(conditionsByName[name], header) {
				err := gateway.Errorf(gateway.NotImplemented, "%s has no meaning here. Leave it out.", clip(header, 64))
				err.Field = clip(header, 64)
				return err
			}
		}
		return next(w, r)
	}
}

// conditionsOf are the request's conditions (RFC 9110 section 13.1) that the
// backend decides on. Not every store knows that a date counts only where there
// is no ETag beside it, and that If-Match comes first (section 13.2.2), so what
// does not count is left out.
func conditionsOf(r *http.Request) http.Header {
	header := http.Header{}
	for _, c := range []struct{ name, not string }{
		{"If-Match", ""}, {"If-None-Match", "If-Match"},
		{"If-Unmodified-Since", "If-Match"}, {"If-Modified-Since", "If-None-Match"},
	} {
		if values := r.Header.Values(c.name); len(values) > 0 && (c.not == "" || r.Header.Get(c.not) == "") {
			header.Set(c.name, strings.Join(values, ", "))
		}
	}
	return header
}

// judgedHere reports an If-None-Match that the backend is not asked about.
func judgedHere(r *http.Request) bool {
	return r.Header.Get("If-Match") != "" && r.Header.Get("If-None-Match") != ""
}

// noneMatch reports that If-None-Match names a file with this ETag, by weak
// comparison (RFC 9110 section 13.1.2).
func noneMatch(r *http.Request, etag string) bool {
	for asked := range strings.SplitSeq(strings.Join(r.Header.Values("If-None-Match"), ","), ",") {
		asked = strings.TrimSpace(asked)
		if asked == "*" || strings.TrimPrefix(asked, "W/") == etag && etag != "" {
			return true
		}
	}
	return false
}

// ifRangeCondition is the condition that stands for an If-Range, with its date
// if it is one. The name is "" for what no file can match: a weak ETag, one
// without its quotes, a list. A store would ignore such a condition, and the
// client would join bytes of two files.
func ifRangeCondition(value string) (name string, at time.Time) {
	if len(value) > 1 && strings.HasPrefix(value, `"`) && strings.HasSuffix(value, `"`) && strings.Count(value, `"`) == 2 {
		return "If-Match", at
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return "", at
	}
	return "If-Unmodified-Since", at
}
