package signer

import (
	"crypto/sha256"
	"net/http"
	"time"
)

// Auth is what a verified request proved. It is read-only after Verify.
type Auth struct {
	// AccessKeyID is the key that signed; "" when Anonymous.
	AccessKeyID string
	// Anonymous is true when the request carried no signature at all.
	Anonymous bool
	// Presigned is true when the proof was in the query.
	Presigned bool
	// V2 is true when the signature was one of Version 2. A link's Target is then
	// without what signs it, and Promoted has the headers of its query.
	V2 bool
	// Time is when the client says it signed, within the allowed window.
	Time time.Time
	// Expires is the life of a presigned request, 1 s to 7 days; else 0.
	Expires time.Duration
	// SignedHeaders are the signed header names, lower-case, sorted.
	SignedHeaders []string
	// PayloadHash is x-amz-content-sha256 as signed: 64 lower-case hex digits,
	// or one of the literals; UNSIGNED-PAYLOAD when nothing was said.
	PayloadHash string
	// Host is the host that was signed; "" when Anonymous. It may be the
	// public host instead of the one received.
	Host string
	// Target is the reading of the request's target that was signed: a '+' in the
	// query is a space or a plus. Only this one counts from then on.
	Target Target
	// Promoted are the x-amz-* query parameters that stand for headers, signed
	// with the query; nil when there are none.
	Promoted http.Header

	chain chain
}

// chain is what chunk signatures continue from. The key stays inside a function
// because no formatting verb can print it there.
type chain struct {
	sign      func(stringToSign []byte) [sha256.Size]byte
	date      string // basic ISO 8601
	scope     string
	signature string // of the seed, then of the last chunk
}

// String names the key and the form, and holds nothing secret.
func (a *Auth) String() string {
	switch {
	case a.Anonymous:
		return "anonymous"
	case a.Presigned:
		return a.AccessKeyID + " (presigned)"
	}
	return a.AccessKeyID
}

// header reads a header of the request or the query parameter that stands for
// it; Verify made sure that the two do not differ.
func (a *Auth) header(r *http.Request, name string) string {
	if v := r.Header.Get(name); v != "" {
		return v
	}
	return a.Promoted.Get(name)
}
