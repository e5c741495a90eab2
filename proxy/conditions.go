package proxy

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/precondition"
)

// The conditions of DeleteObject beside If-Match.
const (
	ifMatchTime = "x-amz-if-match-last-modified-time"
	ifMatchSize = "x-amz-if-match-size"
)

// sourcePrefix begins the conditions on a copy's source.
const sourcePrefix = "X-Amz-Copy-Source-"

// isCondition reports a header that makes a request conditional, also one that
// no operation has: what a client made a change depend on is never passed over.
func isCondition(lower string) bool {
	return strings.HasPrefix(lower, "if-") || strings.HasPrefix(lower, "x-amz-if-") ||
		strings.HasPrefix(lower, "x-amz-copy-source-if-")
}

// checkConditions refuses each condition that the operation does not have. A
// form's conditions would be fields, and no field is one.
func checkConditions(x *exchange) error {
	headers := []http.Header{x.header}
	if x.form != nil {
		headers = append(headers, x.r.Header)
	}
	for _, h := range headers {
		for _, name := range slices.Sorted(maps.Keys(h)) {
			if lower := strings.ToLower(name); isCondition(lower) && !slices.Contains(x.op.Conditions, lower) {
				return notImplemented("the header " + lower + " on " + x.op.Name)
			}
		}
	}
	return nil
}

func preconditionFailed(names string) error {
	return gateway.Errorf(gateway.PreconditionFailed, "").With("Condition", names)
}

// checkSource compares a copy's source with the conditions on it, and takes them
// out of the request: the copy is pinned to the ETag that was compared.
func (x *exchange) checkSource(of http.Header) error {
	set := precondition.Read(x.out, sourcePrefix)
	precondition.Remove(x.out, sourcePrefix)
	if set.Evaluate(precondition.StateOf(of), false) != precondition.Holds {
		return preconditionFailed("x-amz-copy-source-If-*")
	}
	return nil
}

// pinWrite turns the conditions of a write into one that every store reads alike:
// a single tag, or no object. A backend that ignores conditions is sent none.
func (d *Door) pinWrite(x *exchange) error {
	set := precondition.Read(x.out, "")
	if set.Empty() {
		return nil
	}
	enforced, err := x.at.Backend.EnforcesWrites(x.r.Context(), x.at.Bucket)
	switch {
	case err != nil:
		return clientGone(x.r.Context(), err)
	case !enforced:
		return notImplemented("if-match or if-none-match on " + x.op.Name + ", which the storage does not enforce")
	case set.NoneMatch == "" && precondition.Single(set.Match), set.Match == "" && set.NoneMatch == "*":
		return nil
	}
	now, err := x.at.Backend.Look(x.r.Context(), x.request())
	if err != nil {
		return clientGone(x.r.Context(), err)
	}
	return x.pinTo(set, now)
}

// pinTo compares an object with conditions and pins the request to it.
func (x *exchange) pinTo(set precondition.Set, now *backend.Held) error {
	if set.Evaluate(now.State, false) != precondition.Holds {
		return preconditionFailed("If-Match, If-None-Match")
	}
	precondition.Remove(x.out, "")
	if now.Exists {
		x.out.Set("If-Match", now.ETag)
	} else {
		x.out.Set("If-None-Match", "*")
	}
	return nil
}

// holdTarget enforces the conditions on the target of a copy. Where the backend
// does not, all other writes of the key wait until release is called.
func (d *Door) holdTarget(x *exchange) (release func(), err error) {
	set := precondition.Read(x.out, "")
	if set.Empty() || x.at.Backend.ConditionalCopies {
		return func() {}, d.pinWrite(x)
	}
	held, err := x.at.Backend.Hold(x.r.Context(), x.request())
	if err != nil {
		return nil, clientGone(x.r.Context(), err)
	}
	if err := x.pinTo(set, held); err != nil {
		held.Release()
		return nil, err
	}
	precondition.Remove(x.out, "")
	x.r = x.r.WithContext(held.Context)
	return held.Release, nil
}

// deleteObject deletes an object, under the conditions that came with it.
func (d *Door) deleteObject(x *exchange) error {
	conditions := backend.DeleteConditions{
		Match: strings.Join(x.out["If-Match"], ", "), Modified: x.out.Get(ifMatchTime), Size: x.out.Get(ifMatchSize),
	}
	if conditions.Empty() {
		return d.forward(x, x.request())
	}
	for _, name := range deleteConditions {
		x.out.Del(name)
	}
	end, known := d.beginChange(x), false
	defer func() { end(known) }()
	resp, err := x.at.Backend.DeleteIf(x.r.Context(), x.fromPage(x.request()), conditions)
	if err == nil {
		defer resp.Body.Close()
		err = x.noteAnswer(resp, func() {})
	}
	known = outcomeKnown(err)
	if err != nil {
		return clientGone(x.r.Context(), err)
	}
	end(known) // before the client hears of it
	return d.stream(x, resp)
}

// readAttempts bounds how often a read is begun anew because the object was
// replaced between the look at its conditions and the read itself.
const readAttempts = 3

// read serves GetObject and HeadObject. Conditions that stores read differently
// are resolved first, and the read is pinned to the object that they held for.
func (d *Door) read(x *exchange) error {
	if !x.resolvesHere(d.Verifier.Now()) {
		return d.forward(x, x.request())
	}
	original := x.out
	for range readAttempts {
		x.out = original.Clone()
		pinned, err := d.resolve(x)
		if err != nil {
			return err
		}
		resp, err := d.sendRead(x, x.request())
		if err == nil {
			defer resp.Body.Close()
			return d.stream(x, resp)
		}
		if !pinned || gateway.CodeOf(err) != gateway.PreconditionFailed {
			return err
		}
	}
	return &gateway.Error{
		Code: gateway.ServiceUnavailable, Message: "The object is being replaced. Try again.", RetryAfter: retryReplaced,
	}
}

// ifRange returns the If-Range of a request for a range. Without a range it means
// nothing (RFC 9110 section 13.1.5).
func (x *exchange) ifRange() string {
	if x.header.Get("Range") == "" {
		return ""
	}
	return x.header.Get("If-Range")
}

// resolvesHere reports conditions that a store may misread: an If-Range, lists,
// weak tags, several conditions at once, and a date that is still to come, which
// some overlook.
func (x *exchange) resolvesHere(now time.Time) bool {
	set := precondition.Read(x.out, "")
	plain := []precondition.Set{
		{}, {Match: set.Match}, {NoneMatch: set.NoneMatch}, {ModifiedSince: set.ModifiedSince}, {UnmodifiedSince: set.UnmodifiedSince},
	}
	at, err := http.ParseTime(set.ModifiedSince)
	switch {
	case x.ifRange() != "":
		return !x.at.Backend.IfRange || !set.Empty()
	case !slices.Contains(plain, set),
		set.Match != "" && !precondition.Single(set.Match),
		set.NoneMatch != "" && !precondition.Single(set.NoneMatch),
		err == nil && at.After(now):
		return true
	}
	return false
}

// noETag is one that no object has: what is not there stays a 404, and what has
// come to be since is looked at anew.
const noETag = `"-"`

// resolve decides on the conditions of a read and leaves in the request what they
// amount to: the object by its ETag, and the range unless If-Range took it away.
func (d *Door) resolve(x *exchange) (pinned bool, err error) {
	now, err := x.at.Backend.Look(x.r.Context(), x.request())
	if err != nil {
		return false, clientGone(x.r.Context(), err)
	}
	set, condition := precondition.Read(x.out, ""), x.ifRange()
	precondition.Remove(x.out, "")
	x.out.Del("If-Range")
	if !now.Exists || now.ETag == "" {
		x.out.Set("If-Match", noETag)
		return true, nil
	}
	switch set.Evaluate(now.State, true) {
	case precondition.Failed:
		return false, preconditionFailed("If-Match, If-Unmodified-Since")
	case precondition.NotModified:
		copyAnswer(x.w.Header(), only(now.Header, notModifiedHeaders))
		return false, errNotModified
	}
	if condition != "" && !precondition.RangeHolds(condition, now.State, d.answeredAt(now.Header)) {
		x.out.Del("Range")
	}
	x.out.Set("If-Match", now.ETag)
	return true, nil
}

// notModifiedHeaders are what S3 says of an object that is not modified (RFC 9110
// section 15.4.5).
var notModifiedHeaders = []string{"Cache-Control", "Date", "Etag", "Expires", "Last-Modified", "Vary", "X-Amz-Bucket-Region", "X-Amz-Request-Id", "X-Amz-Version-Id"}

// only returns the headers of these names.
func only(h http.Header, names []string) http.Header {
	out := http.Header{}
	for _, name := range names {
		if values, ok := h[name]; ok {
			out[name] = values
		}
	}
	return out
}

// answeredAt returns when the backend answered by its own clock, which its dates
// of changes are of too.
func (d *Door) answeredAt(h http.Header) time.Time {
	at, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return d.Verifier.Now()
	}
	return at
}
