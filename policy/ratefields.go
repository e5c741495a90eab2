package policy

import (
	"math"
	"strconv"
)

// The fields of an answer that describe limits
// (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/).
const (
	fieldPolicy = "Ratelimit-Policy"
	fieldLimit  = "Ratelimit"
)

// describe adds a decision to the headers that Tell named: its policy with
// quota and window, and what is left, with the seconds until all of it is back,
// or, after a refusal, until a request may pass. Both are lists.
func (p *Passage) describe(key Key, d Decision) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told == nil || d.Limit == 0 {
		return
	}
	name := key.Kind
	if key.Class != "" {
		name += "-" + key.Class
	}
	until := math.Ceil(float64(d.Limit-d.Remaining) / d.rate)
	if !d.Allowed {
		until = math.Ceil(d.RetryAfter.Seconds())
	}
	add := func(field, item string) {
		if old := p.told.Get(field); old != "" {
			item = old + ", " + item
		}
		p.told.Set(field, item)
	}
	add(fieldPolicy, strconv.Quote(name)+";q="+strconv.FormatInt(d.Limit, 10)+";w="+whole(math.Ceil(float64(d.Limit)/d.rate)))
	add(fieldLimit, strconv.Quote(name)+";r="+strconv.FormatInt(d.Remaining, 10)+";t="+whole(until))
}

// whole is an Integer of RFC 9651, which has at most 15 digits.
func whole(n float64) string {
	return strconv.FormatInt(int64(min(max(n, 0), 1e15-1)), 10)
}
