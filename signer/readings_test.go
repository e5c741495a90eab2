package signer

import (
	"net/http"
	"testing"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// What signers write in more than one way verifies in each, and only the reading
// that was signed counts afterwards.
func TestVerifyReadsWhatSignersWriteInSeveralWays(t *testing.T) {
	pad := func(value string) http.Header { return http.Header{"X-Amz-Meta-Pad": {value}} }
	acl := message{method: "PUT", query: "x-amz-acl=private", header: http.Header{"X-Amz-Acl": {"private"}}}
	for _, c := range []struct {
		name string
		r    *http.Request
		edit edit
		key  string // of the query
		want string // its value
	}{
		{"plus signed as a space", message{query: "list-type=2&prefix=a%20b"}.signed(t), replace("a%20b", "a+b"), "prefix", "a b"},
		{"plus signed as a plus", message{query: "list-type=2&prefix=a%2Bb"}.signed(t), replace("a%2Bb", "a+b"), "prefix", "a+b"},
		{"plus in a link, signed as a space", message{query: "prefix=a%20b"}.presigned(t, time.Minute), replace("a%20b", "a+b"), "prefix", "a b"},
		{"tabs signed as one space", message{header: pad("a b c")}.signed(t), setHeader("X-Amz-Meta-Pad", "a   b \t c"), "", ""},
		{"spaces signed as one", message{header: pad("a b c")}.signed(t), setHeader("X-Amz-Meta-Pad", "a   b  c"), "", ""},
		{"tabs signed as they are", message{header: pad("a \tb")}.signed(t), nil, "", ""},
		{"signed header in the query and in a header", acl.signed(t), nil, "x-amz-acl", "private"},
		{"signed header in the query alone", acl.signed(t), func(r *http.Request) { r.Header.Del("X-Amz-Acl") }, "x-amz-acl", "private"},
		{"header of a CDN", message{}.signed(t), setHeader("X-Amz-Cf-Id", "a"), "", ""},
		{"header of a CDN, without a signature", message{}.request(), setHeader("X-Amz-Cf-Id", "a"), "", ""},
		{"plus without a signature", message{query: "prefix=a+b"}.request(), nil, "prefix", "a b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.r.RequestURI == "" {
				c.r.Method, c.r.RequestURI = "GET", c.r.URL.RequestURI()
			}
			if c.edit != nil {
				c.edit(c.r)
			}
			a := mustVerify(t, newVerifier(), c.r)
			if got, _ := a.Target.Get(c.key); got != c.want {
				t.Errorf("%s is %q, want %q", c.key, got, c.want)
			}
		})
	}
}

// Without a signature a request may carry whatever it likes if it reads, and what
// needs a proof is taken out. One that writes is refused.
func TestWhatNeedsAProofHasNoEffectWithoutASignature(t *testing.T) {
	request := func(method string) *http.Request {
		r := message{header: http.Header{"X-Amz-Acl": {"public-read"}, "X-Amz-Checksum-Mode": {"ENABLED"}, "X-Amz-Cf-Id": {"a"}, "X-Custom": {"a"}}}.defaults().request()
		r.Method, r.RequestURI = method, "/bucket/key?x-amz-object-lock-mode=GOVERNANCE"
		return r
	}
	for _, method := range []string{"GET", "HEAD"} {
		r := request(method)
		if a := mustVerify(t, newVerifier(), r); !a.Anonymous {
			t.Error("not anonymous")
		}
		KeepAnonymous(r.Header)
		if len(r.Header) != 2 || r.Header.Get("X-Amz-Checksum-Mode") == "" || r.Header.Get("X-Custom") == "" {
			t.Errorf("%s keeps %v", method, r.Header)
		}
	}
	for _, method := range []string{"PUT", "POST", "DELETE"} {
		_, err := verify(t, newVerifier(), request(method))
		wantCode(t, err, gateway.AccessDenied)
		if got := detail(err, "HeadersNotSigned"); got != "x-amz-acl, x-amz-object-lock-mode" {
			t.Errorf("%s: %q", method, got)
		}
	}
}

// However a request may be read, few signatures are computed for it.
func TestVerifyComputesFewSignatures(t *testing.T) {
	v := newVerifier()
	r := message{host: "files.example.com", query: "prefix=a%20b", header: http.Header{"X-Amz-Meta-Pad": {"a \tb"}}}.presigned(t, time.Minute)
	target, err := ParseTarget("/bu%63ket/key?" + r.URL.RawQuery + "&a=b+c")
	if err != nil {
		t.Fatal(err)
	}
	c, err := readClaim(r.Header, target)
	if err != nil {
		t.Fatal(err)
	}
	p := proof{most: maxReadings / 2, claim: c, canonical: canonical{r: r, target: target, names: c.names}}
	payload := payloadClaim{variants: []string{EmptyHash, UnsignedPayload}}
	first := variant{host: r.Host, path: target.signedPath, payload: EmptyHash}
	if n := len(v.readings(&p, target, payload, first)) + 1; n != maxReadings/2 {
		t.Errorf("%d of one reading of the query", n)
	}
}
