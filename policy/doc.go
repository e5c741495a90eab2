// Package policy decides: who a caller is, what a caller may do, and which
// uploads are let in. Both doors ask it, so that a rule is written once.
//
// The order of a request is: address rate, who, caller rate, may, size, type.
// Everything that needs no body is decided before the body is touched, and what
// a body proves (its size, its first bytes) is decided before its end goes on.
//
//	limits := p.Limits(bucket, key)
//	body, contentType, err := limits.Admit(policy.Upload{…}, body)
//
// Decisions are pure: time is an argument, nothing here answers a request or
// calls the backend, and every refusal is a *gateway.Error that names the
// setting which opens the door.
package policy
