package quota

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// Usage is what is stored, or a change of it.
type Usage struct {
	// Bytes of objects, of their versions, and of the parts of unfinished
	// multipart uploads.
	Bytes int64
	// Objects are objects and their versions; delete markers and unfinished
	// uploads are none.
	Objects int64
}

func (u Usage) plus(v Usage) Usage  { return Usage{u.Bytes + v.Bytes, u.Objects + v.Objects} }
func (u Usage) minus(v Usage) Usage { return Usage{u.Bytes - v.Bytes, u.Objects - v.Objects} }

// atLeast is the larger of both, number by number.
func (u Usage) atLeast(v Usage) Usage {
	return Usage{max(u.Bytes, v.Bytes), max(u.Objects, v.Objects)}
}

// Place is a part of what backends hold, in their own names.
type Place struct {
	// Backend is the name of an endpoint.
	Backend string
	// Bucket is one bucket. Empty: all those of Buckets.
	Bucket string
	// Buckets reports which buckets belong to the place, where Bucket is empty.
	Buckets func(bucket string) bool
	// Meaning is what Buckets is made of: two places with the same text hold
	// the same buckets.
	Meaning string
	// Prefix is what keys begin with; "" for all keys.
	Prefix string
}

// same reports whether two places hold the same keys.
func same(p, q Place) bool {
	return p.Backend == q.Backend && p.Bucket == q.Bucket && p.Meaning == q.Meaning && p.Prefix == q.Prefix
}

func (p *Place) holds(backend, bucket, key string) bool {
	if p.Backend != backend || !strings.HasPrefix(key, p.Prefix) {
		return false
	}
	if p.Bucket != "" {
		return p.Bucket == bucket
	}
	return p.Buckets != nil && p.Buckets(bucket)
}

// Quota is the most that may be stored in some places together.
type Quota struct {
	// Name is unique, the same on all replicas, and says to people which one
	// it is: "bucket pictures".
	Name string
	// Caller is who is held to it, "" for everybody. What others store in its
	// places counts as well.
	Caller string
	Places []Place
	// Most of bytes and of objects; 0 for any number.
	Most Usage
	// BytesSetting and ObjectsSetting are what Most was set by, for refusals.
	BytesSetting, ObjectsSetting string
}

// holds reports whether a key is in one of the places.
func (q *Quota) holds(backend, bucket, key string) bool {
	return q.place(backend, bucket, key) >= 0
}

// place is the first place that holds a key, -1 for none.
func (q *Quota) place(backend, bucket, key string) int {
	return slices.IndexFunc(q.Places, func(p Place) bool { return p.holds(backend, bucket, key) })
}

// binds reports whether a caller is held to the quota.
func (q *Quota) binds(caller string) bool { return q.Caller == "" || q.Caller == caller }

// refuse is the refusal of a growth that does not fit.
func (q *Quota) refuse(over Over) *gateway.Error {
	if over == OverObjects {
		return gateway.Errorf(gateway.QuotaExceeded, "The storage quota is used up: it is %d objects (%s). Delete some first, or ask for more.",
			q.Most.Objects, q.ObjectsSetting).With("QuotaObjects", decimal(q.Most.Objects)).With("Setting", q.ObjectsSetting)
	}
	return gateway.Errorf(gateway.QuotaExceeded, "The storage quota is used up: it is %d bytes (%s). Delete some first, or ask for more.",
		q.Most.Bytes, q.BytesSetting).With("QuotaBytes", decimal(q.Most.Bytes)).With("Setting", q.BytesSetting)
}

// Rules are the quotas of one configuration. A nil *Rules has none.
type Rules struct{ all []*Quota }

// NewRules takes quotas. Each must have a name of its own.
func NewRules(all []Quota) *Rules {
	r := &Rules{}
	for i := range all {
		r.all = append(r.all, &all[i])
	}
	slices.SortFunc(r.all, func(a, b *Quota) int { return cmp.Compare(a.Name, b.Name) })
	return r
}

// of gives the quotas that count a key.
func (r *Rules) of(backend, bucket, key string) (fit []*Quota) {
	if r == nil || gateway.Reserved(key) { // its records count as the files' that they are of
		return nil
	}
	for _, q := range r.all {
		if q.holds(backend, bucket, key) {
			fit = append(fit, q)
		}
	}
	return fit
}

// has reports whether there is a quota of that name.
func (r *Rules) has(name string) bool {
	return r != nil && slices.ContainsFunc(r.all, func(q *Quota) bool { return q.Name == name })
}

// counts reports whether there is a quota of the same name and places: what was
// counted for it is right for the other.
func (r *Rules) counts(other *Quota) bool {
	return r != nil && slices.ContainsFunc(r.all, func(q *Quota) bool {
		return q.Name == other.Name && slices.EqualFunc(q.Places, other.Places, same)
	})
}

// Binding gives the quotas that a caller is held to for a key, in the backend's
// names.
func (r *Rules) Binding(caller, backend, bucket, key string) (all []Quota) {
	for _, q := range r.of(backend, bucket, gateway.CleanKey(key)) {
		if q.binds(caller) {
			all = append(all, *q)
		}
	}
	return all
}

// String says how much it is, and what set it.
func (q Quota) String() string {
	var texts []string
	if q.Most.Bytes > 0 {
		texts = append(texts, fmt.Sprintf("%d bytes (%s)", q.Most.Bytes, q.BytesSetting))
	}
	if q.Most.Objects > 0 {
		texts = append(texts, fmt.Sprintf("%d objects (%s)", q.Most.Objects, q.ObjectsSetting))
	}
	return strings.Join(texts, ", ")
}
