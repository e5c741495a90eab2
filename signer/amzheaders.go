package signer

import (
	"net/http"
	"slices"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// isAmz reports whether a header or query name is in the x-amz- family. The
// x-amzn- names of AWS load balancers are not.
func isAmz(name string) bool {
	const prefix = "x-amz-"
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// cdnHeader is what CloudFront adds to each request, and nobody can remove. It never
// has an effect, and so needs no signature.
const cdnHeader = "x-amz-cf-id"

// anonymousHeaders are the x-amz-* headers that a request without a signature
// may carry: they change nothing about what is read or written. SDK clients
// without credentials send the first on every GetObject.
var anonymousHeaders = map[string]bool{
	"x-amz-checksum-mode":         true,
	"x-amz-request-payer":         true,
	"x-amz-expected-bucket-owner": true,
}

// singleHeaders decide how a request is checked; twice is never meant.
var singleHeaders = []string{
	"X-Amz-Date", "X-Amz-Content-Sha256", "X-Amz-Decoded-Content-Length",
	"X-Amz-Trailer", "X-Amz-Sdk-Checksum-Algorithm", "X-Amz-Security-Token",
}

// checkDuplicates refuses what could be read two ways: a doubled x-amz-* query
// parameter, one beside another value in the header of its name, or a doubled
// deciding header.
func checkDuplicates(h http.Header, t Target, promoted http.Header) error {
	if key := t.Duplicate(); key != "" {
		return twice("query parameter", key)
	}
	for _, p := range t.Query {
		values := h.Values(p.Key)
		same := len(values) == 1 && values[0] == p.Value && !isCredential(p.Key)
		if isAmz(p.Key) && len(values) > 0 && !same {
			return twice("header and query parameter", p.Key)
		}
	}
	for _, name := range singleHeaders {
		if len(h[name]) > 1 {
			return twice("header", name)
		}
	}
	for name, values := range promoted {
		if !ValidHeader(name, values[0]) {
			return gateway.Errorf(gateway.InvalidArgument, "The query parameter %q cannot stand for a header.", name)
		}
	}
	return nil
}

func twice(where, name string) *gateway.Error {
	e := gateway.Errorf(gateway.InvalidRequest, "%s was sent more than once (%s); send it once.", strings.ToLower(name), where)
	e.Field = strings.ToLower(name)
	return e
}

// ValidHeader reports whether name and value can be those of a header (RFC 9110
// section 5). It keeps bytes that percent-decoding or a form brought in, line
// breaks above all, from becoming header syntax.
func ValidHeader(name, value string) bool {
	for i := range len(name) {
		if c := name[i]; !unreserved[c] || c == '~' {
			return false
		}
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// checkSigned wants host and every x-amz-* header in the signature: a header
// that a re-signing gateway passes on unsigned would be blessed by it. The
// payload hash is exempt, because it is the canonical request's last line.
func checkSigned(h http.Header, c *claim) error {
	var unsigned []string
	if !c.signs("host") {
		unsigned = append(unsigned, "host")
	}
	for name := range h {
		if !isAmz(name) {
			continue
		}
		if lower := strings.ToLower(name); lower != "x-amz-content-sha256" && lower != cdnHeader && !c.signs(lower) {
			unsigned = append(unsigned, lower)
		}
	}
	return headersNotSigned(unsigned)
}

// anonymous is what a request without a signature proves. One that reads may carry
// whatever it likes: what needs a proof has no effect (KeepAnonymous).
func anonymous(r *http.Request, t Target, promoted http.Header) (*Auth, error) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		if err := checkAnonymous(r.Header, t); err != nil {
			return nil, err
		}
	}
	return &Auth{Anonymous: true, PayloadHash: anonymousPayload(r.Header), Target: t, Promoted: promoted}, nil
}

// KeepAnonymous takes the x-amz-* headers out of h that have no effect without a
// signature.
func KeepAnonymous(h http.Header) {
	for name := range h {
		if lower := strings.ToLower(name); isAmz(name) && !anonymousHeaders[lower] && lower != "x-amz-content-sha256" {
			delete(h, name)
		}
	}
}

// checkAnonymous lets through only the x-amz-* names that need no proof, in
// headers and in the query alike, and a plain payload hash: the Go SDK sends one
// without credentials too, and the body itself proves or disproves it.
func checkAnonymous(h http.Header, t Target) error {
	var unsigned []string
	for name, values := range h {
		lower := strings.ToLower(name)
		plainHash := lower == "x-amz-content-sha256" && (isPayloadHash(values[0]) || values[0] == UnsignedPayload)
		if isAmz(name) && !anonymousHeaders[lower] && !plainHash && lower != cdnHeader {
			unsigned = append(unsigned, lower)
		}
	}
	for _, p := range t.Query {
		if lower := strings.ToLower(p.Key); isAmz(p.Key) && !anonymousHeaders[lower] {
			unsigned = append(unsigned, lower)
		}
	}
	return headersNotSigned(unsigned)
}

func headersNotSigned(names []string) error {
	if len(names) == 0 {
		return nil
	}
	slices.Sort(names)
	return gateway.Errorf(gateway.AccessDenied, "There were headers present in the request which were not signed").
		With("HeadersNotSigned", strings.Join(names, ", "))
}
