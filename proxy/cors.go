package proxy

import (
	"net/http"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

// corsAnswered are the headers of a backend's answer with which it lets pages of
// other origins read it (https://fetch.spec.whatwg.org/#http-responses). What it
// says of credentials stays out: cookies and client certificates are a matter
// between the browser and the gateway.
var corsAnswered = []string{
	"Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin",
	"Access-Control-Expose-Headers", "Access-Control-Max-Age",
}

// corsVary are the request headers that an answer under CORS rules goes by.
const corsVary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers"

// preflightStages is the way of an OPTIONS request, which browsers cannot sign:
// it is told what the rules of the bucket say, and nothing of the bucket.
func preflightStages() []func(*Door, *exchange) error {
	return []func(*Door, *exchange) error{(*Door).parse, (*Door).ready, (*Door).preflight}
}

// BucketNamed gives the bucket that a request names in its path or, under one of
// the domains of virtual-host style, in its host; "" for none.
func BucketNamed(domains []string, r *http.Request) string {
	t, err := signer.ParseTarget(r.RequestURI)
	if err != nil {
		return ""
	}
	return resolve(domains, r.Host, t.Path).Bucket
}

// CheckPreflight refuses an OPTIONS request that does not ask what a browser
// asks, in the words of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTOPTIONSobject.html).
func CheckPreflight(r *http.Request) error {
	for _, needed := range []string{"Origin", "Access-Control-Request-Method"} {
		if r.Header.Get(needed) == "" {
			return gateway.Errorf(gateway.InvalidRequest, "Insufficient information. %s request header needed.", needed)
		}
	}
	if n := strings.Count(strings.Join(r.Header.Values("Access-Control-Request-Headers"), ","), ","); n >= maxAskedHeaders {
		return gateway.Errorf(gateway.InvalidRequest, "Access-Control-Request-Headers names more than %d headers.", maxAskedHeaders)
	}
	return nil
}

// maxAskedHeaders bounds the headers that a page may ask for: each is compared with
// each that the rules allow.
const maxAskedHeaders = 100

// preflight asks the backend, whose bucket may have rules of its own. Where
// there are none, where the bucket does not exist and where it is not shown, the
// refusal is the same.
func (d *Door) preflight(x *exchange) error {
	gateway.RecordFrom(x.r.Context()).Update(func(f *gateway.Fields) { f.Operation = "Preflight" })
	x.w.Header().Set("Vary", corsVary)
	if err := CheckPreflight(x.r); err != nil {
		return err
	}
	refused := gateway.Errorf(gateway.AccessForbidden,
		"CORSResponse: CORS is not enabled for this bucket, or its rules do not allow this request. CORS_ALLOWED_ORIGINS of the gateway sets rules of its own.")
	if x.addr.Bucket == "" {
		return refused
	}
	at, err := d.Buckets.Locate(x.addr.Bucket, false)
	if err == nil {
		at, err = at.at("key", x.addr.Key)
	}
	if err != nil {
		return refused.Because(err)
	}
	ask := http.Header{}
	for _, name := range []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"} {
		if v := x.r.Header.Values(name); len(v) > 0 {
			ask.Set(name, strings.Join(v, ","))
		}
	}
	resp, err := at.Backend.Do(x.r.Context(), backend.Request{Method: http.MethodOptions, Bucket: at.Bucket, Key: at.Key, Header: ask})
	if err != nil {
		return clientGone(x.r.Context(), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return backend.ReadError(resp)
	}
	if resp.StatusCode >= http.StatusMultipleChoices || resp.Header.Get("Access-Control-Allow-Origin") == "" {
		return refused
	}
	copyCORS(x.w.Header(), resp.Header)
	x.w.WriteHeader(http.StatusOK)
	return nil
}

// originOf is the Origin that goes on to the backend with a request, "" where
// the gateway has rules of its own for the bucket.
func (d *Door) originOf(x *exchange) string {
	if d.OwnOrigins != nil && d.OwnOrigins(x.addr.Bucket) {
		return ""
	}
	return x.r.Header.Get("Origin")
}

// fromPage tells the backend which page a request comes from.
func (x *exchange) fromPage(req backend.Request) backend.Request {
	if x.origin != "" {
		if req.Header == nil {
			req.Header = http.Header{}
		}
		req.Header.Set("Origin", x.origin)
	}
	return req
}

// allowPage lets the page read the answer, where the backend's rules do.
func (x *exchange) allowPage(answered http.Header) {
	if x.origin != "" {
		copyCORS(x.w.Header(), answered)
	}
}

// copyCORS writes what the backend's rules let a page read.
func copyCORS(to, from http.Header) {
	for _, name := range corsAnswered {
		if v := from[name]; len(v) > 0 {
			to[name] = v
		}
	}
	to.Set("Vary", corsVary)
}
