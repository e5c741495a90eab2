package policy

import (
	"context"

	"github.com/codeguardians/s3gateway"
)

// actions are all that a caller can be granted, links those that a link may.
var (
	actions = []gateway.Action{
		gateway.List, gateway.Read, gateway.ReadVersion, gateway.Write, gateway.Delete, gateway.DeleteVersion, gateway.Manage,
	}
	links = []gateway.Action{gateway.Read, gateway.Write}
)

// Allow is nil when Decide allows the request. The error is a *gateway.Error
// with code AccessDenied.
func (p *Policy) Allow(r Request) error { return p.Decide(r).Err() }

// Judge asks DecideBoth and leaves a denial in the record of the request, for the
// audit log.
func (p *Policy) Judge(ctx context.Context, r Request) error {
	return noted(ctx, r, p.DecideBoth(r))
}

// noted returns the refusal of a verdict, after it left one in the record.
func noted(ctx context.Context, r Request, v Verdict) error {
	if !v.Allowed {
		gateway.RecordFrom(ctx).Update(func(f *gateway.Fields) {
			f.Judged = append(f.Judged, gateway.Judged{Action: r.Action, Bucket: r.Bucket, Key: r.Key, Denied: true, Rule: v.Rule()})
		})
	}
	return v.Err()
}

// DeniesAny refuses what will act on the request's keys where a denial of the caller
// holds for one of them. Such an act comes at any time and from the store itself, or
// from others whom it lets in, so that the conditions of a denial do not narrow it.
// It asks for no grant.
func (p *Policy) DeniesAny(ctx context.Context, r Request) error {
	if p.Rules == nil || p.Rules.callers[r.Caller.Name] == nil {
		return nil
	}
	own, asked := p.Rules.callers[r.Caller.Name], setOf(r.Action)
	for i := range own.grants {
		g := &own.grants[i]
		if g.Deny && g.actions&asked != 0 && g.covers(r.Bucket) && g.reaches(r.keys(), r.Key) {
			return noted(ctx, r, Verdict{grant: g})
		}
	}
	return nil
}

// May is Allow for a request whose address and time are not known, so that
// grants with such conditions count against the caller.
func (p *Policy) May(c gateway.Caller, a gateway.Action, bucket, key string) error {
	return p.Allow(Request{Caller: c, Action: a, Bucket: bucket, Key: key})
}
