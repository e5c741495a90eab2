package backend

import (
	"errors"
	"net"
	"net/http"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/counted"
)

// noted leaves in the record of a request that the backend may have changed
// something for it.
type noted struct{ next http.RoundTripper }

// RoundTrip passes the request on.
func (n noted) RoundTrip(r *http.Request) (*http.Response, error) {
	out, body := r, (*counted.Body)(nil)
	if r.Body != nil && r.Body != http.NoBody {
		body = &counted.Body{ReadCloser: r.Body}
		out = r.WithContext(r.Context()) // a round tripper leaves its request as it is
		out.Body = body
	}
	resp, err := n.next.RoundTrip(out)
	// Of a body that was not sent whole a store keeps nothing.
	if mayHaveChanged(resp, err) && (resp != nil || body == nil || body.Bytes() >= r.ContentLength) {
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
