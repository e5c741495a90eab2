package signer

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	gateway "github.com/codeguardians/s3gateway"
)

func TestTransportSignsWhatWeVerify(t *testing.T) {
	s := newVerifyingServer(t, BodyOptions{VerifyPayloadHash: true})
	transport := &Transport{Base: s.Client().Transport, Credentials: staticCreds, Region: testRegion}
	for _, key := range oddKeys {
		t.Run(fmt.Sprintf("%.20q", key), func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), "PUT", s.URL, strings.NewReader("hello"))
			if err != nil {
				t.Fatal(err)
			}
			SetTarget(r.URL, "/bucket/"+key, BuildQuery([]Param{{Key: "tag;x", Value: key}, {Key: "acl"}}))
			r.Header = http.Header{
				"X-Amz-Content-Sha256": {sha("hello")}, "X-Amz-Meta-A": {" b   c "}, "Accept-Encoding": {"identity"},
				"Authorization": {"Bearer of the client"}, "X-Amz-Security-Token": {"of the client"}, "X-Amz-Date": {"20000101T000000Z"},
			}
			before := r.Header.Clone()
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			x := s.want(t, "/bucket/"+key, "hello", sha("hello"))
			for _, name := range x.auth.SignedHeaders {
				if name == "accept-encoding" || name == "x-amz-security-token" {
					t.Errorf("%s is signed", name)
				}
			}
			if v, _ := x.target.Get("tag;x"); v != key || !x.target.Has("acl") {
				t.Errorf("query %q", x.target.RawQuery)
			}
			if fmt.Sprint(before) != fmt.Sprint(r.Header) {
				t.Error("the caller's request was changed")
			}
		})
	}
}

func TestTransportRefuses(t *testing.T) {
	reached := roundTripper(func(*http.Request) (*http.Response, error) { t.Error("the request left"); return nil, nil })
	broken := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, io.ErrUnexpectedEOF })
	for _, c := range []struct {
		name, query string
		creds       aws.CredentialsProvider
		want        gateway.Code
	}{
		{"a bare semicolon", "a=1;2", staticCreds, gateway.InvalidURI},
		{"a bare plus", "a=1+2", staticCreds, gateway.InvalidURI},
		{"a broken escape", "a=%zz", staticCreds, gateway.InvalidURI},
		{"no credentials", "", broken, gateway.ServiceUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			closed := false
			r := message{}.defaults().request()
			r.URL.RawQuery, r.Body = c.query, closer{strings.NewReader(""), &closed}
			resp, err := (&Transport{Base: reached, Credentials: c.creds}).RoundTrip(r)
			wantCode(t, err, c.want)
			if resp != nil || !closed {
				t.Errorf("response %v, body closed %v", resp, closed)
			}
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTransportReplacesTokens(t *testing.T) {
	var sent *http.Request
	base := roundTripper(func(r *http.Request) (*http.Response, error) {
		sent = r
		return &http.Response{Body: http.NoBody}, nil
	})
	creds := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "A", SecretAccessKey: "S", SessionToken: "ours"}, nil
	})
	r := message{header: http.Header{"X-Amz-Security-Token": {"theirs"}}}.defaults().request()
	resp, err := (&Transport{Base: base, Credentials: creds, Now: func() time.Time { return testNow }}).RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if got := sent.Header["X-Amz-Security-Token"]; len(got) != 1 || got[0] != "ours" {
		t.Errorf("token %v", got)
	}
	if got := sent.Header.Get("X-Amz-Date"); got != "20260314T150926Z" {
		t.Errorf("date %q", got)
	}
	if got := sent.Header.Get("X-Amz-Content-Sha256"); got != UnsignedPayload {
		t.Errorf("payload hash %q", got)
	}
}

func TestPresignRefuses(t *testing.T) {
	r := message{}.defaults().request()
	for _, expires := range []time.Duration{0, -time.Second, time.Second - 1, MaxExpires + 1} {
		_, err := Presign(t.Context(), testCreds, "GET", r.URL, nil, testRegion, expires, testNow)
		wantCode(t, err, gateway.InvalidArgument)
	}
	r.URL.RawQuery = "a=1;2"
	_, err := Presign(t.Context(), testCreds, "GET", r.URL, nil, testRegion, time.Minute, testNow)
	wantCode(t, err, gateway.InvalidURI)
}

func TestPresignSignsHeaders(t *testing.T) {
	m := message{method: "PUT", body: "hello", header: http.Header{"Content-Type": {"text/plain"}, "Content-Length": {"5"}, "X-Amz-Content-Sha256": {sha("hello")}}}
	r := m.presigned(t, time.Minute)
	a := mustVerify(t, newVerifier(), r)
	if got := strings.Join(a.SignedHeaders, ";"); got != "content-length;content-type;host;x-amz-content-sha256" || a.PayloadHash != sha("hello") {
		t.Errorf("signed %s, payload %s", got, a.PayloadHash)
	}
	r.ContentLength = 6
	_, err := verify(t, newVerifier(), r)
	wantCode(t, err, gateway.SignatureDoesNotMatch)
}
