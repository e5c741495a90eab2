package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/api"
	"github.com/codeguardians/s3gateway/internal/listen"
	"github.com/codeguardians/s3gateway/proxy"
)

// answerUnreadable answers a request that HTTP itself cannot read in the form of
// the door that it was for, with a line in the log as for any other.
func answerUnreadable(log zerolog.Logger, now func() time.Time) func(listen.Unreadable) []byte {
	return func(u listen.Unreadable) []byte {
		method, target, _ := strings.Cut(u.Line, " ")
		target, _, _ = strings.Cut(target, " ")
		r := &http.Request{
			Method: method, RequestURI: target, URL: &url.URL{}, Header: http.Header{},
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Body: http.NoBody, RemoteAddr: u.RemoteAddr,
		}
		write := proxy.WriteError
		if path := rawPath(target); path == restPath || strings.HasPrefix(path, restPath+"/") {
			write = api.WriteError
		}
		w := &wholeAnswer{header: http.Header{}}
		chain(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			write(w, r, unreadableError(u, target))
		}), recordRequests(log, now, nil)).ServeHTTP(w, r)
		return w.wire(now())
	}
}

// unreadableError is what is wrong with the request.
func unreadableError(u listen.Unreadable, target string) error {
	switch u.Status {
	case http.StatusRequestHeaderFieldsTooLarge:
		if !u.LineEnded {
			return gateway.Errorf(gateway.URITooLong, "The request line is longer than %d bytes.", maxHeaderBytes)
		}
		return gateway.Errorf(gateway.HeadersTooLarge, "Your request header section exceeds the maximum allowed size of %d bytes.", maxHeaderBytes)
	case http.StatusNotImplemented:
		return gateway.Errorf(gateway.NotImplemented, "A header you provided implies functionality that is not implemented: Transfer-Encoding.")
	case http.StatusHTTPVersionNotSupported:
		return &gateway.Error{Code: gateway.InvalidRequest, Status: u.Status, Message: "HTTP version not supported: use HTTP/1.1 or HTTP/2."}
	}
	if _, err := url.ParseRequestURI(target); err != nil && target != "" {
		return gateway.Errorf(gateway.InvalidURI, "Couldn't parse the specified URI: a percent sign that starts no escape, or a character that must be escaped.")
	}
	if u.Reason != "" {
		return gateway.Errorf(gateway.InvalidRequest, "An error occurred when parsing the HTTP request: %s.", u.Reason)
	}
	return gateway.Errorf(gateway.InvalidRequest, "An error occurred when parsing the HTTP request: the request line or a header is malformed.")
}

// wholeAnswer keeps a small answer.
type wholeAnswer struct {
	header http.Header
	status int
	body   bytes.Buffer
}

// Header gives the headers to be.
func (w *wholeAnswer) Header() http.Header { return w.header }

// WriteHeader keeps the status.
func (w *wholeAnswer) WriteHeader(status int) { w.status = status }

// Write keeps the body.
func (w *wholeAnswer) Write(p []byte) (int, error) { return w.body.Write(p) }

// wire is the answer as it is sent; the connection ends with it, because where
// the next request would begin is not known.
func (w *wholeAnswer) wire(now time.Time) []byte {
	w.header.Set("Connection", "close")
	w.header.Set("Date", now.UTC().Format(http.TimeFormat))
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	_ = w.header.Write(&b) // to memory
	b.WriteString("\r\n")
	b.Write(w.body.Bytes())
	return b.Bytes()
}
