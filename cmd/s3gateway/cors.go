package main

import (
	"net/http"
	"slices"
	"sort"
	"strings"

	"github.com/rs/cors"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/proxy"
)

// corsMethods are those that a page may send to the S3 door.
var corsMethods = []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodPost, http.MethodDelete}

// corsExposed are the headers of an answer, besides its own x-amz-* ones, that a
// page may read: those that it may read anyway are not named.
var corsExposed = []string{
	"Accept-Ranges", "Content-Disposition", "Content-Encoding", "Content-Range", "Date", "ETag", "Location", "Retry-After",
}

// corsMaxAge is how many seconds a browser may remember a preflight. It is as
// long as the REST door's.
const corsMaxAge = 600

// allowOrigins lets pages of other origins use the S3 door: of the origins of a
// bucket's entry, or else of CORS_ALLOWED_ORIGINS. Where the gateway has neither,
// the door asks the backend.
func allowOrigins(cfg *config.Config) middleware {
	return func(next http.Handler) http.Handler {
		all := allow(cfg.CORSAllowedOrigins, "CORS_ALLOWED_ORIGINS of the gateway", next)
		own := map[string]http.Handler{}
		for _, b := range cfg.Buckets {
			if len(b.CORSAllowedOrigins) > 0 {
				own[b.Name] = allow(b.CORSAllowedOrigins, "cors_allowed_origins of the bucket", next)
			}
		}
		if len(own) == 0 {
			return all
		}
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if h, ok := own[proxy.BucketNamed(cfg.Domains, r)]; ok {
				h.ServeHTTP(w, r)
				return
			}
			all.ServeHTTP(w, r)
		})
	}
}

// ownOrigins reports whether allowOrigins has rules for a bucket.
func ownOrigins(cfg *config.Config) func(bucket string) bool {
	return func(bucket string) bool {
		return len(cfg.CORSAllowedOrigins) > 0 || slices.ContainsFunc(cfg.Buckets, func(b config.Bucket) bool {
			return b.Name == bucket && len(b.CORSAllowedOrigins) > 0
		})
	}
}

// allow applies one list of origins; without one nothing is done here. OPTIONS is
// answered here and never goes on: browsers cannot sign it. Of cookies and client
// certificates (credentials) only pages of origins that are named in full may
// make use.
func allow(origins []string, setting string, next http.Handler) http.Handler {
	if len(origins) == 0 {
		return next
	}
	rules := cors.New(cors.Options{
		AllowedOrigins: origins, AllowedMethods: corsMethods, AllowedHeaders: []string{"*"}, ExposedHeaders: corsExposed,
		AllowCredentials: !slices.ContainsFunc(origins, func(o string) bool { return strings.Contains(o, "*") }),
		MaxAge:           corsMaxAge,
	})
	answer := rules.Handler(exposeAmz(next))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions {
			if err := preflight(rules, setting, r); err != nil {
				refusePreflight(w, r, err)
				return
			}
			notePreflight(w, r)
		}
		answer.ServeHTTP(w, r)
	})
}

// preflight says why an OPTIONS request is refused, in the order of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html).
func preflight(rules *cors.Cors, setting string, r *http.Request) error {
	if err := proxy.CheckPreflight(r); err != nil {
		return err
	}
	if !rules.OriginAllowed(r) {
		return gateway.Errorf(gateway.AccessForbidden, "CORSResponse: This CORS request is not allowed: its Origin is not in %s.", setting)
	}
	if !slices.Contains(corsMethods, r.Header.Get("Access-Control-Request-Method")) {
		return gateway.Errorf(gateway.AccessForbidden,
			"CORSResponse: This CORS request is not allowed: the methods are %s.", strings.Join(corsMethods, ", "))
	}
	return nil
}

func refusePreflight(w http.ResponseWriter, r *http.Request, err error) {
	notePreflight(w, r)
	w.Header().Set("Vary", "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
	proxy.WriteError(w, r, err)
}

func notePreflight(w http.ResponseWriter, r *http.Request) {
	record := gateway.RecordFrom(r.Context())
	record.Update(func(f *gateway.Fields) { f.Door, f.Operation = gateway.DoorS3, "Preflight" })
	w.Header().Set("X-Amz-Request-Id", record.Snapshot().ID)
}

// exposeAmz adds the x-amz-* headers that an answer really has to those that the
// page may read. CORS knows no patterns, and user metadata has any name.
func exposeAmz(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if w.Header().Get("Access-Control-Allow-Origin") != "" {
			w = &exposing{ResponseWriter: w}
		}
		next.ServeHTTP(w, r)
	})
}

type exposing struct {
	http.ResponseWriter
	done bool
}

// Unwrap lets http.ResponseController reach the connection.
func (w *exposing) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// WriteHeader exposes the headers of the final answer.
func (w *exposing) WriteHeader(status int) {
	if !w.done && status >= http.StatusOK {
		w.done = true
		const list = "Access-Control-Expose-Headers"
		w.Header().Set(list, strings.Join(append([]string{w.Header().Get(list)}, amzNames(w.Header())...), ", "))
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write begins the answer.
func (w *exposing) Write(p []byte) (int, error) {
	if !w.done {
		w.WriteHeader(http.StatusOK)
	}
	return w.ResponseWriter.Write(p)
}

func amzNames(h http.Header) (names []string) {
	for name := range h {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") {
			names = append(names, lower)
		}
	}
	sort.Strings(names)
	return names
}
