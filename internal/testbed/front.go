package testbed

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"testing"
)

// Front gives the same store behind a server of the test's own, which ends with
// the test. handler answers its requests, or has pass do so, which is the store.
func (s *Store) Front(t testing.TB, handler func(pass http.Handler) http.HandlerFunc) *Store {
	t.Helper()
	server := httptest.NewServer(handler(&httputil.ReverseProxy{Transport: s.wire, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(s.Endpoint)
		r.Out.Host = r.In.Host // it is signed
	}}))
	t.Cleanup(server.Close)
	front, at := *s, *s.Endpoint
	at.Scheme, at.Host = "http", server.Listener.Addr().String()
	front.Endpoint, front.Transport, front.wire = &at, nil, transport()
	return &front
}
