package signer

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	gateway "github.com/codeguardians/s3gateway"
)

// v2Example is what the documentation of Version 2 shows
// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html,
// "Query string request authentication").
const (
	v2ExampleKey    = "AKIAIOSFODNN7EXAMPLE"
	v2ExampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
)

func v2Verifier(now time.Time) *Verifier {
	return &Verifier{
		Secrets: secrets{v2ExampleKey: v2ExampleSecret}, V2: true, Now: func() time.Time { return now },
		BucketOf: func(host string) string {
			bucket, found := strings.CutSuffix(host, ".s3.amazonaws.com")
			if !found {
				return ""
			}
			return bucket
		},
	}
}

func TestVerifyV2OfTheDocumentation(t *testing.T) {
	const link = "/photos/puppy.jpg?AWSAccessKeyId=AKIAIOSFODNN7EXAMPLE&Signature=NpgCjnDzrM%2BWFzoENXmpNDUsSn8%3D&Expires=1175139620"
	v := v2Verifier(time.Unix(1175139620-60, 0))
	for _, c := range []struct{ host, target string }{
		{"johnsmith.s3.amazonaws.com", link},
		{"s3.amazonaws.com", "/johnsmith" + link},
	} {
		r := &http.Request{Method: "GET", Host: c.host, RequestURI: c.target, Header: http.Header{}}
		a := mustVerify(t, v, r)
		if a.AccessKeyID != v2ExampleKey || !a.Presigned || !a.V2 || a.Expires != time.Minute || len(a.Target.Query) != 0 || a.PayloadHash != UnsignedPayload {
			t.Errorf("%+v", a)
		}
	}
	other := &http.Request{Method: "GET", Host: "another.s3.amazonaws.com", RequestURI: link, Header: http.Header{}}
	_, err := verify(t, v, other)
	wantCode(t, err, gateway.SignatureDoesNotMatch)
}

// v2Signed makes a link as boto3 does: headers are in the query.
func v2Signed(method, path, query string, headers map[string]string, expires time.Time) string {
	r := &http.Request{Method: method, Header: http.Header{}}
	t, _ := ParseTarget(path + "?" + query)
	l := &v2Link{r: r, target: t, promoted: http.Header{}, expires: strconv.FormatInt(expires.Unix(), 10)}
	q := query
	for name, value := range headers {
		l.promoted[http.CanonicalHeaderKey(name)] = []string{value}
		q += "&" + name + "=" + EncodeQuery(value)
	}
	signature := v2Sign(v2ExampleSecret, l.stringToSign(path, cdnHeader))
	return path + "?" + strings.TrimPrefix(q+"&AWSAccessKeyId="+v2ExampleKey+"&Expires="+l.expires+"&Signature="+url.QueryEscape(signature), "&")
}

func v2Request(method, target string, headers ...string) *http.Request {
	r := &http.Request{Method: method, Host: "127.0.0.1", RequestURI: target, Header: http.Header{}}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func TestVerifyV2ReadsLinksOfBoto3(t *testing.T) {
	v, in := v2Verifier(testNow), testNow.Add(time.Hour)
	put := v2Signed("PUT", "/b/k", "", map[string]string{"content-type": "text/plain", "x-amz-meta-a": "b c"}, in)
	for _, c := range []struct {
		name string
		r    *http.Request
	}{
		{"headers in the query", v2Request("PUT", put)},
		{"and sent too", v2Request("PUT", put, "Content-Type", "text/plain", "X-Amz-Meta-A", "b c")},
		{"with what a CDN adds", v2Request("PUT", put, "X-Amz-Cf-Id", "a")},
		{"with an unknown parameter", v2Request("PUT", put+"&utm_source=a")},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := mustVerify(t, v, c.r)
			if a.Promoted.Get("Content-Type") != "text/plain" || a.Promoted.Get("X-Amz-Meta-A") != "b c" || a.Target.Has("content-type") || a.Target.Has("Expires") {
				t.Errorf("%v %v", a.Promoted, a.Target.Query)
			}
		})
	}
	get := v2Signed("GET", "/b/a%20b", "response-content-disposition=attachment%3B%20filename%3D%22a%20b%22&versionId=v", nil, in)
	a := mustVerify(t, v, v2Request("GET", get))
	if value, _ := a.Target.Get("response-content-disposition"); value != `attachment; filename="a b"` || a.Target.Path != "/b/a b" {
		t.Errorf("%q %q", value, a.Target.Path)
	}
	mustVerify(t, v, v2Request("GET", strings.ReplaceAll(get, "attachment%3B%20filename", "attachment%3B+filename")))
}

func TestVerifyV2Refuses(t *testing.T) {
	in := testNow.Add(time.Hour)
	get := v2Signed("GET", "/b/k", "", nil, in)
	for _, c := range []struct {
		name string
		r    *http.Request
		want gateway.Code
	}{
		{"another method", v2Request("PUT", get), gateway.SignatureDoesNotMatch},
		{"another key", v2Request("GET", strings.Replace(get, "/b/k", "/b/l", 1)), gateway.SignatureDoesNotMatch},
		{"a header that was not signed", v2Request("GET", get, "X-Amz-Server-Side-Encryption", "AES256"), gateway.SignatureDoesNotMatch},
		{"a copy source in the query", v2Request("PUT", v2Signed("PUT", "/b/k", "", nil, in)+"&x-amz-copy-source=/b/secret"), gateway.SignatureDoesNotMatch},
		{"a content type that was not signed", v2Request("GET", get, "Content-Type", "text/html"), gateway.SignatureDoesNotMatch},
		{"a sub-resource that was not signed", v2Request("GET", get+"&acl"), gateway.SignatureDoesNotMatch},
		{"an override that was not signed", v2Request("GET", get+"&response-content-type=text/html"), gateway.SignatureDoesNotMatch},
		{"another expiry", v2Request("GET", strings.Replace(get, "Expires=", "Expires=1", 1)), gateway.AccessDenied},
		{"expired", v2Request("GET", v2Signed("GET", "/b/k", "", nil, testNow)), gateway.AccessDenied},
		{"more than seven days", v2Request("GET", v2Signed("GET", "/b/k", "", nil, testNow.Add(v2Longest+time.Second))), gateway.AccessDenied},
		{"no signature", v2Request("GET", "/b/k?AWSAccessKeyId="+v2ExampleKey+"&Expires=1"), gateway.AccessDenied},
		{"an expiry that is no number", v2Request("GET", "/b/k?AWSAccessKeyId="+v2ExampleKey+"&Signature=x&Expires=soon"), gateway.AccessDenied},
		{"two keys", v2Request("GET", get+"&AWSAccessKeyId=x"), gateway.InvalidRequest},
		{"an unknown key", v2Request("GET", strings.Replace(get, v2ExampleKey, "AKIDUNKNOWN", 1)), gateway.InvalidAccessKeyID},
		{"a header beside another value in the query", v2Request("PUT", v2Signed("PUT", "/b/k", "", map[string]string{"content-type": "text/plain"}, in), "Content-Type", "text/html"), gateway.InvalidRequest},
		{"a line break in a signed value", v2Request("GET", v2Signed("GET", "/b/k", "response-content-type=a%0Ab", nil, in)), gateway.InvalidArgument},
		{"a value that goes on as another", v2Request("GET", v2Signed("GET", "/b/k", "response-content-type=a%26versionId=v", nil, in)), gateway.InvalidArgument},
		{"beside Version 4", v2Request("GET", get, "Authorization", "AWS4-HMAC-SHA256 x"), gateway.InvalidArgument},
		{"in a header", v2Request("GET", "/b/k", "Authorization", "AWS "+v2ExampleKey+":x"), gateway.InvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := verify(t, v2Verifier(testNow), c.r)
			wantCode(t, err, c.want)
			if strings.Contains(err.Error(), v2ExampleSecret) {
				t.Error("the refusal shows the secret")
			}
		})
	}
	off := v2Verifier(testNow)
	off.V2 = false
	_, err := verify(t, off, v2Request("GET", get))
	wantCode(t, err, gateway.InvalidRequest)
}

// Whatever is changed about a link, it is refused, or what counts of it is what was
// signed.
func TestAChangedLinkOfV2MeansTheSameOrIsRefused(t *testing.T) {
	v := v2Verifier(testNow)
	link := v2Signed("PUT", "/bucket/a%20key", "partNumber=1&uploadId=u&response-content-type=a", map[string]string{"content-type": "text/plain", "x-amz-meta-a": "b"}, testNow.Add(time.Hour))
	target, _ := ParseTarget(link)
	was, err := v.Verify(v2Request("PUT", link), target)
	if err != nil {
		t.Fatal(err)
	}
	meaning := func(a *Auth, r *http.Request) string {
		header := r.Header.Clone()
		for name, values := range a.Promoted {
			header[name] = values
		}
		header.Del("X-Amz-Cf-Id")
		header.Del("Accept")
		var query []string
		for _, p := range a.Target.Query {
			if CoversV2(p.Key) {
				query = append(query, p.Key+"="+p.Value)
			}
		}
		text := r.Method + a.Target.Path + strings.Join(query, "&")
		for _, name := range []string{"Content-Type", "Content-Md5", "X-Amz-Meta-A", "X-Amz-Meta-B", "X-Amz-Acl", "X-Amz-Copy-Source"} {
			text += "\n" + name + ":" + strings.TrimSpace(header.Get(name))
		}
		return text
	}
	want := meaning(was, v2Request("PUT", link))
	rapid.Check(t, func(t *rapid.T) {
		changed, r := link, v2Request("PUT", link)
		switch rapid.IntRange(0, 3).Draw(t, "what") {
		case 0:
			at := rapid.IntRange(0, len(link)-1).Draw(t, "at")
			changed = link[:at] + string(rapid.SampledFrom([]byte("aZ09/%&=?+ \n\x00;:")).Draw(t, "byte")) + link[at+1:]
		case 1:
			changed += "&" + rapid.SampledFrom([]string{"versionId=v", "acl", "x-amz-acl=public-read", "x-amz-copy-source=/b/k", "content-md5=x", "response-expires=x",
				"Expires=1", "Signature=x", "utm=1", "x-amz-meta-b=c", "partNumber=2", "X-Amz-Meta-A=b", "Content-Type=text/plain"}).Draw(t, "pair")
		case 2:
			r.Header.Set(rapid.SampledFrom([]string{"X-Amz-Acl", "X-Amz-Meta-A", "X-Amz-Meta-B", "X-Amz-Copy-Source", "Content-Type", "Content-Md5", "X-Amz-Cf-Id", "Accept"}).Draw(t, "name"),
				rapid.SampledFrom([]string{"b", "text/plain", "/b/k", "public-read"}).Draw(t, "value"))
		default:
			r.Method = rapid.SampledFrom([]string{"GET", "PUT", "DELETE", "HEAD"}).Draw(t, "method")
		}
		r.RequestURI = changed
		target, err := ParseTarget(changed)
		if err != nil {
			return
		}
		a, err := v.Verify(r, target)
		if err != nil || a.Anonymous {
			return
		}
		if got := meaning(a, r); got != want {
			t.Fatalf("%s with %v was accepted as\n%s\nand not as\n%s", changed, r.Header, got, want)
		}
	})
}

func TestVerifyFormV2(t *testing.T) {
	form := map[string]string{"policy": "e30=", "awsaccesskeyid": v2ExampleKey, "signature": v2Sign(v2ExampleSecret, "e30=")}
	field := func(name string) string { return form[name] }
	v := v2Verifier(testNow)
	a, err := v.VerifyForm(field)
	if err != nil || a.AccessKeyID != v2ExampleKey || !a.V2 {
		t.Fatal(a, err)
	}
	for name, change := range map[string]func(){
		"policy":         func() { form["policy"] = "e31=" },
		"signature":      func() { form["policy"], form["signature"] = "e30=", "x" },
		"awsaccesskeyid": func() { form["awsaccesskeyid"] = "x" },
	} {
		change()
		if _, err := v.VerifyForm(field); err == nil {
			t.Errorf("a changed %s is believed", name)
		}
	}
}
