package policy

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway"
)

func restRequest(peer, host string, headers ...string) *http.Request {
	r := httptest.NewRequest("POST", "/api/v1/upload/direct", nil)
	r.RemoteAddr, r.Host = peer, host
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
	}
	return r
}

func checkCaller(t *testing.T, a *RESTAuth, r *http.Request, want string, code gateway.Code) {
	t.Helper()
	c, err := a.Caller(r)
	if c.Name != want || gateway.CodeOf(err) != code {
		t.Errorf("got %q, %v; want %q, %q", c.Name, err, want, code)
	}
	if c.Link {
		t.Error("a REST caller is no link")
	}
	if code == gateway.Unauthenticated && !strings.Contains(gateway.AsError(err).Message, "API_KEYS") {
		t.Errorf("%q does not name API_KEYS", gateway.AsError(err).Message)
	}
}

func TestLocalUser(t *testing.T) {
	const loop, host = "127.0.0.1:5000", "localhost:8000"
	a := &RESTAuth{Mode: AuthAuto, PublicHost: "files.example.com:8443",
		CORSOrigins: []string{"*", "https://app.example.com"}}
	for _, tt := range []struct {
		name string
		r    *http.Request
		in   bool
	}{
		{"curl on localhost", restRequest(loop, host), true},
		{"peer on another loopback address", restRequest("127.9.9.9:5000", host), true},
		{"peer on IPv6 loopback", restRequest("[::1]:5000", "[::1]:8000"), true},
		{"peer on IPv4 loopback over an IPv6 socket", restRequest("[::ffff:127.0.0.1]:5000", host), true},
		{"peer on the local network", restRequest("192.168.1.5:5000", host), false},
		{"peer on link-local IPv6", restRequest("[fe80::1%lo]:5000", host), false},
		{"unspecified peer", restRequest("0.0.0.0:5000", host), false},
		{"peer without an address", restRequest("", host), false},
		{"peer that looks like a unix socket on a TCP listener", restRequest("@", host), false},
		{"peer name", restRequest("localhost:5000", host), false},

		{"Host localhost without a port", restRequest(loop, "localhost"), true},
		{"Host in upper case", restRequest(loop, "LOCALHOST:8000"), true},
		{"Host 127.0.0.1", restRequest(loop, "127.0.0.1:8000"), true},
		{"Host 127.1.2.3", restRequest(loop, "127.1.2.3"), true},
		{"Host [::1] without a port", restRequest(loop, "[::1]"), true},
		{"Host of PUBLIC_URL", restRequest(loop, "Files.example.com:8443"), true},
		{"Host of PUBLIC_URL on another port", restRequest(loop, "files.example.com"), false},
		{"DNS rebinding", restRequest(loop, "evil.example.com:8000"), false},
		{"DNS rebinding by a name that begins with localhost", restRequest(loop, "localhost.evil.example:8000"), false},
		{"DNS rebinding by a name that begins with an address", restRequest(loop, "127.0.0.1.evil.example"), false},
		{"a name under localhost", restRequest(loop, "evil.localhost:8000"), false},
		{"Host with a dot at its end", restRequest(loop, "localhost.:8000"), false},
		{"Host ::1 without brackets", restRequest(loop, "::1"), false},
		{"Host [::1] with something behind", restRequest(loop, "[::1]evil"), false},
		{"Host [::1] with a zone", restRequest(loop, "[::1%25lo]:8000"), false},
		{"Host IPv4 mapped", restRequest(loop, "[::ffff:127.0.0.1]:8000"), false},
		{"Host in brackets", restRequest(loop, "[localhost]:8000"), false},
		{"Host 127.1", restRequest(loop, "127.1:8000"), false},
		{"Host 0177.0.0.1", restRequest(loop, "0177.0.0.1"), false},
		{"Host 2130706433", restRequest(loop, "2130706433"), false},
		{"Host 0.0.0.0", restRequest(loop, "0.0.0.0:8000"), false},
		{"Host of the local network", restRequest(loop, "192.168.1.5:8000"), false},
		{"Host with two ports", restRequest(loop, "localhost:80:80"), false},
		{"Host with a name as port", restRequest(loop, "localhost:evil.example"), false},
		{"Host with a user", restRequest(loop, "localhost:1@evil.example"), false},
		{"no Host", restRequest(loop, ""), false},

		{"proxy: Forwarded", restRequest(loop, host, "Forwarded: for=1.2.3.4"), false},
		{"proxy: X-Forwarded-For", restRequest(loop, host, "X-Forwarded-For: 127.0.0.1"), false},
		{"proxy: X-Forwarded-Proto alone", restRequest(loop, host, "X-Forwarded-Proto: https"), false},
		{"proxy: X-Forwarded-Host in lower case", restRequest(loop, host, "x-forwarded-host: localhost"), false},
		{"proxy: X-Real-IP", restRequest(loop, host, "X-Real-IP: 127.0.0.1"), false},
		{"proxy: Via", restRequest(loop, host, "Via: 1.1 proxy"), false},
		{"proxy: an empty header", restRequest(loop, host, "X-Forwarded-For: "), false},

		{"the gateway's own page", restRequest(loop, host, "Sec-Fetch-Site: same-origin", "Origin: http://localhost:8000"), true},
		{"typed into the address bar", restRequest(loop, host, "Sec-Fetch-Site: none"), true},
		{"foreign page", restRequest(loop, host, "Sec-Fetch-Site: cross-site"), false},
		{"page on another port of this machine", restRequest(loop, host, "Sec-Fetch-Site: same-site"), false},
		{"Sec-Fetch-Site twice", restRequest(loop, host, "Sec-Fetch-Site: none", "Sec-Fetch-Site: cross-site"), false},
		{"Sec-Fetch-Site empty", restRequest(loop, host, "Sec-Fetch-Site: "), false},

		{"foreign Origin in a browser without Sec-Fetch-Site", restRequest(loop, host, "Origin: https://evil.example"), false},
		{"Origin on another port", restRequest(loop, host, "Origin: http://localhost:3000"), false},
		{"Origin null", restRequest(loop, host, "Origin: null"), false},
		{"Origin empty", restRequest(loop, host, "Origin: "), false},
		{"Origin * though * is in the list", restRequest(loop, host, "Origin: *"), false},
		{"Origin with a path", restRequest(loop, host, "Origin: http://localhost:8000/x"), false},
		{"Origin with a user", restRequest(loop, host, "Origin: http://evil@localhost:8000"), false},
		{"Origin of an extension", restRequest(loop, host, "Origin: chrome-extension://localhost:8000"), false},
		{"own Origin and a foreign one", restRequest(loop, host, "Origin: http://localhost:8000", "Origin: https://evil.example"), false},
		{"Origin in the list", restRequest(loop, host, "Origin: https://app.example.com"), true},
		{"Origin in the list on another port", restRequest(loop, host, "Origin: https://app.example.com:444"), false},

		{"a stray key where none is configured", restRequest(loop, host, "Authorization: Basic eDp5"), true},
		{"a stray key from far away", restRequest("203.0.113.7:1", host, "X-API-Key: guess"), false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.in {
				checkCaller(t, a, tt.r, LocalUser, "")
			} else {
				checkCaller(t, a, tt.r, "", gateway.Unauthenticated)
			}
		})
	}
}

func TestLocalUserOverAUnixSocket(t *testing.T) {
	a := &RESTAuth{Mode: AuthAuto}
	over := func(network net.Addr, host string) *http.Request {
		r := restRequest("@", host)
		return r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, network))
	}
	unix := &net.UnixAddr{Name: "/run/s3gateway.sock", Net: "unix"}
	checkCaller(t, a, over(unix, "localhost"), LocalUser, "")
	checkCaller(t, a, over(unix, "files.example.com"), "", gateway.Unauthenticated)
	checkCaller(t, a, over(&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1}, "localhost"), "", gateway.Unauthenticated)
}

func TestAPIKeys(t *testing.T) {
	const loop, host, far = "127.0.0.1:5000", "localhost:8000", "203.0.113.7:5000"
	keys := newCallers(t, fullOptions())
	for _, tt := range []struct {
		name    string
		headers []string
		want    string
		code    gateway.Code
	}{
		{"bearer", []string{"Authorization: Bearer web-api-key"}, "web", ""},
		{"bearer in lower case", []string{"Authorization: bearer web-api-key"}, "web", ""},
		{"X-API-Key", []string{"X-API-Key: bob-api-key"}, "bob", ""},
		{"both alike", []string{"Authorization: Bearer web-api-key", "X-API-Key: web-api-key"}, "web", ""},
		{"both, each right, not alike", []string{"Authorization: Bearer web-api-key", "X-API-Key: bob-api-key"}, "", gateway.InvalidRequest},
		{"both, one empty", []string{"Authorization: Bearer web-api-key", "X-API-Key: "}, "", gateway.InvalidRequest},
		{"two Authorization headers", []string{"Authorization: Bearer web-api-key", "Authorization: Bearer web-api-key"}, "", gateway.InvalidRequest},
		{"two X-API-Key headers", []string{"X-API-Key: web-api-key", "X-API-Key: web-api-key"}, "", gateway.InvalidRequest},
		{"wrong key", []string{"X-API-Key: guess"}, "", gateway.Unauthenticated},
		{"wrong bearer", []string{"Authorization: Bearer guess"}, "", gateway.Unauthenticated},
		{"empty key", []string{"X-API-Key: "}, "", gateway.Unauthenticated},
		{"empty bearer", []string{"Authorization: Bearer "}, "", gateway.Unauthenticated},
		{"another scheme with the right key", []string{"Authorization: Basic web-api-key"}, "", gateway.Unauthenticated},
		{"another scheme beside the right key", []string{"Authorization: Basic x", "X-API-Key: web-api-key"}, "", gateway.Unauthenticated},
		{"an S3 secret as key", []string{"X-API-Key: root-secret"}, "", gateway.Unauthenticated},
		{"an S3 signature", []string{"Authorization: AWS4-HMAC-SHA256 Credential=AKIDROOT/20260102/us-east-1/s3/aws4_request"}, "", gateway.Unauthenticated},
	} {
		for _, mode := range []string{AuthAuto, AuthRequired, AuthNone, ""} {
			t.Run(tt.name+" in mode "+mode, func(t *testing.T) {
				checkCaller(t, &RESTAuth{Mode: mode, Callers: keys}, restRequest(far, host, tt.headers...), tt.want, tt.code)
			})
		}
	}
	for mode, want := range map[string]string{AuthAuto: "", AuthRequired: "", "": "", AuthNone: OpenUser} {
		for name, callers := range map[string]*Callers{"with keys": keys, "without keys": nil} {
			t.Run("no key in mode "+mode+" "+name, func(t *testing.T) {
				code := gateway.Unauthenticated
				if want != "" {
					code = ""
				}
				checkCaller(t, &RESTAuth{Mode: mode, Callers: callers}, restRequest(far, host), want, code)
			})
		}
	}
	t.Run("with keys the local user needs one too", func(t *testing.T) {
		checkCaller(t, &RESTAuth{Mode: AuthAuto, Callers: keys}, restRequest(loop, host), "", gateway.Unauthenticated)
	})
}

func TestRefusalRepeatsNoKey(t *testing.T) {
	a := &RESTAuth{Mode: AuthRequired, Callers: newCallers(t, fullOptions())}
	for _, header := range []string{"X-API-Key: almost-right-key", "Authorization: Bearer almost-right-key", "Authorization: almost-right-key"} {
		_, err := a.Caller(restRequest("203.0.113.7:1", "localhost", header))
		e := gateway.AsError(err)
		if strings.Contains(err.Error(), "almost") || strings.Contains(strings.Join(details(e), " "), "almost") {
			t.Errorf("the key is in %v", err)
		}
	}
}
