package backend

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"time"

	"github.com/rs/zerolog"
)

// Bounds of the connection to a backend. None of them bounds a whole request:
// a long upload may take as long as it moves.
const (
	dialTimeout = 5 * time.Second
	// responseHeaderTimeout runs from the last byte of the request. A store
	// that joins parts or copies within itself may take longer before its first
	// byte (patientTimeout).
	responseHeaderTimeout = 5 * time.Minute
	patientTimeout        = time.Hour
	// idleConnTimeout stays under the idle limits of the stores met so far, so
	// that a request seldom meets a connection the store has just closed.
	idleConnTimeout       = 30 * time.Second
	expectContinueTimeout = time.Second
	idleConns             = 256
	// maxAnswerHeader bounds the header of an answer, in bytes. S3 allows 8 KB of
	// a request's; net/http's own bound is 10 MB.
	maxAnswerHeader = 1 << 20
	// headBuffer holds the header of a request or an answer, in bytes; a longer one
	// takes a second read or write. Bodies pass it by: they are read into the buffer
	// of the copy, and written from the body. A connection holds two of them as long
	// as a client does not read.
	headBuffer = 1536
)

// newTransport makes the connections to one endpoint. Compression is off: it
// would be asked for behind the signature, and undone on the way back.
func newTransport(e Endpoint) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return movingConn{conn, cmp.Or(e.Stall, stallTime)}, nil
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dial,
		DisableCompression:    true,
		TLSClientConfig:       e.tlsConfig(),
		ForceAttemptHTTP2:     false,
		MaxIdleConns:          idleConns,
		MaxIdleConnsPerHost:   idleConns,
		IdleConnTimeout:       idleConnTimeout,
		TLSHandshakeTimeout:   dialTimeout,
		ResponseHeaderTimeout: responseHeaderTimeout,
		ExpectContinueTimeout: expectContinueTimeout,
		ReadBufferSize:        headBuffer,
		WriteBufferSize:       headBuffer,

		MaxResponseHeaderBytes: maxAnswerHeader,
	}
}

// tlsConfig is how the backend is believed to be the one it claims to be.
func (e *Endpoint) tlsConfig() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: e.CAs, InsecureSkipVerify: e.SkipTLSVerify}
}

// logged writes one line at DEBUG for each request that goes to the backend.
// The query stays out of it: a presigned one would carry a signature.
type logged struct {
	next http.RoundTripper
	log  zerolog.Logger
	now  func() time.Time
}

// RoundTrip passes the request on and logs how it went.
func (t *logged) RoundTrip(r *http.Request) (*http.Response, error) {
	if t.log.GetLevel() > zerolog.DebugLevel {
		return t.next.RoundTrip(r)
	}
	start := t.now()
	resp, err := t.next.RoundTrip(r)
	line := t.log.Debug().Str("method", r.Method).Str("host", r.URL.Host).
		Str("path", r.URL.EscapedPath()).Dur("took", t.now().Sub(start)).Err(err)
	if resp != nil {
		line = line.Int("status", resp.StatusCode).Str("backend_request_id", resp.Header.Get("X-Amz-Request-Id"))
	}
	line.Msg("backend call")
	return resp, err
}
