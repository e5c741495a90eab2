package proxy

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rs/zerolog"
	"go.uber.org/goleak"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/cache"
	"github.com/codeguardians/s3gateway/internal/drain"
	"github.com/codeguardians/s3gateway/internal/fairshare"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/signer"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	clientKey    = "CLIENTKEY"
	clientSecret = "client-secret-of-the-only-caller"
	requestID    = "0123456789ABCDEF"
)

// rig is a door in front of a fake backend. Everything is open unless a test
// says otherwise.
type rig struct {
	t       testing.TB
	backend *fakeS3
	door    *Door
	policy  *policy.Policy
	callers *policy.Callers
	server  *httptest.Server
	http    *http.Transport
}

func newRig(t testing.TB, changes ...func(*rig)) *rig {
	t.Helper()
	r := &rig{t: t, backend: newFakeS3(t), policy: &policy.Policy{Types: policy.AnyType()}}
	var err error
	if r.callers, err = policy.NewCallers(policy.CallersOptions{
		Master:     "master-of-the-links",
		AccessKeys: []policy.AccessKey{{ID: clientKey, Secret: clientSecret, Caller: "tester"}},
	}); err != nil {
		t.Fatal(err)
	}
	r.door = &Door{
		Table: NewTable(), Callers: r.callers, Policy: r.policy, Log: zerolog.Nop(),
		Verifier: &signer.Verifier{Secrets: r.callers, Regions: []string{"us-east-1"}, Now: time.Now},
		Buckets:  &Buckets{Client: r.backend.client(t, nil), Exposed: []string{"*"}},
		Cache:    cache.New(cache.Options{Entries: 100, TTL: time.Minute, Now: time.Now}),
	}
	for _, change := range changes {
		change(r)
	}
	traffic := policy.NewTraffic(policy.TrafficOptions{Entries: 10, Now: time.Now, StreamNow: time.Now})
	address := func(*http.Request) string { return "here" }
	doors := drain.Middleware(fairshare.Handler(address, traffic.Handler(r.door)))
	r.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		record := &gateway.Record{}
		record.Update(func(f *gateway.Fields) { f.ID = requestID })
		w.Header().Set("Server", "s3gateway")
		doors.ServeHTTP(w, q.WithContext(gateway.WithRecord(q.Context(), record)))
	}))
	r.http = &http.Transport{DisableCompression: true}
	t.Cleanup(func() {
		r.http.CloseIdleConnections()
		r.server.Close()
	})
	return r
}

// endpoint changes how the gateway sees the fake backend.
func endpoint(change func(*backend.Endpoint)) func(*rig) {
	return func(r *rig) { r.door.Buckets.Client = r.backend.client(r.t, change) }
}

// limits gives the policy of the defaults' kind.
func limits(size int64, types ...string) func(*rig) {
	return func(r *rig) {
		parsed, err := policy.ParseTypes(types)
		if err != nil {
			r.t.Fatal(err)
		}
		r.policy.MaxFileSize, r.policy.Types = size, parsed
	}
}

// call is one request of a client. Path is decoded.
type call struct {
	method, path, query string
	header              map[string]string
	body                string
	hash                string // x-amz-content-sha256; empty for that of body
	creds               aws.Credentials
	presign, anonymous  bool
	host                string
	length              int64 // declared instead of len(body), when not 0
	edit                func(*http.Request)
}

// reply is what the client got.
type reply struct {
	status        int
	header        http.Header
	body          string
	code, message string // of an S3 error document
	err           error  // of a body that was cut off
}

func (r *rig) url(c call) *url.URL {
	target, err := signer.ParseTarget("/?" + c.query)
	if err != nil {
		r.t.Fatal(err)
	}
	u := &url.URL{Scheme: "http", Host: r.server.Listener.Addr().String()}
	signer.SetTarget(u, c.path, signer.BuildQuery(target.Query))
	return u
}

// request makes the unsigned request of a call.
func (r *rig) request(c call) *http.Request {
	q := &http.Request{Method: c.method, URL: r.url(c), Header: http.Header{}, Host: c.host}
	for name, value := range c.header {
		q.Header.Set(name, value)
	}
	if c.body != "" || c.method == http.MethodPut {
		q.Body, q.ContentLength = io.NopCloser(strings.NewReader(c.body)), int64(len(c.body))
		if c.body == "" {
			q.Body = http.NoBody
		}
	}
	if c.length != 0 {
		q.ContentLength = c.length
	}
	if !c.anonymous && !c.presign {
		hash := c.hash
		if hash == "" {
			sum := sha256.Sum256([]byte(c.body))
			hash = hex.EncodeToString(sum[:])
		}
		q.Header.Set("X-Amz-Content-Sha256", hash)
	}
	if c.edit != nil {
		c.edit(q)
	}
	return q
}

// do signs a call, sends it and reads the answer.
func (r *rig) do(c call) reply {
	r.t.Helper()
	resp, err := r.send(c)
	if err != nil {
		r.t.Fatalf("%s %s: %v", c.method, c.path, err)
	}
	return readReply(resp)
}

func (r *rig) send(c call) (*http.Response, error) {
	r.t.Helper()
	if c.method == "" {
		c.method = http.MethodGet
	}
	creds := c.creds
	if creds.AccessKeyID == "" {
		creds = aws.Credentials{AccessKeyID: clientKey, SecretAccessKey: clientSecret}
	}
	q := r.request(c)
	switch {
	case c.anonymous:
		return r.http.RoundTrip(q)
	case c.presign:
		link, err := signer.Presign(context.Background(), creds, q.Method, q.URL, q.Header, "us-east-1", time.Minute, time.Now())
		if err != nil {
			r.t.Fatal(err)
		}
		if q.URL, err = url.Parse(link); err != nil {
			r.t.Fatal(err)
		}
		return r.http.RoundTrip(q)
	}
	signing := &signer.Transport{Base: r.http, Credentials: credentials.NewStaticCredentialsProvider(creds.AccessKeyID, creds.SecretAccessKey, "")}
	return signing.RoundTrip(q)
}

func readReply(resp *http.Response) reply {
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	a := reply{status: resp.StatusCode, header: resp.Header, body: string(raw), err: err}
	var doc struct{ Code, Message string }
	if bytes.Contains(raw, []byte("<Error>")) && xml.Unmarshal(raw, &doc) == nil {
		a.code, a.message = doc.Code, doc.Message
	}
	return a
}

// refused checks status, code and a part of the message of a refusal.
func (r *rig) refused(a reply, status int, code, part string) {
	r.t.Helper()
	if a.status != status || a.code != code || !strings.Contains(a.body, part) {
		r.t.Errorf("answer %d %s\n%s\nwant %d %s with %q", a.status, a.code, a.body, status, code, part)
	}
}

// untouched checks that no request reached the backend.
func (r *rig) untouched() {
	r.t.Helper()
	if all := r.backend.requests(); len(all) > 0 {
		r.t.Errorf("the backend got %d requests, first %s %s", len(all), all[0].Method, all[0].URI)
	}
}

// only gives the one request that reached the backend, proven.
func (r *rig) only() seen {
	r.t.Helper()
	all := r.backend.requests()
	if len(all) != 1 {
		r.t.Fatalf("the backend got %d requests, want 1: %+v", len(all), all)
	}
	if all[0].Err != nil {
		r.t.Fatalf("the backend refused %s %s: %v\n%v", all[0].Method, all[0].URI, all[0].Err, all[0].Header)
	}
	return all[0]
}

// linkKeys are the link credential of the rig's caller.
func (r *rig) linkKeys() aws.Credentials {
	id, secret := r.callers.LinkCredential(gateway.Caller{Name: "tester"})
	return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
}

// eventually waits for a condition that other goroutines bring about.
func eventually(t testing.TB, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		if met() {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Fatal("never: " + what)
}

func base64Of(raw []byte) string { return base64.StdEncoding.EncodeToString(raw) }
