package backend

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"net"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	testKey    = "AKIDBACKEND"
	testSecret = "a-secret-that-nobody-prints"
	testRegion = "eu-central-1"
)

func testEndpoint(t testing.TB, address string) Endpoint {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return Endpoint{Name: "test", URL: u, Region: testRegion, PathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(testKey, testSecret, "")}
}

// serve gives a client of a server that verifies what it gets.
func serve(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	verifier := &signer.Verifier{Secrets: secrets{testKey: testSecret}, Regions: []string{testRegion}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		target, err := signer.ParseTarget(r.RequestURI)
		if err == nil {
			_, err = verifier.Verify(r, target)
		}
		if err != nil {
			t.Errorf("%s %s: %v", r.Method, r.RequestURI, err)
		}
		handler(w, r)
	}))
	t.Cleanup(server.Close)
	c := New(testEndpoint(t, server.URL), zerolog.Nop(), time.Now)
	t.Cleanup(c.Close)
	return c
}

type secrets map[string]string

func (s secrets) Secret(id string) (string, bool) { v, ok := s[id]; return v, ok }

func TestBytesPassAsTheyAre(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept-Encoding") != "" {
			t.Errorf("compression was asked for: %v", r.Header)
		}
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = io.WriteString(w, "\x1f\x8b not really gzip")
	})
	resp, err := c.Do(t.Context(), Request{Method: "GET", Bucket: "b", Key: "a key"})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil || string(raw) != "\x1f\x8b not really gzip" || resp.Header.Get("Content-Encoding") != "gzip" || resp.ContentLength != 18 {
		t.Errorf("%q %v %v", raw, resp.Header, err)
	}
}

func TestBodiesHaveTheirExactLength(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		raw, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Amz-Version-Id", fmt.Sprintf("%d %v %s %q", r.ContentLength, r.TransferEncoding, r.Header.Get("X-Amz-Content-Sha256"), r.Header.Get("Expect")))
		_, _ = w.Write(raw[:min(len(raw), 10)])
	})
	big := strings.Repeat("x", expectContinueFrom)
	for _, tc := range []struct {
		name string
		req  Request
		want string
	}{
		{"none", Request{}, `0 [] ` + signer.EmptyHash + ` ""`},
		{"empty", Request{Body: io.NopCloser(strings.NewReader(""))}, `0 [] ` + signer.EmptyHash + ` ""`},
		{"short", Request{Body: io.NopCloser(strings.NewReader("hello")), Length: 5}, `5 [] UNSIGNED-PAYLOAD ""`},
		{"long, asked for first", Request{Body: io.NopCloser(strings.NewReader(big)), Length: int64(len(big))}, fmt.Sprintf(`%d [] UNSIGNED-PAYLOAD "100-continue"`, len(big))},
	} {
		tc.req.Method, tc.req.Bucket, tc.req.Key = "PUT", "b", "k"
		resp, err := c.Do(t.Context(), tc.req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if got := resp.Header.Get("X-Amz-Version-Id"); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}

// failing is a body whose end is a refusal.
type failing struct {
	io.Reader
	closed *bool
}

func (f failing) Close() error { *f.closed = true; return nil }

func TestABodysOwnErrorComesBack(t *testing.T) {
	c := serve(t, func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) })
	for _, length := range []int64{0, 100, 1 << 20} {
		closed := false
		refusal := gateway.Errorf(gateway.BadDigest, "no")
		body := failing{io.MultiReader(strings.NewReader(strings.Repeat("x", int(length/2))), errReader{refusal}), &closed}
		resp, err := c.Do(t.Context(), Request{Method: "PUT", Bucket: "b", Key: "k", Body: body, Length: length})
		if resp != nil {
			resp.Body.Close()
		}
		if gateway.CodeOf(err) != gateway.BadDigest || !closed {
			t.Errorf("length %d: %v, closed %v", length, err, closed)
		}
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// A backend that refuses a long body before it was sent is heard, and the body
// is not read.
func TestTheBackendIsAskedBeforeALongBody(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInsufficientStorage) })
	for range 20 {
		body := &counting{Reader: strings.NewReader(strings.Repeat("x", 8<<20))}
		resp, err := c.Do(t.Context(), Request{Method: "PUT", Bucket: "b", Key: "k", Body: io.NopCloser(body), Length: 8 << 20})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusInsufficientStorage || body.n > 0 {
			t.Fatalf("%d after %d bytes", resp.StatusCode, body.n)
		}
	}
}

type counting struct {
	io.Reader
	n int64
}

func (c *counting) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.n += int64(n)
	return n, err
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a redirect was followed") }))
	defer elsewhere.Close()
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
	})
	resp, err := c.Do(t.Context(), Request{Method: "GET", Bucket: "b", Key: "k"})
	if err != nil {
		t.Fatal(err)
	}
	e := ReadError(resp)
	resp.Body.Close()
	if e.Code != gateway.ServiceUnavailable || e.Message != MessageAccessDenied {
		t.Errorf("raw: %v", e)
	}
	_, err = c.S3().GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("b"), Key: aws.String("k")})
	if e := gateway.AsError(FromSDK(err)); e.Code != gateway.ServiceUnavailable || e.Message != MessageAccessDenied {
		t.Errorf("SDK: %v", e)
	}
}

func TestABackendThatDoesNotAnswer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	c := New(testEndpoint(t, server.URL), zerolog.Nop(), time.Now)
	defer c.Close()
	_, err := c.Do(t.Context(), Request{Method: "GET", Bucket: "b"})
	if e := gateway.AsError(err); e.Code != gateway.ServiceUnavailable || e.RetryAfter <= 0 || strings.Contains(e.Message, "127.0.0.1") {
		t.Errorf("%v", err)
	}
	without := testEndpoint(t, server.URL)
	without.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) { return aws.Credentials{}, errors.New("none") })
	_, err = New(without, zerolog.Nop(), time.Now).Do(t.Context(), Request{Method: "GET", Bucket: "b"})
	if e := gateway.AsError(err); e.Code != gateway.ServiceUnavailable || e.RetryAfter <= 0 {
		t.Errorf("without credentials: %v", err)
	}
}

// What a client would take for a whole object, or what no HTTP server may send on,
// is the same as no answer.
func TestAnAnswerThatIsNoneIsRefused(t *testing.T) {
	for name, answer := range map[string]string{
		"a body that ends with its connection": "HTTP/1.1 200 OK\r\nETag: x\r\n\r\nhalf an obj",
		"the same of HTTP/1.0":                 "HTTP/1.0 200 OK\r\nETag: x\r\n\r\nhalf an obj",
		"a part that ends with its connection": "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/20\r\n\r\nhalf",
		"a status under 100":                   "HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n",
		"a status over 599":                    "HTTP/1.1 999 No\r\nContent-Length: 0\r\n\r\n",
		"another protocol":                     "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
		"a header without end":                 "HTTP/1.1 200 OK\r\n" + strings.Repeat("X-Amz-Meta-A: "+strings.Repeat("a", 1000)+"\r\n", 2000) + "\r\n",
		"interim answers without end":          strings.Repeat("HTTP/1.1 103 Early Hints\r\n\r\n", 100_000),
	} {
		t.Run(name, func(t *testing.T) {
			c := New(testEndpoint(t, rawServer(t, answer)), zerolog.Nop(), time.Now)
			defer c.Close()
			resp, err := c.Do(t.Context(), Request{Method: "GET", Bucket: "b", Key: "k"})
			if e := gateway.AsError(err); err == nil || e.Code != gateway.ServiceUnavailable || e.RetryAfter <= 0 {
				t.Errorf("%v %v", resp, err)
			}
		})
	}
}

// rawServer answers every request with these bytes and ends the connection.
func rawServer(t *testing.T, answer string) (url string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(conn))
			_, _ = io.WriteString(conn, answer)
			conn.Close()
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return "http://" + l.Addr().String()
}

// A whole request has no time limit, its beginning has: a long upload lasts as
// long as it moves, a silent backend does not hold a request for ever.
func TestTimeouts(t *testing.T) {
	tr := newTransport(testEndpoint(t, "http://localhost"))
	if tr.ResponseHeaderTimeout <= 0 || tr.TLSHandshakeTimeout <= 0 || tr.ExpectContinueTimeout <= 0 || tr.IdleConnTimeout <= 0 || !tr.DisableCompression || tr.MaxIdleConnsPerHost < 2 {
		t.Errorf("%+v", tr)
	}
	if sdk, ok := New(testEndpoint(t, "http://localhost"), zerolog.Nop(), time.Now).S3().Options().HTTPClient.(*http.Client); !ok || sdk.Timeout != 0 {
		t.Errorf("the SDK's client has a timeout of a whole request: %v", sdk.Timeout)
	}
}

func TestAStoreInTheProcessIsAskedWithoutASignature(t *testing.T) {
	e := testEndpoint(t, "http://localhost")
	var asked http.Header
	e.Transport = roundTripper(func(r *http.Request) (*http.Response, error) {
		asked = r.Header
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody}, nil
	})
	c := New(e, zerolog.Nop(), time.Now)
	defer c.Close()
	resp, err := c.Do(t.Context(), Request{Method: "HEAD", Bucket: "b"})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if asked == nil || asked.Get("Authorization") != "" {
		t.Errorf("asked with %v", asked)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTheDebugLineHasNoQueryAndNoSecret(t *testing.T) {
	var b bytes.Buffer
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X-Amz-Request-Id", "R1") }))
	defer server.Close()
	c := New(testEndpoint(t, server.URL), zerolog.New(&b).Level(zerolog.DebugLevel), time.Now)
	defer c.Close()
	resp, err := c.Do(t.Context(), Request{Method: "GET", Bucket: "b", Key: "k", Query: []signer.Param{{Key: "versionId", Value: "hidden"}}})
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if line := b.String(); !strings.Contains(line, `"status":200`) || !strings.Contains(line, "R1") || strings.Contains(line, "hidden") || strings.Contains(line, testKey) {
		t.Error(line)
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	e := testEndpoint(t, "http://user:pass@localhost")
	source := CredentialSource{AccessKeyID: testKey, SecretAccessKey: testSecret, SessionToken: testSecret}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(verb+verb+verb+verb, e, &e, source, &source); strings.Contains(text, testSecret) || strings.Contains(text, "pass") {
			t.Errorf("%s: %s", verb, text)
		}
	}
}
