// Package precondition evaluates conditional requests as RFC 9110 section 13
// defines them, because stores differ on lists, weak tags and the order of
// conditions.
package precondition

import (
	"net/http"
	"strings"
	"time"
)

// State is the representation that conditions are compared with. The zero value
// is an object that does not exist.
type State struct {
	Exists   bool
	ETag     string // with or without quotes
	Modified time.Time
}

// StateOf returns the state that the headers of a successful HEAD describe.
func StateOf(h http.Header) State {
	modified, _ := http.ParseTime(h.Get("Last-Modified")) // a time that is not known fails a condition on it
	return State{Exists: true, ETag: h.Get("Etag"), Modified: modified}
}

// Set holds the conditions of one request. The zero value has none.
type Set struct {
	Match, NoneMatch               string
	ModifiedSince, UnmodifiedSince string
}

// names are the headers that a Set is read from, without their prefix.
var names = [...]string{"If-Match", "If-None-Match", "If-Modified-Since", "If-Unmodified-Since"}

// Read returns the conditions among headers whose names begin with prefix: "" or
// "X-Amz-Copy-Source-".
func Read(h http.Header, prefix string) Set {
	get := func(name string) string {
		return strings.Join(h[http.CanonicalHeaderKey(prefix+name)], ", ")
	}
	return Set{
		Match: get(names[0]), NoneMatch: get(names[1]),
		ModifiedSince: get(names[2]), UnmodifiedSince: get(names[3]),
	}
}

// Remove deletes the conditions that Read reads.
func Remove(h http.Header, prefix string) {
	for _, name := range names {
		h.Del(prefix + name)
	}
}

// Empty reports whether there is no condition.
func (s Set) Empty() bool { return s == Set{} }

// Outcome says what a server does with a request.
type Outcome int

// The outcomes. NotModified is of reads only.
const (
	Holds Outcome = iota
	Failed
	NotModified
)

// Evaluate applies the conditions in the order of RFC 9110 section 13.2.2. read
// is true for GET and HEAD. A date that does not parse is ignored, as the RFC
// demands.
func (s Set) Evaluate(o State, read bool) Outcome {
	no := Failed
	if read {
		no = NotModified
	}
	switch {
	case s.Match != "":
		if !o.Exists || !MatchesAny(s.Match, o.ETag, false) {
			return Failed
		}
	case s.UnmodifiedSince != "":
		if at, err := http.ParseTime(s.UnmodifiedSince); err == nil && o.Exists && (o.Modified.IsZero() || o.Modified.After(at)) {
			return Failed
		}
	}
	switch {
	case s.NoneMatch != "":
		if o.Exists && MatchesAny(s.NoneMatch, o.ETag, true) {
			return no
		}
	case s.ModifiedSince != "":
		if at, err := http.ParseTime(s.ModifiedSince); err == nil && o.Exists && !o.Modified.After(at) {
			return no
		}
	}
	return Holds
}

// MatchesAny reports whether a list of entity tags names etag or is "*". Without
// weak, a weak tag on either side never matches (RFC 9110 section 8.8.3.2). S3's
// clients send tags without quotes too.
func MatchesAny(list, etag string, weak bool) bool {
	if strings.TrimSpace(list) == "*" {
		return true
	}
	etag, isWeak := bare(etag)
	if etag == "" || isWeak && !weak {
		return false
	}
	for _, one := range split(list) {
		tag, isWeak := bare(one)
		if tag == etag && (weak || !isWeak) {
			return true
		}
	}
	return false
}

// Single reports whether a list is one strong tag, which every store reads alike.
func Single(list string) bool {
	tags := split(list)
	if len(tags) != 1 {
		return false
	}
	tag, weak := bare(tags[0])
	return tag != "" && tag != "*" && !weak
}

// bare returns a tag without its quotes and its weakness.
func bare(tag string) (opaque string, weak bool) {
	tag = strings.TrimSpace(tag)
	tag, weak = strings.CutPrefix(tag, "W/")
	return strings.Trim(tag, `"`), weak
}

// split cuts a list at its commas, but not at those within quotes.
func split(list string) (tags []string) {
	quoted, from := false, 0
	for i := range len(list) {
		switch {
		case list[i] == '"':
			quoted = !quoted
		case list[i] == ',' && !quoted:
			tags, from = append(tags, list[from:i]), i+1
		}
	}
	return append(tags, list[from:])
}

// RangeHolds reports whether an If-Range lets a range apply (RFC 9110 section
// 13.1.5): by a strong tag that is the object's, or by the very date of its last
// change. Within the second of that change the date is weak (section 8.8.2.2),
// because the object may change again without another date.
func RangeHolds(ifRange string, o State, now time.Time) bool {
	ifRange = strings.TrimSpace(ifRange)
	if strings.HasPrefix(ifRange, `"`) || strings.HasPrefix(ifRange, "W/") {
		return Single(ifRange) && MatchesAny(ifRange, o.ETag, false)
	}
	at, err := http.ParseTime(ifRange)
	return err == nil && at.Equal(o.Modified) && now.Sub(o.Modified) >= time.Second
}
