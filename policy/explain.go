package policy

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway"
)

// String explains the decision: the answer and the rule that gave it.
func (d Verdict) String() string {
	answer := "denied"
	if d.Allowed {
		answer = "allowed"
	}
	return answer + ": " + d.Rule()
}

// Rule names what decided, for the audit log: a grant with its place in the
// configuration, or the rule that holds without one.
func (d Verdict) Rule() string {
	if d.grant == nil {
		return d.reason
	}
	return d.grant.String()
}

// MessageUnsigned is what the S3 door says to a request without a signature.
const MessageUnsigned = "This needs an authenticated caller: sign the request with an access key, or use a link."

// Err is nil for an allowed request and a *gateway.Error with code AccessDenied
// otherwise. Its cause, which no client sees, is the rule that decided.
func (d Verdict) Err() error {
	switch {
	case d.Allowed:
		return nil
	case d.reason == byAnonymous:
		return gateway.Errorf(gateway.AccessDenied, MessageUnsigned)
	case d.reason == byReserved || d.reason == byLink || d.reason == byUnknown:
		return gateway.Errorf(gateway.AccessDenied, "%s.", strings.ToUpper(d.reason[:1])+d.reason[1:])
	}
	return gateway.Errorf(gateway.AccessDenied, "The caller is not granted this.").Because(errors.New(d.Rule()))
}

// String says what a grant is about, on one line.
func (g *grant) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "grant %d of caller %s", g.number, g.caller)
	if g.Where != "" {
		fmt.Fprintf(&b, " (%s)", g.Where)
	}
	verb := "allows"
	if g.Deny {
		verb = "denies"
	}
	words := make([]string, len(g.Actions))
	for i, a := range g.Actions {
		words[i] = string(a)
	}
	fmt.Fprintf(&b, " %s %s on %s", verb, strings.Join(words, ", "), strings.Join(g.Buckets, ", "))
	if g.Prefix != "" {
		fmt.Fprintf(&b, ", keys that begin %q", g.Prefix)
	}
	if len(g.From) > 0 {
		fmt.Fprintf(&b, ", from %s", joinNetworks(g.From))
	}
	if h := g.Between; h != (Hours{}) {
		fmt.Fprintf(&b, ", between %02d:%02d and %02d:%02d UTC", h.From/60, h.From%60, h.To/60, h.To%60)
	}
	return b.String()
}

// Traffic says the limits on the traffic of an action of a caller on a bucket, one
// by one, each with the setting that made it; none where there is none.
func (p *Policy) Traffic(c gateway.Caller, bucket string, a gateway.Action) (all []string) {
	add := func(r *Rate, unit string) {
		if r != nil && r.limits() {
			f := r.filled()
			all = append(all, fmt.Sprintf("%s %s a second, %d at once (%s)", strconv.FormatFloat(f.PerSecond, 'f', -1, 64), unit, f.Burst, f.Setting))
		}
	}
	var both []rates
	if !c.Anonymous() {
		both = append(both, p.ratesOfCaller(c.Name))
	}
	if bucket != "" {
		both = append(both, p.ratesOfBucket(bucket))
	}
	for _, own := range both {
		add(own.requests, "requests")
		if class := classOf(a); class >= 0 {
			add(&own.actions[class], "requests")
		}
		add(own.bytes, "bytes each way")
		if own.inFlight > 0 {
			all = append(all, fmt.Sprintf("%d requests under way (in_flight of %s)", own.inFlight, own.entry))
		}
	}
	return all
}

func joinNetworks(networks []netip.Prefix) string {
	texts := make([]string, len(networks))
	for i, n := range networks {
		texts[i] = n.String()
	}
	return strings.Join(texts, ", ")
}

// String says the limits and the settings that made them.
func (l Limits) String() string {
	size := "any size"
	if l.MaxSize > 0 {
		size = fmt.Sprintf("up to %d bytes", l.MaxSize)
	}
	text := fmt.Sprintf("%s (%s), types %s", size, cmp.Or(l.maxSetting, "MAX_FILE_SIZE"), l.Types.by())
	if l.Types.also != nil {
		text += " and " + l.Types.also.by()
	}
	if l.MinSize > 0 {
		text += fmt.Sprintf(", at least %d bytes (%s)", l.MinSize, l.minSetting)
	}
	switch v, _ := l.verify(); v {
	case VerifyAlways:
		text += ", bytes must be of the declared type"
	case VerifyNever:
		text += ", a declared type is believed"
	}
	for i := range l.own {
		text += l.own[i].String()
	}
	if l.clean != nil {
		text += "; and, where the storage cleans the key: " + l.clean.String()
	}
	return text
}

// String says what is limited beside size and allowed types.
func (f *fitting) String() string {
	text := ""
	if f.extensions != nil {
		text += fmt.Sprintf(", extensions %s (allowed_extensions of %s)", strings.Join(f.extensions.Extensions, ", "), f.extensions.of)
	}
	if f.names != nil {
		text += fmt.Sprintf(", names %s (allowed_names of %s)", strings.Join(f.names.Names, ", "), f.names.of)
	}
	for i := range f.places {
		o := &f.places[i]
		if !o.fits(f.bucket, f.key) {
			continue
		}
		if o.denied != nil {
			text += ", no types of " + o.denied.setting
		}
		if len(o.DeniedExtensions) > 0 {
			text += fmt.Sprintf(", no extensions %s (denied_extensions of %s)", strings.Join(o.DeniedExtensions, ", "), o.of)
		}
	}
	return text
}

// by names the setting that made the list.
func (t Types) by() string {
	setting := cmp.Or(t.setting, "ALLOWED_FILE_TYPES")
	if t.any {
		return "all (" + setting + ")"
	}
	return "as in " + setting
}
