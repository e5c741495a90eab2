package signer

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// oddKeys are keys that routers, encoders and proxies get wrong.
var oddKeys = []string{
	"plain.txt", "date=2026-01-01/part+1.parquet", "a&b;c,d", "who@host:80", "!*'()$[]{}|^`\"<>\\",
	"100%", "%2F", "%41", "a#b?c=d", "~tilde", "a//b", "//", "/", "dir/", "a/./b", "a/../b", "..", ".",
	"sp ace", " ", "tab\there", "line\nbreak", "nul\x00", "caf\u00e9", "cafe\u0301", "日本/語", "\xff\xfe", strings.Repeat("é", 512),
}

func TestVerifyOddKeys(t *testing.T) {
	for _, key := range oddKeys {
		t.Run(fmt.Sprintf("%.20q", key), func(t *testing.T) {
			m := message{path: "/bucket/" + key, query: BuildQuery([]Param{{Key: "prefix", Value: key}, {Key: "uploads"}})}
			for form, r := range map[string]*http.Request{"header": m.signed(t), "presigned": m.presigned(t, time.Minute)} {
				if a := mustVerify(t, newVerifier(), r); a.AccessKeyID != testKey || a.Presigned != (form == "presigned") {
					t.Errorf("%s: auth = %+v", form, a)
				}
				target, _ := ParseTarget(r.RequestURI)
				if prefix, _ := target.Get("prefix"); target.Path != m.path || prefix != key {
					t.Errorf("%s: path %q prefix %q, want %q", form, target.Path, prefix, key)
				}
			}
		})
	}
}

func TestVerifyFacts(t *testing.T) {
	hash := "9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"
	a := mustVerify(t, newVerifier(), message{method: "PUT", hash: hash, body: "Param1=value1"}.signed(t))
	want := []string{"content-length", "host", "x-amz-content-sha256", "x-amz-date"}
	if !slices.Equal(a.SignedHeaders, want) || a.PayloadHash != hash || a.Host != testHost || !a.Time.Equal(testNow) || a.Expires != 0 {
		t.Errorf("auth = %+v", *a)
	}
	p := mustVerify(t, newVerifier(), message{at: testNow.Add(-time.Hour)}.presigned(t, 2*time.Hour))
	if p.PayloadHash != UnsignedPayload || p.Expires != 2*time.Hour || !p.Presigned {
		t.Errorf("presigned auth = %+v", *p)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		key := deriveKey(testSecret, "20260314", testRegion, "s3")
		out := fmt.Sprintf(verb, a) + fmt.Sprintf(verb, *a)
		if strings.Contains(out, hex.EncodeToString(key[:])) || strings.Contains(out, fmt.Sprint(key[:])) || strings.Contains(out, testSecret) {
			t.Errorf("%s prints the signing key", verb)
		}
	}
}

// edit changes a received request, as an attacker or a proxy would.
type edit func(r *http.Request)

func setHeader(name, value string) edit { return func(r *http.Request) { r.Header.Set(name, value) } }
func addQuery(pair string) edit {
	return func(r *http.Request) {
		sep := "?"
		if strings.Contains(r.RequestURI, "?") {
			sep = "&"
		}
		r.RequestURI += sep + pair
	}
}
func replace(old, new string) edit {
	return func(r *http.Request) { r.RequestURI = strings.Replace(r.RequestURI, old, new, 1) }
}
func auth(old, new string) edit {
	return func(r *http.Request) {
		r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, new, 1))
	}
}

func TestVerifyRefusesHeaderForm(t *testing.T) {
	for _, c := range []struct {
		name string
		m    message
		edit edit
		want gateway.Code
	}{
		{"clock 16 minutes behind", message{at: testNow.Add(-16 * time.Minute)}, nil, gateway.RequestTimeTooSkewed},
		{"clock 16 minutes ahead", message{at: testNow.Add(16 * time.Minute)}, nil, gateway.RequestTimeTooSkewed},
		{"clock a day behind, signed with another date", message{}, setHeader("X-Amz-Date", "20260313T150926Z"), gateway.RequestTimeTooSkewed},
		{"clock of another century, signed with another date", message{}, setHeader("X-Amz-Date", "19500707T215304Z"), gateway.RequestTimeTooSkewed},
		{"unknown key with the scope of another day", message{creds: credsOf("NOBODY", "x")}, auth("20260314/", "20150930/"), gateway.InvalidAccessKeyID},
		{"unknown key", message{creds: credsOf("NOBODY", "x")}, nil, gateway.InvalidAccessKeyID},
		{"key with an empty secret", message{creds: credsOf("EMPTY", "")}, nil, gateway.InvalidAccessKeyID},
		{"wrong secret", message{creds: credsOf(testKey, "wrong")}, nil, gateway.SignatureDoesNotMatch},
		{"wrong region", message{region: "ap-south-1"}, nil, gateway.AuthHeaderMalformed},
		{"wrong service", message{}, auth("/s3/", "/iam/"), gateway.AuthHeaderMalformed},
		{"wrong terminator", message{}, auth("aws4_request", "aws5_request"), gateway.AuthHeaderMalformed},
		{"scope of another day", message{}, auth("20260314/", "20260313/"), gateway.AuthHeaderMalformed},
		{"signature in upper case", message{}, func(r *http.Request) {
			head, sig, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			r.Header.Set("Authorization", head+"Signature="+strings.ToUpper(sig))
		}, gateway.SignatureDoesNotMatch},
		{"signature cut short", message{}, func(r *http.Request) {
			v := r.Header.Get("Authorization")
			r.Header.Set("Authorization", v[:len(v)-2])
		}, gateway.SignatureDoesNotMatch},
		{"no signature", message{}, auth("Signature=", "Sign="), gateway.AuthHeaderMalformed},
		{"two signatures", message{}, auth("Signature=", "Signature=00,Signature="), gateway.AuthHeaderMalformed},
		{"empty Authorization", message{}, setHeader("Authorization", ""), gateway.InvalidArgument},
		{"Bearer", message{}, setHeader("Authorization", "Bearer abc"), gateway.InvalidArgument},
		{"signature version 2", message{}, setHeader("Authorization", "AWS AKID:c2ln"), gateway.InvalidRequest},
		{"signature version 2 in the query", message{}, func(r *http.Request) {
			r.Header.Del("Authorization")
			addQuery("AWSAccessKeyId=a&Signature=b&Expires=1")(r)
		}, gateway.InvalidRequest},
		{"signature version 4A", message{}, auth("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), gateway.NotImplemented},
		{"two Authorization headers", message{}, func(r *http.Request) { r.Header.Add("Authorization", "Basic eA==") }, gateway.InvalidArgument},
		{"half a presigned query beside it", message{}, addQuery("X-Amz-Signature=00"), gateway.InvalidArgument},
		{"presigned parameter in lower case beside it", message{}, addQuery("x-amz-algorithm=none"), gateway.InvalidArgument},
		{"no payload hash", message{}, func(r *http.Request) { r.Header.Del("X-Amz-Content-Sha256") }, gateway.InvalidRequest},
		{"no date", message{}, func(r *http.Request) { r.Header.Del("X-Amz-Date") }, gateway.AccessDenied},
		{"date with fractions", message{}, setHeader("X-Amz-Date", "20260314T150926.5Z"), gateway.AccessDenied},
		{"two dates", message{}, func(r *http.Request) { r.Header.Add("X-Amz-Date", "20260314T150926Z") }, gateway.InvalidRequest},
		{"payload literal unknown", message{hash: "STREAMING-FOO"}, nil, gateway.InvalidArgument},
		{"payload hash of 63 digits", message{hash: EmptyHash[1:]}, nil, gateway.InvalidArgument},
		{"payload signed with ECDSA", message{hash: streamingECDSA}, nil, gateway.NotImplemented},
		{"session token", message{header: http.Header{"X-Amz-Security-Token": {"t"}}}, nil, gateway.InvalidToken},
		{"session token in the query", message{query: "X-Amz-Security-Token=t"}, nil, gateway.InvalidToken},
		{"session token in lower case", message{query: "x-amz-security-token=t"}, nil, gateway.InvalidToken},
		{"copy source added after signing", message{method: "PUT"}, setHeader("X-Amz-Copy-Source", "/other/secret"), gateway.AccessDenied},
		{"host not signed", message{}, auth("host;", ""), gateway.AccessDenied},
		{"signed headers in upper case", message{}, auth("host;", "Host;"), gateway.AuthHeaderMalformed},
		{"signed header listed twice", message{}, auth("host;", "host;host;"), gateway.AuthHeaderMalformed},
		{"another value in a header and a query parameter", message{header: http.Header{"X-Amz-Acl": {"private"}}, query: "x-amz-acl=public-read"}, nil, gateway.InvalidRequest},
		{"space in place of a signed plus", message{query: "prefix=a%2Bb"}, replace("%2B", "%20"), gateway.SignatureDoesNotMatch},
		{"blanks moved between words", message{header: http.Header{"X-Amz-Meta-Pad": {"ab c"}}}, setHeader("X-Amz-Meta-Pad", "a bc"), gateway.SignatureDoesNotMatch},
		{"query parameter twice in other case", message{query: "X-Amz-Acl=public-read&x-amz-acl=private"}, nil, gateway.InvalidRequest},
		{"query parameter with a line break", message{query: "x-amz-acl=a%0D%0Ax-evil%3A1"}, nil, gateway.InvalidArgument},
		{"signed header removed", message{header: http.Header{"X-Custom": {""}}}, func(r *http.Request) { r.Header.Del("X-Custom") }, gateway.SignatureDoesNotMatch},
		{"undecodable query", message{}, addQuery("a=%zz"), gateway.InvalidURI},
		{"another host", message{}, func(r *http.Request) { r.Host = "evil.example.com" }, gateway.SignatureDoesNotMatch},
		{"escaped slash for a slash", message{}, replace("/key", "%2Fkey"), gateway.SignatureDoesNotMatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.m.signed(t)
			if c.edit != nil {
				c.edit(r)
			}
			_, err := verify(t, newVerifier(), r)
			wantCode(t, err, c.want)
			if e := gateway.AsError(err); strings.Contains(fmt.Sprintf("%+v", *e), testSecret) {
				t.Error("the refusal prints the secret")
			}
		})
	}
}

func TestVerifyRefusesPresignedForm(t *testing.T) {
	for _, c := range []struct {
		name string
		m    message
		edit edit
		want gateway.Code
	}{
		{"expired a second ago", message{at: testNow.Add(-61 * time.Second)}, nil, gateway.AccessDenied},
		{"16 minutes in the future", message{at: testNow.Add(16 * time.Minute)}, nil, gateway.AccessDenied},
		{"no expiry", message{}, replace("X-Amz-Expires=60", "x=y"), gateway.AuthQueryParametersError},
		{"expiry 0", message{}, replace("X-Amz-Expires=60", "X-Amz-Expires=0"), gateway.AccessDenied},
		{"expiry with a sign", message{}, replace("X-Amz-Expires=60", "X-Amz-Expires=%2B60"), gateway.AuthQueryParametersError},
		{"expiry over a week", message{}, replace("X-Amz-Expires=60", "X-Amz-Expires=604801"), gateway.AuthQueryParametersError},
		{"expiry overflowing", message{}, replace("X-Amz-Expires=60", "X-Amz-Expires=99999999999999999999"), gateway.AuthQueryParametersError},
		{"expiry changed", message{}, replace("X-Amz-Expires=60", "X-Amz-Expires=61"), gateway.SignatureDoesNotMatch},
		{"other algorithm", message{}, replace("AWS4-HMAC-SHA256", "none"), gateway.AuthQueryParametersError},
		{"signature version 4A", message{}, replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256"), gateway.NotImplemented},
		{"wrong region", message{region: "ap-south-1"}, nil, gateway.AuthQueryParametersError},
		{"an Authorization header beside it", message{}, setHeader("Authorization", "Bearer abc"), gateway.InvalidArgument},
		{"parameter twice", message{}, addQuery("X-Amz-Expires=604800"), gateway.InvalidRequest},
		{"parameter twice in other case", message{}, addQuery("x-amz-expires=604800"), gateway.InvalidRequest},
		{"parameter twice, once escaped", message{}, addQuery("X%2DAmz%2DExpires=604800"), gateway.InvalidRequest},
		{"signature twice", message{}, addQuery("X-Amz-Signature=00"), gateway.InvalidRequest},
		{"copy source added", message{method: "PUT"}, setHeader("X-Amz-Copy-Source", "/b/secret"), gateway.AccessDenied},
		{"copy source added to the query", message{method: "PUT"}, addQuery("x-amz-copy-source=/b/secret"), gateway.SignatureDoesNotMatch},
		{"payload mode added", message{method: "PUT"}, setHeader("X-Amz-Content-Sha256", StreamingUnsignedTrailer), gateway.AccessDenied},
		{"session token added", message{}, addQuery("X-Amz-Security-Token=t"), gateway.InvalidToken},
		{"date beside it in a header", message{}, setHeader("X-Amz-Date", "20260314T150926Z"), gateway.InvalidRequest},
		{"line break in the signed headers", message{}, replace("SignedHeaders=host", "SignedHeaders=host%3Bx%0Ay"), gateway.AuthQueryParametersError},
		{"method changed", message{}, func(r *http.Request) { r.Method = "DELETE" }, gateway.SignatureDoesNotMatch},
		{"sub-resource added", message{}, addQuery("acl"), gateway.SignatureDoesNotMatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.m.presigned(t, time.Minute)
			if c.edit != nil {
				c.edit(r)
			}
			_, err := verify(t, newVerifier(), r)
			wantCode(t, err, c.want)
		})
	}
}

func TestVerifyWindows(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"clock 15 minutes behind":             message{at: testNow.Add(-15 * time.Minute)}.signed(t),
		"clock 15 minutes ahead":              message{at: testNow.Add(15 * time.Minute)}.signed(t),
		"presigned 6 days 23 hours ago":       message{at: testNow.Add(-167 * time.Hour)}.presigned(t, MaxExpires),
		"presigned at its last second":        message{at: testNow.Add(-time.Minute)}.presigned(t, time.Minute),
		"presigned by a clock 15 min ahead":   message{at: testNow.Add(15 * time.Minute)}.presigned(t, time.Second),
		"presigned in the second region":      message{region: "us-east-1"}.presigned(t, time.Second),
		"signed for the default port":         message{host: testHost}.signed(t),
		"signed with a payload hash of zeros": message{hash: strings.Repeat("0", 64)}.signed(t),
	} {
		t.Run(name, func(t *testing.T) { mustVerify(t, newVerifier(), r) })
	}
}
