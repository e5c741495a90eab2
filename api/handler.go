package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// handlerFunc answers a request or says why not.
type handlerFunc func(http.ResponseWriter, *http.Request) error

// errClientGone marks an error whose cause is that the client left.
var errClientGone = errors.New("the client left")

// adapt turns a handler's error into an answer. An answer that had begun is cut
// off in place, so that the client cannot take a part for the whole.
func (d *door) adapt(h handlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := &answer{ResponseWriter: w}
		err := h(out, r)
		if err == nil {
			return
		}
		switch {
		case out.begun:
			gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) { f.Err = err })
			d.log.Debug().Err(err).Str("path", r.URL.EscapedPath()).Msg("an answer was cut off")
			panic(http.ErrAbortHandler)
		case clientGone(r, err):
			gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) { f.Err = errors.Join(errClientGone, err) })
			w.Header().Set("Connection", "close")
			w.WriteHeader(statusClientGone)
		default:
			if e := gateway.AsError(err); kindOf(e).status >= http.StatusInternalServerError {
				d.log.Error().Err(err).Str("path", r.URL.EscapedPath()).Msg("a request failed")
			}
			WriteError(out, r, err)
		}
	})
}

// clientGone reports that nobody is there to read an answer. net/http ends the
// context of a client that only stands still, too: that one may still listen.
func clientGone(r *http.Request, err error) bool {
	if errors.Is(err, errClientGone) {
		return true
	}
	left := r.Context().Err() != nil && errors.Is(context.Cause(r.Context()), context.Canceled)
	code := gateway.CodeOf(err)
	return left && code != gateway.RequestTimeout && code != gateway.StreamEnded && code != uploadLocked
}

// answer knows whether the response began.
type answer struct {
	http.ResponseWriter
	begun bool
}

// WriteHeader notes the first final status.
func (a *answer) WriteHeader(status int) {
	a.begun = a.begun || status >= 200
	a.ResponseWriter.WriteHeader(status)
}

// Write begins the response.
func (a *answer) Write(p []byte) (int, error) {
	a.begun = true
	return a.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// writeJSON answers with a document. The answers are about one caller's files,
// so no cache may keep them.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, v any) error {
	body, err := encode(v)
	if err != nil {
		return err
	}
	return writeBody(w, r, status, body)
}

func writeBody(w http.ResponseWriter, r *http.Request, status int, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return nil
	}
	_, err := w.Write(body)
	return err
}

// encode writes a document with its line end. Links keep their '&', so that
// they can be copied from an answer: no answer is ever HTML.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(v)
	return b.Bytes(), err
}

// acceptsJSON refuses a client that says it cannot read the answer (RFC 9110
// section 12.5.1), before anything is done for it.
func acceptsJSON(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		accept := r.Header.Values("Accept")
		if len(accept) > 0 && !slices.ContainsFunc(strings.Split(strings.Join(accept, ","), ","), jsonRange) {
			err := gateway.Errorf(gateway.NotAcceptable, "The answer is application/json, which Accept does not allow.")
			err.Field = "Accept"
			return err
		}
		return next(w, r)
	}
}

// jsonRange reports whether one media range allows JSON. A range with q=0 does
// not; other weights make no difference where there is one representation.
func jsonRange(rng string) bool {
	media, params, _ := strings.Cut(rng, ";")
	switch strings.ToLower(strings.TrimSpace(media)) {
	case "", "*/*", "application/*", "application/json", "application/problem+json":
	default:
		return false
	}
	for _, p := range strings.Split(params, ";") {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if q, err := strconv.ParseFloat(value, 64); strings.EqualFold(name, "q") && err == nil && q == 0 {
			return false
		}
	}
	return true
}
