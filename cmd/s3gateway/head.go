package main

import (
	"net/http"

	gateway "github.com/codeguardians/s3gateway"
)

// A field of a request's head costs many times its bytes, for as long as the answer
// is not read. S3 takes 8 KB of header and keys of 1,024 bytes, which are three times
// as long when they are escaped.
const (
	maxTarget = 16 << 10 // bytes
	maxFields = 256
)

// limitHead refuses a request whose target is too long or whose header has too many
// fields.
func limitHead(fail func(http.ResponseWriter, *http.Request, error), next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fields := 0
		for _, values := range r.Header {
			fields += len(values)
		}
		switch {
		case len(r.RequestURI) > maxTarget:
			fail(w, r, gateway.Errorf(gateway.URITooLong, "The request line is longer than %d bytes.", maxTarget))
		case fields > maxFields:
			fail(w, r, gateway.Errorf(gateway.HeadersTooLarge, "The request has more than %d header fields.", maxFields))
		default:
			next.ServeHTTP(w, r)
		}
	})
}
