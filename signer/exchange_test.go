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
		if !checksums[strings.ToLower(string(a))].compared {
			continue // the SDK wants the client to compute the others
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
