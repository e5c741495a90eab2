package signer

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	gateway "github.com/codeguardians/s3gateway"
)

// verifiedExchange is what a server learned of one request.
type verifiedExchange struct {
	auth    *Auth
	target  Target
	body    string
	trailer string
	err     error
}

// verifyingServer verifies each request and reads its body.
type verifyingServer struct {
	*httptest.Server
	verifier *Verifier
	mu       sync.Mutex
	last     verifiedExchange
}

func newVerifyingServer(t *testing.T, options BodyOptions) *verifyingServer {
	t.Helper()
	s := startVerifying(t, httptest.NewUnstartedServer(nil), options)
	s.StartTLS()
	return s
}

func startVerifying(t *testing.T, server *httptest.Server, options BodyOptions) *verifyingServer {
	s := &verifyingServer{Server: server, verifier: &Verifier{Secrets: secrets{testKey: testSecret}, Regions: []string{testRegion}}}
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := s.exchange(r, options)
		s.mu.Lock()
		s.last = x
		s.mu.Unlock()
		if x.err != nil {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprintf(w, "<Error><Code>%s</Code></Error>", gateway.CodeOf(x.err))
		}
	})
	t.Cleanup(s.Close)
	return s
}

func (s *verifyingServer) exchange(r *http.Request, options BodyOptions) (x verifiedExchange) {
	if x.target, x.err = ParseTarget(r.RequestURI); x.err != nil {
		return x
	}
	if x.auth, x.err = s.verifier.Verify(r, x.target); x.err != nil {
		return x
	}
	body, err := x.auth.OpenBody(r, options)
	if err != nil {
		x.err = err
		return x
	}
	data, err := io.ReadAll(body)
	x.body, x.err, x.trailer = string(data), err, body.TrailerName()
	return x
}

func (s *verifyingServer) want(t *testing.T, path, body, mode string) verifiedExchange {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.last
	if x.err != nil {
		t.Fatalf("refused: %v\n%s", x.err, detail(x.err, "CanonicalRequest"))
	}
	if x.target.Path != path || x.body != body || mode != "" && x.auth.PayloadHash != mode {
		t.Errorf("path %q, %d bytes, mode %q; want %q, %d, %q", x.target.Path, len(x.body), x.auth.PayloadHash, path, len(body), mode)
	}
	return x
}

func (s *verifyingServer) client(creds aws.CredentialsProvider) *s3.Client {
	return s3.New(s3.Options{
		Region: testRegion, BaseEndpoint: &s.URL, UsePathStyle: true, HTTPClient: s.Client(),
		Credentials: creds, RetryMaxAttempts: 1, RequestChecksumCalculation: aws.RequestChecksumCalculationWhenSupported,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenSupported,
	})
}

var staticCreds = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return testCreds, nil })

func TestExchangeWithTheSDK(t *testing.T) {
	s := newVerifyingServer(t, BodyOptions{VerifyPayloadHash: true})
	client, ctx := s.client(staticCreds), t.Context()
	big := strings.Repeat("0123456789", 30000)
	for _, key := range []string{"plain", "date=1/a+b&c;d", "sp ace/(x)/é", "a//b/./c/../d", "100%/%2F"} {
		bucket, path := "bucket", "/bucket/"+key
		t.Run(key, func(t *testing.T) {
			if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: strings.NewReader(big), Metadata: map[string]string{"a": "b  c"}}); err != nil {
				t.Fatal(err)
			}
			if x := s.want(t, path, big, StreamingUnsignedTrailer); x.trailer != "x-amz-checksum-crc32" {
				t.Errorf("trailer %q", x.trailer)
			}
			_, _ = client.GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket, Key: &key, Range: aws.String("bytes=0-9")})
			s.want(t, path, "", "")
			_, _ = client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &bucket, Prefix: &key, Delimiter: aws.String("/")})
			if x := s.want(t, "/bucket", "", ""); x.err == nil {
				if prefix, _ := x.target.Get("prefix"); prefix != key {
					t.Errorf("prefix %q", prefix)
				}
			}
			_, _ = client.CopyObject(ctx, &s3.CopyObjectInput{Bucket: &bucket, Key: &key, CopySource: aws.String("bucket/" + EncodePath(key))})
			s.want(t, path, "", "")
		})
	}
}

func TestExchangeModesOfTheSDK(t *testing.T) {
	secure := newVerifyingServer(t, BodyOptions{VerifyPayloadHash: true})
	put := func(s *verifyingServer, algorithm types.ChecksumAlgorithm, change func(*s3.Options)) {
		t.Helper()
		_, err := s.client(staticCreds).PutObject(t.Context(), &s3.PutObjectInput{
			Bucket: aws.String("b"), Key: aws.String("k"), Body: strings.NewReader("hello"), ChecksumAlgorithm: algorithm,
		}, change)
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range types.ChecksumAlgorithm("").Values() {
		if _, known := NewChecksum(string(a)); !known {
			continue
		}
		put(secure, a, func(*s3.Options) {})
		if x := secure.want(t, "/b/k", "hello", ""); x.trailer != "x-amz-checksum-"+strings.ToLower(string(a)) {
			t.Errorf("%s: trailer %q, mode %q", a, x.trailer, x.auth.PayloadHash)
		}
	}
	whenRequired := func(o *s3.Options) { o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired }
	put(secure, "", whenRequired)
	secure.want(t, "/b/k", "hello", UnsignedPayload)

	// Without TLS the SDK signs the hash of the payload.
	open := startVerifying(t, httptest.NewUnstartedServer(nil), BodyOptions{VerifyPayloadHash: true})
	open.Start()
	put(open, "", whenRequired)
	open.want(t, "/b/k", "hello", sha("hello"))
}

func TestExchangeLinksOfTheSDK(t *testing.T) {
	s := newVerifyingServer(t, BodyOptions{})
	presign := s3.NewPresignClient(s.client(staticCreds))
	get, err := presign.PresignGetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("a b/é+=")})
	if err != nil {
		t.Fatal(err)
	}
	put, err := presign.PresignPutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("b"), Key: aws.String("k"), ContentType: aws.String("text/plain"), ACL: "private"})
	if err != nil {
		t.Fatal(err)
	}
	send := func(method, link, body string, header http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, link, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range header {
			if name != "Host" && name != "Content-Length" {
				r.Header[name] = values
			}
		}
		resp, err := s.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	send("GET", get.URL, "", nil)
	if x := s.want(t, "/b/a b/é+=", "", UnsignedPayload); !x.auth.Presigned || x.auth.Expires != 15*time.Minute {
		t.Errorf("auth %+v", *x.auth)
	}
	send("PUT", put.URL, "hello", put.SignedHeader)
	s.want(t, "/b/k", "hello", UnsignedPayload)
}

func TestExchangeAnonymousSDK(t *testing.T) {
	s := newVerifyingServer(t, BodyOptions{})
	_, err := s.client(aws.AnonymousCredentials{}).GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
	if err != nil {
		t.Fatalf("%v; not signed: %s", err, detail(s.last.err, "HeadersNotSigned"))
	}
	if x := s.want(t, "/b/k", "", EmptyHash); !x.auth.Anonymous {
		t.Errorf("auth %+v", *x.auth)
	}
}

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
