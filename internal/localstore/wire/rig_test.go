package wire_test

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/internal/localstore/wire"
)

// rig is a store of the test's own, and the ways to speak to it.
type rig struct {
	*s3.Client
	t     testing.TB
	store *localstore.Store
	wire  http.RoundTripper
	log   *lockedBuffer

	mu  sync.Mutex
	now time.Time
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}

var start = time.Date(2030, 5, 6, 7, 8, 9, 0, time.UTC)

func newRig(t testing.TB) *rig { return newRigIn(t, "") }

func newRigIn(t testing.TB, region string) *rig {
	t.Helper()
	r := &rig{t: t, now: start, log: &lockedBuffer{}}
	clock := func() time.Time {
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.now
	}
	var err error
	if r.store, err = localstore.Open(context.Background(), localstore.Options{Dir: t.TempDir(), NoSync: true, Now: clock, Log: zerolog.Nop()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.store.Close(); err != nil {
			t.Error(err)
		}
	})
	r.wire = wire.New(r.store, wire.Options{Region: region, Now: clock, Log: zerolog.New(r.log)})
	r.Client = s3.New(s3.Options{
		BaseEndpoint: aws.String("http://store"), Region: "us-east-1", UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTPClient:  &http.Client{Transport: r.wire},
	})
	return r
}

// later moves the clock.
func (r *rig) later(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = r.now.Add(d)
}

// reply is an answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// do sends a request with headers given as name, value, name, value.
func (r *rig) do(method, target, body string, header ...string) reply {
	r.t.Helper()
	req, err := http.NewRequest(method, "http://store"+target, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	return r.send(req)
}

func (r *rig) send(req *http.Request) reply {
	r.t.Helper()
	resp, err := r.wire.RoundTrip(req)
	if err != nil {
		r.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		r.t.Fatalf("%s %s: %v", req.Method, req.URL, err)
	}
	if req.Method != http.MethodHead && resp.StatusCode != http.StatusNotModified && resp.ContentLength != int64(len(raw)) {
		r.t.Errorf("%s %s: length %d of %d bytes", req.Method, req.URL, resp.ContentLength, len(raw))
	}
	return reply{resp.StatusCode, resp.Header, string(raw)}
}

// must sends a request that has to succeed.
func (r *rig) must(method, target, body string, header ...string) reply {
	r.t.Helper()
	a := r.do(method, target, body, header...)
	if a.status >= 300 {
		r.t.Fatalf("%s %s: %d %s", method, target, a.status, a.body)
	}
	return a
}

// refused sends a request that has to end with this status and code.
func (r *rig) refused(status int, code, method, target, body string, header ...string) reply {
	r.t.Helper()
	a := r.do(method, target, body, header...)
	got := a.header.Get("X-Amz-Error-Code")
	if method != http.MethodHead && status != http.StatusNotModified {
		got = a.code(r.t)
	}
	if a.status != status || got != code {
		r.t.Errorf("%s %s %v: %d %s (%s), want %d %s", method, target, header, a.status, got, a.body, status, code)
	}
	return a
}

func (a reply) code(t testing.TB) string {
	t.Helper()
	var doc struct {
		XMLName   xml.Name `xml:"Error"`
		Code      string
		RequestID string `xml:"RequestId"`
	}
	if err := xml.Unmarshal([]byte(a.body), &doc); err != nil {
		return "no error document: " + a.body
	}
	if doc.RequestID == "" || doc.RequestID != a.header.Get("X-Amz-Request-Id") {
		t.Errorf("request ID %q in the document, %q in the header", doc.RequestID, a.header.Get("X-Amz-Request-Id"))
	}
	return doc.Code
}

func (r *rig) bucket(name string) string {
	r.t.Helper()
	r.must("PUT", "/"+name, "")
	return name
}

func (r *rig) versioned(name string) string {
	r.t.Helper()
	r.bucket(name)
	r.must("PUT", "/"+name+"?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
	return name
}

// headers fails the test unless the answer has these, given as name, value; ""
// means that there is none.
func (a reply) headers(t testing.TB, header ...string) {
	t.Helper()
	for i := 0; i < len(header); i += 2 {
		if got := strings.Join(a.header[http.CanonicalHeaderKey(header[i])], "|"); got != header[i+1] {
			t.Errorf("%s is %q, want %q", header[i], got, header[i+1])
		}
	}
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// contains fails the test unless the document has each part.
func (a reply) contains(t testing.TB, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(a.body, part) {
			t.Errorf("no %s in %s", part, a.body)
		}
	}
}
