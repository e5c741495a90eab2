package policy

import (
	"strings"

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

// May is Allow for a request whose address and time are not known, so that
// grants with such conditions count against the caller.
func (p *Policy) May(c gateway.Caller, a gateway.Action, bucket, key string) error {
	return p.Allow(Request{Caller: c, Action: a, Bucket: bucket, Key: key})
}

// reserved also takes the bare name: on a backend with folders an object of
// that name would stand in the way of everything under it.
func reserved(key string) bool {
	return strings.HasPrefix(key, gateway.ReservedPrefix) || key+"/" == gateway.ReservedPrefix
}
