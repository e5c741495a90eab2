package api

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

// refusingStore refuses what is put into it.
type refusingStore struct {
	*fakeStore
	err error
}

func (s refusingStore) Put(_ context.Context, _ string, body io.Reader, _ PutOptions) (Object, error) {
	_, _ = io.Copy(io.Discard, body)
	return Object{}, s.err
}

// statusCase is a request that is refused with one status.
type statusCase struct {
	change       func(*Options)
	method, path string
	header       http.Header
	body         string
	with         string // a header that the answer has
}

func storeRefuses(err error) func(*Options) {
	return func(o *Options) { o.Store = refusingStore{newFakeStore(), err} }
}

func statusCases() map[int]statusCase {
	const upload = "/direct?filename=a.txt"
	named := func(name, value string) http.Header { return http.Header{name: {value}} }
	return map[int]statusCase{
		400: {method: "PUT", path: upload, header: named("Content-Md5", "zz"), body: "x"},
		401: {method: "GET", path: "/list", header: named("X-Api-Key", "nobody's"), with: "Www-Authenticate"},
		403: {method: "GET", path: "/metadata/elsewhere/a"},
		404: {method: "GET", path: "/metadata/uploads/none"},
		405: {method: "PATCH", path: "/list", with: "Allow"},
		406: {method: "GET", path: "/list", header: named("Accept", "text/html")},
		409: {change: storeRefuses(&gateway.Error{Code: "ExistingObjectIsFile", Status: 409}), method: "PUT", path: upload, body: "x"},
		411: {change: storeRefuses(&gateway.Error{Code: gateway.MissingContentLength, Status: 411}), method: "PUT", path: upload, body: "x"},
		412: {method: "GET", path: "/download/uploads/a", header: named("If-Match", `"other"`)},
		413: {method: "PUT", path: upload, body: strings.Repeat("a", testLimit+1)},
		415: {method: "PUT", path: "/direct?filename=a.html", body: "<html>"},
		416: {method: "GET", path: "/download/uploads/a", header: named("Range", "bytes=99-"), with: "Content-Range"},
		422: {method: "GET", path: "/list?limit=0"},
		429: {change: func(o *Options) {
			o.Policy.Rate = policy.Rate{PerSecond: 1e-9, Burst: 1, Setting: "RATE_LIMIT"}
		}, method: "GET", path: "/list", with: "Retry-After"},
		501: {change: storeRefuses(gateway.Errorf(gateway.NotImplemented, "The storage has none.")), method: "PUT", path: upload, body: "x"},
		503: {change: storeRefuses(&gateway.Error{Code: gateway.ServiceUnavailable}), method: "PUT", path: upload, body: "x", with: "Retry-After"},
		507: {change: storeRefuses(gateway.Errorf(gateway.QuotaExceeded, "The quota is used up.")), method: "PUT", path: upload, body: "x"},
	}
}

func TestEveryDocumentedStatusIsGiven(t *testing.T) {
	for status, c := range statusCases() {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			b := newBench(t, func(o *Options) {
				if c.change != nil {
					c.change(o)
				}
			})
			b.store.add("uploads/a", "0123456789")
			if status == 429 {
				b.do("GET", Root+"/list", nil, nil)
			}
			got := b.do(c.method, Root+c.path, c.header, strings.NewReader(c.body))
			m := got.json(t)
			if got.status != status || m["status"] != float64(status) || got.header.Get("Content-Type") != "application/problem+json" {
				t.Fatalf("%d %s", got.status, got.body)
			}
			for _, member := range []string{"type", "title", "detail", "instance", "code"} {
				if text, _ := m[member].(string); text == "" {
					t.Errorf("no %s in %s", member, got.body)
				}
			}
			if c.with != "" && got.header.Get(c.with) == "" {
				t.Errorf("no %s in %v", c.with, got.header)
			}
		})
	}
}

func TestTheDocumentationListsEveryStatus(t *testing.T) {
	text, err := os.ReadFile("../docs/upload-api.md")
	if err != nil {
		t.Fatal(err)
	}
	var listed []int
	for _, m := range regexp.MustCompile(`(?m)^\| (\d{3}) \|`).FindAllStringSubmatch(string(text), -1) {
		status, _ := strconv.Atoi(m[1])
		listed = append(listed, status)
	}
	tested := []int{408, 499, 410, 423, 460} // by the tests below, and those of resumable uploads
	for status := range statusCases() {
		tested = append(tested, status)
	}
	slices.Sort(tested)
	if !slices.Equal(listed, tested) {
		t.Errorf("the documentation has %v, the tests have %v", listed, tested)
	}
}

func TestAnUploadThatStandsStillIsA408(t *testing.T) {
	b := newBench(t)
	inner := b.srv.Config.Handler
	b.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		inner.ServeHTTP(w, r)
	})
	resp := b.raw(fmt.Sprintf("PUT %s/direct?filename=a.txt HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Length: 1000\r\n\r\nhalf", Root, testKey))
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != 408 || !strings.Contains(string(body), `"code":"RequestTimeout"`) || !resp.Close || b.store.puts != 0 {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// statusSeen notes the status that a handler wrote.
type statusSeen struct {
	http.ResponseWriter
	status *atomic.Int64
}

func (s statusSeen) WriteHeader(status int) {
	s.status.Store(int64(status))
	s.ResponseWriter.WriteHeader(status)
}

func (s statusSeen) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func TestAClientThatLeftIsA499ForTheLog(t *testing.T) {
	b := newBench(t)
	var status atomic.Int64
	done := make(chan struct{})
	inner := b.srv.Config.Handler
	b.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer close(done)
		inner.ServeHTTP(statusSeen{w, &status}, r)
	})
	conn, err := net.Dial("tcp", b.srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "PUT %s/direct?filename=a.txt HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Length: 1000\r\n\r\nhalf", Root, testKey)
	conn.Close()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("the request did not end")
	}
	if status.Load() != statusClientGone || b.store.puts != 0 {
		t.Errorf("status %d", status.Load())
	}
}

// Go's client and a page's fetch over HTTP/1 send and read at once.
func TestGosClientReads413(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		b := newBench(t)
		var body io.Reader = strings.NewReader(strings.Repeat("a", 6<<20))
		if chunked {
			body = struct{ io.Reader }{body}
		}
		for range 5 {
			header, form := formOf(t, filePart("a.txt", "text/plain", strings.Repeat("a", 6<<20)))
			b.wantRefusal(b.do("POST", Root+"/direct", header, strings.NewReader(form)), refusal{413, "EntityTooLarge", "", "100000 bytes"})
		}
		b.wantRefusal(b.do("PUT", Root+"/direct?filename=a.txt", nil, body), refusal{413, "EntityTooLarge", "", "100000 bytes"})
	}
}
