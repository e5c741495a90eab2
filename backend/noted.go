package backend

import (
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"

	gateway "github.com/codeguardians/s3gateway"
)

// noted leaves in the record of a request that the backend may have changed
// something for it.
type noted struct{ next http.RoundTripper }

// RoundTrip passes the request on.
func (n noted) RoundTrip(r *http.Request) (*http.Response, error) {
	out, body := r, (*countedBody)(nil)
	if r.Body != nil && r.Body != http.NoBody {
		body = &countedBody{ReadCloser: r.Body}
		out = r.WithContext(r.Context()) // a round tripper leaves its request as it is
		out.Body = body
	}
	resp, err := n.next.RoundTrip(out)
	if mayHaveChanged(resp, err) && (resp != nil || body == nil || body.read.Load() >= r.ContentLength) {
		gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) { f.Begun = true })
	}
	return resp, err
}

// mayHaveChanged reports an answer that does not say that nothing was done. A
// request that reached nobody did nothing.
func mayHaveChanged(resp *http.Response, err error) bool {
	if err != nil {
		var dial *net.OpError
		return !errors.As(err, &dial) || dial.Op != "dial"
	}
	switch resp.StatusCode {
	case http.StatusNotImplemented, http.StatusServiceUnavailable:
		return false
	}
	return resp.StatusCode < http.StatusMultipleChoices || resp.StatusCode >= http.StatusInternalServerError
}

// countedBody counts what was taken of a body: of one that was not sent whole a
// store keeps nothing.
type countedBody struct {
	io.ReadCloser
	read atomic.Int64
}

// Read reads the body.
func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.read.Add(int64(n))
	return n, err
}
