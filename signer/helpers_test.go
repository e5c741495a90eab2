package signer

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	testKey    = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	testHost   = "s3.example.com"
	testRegion = "eu-central-1"
)

var (
	testNow   = time.Date(2026, 3, 14, 15, 9, 26, 0, time.UTC)
	testCreds = aws.Credentials{AccessKeyID: testKey, SecretAccessKey: testSecret}
)

// secrets is a fixed key table.
type secrets map[string]string

func (s secrets) Secret(id string) (string, bool) { v, ok := s[id]; return v, ok }

func newVerifier() *Verifier {
	return &Verifier{
		Secrets: secrets{testKey: testSecret, "EMPTY": ""},
		Regions: []string{testRegion, "us-east-1"},
		Now:     func() time.Time { return testNow },
	}
}

// message is a request as a client would build it.
type message struct {
	method, path, query, host string
	header                    http.Header
	hash, body                string
	at                        time.Time
	creds                     aws.Credentials
	region                    string
}

func (m message) request() *http.Request {
	u := &url.URL{Scheme: "https", Host: testHost}
	if m.host != "" {
		u.Host = m.host
	}
	SetTarget(u, m.path, m.query)
	r := &http.Request{Method: m.method, URL: u, Host: u.Host, Header: m.header.Clone(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}
	if r.Header == nil {
		r.Header = http.Header{}
	}
	if m.body != "" {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(m.body)), int64(len(m.body))
	}
	return r
}

func (m message) defaults() message {
	if m.method == "" {
		m.method = "GET"
	}
	if m.path == "" {
		m.path = "/bucket/key"
	}
	if m.hash == "" {
		m.hash = EmptyHash
	}
	if m.at.IsZero() {
		m.at = testNow
	}
	if m.creds.AccessKeyID == "" {
		m.creds = testCreds
	}
	if m.region == "" {
		m.region = testRegion
	}
	return m
}

// signed gives the request as the gateway receives it, signed by the SDK.
func (m message) signed(t testing.TB) *http.Request {
	t.Helper()
	return received(t, m.signedWire(t))
}

func (m message) signedWire(t testing.TB) string {
	t.Helper()
	m = m.defaults()
	r := m.request()
	r.Header.Set("X-Amz-Content-Sha256", m.hash)
	if err := newS3Signer().SignHTTP(context.Background(), m.creds, r, m.hash, "s3", m.region, m.at); err != nil {
		t.Fatal(err)
	}
	return wireOf(t, r)
}

// presigned gives the request of a presigned URL made by Presign.
func (m message) presigned(t testing.TB, expires time.Duration) *http.Request {
	t.Helper()
	return received(t, m.presignedWire(t, expires))
}

func (m message) presignedWire(t testing.TB, expires time.Duration) string {
	t.Helper()
	m = m.defaults()
	r := m.request()
	link, err := Presign(context.Background(), m.creds, m.method, r.URL, m.header, m.region, expires, m.at)
	if err != nil {
		t.Fatal(err)
	}
	if r.URL, err = url.Parse(link); err != nil {
		t.Fatal(err)
	}
	return wireOf(t, r)
}

// wireOf writes a request as a client does.
func wireOf(t testing.TB, r *http.Request) string {
	t.Helper()
	var wire bytes.Buffer
	if err := r.Write(&wire); err != nil {
		t.Fatal(err)
	}
	return wire.String()
}

// received reads a request as a server does.
func received(t testing.TB, wire string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		t.Fatalf("read request: %v\n%s", err, wire)
	}
	return r
}

func verify(t testing.TB, v *Verifier, r *http.Request) (*Auth, error) {
	t.Helper()
	target, err := ParseTarget(r.RequestURI)
	if err != nil {
		return nil, err
	}
	return v.Verify(r, target)
}

func mustVerify(t testing.TB, v *Verifier, r *http.Request) *Auth {
	t.Helper()
	a, err := verify(t, v, r)
	if err != nil {
		t.Fatalf("%s %s refused: %v\n%s", r.Method, r.RequestURI, err, detail(err, "CanonicalRequest"))
	}
	return a
}

func detail(err error, name string) string {
	for _, d := range gateway.AsError(err).Details {
		if d.Name == name {
			return d.Value
		}
	}
	return ""
}

func wantCode(t testing.TB, err error, want gateway.Code) {
	t.Helper()
	if got := gateway.CodeOf(err); got != want {
		t.Errorf("code = %q (%v), want %q", got, err, want)
	}
}

func credsOf(id, secret string) aws.Credentials {
	return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}
}
