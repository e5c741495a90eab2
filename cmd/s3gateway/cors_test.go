package main

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const pageOrigin = "https://app.example.com"

// exposes reports whether a page may read a header of an answer.
func (a answer) exposes(name string) bool {
	for _, exposed := range strings.Split(a.header.Get("Access-Control-Expose-Headers"), ",") {
		if strings.EqualFold(strings.TrimSpace(exposed), name) {
			return true
		}
	}
	return false
}

// permits reports whether a preflight lets a page send a request.
func (a answer) permits(origin, method string, headers ...string) bool {
	allowed := strings.Split(strings.ReplaceAll(a.header.Get("Access-Control-Allow-Headers"), " ", ""), ",")
	for _, h := range headers {
		if !slices.Contains(allowed, h) {
			return false
		}
	}
	return a.status == 204 && a.header.Get("Access-Control-Allow-Origin") == origin &&
		a.header.Get("Access-Control-Allow-Methods") == method
}

func (w *world) preflight(path, origin, method, headers string) answer {
	r := newRequest(w.t, "OPTIONS", w.url+path, nil)
	for name, value := range map[string]string{"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers} {
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	return do(w.t, r)
}

// What a page of another origin does with an upload link: the browser asks
// first, then sends, then lets the page read the answer.
func TestAPageOfAnotherOriginUploadsByLink(t *testing.T) {
	for _, over := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(over, func(t *testing.T) {
			settings := append(open, "CORS_ALLOWED_ORIGINS="+pageOrigin)
			if over == "HTTP/2.0" {
				settings = append(settings, secure(t)...)
			}
			w := newWorld(t, settings...)
			link := do(t, newRequest(t, "POST", w.rest("presigned"), strings.NewReader(`{"filename":"a.png","content_type":"image/png"}`),
				"Content-Type", "application/json", "Origin", pageOrigin))
			url, _ := link.json(t)["upload_url"].(string)
			asked := w.preflight(strings.TrimPrefix(url, w.url), pageOrigin, "PUT", "content-type,x-amz-meta-colour")
			if !asked.permits(pageOrigin, "PUT", "content-type", "x-amz-meta-colour") || asked.header.Get("Access-Control-Max-Age") == "" {
				t.Fatalf("%d %v", asked.status, asked.header)
			}
			put := do(t, newRequest(t, "PUT", url, bytes.NewReader(png(2000)), "Content-Type", "image/png", "Origin", pageOrigin))
			if put.status != 200 || put.proto != over || put.header.Get("Access-Control-Allow-Origin") != pageOrigin || !put.exposes("ETag") || !put.exposes("x-amz-request-id") {
				t.Fatalf("%d %v %s", put.status, put.header, put.body)
			}
			if put.header.Get("Access-Control-Allow-Credentials") != "true" || !slices.Contains(put.header.Values("Vary"), "Origin") {
				t.Errorf("%v", put.header)
			}
			if put.header.Get("ETag") == "" {
				t.Error("no ETag to read")
			}
		})
	}
}

func TestPreflights(t *testing.T) {
	const another = "https://evil.example.com"
	for _, c := range []struct {
		name, allowed, origin, method string
		status                        int
		allow, credentials            string
	}{
		{"named", pageOrigin, pageOrigin, "PUT", 204, pageOrigin, "true"},
		{"named, the case of a browser that does not lower it", pageOrigin, "https://App.example.com", "GET", 204, "https://App.example.com", "true"},
		{"one of two", "https://x.example," + pageOrigin, pageOrigin, "DELETE", 204, pageOrigin, "true"},
		{"under a pattern", "https://*.example.com", pageOrigin, "HEAD", 204, pageOrigin, ""},
		{"named beside a pattern", "https://*.example.org," + pageOrigin, pageOrigin, "POST", 204, pageOrigin, ""},
		{"everybody", "*", another, "PUT", 204, "*", ""},
		{"another", pageOrigin, another, "PUT", 403, "", ""},
		{"another scheme", pageOrigin, "http://app.example.com", "PUT", 403, "", ""},
		{"another port", pageOrigin, pageOrigin + ":8443", "PUT", 403, "", ""},
		{"a name that begins alike", pageOrigin, pageOrigin + ".evil.example", "PUT", 403, "", ""},
		{"a name that ends alike", "https://*.example.com", "https://evilexample.com", "PUT", 403, "", ""},
		{"null", pageOrigin, "null", "PUT", 403, "", ""},
		{"PATCH", pageOrigin, pageOrigin, "PATCH", 403, "", ""},
		{"a method in lower case", pageOrigin, pageOrigin, "put", 403, "", ""},
		{"no method", pageOrigin, pageOrigin, "", 400, "", ""},
		{"no origin", pageOrigin, "", "PUT", 400, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, append(open, "CORS_ALLOWED_ORIGINS="+c.allowed)...)
			calls := strings.Count(w.log.String(), "backend call")
			for _, path := range []string{"/" + w.bucket + "/a/b.png?partNumber=1&uploadId=x", "/" + w.bucket, "/nosuchbucket/x", "/"} {
				got := w.preflight(path, c.origin, c.method, "authorization,x-amz-date")
				switch c.status {
				case 204:
					if !got.permits(c.allow, c.method, "authorization", "x-amz-date") || len(got.body) > 0 {
						t.Errorf("%s: %d %v %s", path, got.status, got.header, got.body)
					}
				case 403:
					got.isS3Error(t, 403, "AccessForbidden")
				default:
					got.isS3Error(t, 400, "InvalidRequest")
				}
				if c.status != 204 && got.header.Get("Access-Control-Allow-Origin") != "" {
					t.Errorf("%s: a refusal allows %v", path, got.header)
				}
				if got.header.Get("Access-Control-Allow-Credentials") != c.credentials {
					t.Errorf("%s: credentials %q", path, got.header.Get("Access-Control-Allow-Credentials"))
				}
				if !strings.Contains(strings.Join(got.header.Values("Vary"), ","), "Origin") {
					t.Errorf("%s: a shared cache would give this to another origin: %v", path, got.header)
				}
			}
			if n := strings.Count(w.log.String(), "backend call"); n != calls {
				t.Errorf("%d calls of the backend", n-calls)
			}
			if !strings.Contains(w.log.String(), `"operation":"Preflight"`) {
				t.Error("not in the log")
			}
		})
	}
}

func TestAnswersThatAPageMayRead(t *testing.T) {
	w := newWorld(t, "MAX_FILE_SIZE=1000", "ALLOWED_FILE_TYPES=*/*", "CORS_ALLOWED_ORIGINS="+pageOrigin, "RATE_LIMIT_ADDRESS=1/s:6")
	if got := do(t, w.signedPut("a.png", png(500), "X-Amz-Meta-Colour", "blue", "Content-Type", "image/png")); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for _, c := range []struct {
		name    string
		request func() *http.Request
		status  int
		exposed []string
	}{
		{"a range of an object", func() *http.Request {
			r := newRequest(t, "GET", w.url+"/"+w.bucket+"/a.png", nil, "Range", "bytes=0-9")
			sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
			return r
		}, 206, []string{"ETag", "Content-Range", "Accept-Ranges", "x-amz-meta-colour", "x-amz-request-id"}},
		{"HEAD", func() *http.Request {
			r := newRequest(t, "HEAD", w.url+"/"+w.bucket+"/a.png", nil)
			sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
			return r
		}, 200, []string{"ETag", "x-amz-meta-colour"}},
		{"a refused size", func() *http.Request { return w.signedPut("b.png", png(1001)) }, 400, []string{"x-amz-request-id"}},
		{"a refused signature", func() *http.Request { return newRequest(t, "GET", w.url+"/"+w.bucket+"/a.png", nil) }, 403, nil},
		{"nothing there", func() *http.Request {
			r := newRequest(t, "GET", w.url+"/"+w.bucket+"/none", nil)
			sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
			return r
		}, 404, nil},
		{"a refused rate", func() *http.Request { return w.signedPut("c.png", png(1)) }, 503, []string{"Retry-After"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.request()
			r.Header.Set("Origin", pageOrigin) // the browser's own, so never signed
			got := do(t, r)
			if got.status != c.status || got.header.Get("Access-Control-Allow-Origin") != pageOrigin {
				t.Fatalf("%d %v %s", got.status, got.header, got.body)
			}
			for _, name := range c.exposed {
				if !got.exposes(name) {
					t.Errorf("%s is hidden: %v", name, got.header)
				}
			}
			for _, secret := range []string{"Set-Cookie", "Server", "*"} {
				if got.exposes(secret) {
					t.Errorf("%s is shown", secret)
				}
			}
		})
	}
}

func TestAnswersThatNoPageMayRead(t *testing.T) {
	for name, allowed := range map[string]string{"another origin": pageOrigin, "a pattern": "https://*.example.org"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, append(open, "CORS_ALLOWED_ORIGINS="+allowed)...)
			got := w.signed("GET", "none", "Origin", "https://evil.example.com")
			if got.status != 404 {
				t.Errorf("%d", got.status)
			}
			for header := range got.header {
				if strings.HasPrefix(header, "Access-Control-") {
					t.Errorf("%s: %s", header, got.header.Get(header))
				}
			}
			if varies := got.header.Get("Vary") != ""; varies != (allowed != "") {
				t.Errorf("Vary: %q", got.header.Get("Vary"))
			}
		})
	}
}

// The REST door's preflights are its own.
func TestPreflightsOfTheUploadAPIAreNotThoseOfTheS3Door(t *testing.T) {
	w := newWorld(t, append(open, "CORS_ALLOWED_ORIGINS="+pageOrigin)...)
	if got := w.preflight("/api/v1/upload/direct", pageOrigin, "POST", "content-type,x-api-key"); !got.permits(pageOrigin, "POST", "content-type", "x-api-key") {
		t.Errorf("%d %v", got.status, got.header)
	}
	if got := w.preflight("/api/v1/%75pload/direct", "https://evil.example.com", "POST", ""); got.status != 403 {
		t.Errorf("%d", got.status)
	}
}

func TestTheSDKIsNotBotheredByCORS(t *testing.T) {
	w := newWorld(t, append(open, "CORS_ALLOWED_ORIGINS=*")...)
	if _, err := w.s3().PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String("a"), Body: strings.NewReader("x")}); err != nil {
		t.Fatal(err)
	}
	if err := holds(t.Context(), w.s3(), w.bucket, "a", []byte("x")); err != nil {
		t.Error(err)
	}
}

// Where the gateway has no origins the rules of the bucket hold, as its owner
// put them: the embedded store keeps them per bucket, MinIO has one for all.
func TestTheBackendsOwnCORSRules(t *testing.T) {
	w := newWorld(t, open...)
	if got := do(t, w.signedPut("a.png", png(500))); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if w.store.Name == "embedded" {
		w.preflight("/"+w.bucket+"/a.png", pageOrigin, "GET", "").isS3Error(t, 403, "AccessForbidden")
		_, err := w.s3().PutBucketCors(t.Context(), &s3.PutBucketCorsInput{Bucket: &w.bucket, CORSConfiguration: &types.CORSConfiguration{
			CORSRules: []types.CORSRule{{AllowedOrigins: []string{pageOrigin}, AllowedMethods: []string{"GET", "HEAD"}, AllowedHeaders: []string{"*"}}},
		}})
		if err != nil {
			t.Fatal(err)
		}
		w.preflight("/"+w.bucket+"/a.png", "https://evil.example.com", "GET", "").isS3Error(t, 403, "AccessForbidden")
		w.preflight("/"+w.bucket+"/a.png", pageOrigin, "PUT", "").isS3Error(t, 403, "AccessForbidden")
	}
	if got := w.preflight("/"+w.bucket+"/a.png", pageOrigin, "GET", "x-amz-date"); got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != pageOrigin {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	for _, method := range []string{"GET", "HEAD", "HEAD"} {
		r := newRequest(t, method, w.url+"/"+w.bucket+"/a.png", nil)
		sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
		r.Header.Set("Origin", pageOrigin)
		if got := do(t, r); got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != pageOrigin || got.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %d %v", method, got.status, got.header)
		}
	}
}

func TestABucketsOriginsOfTheFile(t *testing.T) {
	w := newFiled(t, "buckets: [{name: shown, bucket: BUCKET, cors_allowed_origins: ["+pageOrigin+"]}]",
		"CORS_ALLOWED_ORIGINS=https://other.example.com")
	if got := w.preflight("/shown/a", pageOrigin, "PUT", "content-type"); !got.permits(pageOrigin, "PUT", "content-type") {
		t.Errorf("%d %v %s", got.status, got.header, got.body)
	}
	w.preflight("/shown/a", "https://other.example.com", "PUT", "").isS3Error(t, 403, "AccessForbidden")
	w.preflight("/"+w.bucket+"/a", pageOrigin, "PUT", "").isS3Error(t, 403, "AccessForbidden")
}
