package signer

import (
	"errors"
	"fmt"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// refuse makes SignatureDoesNotMatch with what AWS's carries, so that a client
// can compare its canonical request with ours. Neither secret nor the expected
// signature is in it.
func (p *proof) refuse(v variant, t Target) *gateway.Error {
	request := p.canonical.append(nil, v)
	toSign := appendStringToSign(nil, p.claim.date, p.scope, request)
	return gateway.Errorf(gateway.SignatureDoesNotMatch, "The request signature we calculated does not match the signature you provided. Check your key and signing method.").
		With("AWSAccessKeyId", p.claim.accessKeyID).
		With("StringToSign", string(toSign)).
		With("SignatureProvided", p.claim.signature).
		With("CanonicalRequest", string(request)).
		Because(errors.New(p.hint(t)))
}

// rewritten are headers that proxies and CDNs change or remove on the way.
var rewritten = []string{
	"accept-encoding", "connection", "te", "user-agent", "via", "expect", "content-length",
	"transfer-encoding", "cache-control", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded",
}

// hint names the likely cause, for the log; it is computed for refusals only.
func (p *proof) hint(t Target) string {
	h := p.canonical.r.Header
	if p.signature == nil {
		return "the signature is not 64 lower-case hexadecimal digits"
	}
	if name := p.missing(); name != "" {
		return fmt.Sprintf("%s was signed but did not arrive: a proxy removed it", name)
	}
	for _, name := range []string{"X-Forwarded-Host", "Forwarded", "Via", "X-Forwarded-For"} {
		if v := h.Get(name); v != "" {
			return fmt.Sprintf("a proxy is in front (%s): if it rewrites Host (%q arrived), set PUBLIC_URL or TRUSTED_PROXIES", name, p.canonical.r.Host)
		}
	}
	for _, name := range rewritten {
		if p.claim.signs(name) {
			return fmt.Sprintf("%s is signed, and proxies rewrite it", name)
		}
	}
	if strings.Contains(t.RawQuery, "+") {
		return "the query has a bare '+', which is signed as %2B or %20"
	}
	if t.RawPath != t.signedPath {
		return "the path is not in S3's strict encoding: the client may have signed another spelling of it"
	}
	if strings.Contains(t.RawPath, "//") || strings.Contains(t.RawPath, "/./") || strings.Contains(t.RawPath, "/../") {
		return "the path has empty or dot segments, which the client or a proxy may have cleaned"
	}
	return fmt.Sprintf("wrong secret key, or the client signed another host than %q", p.canonical.r.Host)
}
