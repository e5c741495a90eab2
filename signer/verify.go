package signer

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// Secrets finds the secret of an access key. It must be safe for concurrent use.
type Secrets interface {
	Secret(accessKeyID string) (secret string, ok bool)
}

// Verifier proves inbound requests. Set it up once and do not copy it after
// use; Verify is safe for concurrent use.
type Verifier struct {
	// Secrets is required. An empty secret counts as no secret.
	Secrets Secrets
	// Regions are the accepted regions of a credential scope; the first is
	// named in refusals. Empty means us-east-1.
	Regions []string
	// MakesBucket reports a request that creates a bucket: its scope may name
	// any region, because clients sign it for the region where the bucket is to
	// be, which is the backend's to accept. Nil means that none does.
	MakesBucket func(*http.Request, Target) bool
	// PublicHost is host[:port] under which clients reach the gateway, in
	// addition to the Host that arrives; "" for none.
	PublicHost string
	// ForwardedHost gives the X-Forwarded-Host of a trusted proxy, "" for any
	// other peer. Nil means never.
	ForwardedHost func(*http.Request) string
	// BucketOf gives the bucket that a host names in virtual-host style, ""
	// for none. A signature over another host than the received one counts only
	// if both name the same bucket. Nil means that no host names a bucket.
	BucketOf func(host string) string
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// V2 accepts links and forms of Signature Version 2.
	V2 bool

	keys    keyCache
	buffers sync.Pool // of *[]byte, for canonical requests
}

// Verify is the one authentication step, taken before anything looks at the
// body or its mode. A request without any signature gives an anonymous Auth; a
// request with a wrong one gives a *gateway.Error whose Err, for the log, names
// the likely cause. r must be as received, t its ParseTarget.
//
// A '+' in a query is a plus to some signers and a space to others, S3 among them.
// The query is read each way as a whole; the reading that was signed is the Auth's
// Target, and an unsigned one has spaces.
func (v *Verifier) Verify(r *http.Request, t Target) (*Auth, error) {
	spaced, differs := t.spaced()
	if !differs {
		return v.verify(r, t, maxReadings)
	}
	a, err := v.verify(r, t, maxReadings/2)
	if err == nil && a.Anonymous || gateway.CodeOf(err) == gateway.SignatureDoesNotMatch {
		other, otherErr := v.verify(r, spaced, maxReadings/2)
		if otherErr == nil || err == nil {
			return other, otherErr
		}
	}
	return a, err
}

// verify is Verify for one reading of the target. It computes most signatures.
func (v *Verifier) verify(r *http.Request, t Target, most int) (*Auth, error) {
	promoted := t.Promoted()
	if err := checkDuplicates(r.Header, t, promoted); err != nil {
		return nil, err
	}
	c, err := readClaim(r.Header, t)
	if err != nil {
		return nil, err
	}
	if c == nil && hasV2(t) {
		return v.verifyV2(r, t)
	}
	if c == nil {
		return anonymous(r, t, promoted)
	}
	if err := v.checkClaim(r, t, c); err != nil {
		return nil, err
	}
	payload, err := payloadOf(r.Header, promoted, c)
	if err != nil {
		return nil, err
	}
	a := &Auth{
		AccessKeyID: c.accessKeyID, Presigned: c.presigned, Time: c.time, Expires: c.expires,
		SignedHeaders: c.names, PayloadHash: payload.value, Target: t, Promoted: promoted,
	}
	return a, v.prove(r, t, c, payload, a, most)
}

// readClaim finds the one form of authentication; nil when there is none, or one of
// Version 2.
// Requests with two are refused: every check would have to guess which counts.
func readClaim(h http.Header, t Target) (*claim, error) {
	values := h["Authorization"]
	presigned := isPresigned(t)
	v2 := hasV2(t)
	forms := len(values)
	if presigned {
		forms++
	}
	if v2 {
		forms++
	}
	switch {
	case forms > 1:
		return nil, gateway.Errorf(gateway.InvalidArgument, "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified").
			With("ArgumentName", "Authorization")
	case v2:
		return nil, nil
	case presigned:
		return parsePresigned(t)
	case len(values) == 0:
		return nil, nil
	}
	scheme, _, _ := strings.Cut(values[0], " ")
	switch scheme {
	case algorithm:
		return parseAuthorization(values[0])
	case algorithmECDSA:
		return nil, errECDSA()
	case "AWS":
		return nil, errSignatureV2()
	}
	return nil, gateway.Errorf(gateway.InvalidArgument, "Unsupported Authorization Type").With("ArgumentName", "Authorization")
}

func errSignatureV2() *gateway.Error {
	return gateway.Errorf(gateway.InvalidRequest, "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
}

// checkClaim applies every rule that needs no secret.
func (v *Verifier) checkClaim(r *http.Request, t Target, c *claim) error {
	h := r.Header
	dated := c.presignedDate
	if !c.presigned {
		dated = func() error { return c.requestDate(h) }
	}
	if err := dated(); err != nil {
		return err
	}
	anyRegion := v.MakesBucket != nil && v.MakesBucket(r, t)
	if err := v.checkScope(c, anyRegion); err != nil {
		return err
	}
	if t.hasFold(querySecurityToken) || len(h["X-Amz-Security-Token"]) > 0 {
		return errToken()
	}
	if err := checkSigned(h, c); err != nil {
		return err
	}
	if err := c.checkTime(v.now()); err != nil {
		return err
	}
	return v.checkDate(c)
}

// checkDate pins the scope's date to the request's. It comes last: a clock that
// is wrong, or a key that nobody has, is what a client can mend.
func (v *Verifier) checkDate(c *claim) error {
	have, want := c.scope.date, c.date[:len(dateISO)]
	if have == want {
		return nil
	}
	if secret, known := v.Secrets.Secret(c.accessKeyID); !known || secret == "" {
		return errUnknownKey(c)
	}
	return c.malformed("Invalid credential date %q. This date is not the same as X-Amz-Date: %q.", have, want)
}

func (v *Verifier) now() time.Time {
	if v.Now == nil {
		return time.Now()
	}
	return v.Now()
}

// checkScope pins region, service and terminator: the region is used to derive
// the key and for nothing else.
func (v *Verifier) checkScope(c *claim, anyRegion bool) error {
	regions := v.Regions
	if len(regions) == 0 {
		regions = []string{"us-east-1"}
	}
	prefix, s := c.credentialPrefix(), c.scope
	switch {
	case s.terminator != terminator:
		return c.malformed(prefix+`incorrect terminal %q. This endpoint uses "aws4_request".`, s.terminator)
	case s.service != serviceS3:
		return c.malformed(prefix+`incorrect service %q. This endpoint belongs to "s3".`, s.service)
	case !slices.Contains(regions, s.region) && !(anyRegion && isRegion(s.region)):
		return c.malformed(prefix+"the region '%s' is wrong; expecting '%s'", s.region, regions[0]).With("Region", regions[0])
	}
	return nil
}

// isRegion reports what can be the name of a region.
func isRegion(s string) bool {
	for i := range len(s) {
		if c := s[i]; c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return s != "" && len(s) <= 63
}

// prove computes the signature and, when it is the client's, completes a.
func (v *Verifier) prove(r *http.Request, t Target, c *claim, payload payloadClaim, a *Auth, most int) error {
	key, known := v.keyFor(c)
	p := proof{
		most: most, key: key, claim: c, scope: c.scope.String(), signature: decodeSignature(c.signature),
		canonical: canonical{r: r, target: t, query: sortedQuery(t.Query), names: c.names, signedHeaders: c.signedHeaders},
	}
	first := variant{host: r.Host, path: t.signedPath, payload: payload.variants[0]}
	match, ok := v.search(&p, t, payload, first, known)
	switch {
	case !known:
		return errUnknownKey(c)
	case !ok:
		return p.refuse(first, t)
	case !payload.signed && !strings.EqualFold(payload.value, match.payload):
		return headersNotSigned([]string{"x-amz-content-sha256"})
	}
	a.Host = match.host
	a.chain = chain{sign: p.key.sign, date: c.date, scope: p.scope, signature: c.signature}
	return nil
}

// keyFor gives the claim's signing key. For an unknown caller it is a dummy that
// costs the same, so that time tells nothing.
func (v *Verifier) keyFor(c *claim) (key *signingKey, known bool) {
	id := c.accessKeyID
	secret, ok := v.Secrets.Secret(id)
	known = ok && secret != ""
	if !known {
		id, secret = "", "no secret"
	}
	return v.keys.get(keyName{id, c.scope.date, c.scope.region}, secret), known
}

func errUnknownKey(c *claim) *gateway.Error {
	return gateway.Errorf(gateway.InvalidAccessKeyID, "The AWS Access Key Id you provided does not exist in our records.").
		With("AWSAccessKeyId", c.accessKeyID)
}

func errToken() *gateway.Error {
	return gateway.Errorf(gateway.InvalidToken, "The provided token is malformed or otherwise invalid: the keys of this gateway have no session token.")
}
