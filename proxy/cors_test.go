package proxy

import (
	"net/http"
	"strings"
	"testing"
)

const page = "https://app.example.com"

// underRules answers as a bucket does whose rules let the page in.
func underRules(w http.ResponseWriter, r *http.Request, _ seen) {
	if r.Header.Get("Origin") != page {
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusForbidden)
		}
		return
	}
	for name, value := range map[string]string{
		"Access-Control-Allow-Origin": page, "Access-Control-Allow-Methods": "PUT", "Access-Control-Expose-Headers": "Etag",
		"Access-Control-Allow-Credentials": "true", "Etag": `"etag"`, "Server": "the backend's own",
	} {
		w.Header().Set(name, value)
	}
}

func asks(origin, method string) map[string]string {
	h := map[string]string{}
	if origin != "" {
		h["Origin"] = origin
	}
	if method != "" {
		h["Access-Control-Request-Method"] = method
		h["Access-Control-Request-Headers"] = "content-type"
	}
	return h
}

func TestAPreflightIsAskedOfTheBackend(t *testing.T) {
	r := newRig(t)
	r.backend.answers(underRules)
	got := r.do(call{method: "OPTIONS", path: "/bucket/a b", query: "partNumber=1", header: asks(page, "PUT"), anonymous: true})
	if got.status != 200 || got.body != "" || got.header.Get("Access-Control-Allow-Origin") != page || got.header.Get("Access-Control-Allow-Methods") != "PUT" {
		t.Fatalf("%d %v %s", got.status, got.header, got.body)
	}
	if got.header.Get("Access-Control-Allow-Credentials") != "" || got.header.Get("Server") != "s3gateway" || !strings.Contains(got.header.Get("Vary"), "Origin") {
		t.Errorf("%v", got.header)
	}
	s := r.only()
	if s.Method != "OPTIONS" || s.URI != "/bucket/a%20b" || s.Header.Get("Origin") != page || s.Header.Get("Access-Control-Request-Headers") != "content-type" {
		t.Errorf("%+v", s)
	}
}

func TestPreflightsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, path, origin, method string
		status                     int
		code, part                 string
		asked                      bool
	}{
		{"no origin", "/bucket/a", "", "PUT", 400, "InvalidRequest", "Origin", false},
		{"no method", "/bucket/a", page, "", 400, "InvalidRequest", "Access-Control-Request-Method", false},
		{"no bucket", "/", page, "GET", 403, "AccessForbidden", "CORS_ALLOWED_ORIGINS", false},
		{"a bucket that is not shown", "/hidden/a", page, "GET", 403, "AccessForbidden", "CORS_ALLOWED_ORIGINS", false},
		{"another page", "/bucket/a", "https://evil.example.com", "GET", 403, "AccessForbidden", "CORS_ALLOWED_ORIGINS", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(r *rig) { r.door.Buckets.Exposed = []string{"bucket"} })
			r.backend.answers(underRules)
			got := r.do(call{method: "OPTIONS", path: c.path, header: asks(c.origin, c.method), anonymous: true})
			r.refused(got, c.status, c.code, c.part)
			if got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%v", got.header)
			}
			if asked := len(r.backend.requests()) > 0; asked != c.asked {
				t.Errorf("the backend was asked: %v", asked)
			}
		})
	}
}

func TestABackendsRulesLetAPageReadAnswers(t *testing.T) {
	for _, c := range []struct {
		name string
		call call
	}{
		{"an object", call{method: "GET", path: "/bucket/a"}},
		{"HEAD, which the cache would answer for everybody", call{method: "HEAD", path: "/bucket/a"}},
		{"an upload", call{method: "PUT", path: "/bucket/a", body: "x"}},
		{"the end of a multipart upload", call{method: "POST", path: "/bucket/a", query: "uploadId=1",
			body: `<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>"e"</ETag></Part></CompleteMultipartUpload>`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.backend.answers(func(w http.ResponseWriter, q *http.Request, s seen) {
				underRules(w, q, s)
				if q.Method == http.MethodPost {
					_, _ = w.Write([]byte(`<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>`))
				}
			})
			for range 2 {
				c.call.header = asks(page, "")
				got := r.do(c.call)
				if got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != page || got.header.Get("Access-Control-Allow-Credentials") != "" {
					t.Fatalf("%d %v %s", got.status, got.header, got.body)
				}
			}
			c.call.header = nil
			if got := r.do(c.call); got.header.Get("Access-Control-Allow-Origin") != "" || got.header.Get("Vary") != "" {
				t.Errorf("without a page: %v", got.header)
			}
		})
	}
}

func TestOwnRulesTakeThePlaceOfTheBackends(t *testing.T) {
	r := newRig(t, func(r *rig) { r.door.OwnOrigins = func(bucket string) bool { return bucket == "bucket" } })
	r.backend.answers(underRules)
	got := r.do(call{method: "GET", path: "/bucket/a", header: asks(page, "")})
	if got.status != 200 || got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if s := r.only(); s.Header.Get("Origin") != "" {
		t.Errorf("the backend learnt of %s", s.Header.Get("Origin"))
	}
}
