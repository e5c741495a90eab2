package wire

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// corsVary are the request headers by which an answer under CORS rules goes.
const corsVary = "Origin, Access-Control-Request-Headers, Access-Control-Request-Method"

// maxWantedHeaders bounds the headers that a page may ask for: each is compared with
// each that the rules allow.
const maxWantedHeaders = 100

// preflight answers what a browser asks before it sends a page's request
// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html).
func (x *exchange) preflight() (*answer, error) {
	method := x.header.Get("Access-Control-Request-Method")
	switch {
	case x.header.Get("Origin") == "":
		return nil, refuse("BadRequest", "Insufficient information. Origin request header needed.")
	case !slices.Contains(corsMethods, method):
		return nil, refuse("BadRequest", "Invalid Access-Control-Request-Method: %s", method)
	}
	if _, err := x.store.Bucket(x.bucket); err != nil {
		return nil, err
	}
	var wanted []string
	for name := range strings.SplitSeq(strings.Join(x.header["Access-Control-Request-Headers"], ","), ",") {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" && !slices.Contains(wanted, name) {
			wanted = append(wanted, name)
		}
		if len(wanted) > maxWantedHeaders {
			return nil, refuse("BadRequest", "Access-Control-Request-Headers names more than %d headers.", maxWantedHeaders)
		}
	}
	a := empty(http.StatusOK)
	if !x.allowPage(a.header, method, wanted) {
		return nil, refuse("AccessForbidden", "CORSResponse: This CORS request is not allowed. This is usually because the evalution of Origin, request method / Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.")
	}
	return a, nil
}

// allowPage sets the headers with which the bucket's rules let a page of the
// request's origin use method and headers, and reports whether they do.
func (x *exchange) allowPage(h http.Header, method string, wanted []string) bool {
	origin := x.header.Get("Origin")
	if origin == "" || x.bucket == "" {
		return false
	}
	var rules corsConfiguration
	kept, err := x.store.Setting(x.bucket, "cors")
	if err != nil || kept == nil || xml.Unmarshal(kept, &rules) != nil {
		return false
	}
	for _, r := range rules.Rules {
		pattern := slices.IndexFunc(r.AllowedOrigins, func(p string) bool { return matchesWildcard(p, origin) })
		if pattern < 0 || !slices.Contains(r.AllowedMethods, method) || !r.allowsHeaders(wanted) {
			continue
		}
		h["Access-Control-Allow-Origin"] = []string{origin}
		if r.AllowedOrigins[pattern] == "*" {
			h["Access-Control-Allow-Origin"] = []string{"*"}
		} else {
			h["Access-Control-Allow-Credentials"] = []string{"true"}
		}
		h["Access-Control-Allow-Methods"] = []string{strings.Join(r.AllowedMethods, ", ")}
		setUnlessEmpty(h, "Access-Control-Allow-Headers", strings.Join(wanted, ", "))
		setUnlessEmpty(h, "Access-Control-Expose-Headers", strings.Join(r.ExposeHeaders, ", "))
		if r.MaxAge != nil {
			h["Access-Control-Max-Age"] = []string{strconv.Itoa(*r.MaxAge)}
		}
		h["Vary"] = []string{corsVary}
		return true
	}
	return false
}

// allowsHeaders reports whether the rule allows all of the headers, which are in
// lower case.
func (r *corsRule) allowsHeaders(wanted []string) bool {
	if len(wanted) == 0 {
		return true
	}
	allowed := make([]string, len(r.AllowedHeaders))
	for i, p := range r.AllowedHeaders {
		allowed[i] = strings.ToLower(p)
	}
	return !slices.ContainsFunc(wanted, func(name string) bool {
		return !slices.ContainsFunc(allowed, func(p string) bool { return matchesWildcard(p, name) })
	})
}

// matchesWildcard reports whether s is pattern, in which one "*" stands for any
// characters.
func matchesWildcard(pattern, s string) bool {
	before, after, open := strings.Cut(pattern, "*")
	if !open {
		return s == pattern
	}
	return len(s) >= len(before)+len(after) && strings.HasPrefix(s, before) && strings.HasSuffix(s, after)
}
