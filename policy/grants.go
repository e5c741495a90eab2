package policy

import (
	"context"

	"github.com/codeguardians/s3gateway"
)

// actions are all that a caller can be granted, links those that a link may.
var (
	actions = []gateway.Action{
		gateway.List, gateway.Read, gateway.Write, gateway.Delete, gateway.DeleteVersion, gateway.Manage,
	}
	links = []gateway.Action{gateway.Read, gateway.Write}
)

// Allow is nil when Decide allows the request. The error is a *gateway.Error
// with code AccessDenied.
func (p *Policy) Allow(r Request) error { return p.Decide(r).Err() }

// Judge asks DecideBoth and leaves a denial in the record of the request, for the
// audit log.
func (p *Policy) Judge(ctx context.Context, r Request) error {
	v := p.DecideBoth(r)
	if !v.Allowed {
		gateway.RecordFrom(ctx).Update(func(f *gateway.Fields) {
			f.Judged = append(f.Judged, gateway.Judged{Action: r.Action, Bucket: r.Bucket, Key: r.Key, Denied: true, Rule: v.Rule()})
		})
	}
	return v.Err()
}

// May is Allow for a request whose address and time are not known, so that
// grants with such conditions count against the caller.
func (p *Policy) May(c gateway.Caller, a gateway.Action, bucket, key string) error {
	return p.Allow(Request{Caller: c, Action: a, Bucket: bucket, Key: key})
}
