// Package verify proves the files that came straight to the backend.
//
// With PRESIGN_VIA=backend clients send files by links past the gateway, so an
// object may be there whose size and type nobody has judged. What was judged
// carries a mark in its user metadata; what lies under the upload prefix
// without a valid mark is unverified, and neither door serves or copies it
// before a check:
//
//	resp := … GET from the backend …
//	if !gate.Verified(key, resp.Header) {
//		err := gate.Check(ctx, key, "") // judged and marked, or refused
//		… GET again …
//	}
//
// The mark is looked for in the very answer that is about to be served, so that
// an object which a link replaced a moment ago is unverified again. The check
// streams the object once and copies it onto itself with the mark, on condition
// of its ETag.
//
// A mark cannot be had from outside: both doors refuse metadata of its name, and
// a link's request may carry no x-amz-meta-* header that the link did not sign.
package verify
