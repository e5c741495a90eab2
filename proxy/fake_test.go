package proxy

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

const (
	backendKey    = "BACKENDKEY"
	backendSecret = "backend-secret-that-no-client-may-see"
	backendRegion = "eu-central-1"
)

// seen is one request as the backend received it.
type seen struct {
	Method, URI, Host string
	Header            http.Header
	Wire              []byte // the body as sent
	Body              string // the plain bytes, proven as the backend would
	Length            int64
	Err               error // why nothing was stored
}

// fakeS3 is a backend that checks the signature and the body of every request,
// records it, and answers what a test says.
type fakeS3 struct {
	*httptest.Server
	verifier *signer.Verifier

	mu     sync.Mutex
	all    []seen
	answer func(w http.ResponseWriter, r *http.Request, s seen)
	early  func(w http.ResponseWriter, r *http.Request) bool // before the body
	source string                                            // a HEAD below this path finds the source of a copy and is not recorded
}

func newFakeS3(t testing.TB) *fakeS3 {
	t.Helper()
	f := &fakeS3{verifier: &signer.Verifier{
		Secrets: secrets{backendKey: backendSecret}, Regions: []string{backendRegion}, Now: time.Now,
	}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

type secrets map[string]string

func (s secrets) Secret(id string) (string, bool) { v, ok := s[id]; return v, ok }

// ServeHTTP takes a request as S3 does: nothing is believed that is not signed,
// and a body that does not prove itself is not stored.
func (f *fakeS3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s := seen{Method: r.Method, URI: r.RequestURI, Host: r.Host, Header: r.Header.Clone(), Length: r.ContentLength}
	f.mu.Lock()
	answer, early, found := f.answer, f.early, f.source != "" && r.Method == http.MethodHead && strings.HasPrefix(r.URL.Path, f.source)
	f.mu.Unlock()
	if found {
		w.Header().Set("Etag", `"source"`)
		w.Header().Set("Content-Length", "4")
		return
	}
	if early != nil && early(w, r) {
		f.record(s)
		return
	}
	s.Wire, s.Err = io.ReadAll(r.Body)
	if s.Err == nil {
		s.Body, s.Err = f.prove(r, s.Wire)
	}
	f.record(s)
	switch {
	case s.Err != nil:
		w.WriteHeader(http.StatusBadRequest)
	case answer != nil:
		answer(w, r, s)
	default:
		w.Header().Set("Etag", `"etag"`)
	}
}

func (f *fakeS3) prove(r *http.Request, wire []byte) (string, error) {
	target, err := signer.ParseTarget(r.RequestURI)
	if err != nil {
		return "", err
	}
	auth, err := f.verifier.Verify(r, target)
	if err != nil {
		return "", err
	}
	if auth.Anonymous {
		return "", errors.New("not signed")
	}
	r.Body = io.NopCloser(bytes.NewReader(wire))
	body, err := auth.OpenBody(r, signer.BodyOptions{VerifyPayloadHash: true, OtherChecksums: r.URL.Query().Has("uploadId") && r.Method == http.MethodPost})
	if err != nil {
		return "", err
	}
	plain, err := io.ReadAll(body)
	return string(plain), err
}

func (f *fakeS3) record(s seen) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = append(f.all, s)
}

// requests are those that came so far.
func (f *fakeS3) requests() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]seen(nil), f.all...)
}

// stored are the requests whose body was whole and proven.
func (f *fakeS3) stored() (all []seen) {
	for _, s := range f.requests() {
		if s.Err == nil {
			all = append(all, s)
		}
	}
	return all
}

// forget drops what was recorded.
func (f *fakeS3) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.all = nil
}

// answers sets what the backend says from now on.
func (f *fakeS3) answers(answer func(w http.ResponseWriter, r *http.Request, s seen)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer = answer
}

// answersEarly sets what it says before it reads a body; false reads on.
func (f *fakeS3) answersEarly(early func(w http.ResponseWriter, r *http.Request) bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.early = early
}

// hasSources makes it find the source of every copy from below a path.
func (f *fakeS3) hasSources(path string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.source = path
}

// refuses makes the backend answer with an error document.
func (f *fakeS3) refuses(status int, code, more string) {
	f.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n<Error><Code>"+code+"</Code><Message>backend says "+code+"</Message>"+more+"</Error>")
	})
}

// says makes it answer 200 with a document.
func (f *fakeS3) says(document string) {
	f.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) {
		w.Header().Set("Content-Type", "application/xml")
		_, _ = io.WriteString(w, document)
	})
}

// client is a gateway's client of the fake.
func (f *fakeS3) client(t testing.TB, change func(*backend.Endpoint)) *backend.Client {
	t.Helper()
	u, err := url.Parse(f.URL)
	if err != nil {
		t.Fatal(err)
	}
	e := backend.Endpoint{
		Name: "fake", URL: u, Region: backendRegion, PathStyle: true, Trailers: true, ConditionalWrites: true,
		Credentials: credentials.NewStaticCredentialsProvider(backendKey, backendSecret, ""),
	}
	if change != nil {
		change(&e)
	}
	c := backend.New(e, zerolog.Nop(), time.Now)
	t.Cleanup(c.Close)
	return c
}
