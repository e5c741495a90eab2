package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// behind is a client whose connections begin with a header, as a proxy's do.
func behind(t *testing.T, header string) *http.Transport {
	t.Helper()
	client := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: trusted().pool()}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, network, address)
			if err == nil {
				_, err = io.WriteString(c, header)
			}
			return c, err
		},
	}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

const (
	fromFar      = "PROXY TCP4 203.0.113.7 127.0.0.1 4000 443\r\n"
	fromAnother  = "PROXY TCP4 203.0.113.8 127.0.0.1 4000 443\r\n"
	fromLoopback = "PROXY TCP4 127.0.0.1 127.0.0.1 4000 443\r\n"
	fromNobody   = "PROXY UNKNOWN\r\n"
	healthCheck  = "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"
	// asUnix claims that both ends are a unix socket: over one anybody is local.
	asUnix = "\r\n\r\n\x00\r\nQUIT\n\x21\x31\x00\xd8"
)

// Without API keys the REST door serves a local user. Whoever comes through a
// proxy is none, whatever the header says.
func TestNobodyBehindAProxyIsALocalUser(t *testing.T) {
	proxied := append(open, "PROXY_PROTOCOL=true", "TRUSTED_PROXIES=127.0.0.1")
	for _, over := range []struct {
		name     string
		settings []string
	}{{"HTTP", proxied}, {"HTTPS", append(proxied, secure(t)...)}} {
		w := newWorld(t, over.settings...)
		for name, header := range map[string]string{
			"a client": fromFar, "a client on the proxy's own machine": fromLoopback, "nobody": fromNobody,
			"a health check": healthCheck, "a unix socket": asUnix + strings.Repeat("/run/s3gateway.sock"+strings.Repeat("\x00", 89), 2),
		} {
			t.Run(over.name+"/"+name, func(t *testing.T) {
				client := behind(t, header)
				r := newRequest(t, "GET", w.rest("list"), nil)
				r.Host = "localhost"
				doBy(t, client, r).isProblem(t, 401, "API_KEYS")
				if got := doBy(t, client, newRequest(t, "GET", w.rest("health"), nil)); got.status != 200 {
					t.Errorf("health: %d", got.status)
				}
			})
		}
		t.Run(over.name+"/no header", func(t *testing.T) {
			resp, err := behind(t, "").RoundTrip(newRequest(t, "GET", w.rest("list"), nil))
			if err == nil {
				resp.Body.Close()
				t.Errorf("served: %d", resp.StatusCode)
			}
		})
	}
}

// Where the proxies are other machines, this one's own user still is local.
func TestALocalUserBesideProxies(t *testing.T) {
	w := newWorld(t, append(open, "PROXY_PROTOCOL=true", "TRUSTED_PROXIES=192.0.2.0/24")...)
	if got := do(t, newRequest(t, "GET", w.rest("list"), nil)); got.status != 200 {
		t.Errorf("%d %s", got.status, got.body)
	}
	if got := w.raw(fromFar + listing); got != 400 {
		t.Errorf("a header of one who is no proxy: %d", got)
	}
}

func TestWithoutTheSettingAHeaderIsABadRequest(t *testing.T) {
	w := newWorld(t, append(open, "TRUSTED_PROXIES=127.0.0.1")...)
	if got := w.raw(fromFar + listing); got != 400 {
		t.Errorf("%d", got)
	}
}

func TestRatesAndLogsGoByTheClientBehindTheProxy(t *testing.T) {
	w := newWorld(t, append(open, "PROXY_PROTOCOL=true", "TRUSTED_PROXIES=127.0.0.0/8", "RATE_LIMIT_ADDRESS=1/s:1")...)
	first, second := behind(t, fromFar), behind(t, fromAnother)
	ask := func(client *http.Transport) answer {
		// A header that anyone can write: the client is no proxy.
		return doBy(t, client, newRequest(t, "GET", w.url+"/"+w.bucket+"/x", nil, "X-Forwarded-For", "198.51.100.1"))
	}
	ask(first).isS3Error(t, 403, "AccessDenied")
	ask(first).isS3Error(t, 503, "SlowDown")
	ask(second).isS3Error(t, 403, "AccessDenied")
	eventually(t, "the log names both", func() bool {
		return strings.Contains(w.log.String(), `"client":"203.0.113.7"`) && strings.Contains(w.log.String(), `"client":"203.0.113.8"`)
	})
	if strings.Contains(w.log.String(), "198.51.100.1") {
		t.Error("the log believes the client")
	}
}

// Behind a proxy, too, a refusal is read while the body is still being sent.
func TestARefusalIsReadBehindAProxy(t *testing.T) {
	w := newWorld(t, "MAX_FILE_SIZE=1000", "PROXY_PROTOCOL=true", "TRUSTED_PROXIES=127.0.0.1")
	for range 20 {
		const size = 7 << 20
		put := newRequest(t, "PUT", w.url+"/"+w.bucket+"/large.png", &endless{size}, "Content-Type", "image/png")
		put.ContentLength = size
		sign(t, put, "UNSIGNED-PAYLOAD", testSecret, time.Now())
		doBy(t, behind(t, fromFar), put).isS3Error(t, 400, "EntityTooLarge")
	}
	w.unchanged()
}

// A second header is part of the first request, and no request.
func TestAHeaderBehindTheHeaderIsABadRequest(t *testing.T) {
	w := newWorld(t, append(open, "PROXY_PROTOCOL=true", "TRUSTED_PROXIES=127.0.0.1")...)
	if got := w.raw(fromFar + fromLoopback + listing); got != 400 {
		t.Errorf("%d", got)
	}
}

const listing = "GET /api/v1/upload/list HTTP/1.1\r\nHost: localhost\r\n\r\n"

// raw sends bytes as they are and gives the status of the answer.
func (w *world) raw(bytes string) int {
	w.t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, bytes); err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}
