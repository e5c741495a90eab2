package backend

import (
	"errors"
	"net/http"
)

// sound refuses answers that no client may be given.
type sound struct{ next http.RoundTripper }

// RoundTrip passes the request on.
func (s sound) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := s.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if why := unsound(r, resp); why != "" {
		resp.Body.Close()
		return nil, errors.New("the backend's answer " + why)
	}
	return resp, nil
}

// unsound says what is wrong with an answer. Where neither a length nor chunks
// tell the end of one, it ends with its connection, and a part of an object
// looks like all of it.
func unsound(r *http.Request, resp *http.Response) string {
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 599:
		return "has a status that is none"
	case r.Method == http.MethodGet && resp.StatusCode < 300 && resp.ContentLength < 0 && len(resp.TransferEncoding) == 0:
		return "does not tell where it ends"
	}
	return ""
}
