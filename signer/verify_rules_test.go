package signer

import (
	"context"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

func TestVerifyDateHeader(t *testing.T) {
	for _, layout := range []string{http.TimeFormat, time.RFC850, time.ANSIC, time.RFC1123Z, basicISO, time.RFC3339} {
		t.Run(layout, func(t *testing.T) {
			r := message{}.signed(t)
			r.Header.Del("X-Amz-Date")
			r.Header.Set("Date", testNow.Format(layout))
			resign(r, "date;host;x-amz-content-sha256")
			mustVerify(t, newVerifier(), r)
		})
	}
	t.Run("not a date", func(t *testing.T) {
		r := message{}.signed(t)
		r.Header.Del("X-Amz-Date")
		r.Header.Set("Date", "yesterday")
		_, err := verify(t, newVerifier(), r)
		wantCode(t, err, gateway.AccessDenied)
	})
}

// resign signs a received request by hand over the headers named, for forms
// that the SDK's signer does not make.
func resign(r *http.Request, signedHeaders string) {
	target, err := ParseTarget(r.RequestURI)
	if err != nil {
		panic(err)
	}
	resignPath(r, signedHeaders, target.signedPath)
}

func resignPath(r *http.Request, signedHeaders, path string) {
	target, _ := ParseTarget(r.RequestURI)
	names := strings.Split(signedHeaders, ";")
	c := canonical{r: r, query: sortedQuery(target.Query), names: names, signedHeaders: signedHeaders}
	request := c.append(nil, variant{host: r.Host, path: path, payload: r.Header.Get("X-Amz-Content-Sha256")})
	scope := testNow.Format(dateISO) + "/" + testRegion + "/s3/aws4_request"
	sum := deriveKey(testSecret, testNow.Format(dateISO), testRegion, "s3").sign(appendStringToSign(nil, testNow.Format(basicISO), scope, request))
	r.Header.Set("Authorization", algorithm+" Credential="+testKey+"/"+scope+",SignedHeaders="+signedHeaders+",Signature="+hex.EncodeToString(sum[:]))
}

func TestVerifyGoKeepsSomeHeadersElsewhere(t *testing.T) {
	r := received(t, "PUT /b/k HTTP/1.1\r\nHost: s3.example.com\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n"+
		"X-Amz-Date: 20260314T150926Z\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n\r\n0\r\n\r\n")
	resign(r, "expect;host;transfer-encoding;x-amz-content-sha256;x-amz-date")
	mustVerify(t, newVerifier(), r)
	r.TransferEncoding = nil
	_, err := verify(t, newVerifier(), r)
	wantCode(t, err, gateway.SignatureDoesNotMatch)
}

func TestVerifyPathAsSent(t *testing.T) {
	r := received(t, "GET /b/day=1/(x)%c3%a9 HTTP/1.1\r\nHost: s3.example.com\r\nX-Amz-Date: 20260314T150926Z\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n\r\n")
	const names = "host;x-amz-content-sha256;x-amz-date"
	for name, path := range map[string]string{
		"strictly encoded": "/b/day%3D1/%28x%29%C3%A9", "as sent": "/b/day=1/(x)%c3%a9",
	} {
		t.Run(name, func(t *testing.T) {
			resignPath(r, names, path)
			mustVerify(t, newVerifier(), r)
		})
	}
	resignPath(r, names, "/b/day=1/(x)é")
	_, err := verify(t, newVerifier(), r)
	wantCode(t, err, gateway.SignatureDoesNotMatch)
	if hint := gateway.AsError(err).Err.Error(); !strings.Contains(hint, "strict encoding") {
		t.Errorf("hint = %q", hint)
	}
}

func TestVerifyHosts(t *testing.T) {
	forwarded := func(trusted bool) func(*http.Request) string {
		return func(r *http.Request) string {
			if trusted {
				return r.Header.Get("X-Forwarded-Host")
			}
			return ""
		}
	}
	bucketOf := func(host string) string { b, _, _ := strings.Cut(host, ".s3.internal"); return b }
	for _, c := range []struct {
		name, signed, received string
		setup                  func(v *Verifier)
		want                   gateway.Code
	}{
		{"client dropped the default port", "a.example", "a.example:443", nil, ""},
		{"proxy dropped the default port", "a.example:80", "a.example", nil, ""},
		{"client names a port that is no default", "a.example:8000", "a.example", nil, gateway.SignatureDoesNotMatch},
		{"IPv6 with the default port", "[::1]:80", "[::1]", nil, ""},
		{"public host", "files.example.com", "10.0.0.7:8000", func(v *Verifier) { v.PublicHost = "files.example.com" }, ""},
		{"public host with a port", "files.example.com:8443", "10.0.0.7", func(v *Verifier) { v.PublicHost = "files.example.com:8443" }, ""},
		{"forwarded by a trusted proxy", "f.example", "inner", func(v *Verifier) { v.ForwardedHost = forwarded(true) }, ""},
		{"forwarded by anyone", "f.example", "inner", func(v *Verifier) { v.ForwardedHost = forwarded(false) }, gateway.SignatureDoesNotMatch},
		{"forwarded without the setting", "f.example", "inner", nil, gateway.SignatureDoesNotMatch},
		{"public host sent to a bucket's host", "files.example.com", "victim.s3.internal",
			func(v *Verifier) { v.PublicHost, v.BucketOf = "files.example.com", bucketOf }, gateway.SignatureDoesNotMatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := newVerifier()
			if c.setup != nil {
				c.setup(v)
			}
			r := received(t, "GET /b/k HTTP/1.1\r\nHost: "+c.signed+"\r\nX-Amz-Date: 20260314T150926Z\r\nX-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n\r\n")
			resign(r, "host;x-amz-content-sha256;x-amz-date")
			r.Host = c.received
			r.Header.Set("X-Forwarded-Host", "f.example")
			a, err := verify(t, v, r)
			wantCode(t, err, c.want)
			if err == nil && a.Host != c.signed {
				t.Errorf("host = %q, want the signed one, %q", a.Host, c.signed)
			}
		})
	}
}

func TestVerifyAnonymous(t *testing.T) {
	for _, c := range []struct {
		name, query, header string
		want                gateway.Code
	}{
		{"nothing", "", "", ""},
		{"harmless headers", "", "X-Amz-Checksum-Mode: ENABLED\r\nX-Amz-Request-Payer: requester\r\nX-Amz-Expected-Bucket-Owner: 1\r\n", ""},
		{"trace id of a load balancer", "", "X-Amzn-Trace-Id: Root=1\r\n", ""},
		{"acl", "", "X-Amz-Acl: public-read-write\r\n", gateway.AccessDenied},
		{"acl in the query", "?x-amz-acl=public-read-write", "", gateway.AccessDenied},
		{"metadata", "", "x-amz-meta-a: b\r\n", gateway.AccessDenied},
		{"payload hash", "", "X-Amz-Content-Sha256: " + EmptyHash + "\r\n", ""},
		{"unsigned payload", "", "X-Amz-Content-Sha256: UNSIGNED-PAYLOAD\r\n", ""},
		{"payload hash in the query", "?x-amz-content-sha256=" + EmptyHash, "", gateway.AccessDenied},
		{"payload mode", "", "X-Amz-Content-Sha256: STREAMING-UNSIGNED-PAYLOAD-TRAILER\r\n", gateway.AccessDenied},
		{"one parameter of a presigned query", "?X-Amz-Credential=a", "", gateway.AuthQueryParametersError},
		{"presigned parameters in lower case", "?x-amz-signature=a", "", gateway.AuthQueryParametersError},
		{"session token alone", "?X-Amz-Security-Token=a", "", gateway.AccessDenied},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := verify(t, newVerifier(), received(t, "PUT /b/k"+c.query+" HTTP/1.1\r\nHost: h\r\n"+c.header+"\r\n"))
			wantCode(t, err, c.want)
			if want := map[bool]string{true: EmptyHash, false: UnsignedPayload}[c.name == "payload hash"]; err == nil && (!a.Anonymous || a.AccessKeyID != "" || a.PayloadHash != want) {
				t.Errorf("auth = %+v", a)
			}
		})
	}
}

func TestVerifyPresignedPayloadHash(t *testing.T) {
	hash := strings.Repeat("ab", 32)
	header := http.Header{"X-Amz-Content-Sha256": {hash}}
	t.Run("signed as a header pins the body", func(t *testing.T) {
		r := message{method: "PUT", header: header}.presigned(t, time.Minute)
		if a := mustVerify(t, newVerifier(), r); a.PayloadHash != hash {
			t.Errorf("payload hash = %q", a.PayloadHash)
		}
		r.Header.Set("X-Amz-Content-Sha256", strings.Repeat("cd", 32))
		_, err := verify(t, newVerifier(), r)
		wantCode(t, err, gateway.SignatureDoesNotMatch)
	})
	for _, line := range []string{hash, UnsignedPayload} {
		t.Run("in the query, last line "+line[:8], func(t *testing.T) {
			u := &url.URL{Scheme: "https", Host: testHost}
			SetTarget(u, "/b/k", "X-Amz-Content-Sha256="+hash+"&X-Amz-Expires=60")
			r := &http.Request{Method: "PUT", URL: u, Host: u.Host, Header: http.Header{}}
			link, _, err := newS3Signer().PresignHTTP(context.Background(), testCreds, r, line, "s3", testRegion, testNow)
			if err != nil {
				t.Fatal(err)
			}
			r.URL, _ = url.Parse(link)
			if a := mustVerify(t, newVerifier(), received(t, wireOf(t, r))); a.PayloadHash != hash || a.Promoted.Get("X-Amz-Content-Sha256") != hash {
				t.Errorf("payload hash = %q", a.PayloadHash)
			}
		})
	}
	t.Run("a header that claims nothing may stay unsigned", func(t *testing.T) {
		r := message{}.presigned(t, time.Minute)
		r.Header.Set("X-Amz-Content-Sha256", UnsignedPayload)
		mustVerify(t, newVerifier(), r)
	})
}

func TestMismatchExplainsItself(t *testing.T) {
	r := message{}.signed(t)
	r.Method = "HEAD"
	_, err := verify(t, newVerifier(), r)
	wantCode(t, err, gateway.SignatureDoesNotMatch)
	if got := detail(err, "CanonicalRequest"); !strings.HasPrefix(got, "HEAD\n/bucket/key\n\nhost:s3.example.com\n") {
		t.Errorf("CanonicalRequest = %q", got)
	}
	if got := detail(err, "StringToSign"); !strings.HasPrefix(got, "AWS4-HMAC-SHA256\n20260314T150926Z\n20260314/eu-central-1/s3/aws4_request\n") {
		t.Errorf("StringToSign = %q", got)
	}
	if detail(err, "AWSAccessKeyId") != testKey || len(detail(err, "SignatureProvided")) != 64 {
		t.Errorf("details = %v", gateway.AsError(err).Details)
	}
	r.Header.Set("Via", "1.1 proxy")
	_, err = verify(t, newVerifier(), r)
	if hint := gateway.AsError(err).Err.Error(); !strings.Contains(hint, "PUBLIC_URL") {
		t.Errorf("hint = %q", hint)
	}
}

func TestChangedSecretIsNotServedFromTheCache(t *testing.T) {
	table := secrets{testKey: testSecret}
	v := newVerifier()
	v.Secrets = table
	r := message{}.signed(t)
	mustVerify(t, v, r)
	table[testKey] = "rotated"
	_, err := verify(t, v, r)
	wantCode(t, err, gateway.SignatureDoesNotMatch)
	delete(table, testKey)
	_, err = verify(t, v, r)
	wantCode(t, err, gateway.InvalidAccessKeyID)
}

func TestKeyCacheIsBounded(t *testing.T) {
	var c keyCache
	for i := range 3 * keyCacheSize {
		c.get(keyName{date: fmt.Sprint(i)}, "s")
		if len(c.keys) > keyCacheSize {
			t.Fatalf("%d keys after %d", len(c.keys), i)
		}
	}
}

func TestVerifyForm(t *testing.T) {
	policy := "eyJjb25kaXRpb25zIjpbXX0="
	scope := "20260314/" + testRegion + "/s3/aws4_request"
	sum := deriveKey(testSecret, "20260314", testRegion, "s3").sign([]byte(policy))
	valid := map[string]string{
		"policy": policy, "x-amz-algorithm": algorithm, "x-amz-credential": testKey + "/" + scope,
		"x-amz-date": "20260314T000000Z", "x-amz-signature": hex.EncodeToString(sum[:]),
	}
	for _, c := range []struct {
		name, field, value string
		want               gateway.Code
	}{
		{"valid", "policy", policy, ""},
		{"policy changed", "policy", "e30=", gateway.SignatureDoesNotMatch},
		{"no signature", "x-amz-signature", "", gateway.InvalidArgument},
		{"no date", "x-amz-date", "", gateway.InvalidArgument},
		{"no policy", "policy", "", gateway.AccessDenied},
		{"other algorithm", "x-amz-algorithm", "none", gateway.InvalidRequest},
		{"unknown key", "x-amz-credential", "NOBODY/" + scope, gateway.InvalidAccessKeyID},
		{"date of another day", "x-amz-date", "20260315T000000Z", gateway.AuthQueryParametersError},
		{"session token", "x-amz-security-token", "t", gateway.InvalidToken},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := newVerifier().VerifyForm(func(name string) string {
				if name == c.field {
					return c.value
				}
				return valid[name]
			})
			wantCode(t, err, c.want)
			if err == nil && a.AccessKeyID != testKey {
				t.Errorf("auth = %+v", a)
			}
		})
	}
}

// A form has all fields of a signature or none; with those of version 2 alone it
// counts as one without.
func TestAFormNamesTheFieldOfItsSignatureThatItLacks(t *testing.T) {
	for _, c := range []struct {
		fields  map[string]string
		want    gateway.Code
		missing string
	}{
		{map[string]string{}, gateway.AccessDenied, ""},
		{map[string]string{"policy": "e30="}, gateway.AccessDenied, ""},
		{map[string]string{"policy": "e30=", "awsaccesskeyid": testKey, "signature": "s"}, gateway.AccessDenied, ""},
		{map[string]string{"policy": "e30=", "awsaccesskeyid": testKey}, gateway.InvalidArgument, "Signature"},
		{map[string]string{"policy": "e30=", "signature": "s"}, gateway.InvalidArgument, "AWSAccessKeyId"},
		{map[string]string{"policy": "e30=", "x-amz-date": "d", "x-amz-signature": "s"}, gateway.InvalidArgument, "X-Amz-Algorithm"},
	} {
		_, err := newVerifier().VerifyForm(func(name string) string { return c.fields[name] })
		wantCode(t, err, c.want)
		if got := detail(err, "ArgumentName"); got != c.missing {
			t.Errorf("%v: %q is named, want %q", c.fields, got, c.missing)
		}
	}
}

// Clients sign the creation of a bucket for the region where it is to be.
func TestABucketIsCreatedUnderAnyRegionsScope(t *testing.T) {
	v := newVerifier()
	v.MakesBucket = func(r *http.Request, t Target) bool { return r.Method == http.MethodPut && t.Path == "/new" }
	mustVerify(t, v, message{method: http.MethodPut, path: "/new", region: "ap-south-1"}.signed(t))
	for name, m := range map[string]message{
		"another request":    {method: http.MethodGet, path: "/new", region: "ap-south-1"},
		"what is no region":  {method: http.MethodPut, path: "/new", region: "EU_1"},
		"a region of a mile": {method: http.MethodPut, path: "/new", region: strings.Repeat("a", 64)},
	} {
		_, err := verify(t, v, m.signed(t))
		t.Log(name)
		wantCode(t, err, gateway.AuthHeaderMalformed)
	}
}
