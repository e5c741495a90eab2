package main

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/proxy"
)

// restPath is the whole REST door; look-alikes with escapes in them are not.
const restPath = "/api/v1/upload"

// doors sends each request to its door, by the raw request line: whatever
// decodes or cleans a path first would let one door's names reach the other.
type doors struct {
	domains        []string
	s3, rest, page http.Handler
}

// ServeHTTP chooses the door.
func (d doors) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := rawPath(r.RequestURI)
	// Noted here as well: what stands before a door refuses in its name.
	is := func(door gateway.Door) {
		gateway.RecordFrom(r.Context()).Update(func(f *gateway.Fields) { f.Door = door })
	}
	switch {
	case proxy.UnderDomain(d.domains, r.Host):
		is(gateway.DoorS3)
		d.s3.ServeHTTP(w, r)
	case path == restPath || strings.HasPrefix(path, restPath+"/"):
		is(gateway.DoorREST)
		d.rest.ServeHTTP(w, r)
	case path == "/" && isBrowser(r):
		d.page.ServeHTTP(w, r)
	default:
		is(gateway.DoorS3)
		d.s3.ServeHTTP(w, r)
	}
}

// rawPath is the path of a request target as sent, of absolute-form too.
func rawPath(target string) string {
	target, _, _ = strings.Cut(target, "?")
	if strings.HasPrefix(target, "/") {
		return target
	}
	if u, err := url.Parse(target); err == nil {
		return u.EscapedPath()
	}
	return target
}

// isBrowser tells a person who opens the address from a client that lists
// buckets.
func isBrowser(r *http.Request) bool {
	return (r.Method == http.MethodGet || r.Method == http.MethodHead) &&
		strings.Contains(r.Header.Get("Accept"), "text/html") &&
		r.Header.Get("Authorization") == "" && !strings.Contains(strings.ToLower(r.URL.RawQuery), "x-amz-")
}

// frontPage tells a person what lives here.
func frontPage(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = io.WriteString(w, "s3gateway: an upload API and an S3 endpoint.\n\n"+
		"  /api/v1/upload/health    is it well?\n"+
		"  /api/v1/upload/...       the upload API (see docs/upload-api.md)\n"+
		"  everything else          S3, signed requests only\n")
}

// forwardedHost gives the host that a trusted proxy says the client asked for.
func forwardedHost(trusted []netip.Prefix) func(*http.Request) string {
	return forwarded(trusted, "X-Forwarded-Host")
}

// forwardedProto gives the scheme that a trusted proxy says the client used, ""
// where it says something else.
func forwardedProto(trusted []netip.Prefix) func(*http.Request) string {
	proto := forwarded(trusted, "X-Forwarded-Proto")
	if proto == nil {
		return nil
	}
	return func(r *http.Request) string {
		if scheme := strings.ToLower(proto(r)); scheme == "http" || scheme == "https" {
			return scheme
		}
		return ""
	}
}

// forwarded gives the first value of a header that counts from trusted peers
// only; nil when nobody is trusted.
func forwarded(trusted []netip.Prefix, name string) func(*http.Request) string {
	if len(trusted) == 0 {
		return nil
	}
	return func(r *http.Request) string {
		host, _, err := net.SplitHostPort(r.RemoteAddr)
		if err != nil {
			return ""
		}
		peer, err := netip.ParseAddr(host)
		if err != nil {
			return ""
		}
		for _, network := range trusted {
			if network.Contains(peer.Unmap()) {
				first, _, _ := strings.Cut(r.Header.Get(name), ",")
				return strings.TrimSpace(first)
			}
		}
		return ""
	}
}
