package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// faultyWire is a network between the gateway and its store that stands still,
// ends, or answers by itself when a marker comes by.
type faultyWire struct {
	mu     sync.Mutex
	up     func(client, server net.Conn, rest []byte) // what happens behind a marker to the store
	down   func(client, server net.Conn, rest []byte) // and from it
	answer string                                     // of everything, in the place of the store
	over   chan struct{}
}

func (f *faultyWire) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// stall keeps a connection as it is until the test is over.
func (f *faultyWire) stall(net.Conn, net.Conn, []byte) { <-f.over }

// cut ends both connections in the middle.
func (f *faultyWire) cut(client, server net.Conn, _ []byte) {
	client.Close()
	server.Close()
}

// open listens and connects each connection to the store.
func (f *faultyWire) open(t *testing.T, store *testbed.Store) *testbed.Store {
	t.Helper()
	f.over = make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	store = store.OnTCP(t)
	var running sync.WaitGroup
	var conns sync.Map
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", store.Endpoint.Host)
			if err != nil {
				client.Close()
				continue
			}
			if tcp, ok := client.(*net.TCPConn); ok {
				_ = tcp.SetReadBuffer(64 << 10) // a part must not fit into the buffers: it would be sent, and its answer waited for
			}
			conns.Store(client, nil)
			conns.Store(server, nil)
			running.Go(func() {
				f.carry(client, server, server, client, func() func(net.Conn, net.Conn, []byte) { return f.up })
			})
			running.Go(func() {
				f.carry(client, server, client, server, func() func(net.Conn, net.Conn, []byte) { return f.down })
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		close(f.over)
		conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		running.Wait()
	})
	wired := *store
	wired.Endpoint = &url.URL{Scheme: "http", Host: l.Addr().String()}
	return &wired
}

func (f *faultyWire) carry(client, server, to, from net.Conn, fault func() func(net.Conn, net.Conn, []byte)) {
	defer to.Close()
	defer from.Close()
	var tail []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		f.mu.Lock()
		happens, answer := fault(), f.answer
		f.mu.Unlock()
		if answer != "" && n > 0 && from == client {
			_, _ = io.WriteString(client, answer)
			client.Close()
			return
		}
		tail = append(tail, buf[:n]...)
		if at := bytes.Index(tail, []byte(marker)); at >= 0 && happens != nil {
			_, _ = to.Write(buf[:n/2])
			happens(client, server, nil)
			return
		}
		tail = append([]byte(nil), tail[max(0, len(tail)-len(marker)):]...)
		if _, failed := to.Write(buf[:n]); failed != nil || err != nil {
			return
		}
	}
}

// newFaulty is newWorld over a faulty wire, with short limits for a stall.
func newFaulty(t *testing.T, settings ...string) (*world, *faultyWire) {
	t.Helper()
	t.Setenv("S3GATEWAY_TEST_STALL", "1s")
	store, wire := testbed.Open(t), &faultyWire{}
	bucket := store.Bucket(t)
	w := newWorldOn(t, wire.open(t, store), bucket, append(append([]string(nil), open...), settings...)...)
	w.store = store
	return w, wire
}

// blamesTheStore checks an answer for a fault behind the gateway.
func blamesTheStore(t *testing.T, what string, a answer) {
	t.Helper()
	if a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%s: %d, Retry-After %q: %.300s", what, a.status, a.header.Get("Retry-After"), a.body)
	}
}

// A store that stands still, ends or answers nonsense is no fault of the client:
// each way of storing says 503 with Retry-After, and nothing is stored.
func TestAFaultBehindTheGatewayInAnUploadIsItsOwn(t *testing.T) {
	for name, set := range map[string]func(*faultyWire){
		"the store stands still": func(f *faultyWire) { f.up = f.stall },
		"the connection ends":    func(f *faultyWire) { f.up = f.cut },
	} {
		for _, secured := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %v", name, secured), func(t *testing.T) {
				var settings []string
				if secured {
					settings = secure(t)
				}
				w, wire := newFaulty(t, settings...)
				body := marked(24 << 20) // more than the buffers of a connection
				part := do(t, newRequest(t, "POST", w.rest("resumable"), nil, "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(len(body)), "Upload-Metadata", "filename YS5wbmc="))
				requests := map[string]func() *http.Request{
					"signed PUT":    func() *http.Request { return w.signedPut("a.png", body) },
					"signed chunks": func() *http.Request { return w.chunkedPut("a.png", body, chunking{}) },
					"upload API": func() *http.Request {
						return newRequest(t, "PUT", w.rest("direct?filename=a.png"), bytes.NewReader(body))
					},
					"upload API, unknown length": func() *http.Request {
						return newRequest(t, "PUT", w.rest("direct?filename=a.png"), io.NopCloser(bytes.NewReader(body)))
					},
					"tus": func() *http.Request {
						return newRequest(t, "PATCH", part.header.Get("Location"), bytes.NewReader(body), "Tus-Resumable", "1.0.0",
							"Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
					},
				}
				for name, request := range requests {
					r := request()
					wire.set(func() { set(wire) })
					a := do(t, r)
					wire.set(func() { wire.up = nil })
					blamesTheStore(t, name, a)
				}
				for key := range w.store.Snapshot(t, w.bucket) {
					if !strings.HasPrefix(key, ".s3gateway/") {
						t.Errorf("stored: %s", key)
					}
				}
				for line := range strings.Lines(w.log.String()) {
					if strings.Contains(line, `"message":"request"`) && strings.Contains(line, `"status":4`) {
						t.Errorf("a client was blamed in the log: %s", line)
					}
				}
			})
		}
	}
}

// An answer that has not begun is a 503, and one that has is cut.
func TestAFaultBehindTheGatewayInADownloadIsItsOwn(t *testing.T) {
	for name, set := range map[string]func(*faultyWire){
		"the store stands still": func(f *faultyWire) { f.down = f.stall },
		"the connection ends":    func(f *faultyWire) { f.down = f.cut },
	} {
		t.Run(name, func(t *testing.T) {
			w, wire := newFaulty(t, "CACHE_ENTRIES=0")
			for _, size := range []int{20_000, 3_000_000} {
				body := marked(size)
				if size > 1<<20 {
					copy(body[2<<20:], marker)
					copy(body[4500:], make([]byte, len(marker)))
				}
				w.plant(copySource, "image/png", body)
				get := func(url string) (int, http.Header, int, error) {
					r := newRequest(t, "GET", url, nil)
					if strings.HasPrefix(url, w.url+"/"+w.bucket) {
						sign(t, r, hexSHA256(nil), testSecret, time.Now())
					}
					resp, err := transport().RoundTrip(r)
					if err != nil {
						return 0, nil, 0, err
					}
					defer resp.Body.Close()
					got, err := io.ReadAll(resp.Body)
					return resp.StatusCode, resp.Header, len(got), err
				}
				for _, url := range []string{w.url + "/" + w.bucket + "/" + copySource, w.rest("download/" + copySource)} {
					wire.set(func() { set(wire) })
					status, header, got, err := get(url)
					wire.set(func() { wire.down = nil })
					begun := size > 1<<20
					if begun && (status != 200 || err == nil || got >= size) {
						t.Errorf("%s, %d bytes: %d, %d bytes, %v: not cut", url, size, status, got, err)
					}
					if !begun && (status != http.StatusServiceUnavailable || header.Get("Retry-After") == "") {
						t.Errorf("%s, %d bytes: %d %v, %v", url, size, status, header, err)
					}
				}
			}
			if strings.Contains(w.log.String(), `"code":"RequestTimeout"`) || strings.Contains(w.log.String(), `"status":499`) {
				t.Error("the client was blamed in the log")
			}
		})
	}
}

// Answers that are cut short, or no S3 answers at all, are the store's fault.
func TestAnAnswerThatIsNoneIsTheStoresFault(t *testing.T) {
	w, wire := newFaulty(t, "CACHE_ENTRIES=0")
	w.plant(copySource, "image/png", png(100))
	s3 := func(method, target, body string, headers ...string) *http.Request {
		r := newRequest(t, method, w.url+"/"+w.bucket+target, strings.NewReader(body), headers...)
		sign(t, r, hexSHA256([]byte(body)), testSecret, time.Now())
		return r
	}
	batch := "<Delete><Object><Key>a</Key></Object></Delete>"
	requests := map[string]func() *http.Request{
		"GET":          func() *http.Request { return s3("GET", "/"+copySource, "") },
		"listing":      func() *http.Request { return s3("GET", "?list-type=2", "") },
		"batch delete": func() *http.Request { return s3("POST", "?delete", batch) },
		"copy":         func() *http.Request { return s3("PUT", "/copy", "", "X-Amz-Copy-Source", w.bucket+"/"+copySource) },
		"API listing":  func() *http.Request { return newRequest(t, "GET", w.rest("list"), nil) },
		"API download": func() *http.Request { return newRequest(t, "GET", w.rest("download/"+copySource), nil) },
		"API metadata": func() *http.Request { return newRequest(t, "GET", w.rest("metadata/"+copySource), nil) },
		"API delete":   func() *http.Request { return newRequest(t, "DELETE", w.rest(copySource+"?missing_ok=true"), nil) },
		"API upload": func() *http.Request {
			return newRequest(t, "PUT", w.rest("direct?filename=a.png"), bytes.NewReader(png(100)))
		},
		"API tus create": func() *http.Request {
			return newRequest(t, "POST", w.rest("resumable"), nil, "Tus-Resumable", "1.0.0", "Upload-Length", "5")
		},
	}
	for name, reply := range map[string]string{
		"a 400 without a document":   "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n400 Bad Request",
		"a 408 without a document":   "HTTP/1.1 408 Request Timeout\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n",
		"a page of a proxy":          "HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n<html>bad gateway</html>",
		"no answer":                  "\r\n",
		"the beginning of an answer": "HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 4000\r\n\r\n<ListBuck",
		"half a document":            "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4000\r\n\r\n<Error><Code>Int",
	} {
		for what, request := range requests {
			if name == "the beginning of an answer" && (what == "API delete" || what == "API metadata" || what == "API upload" || what == "API tus create") {
				continue // 200 to a HEAD, PUT or DELETE is an answer without a body
			}
			r := request()
			wire.set(func() { wire.answer = reply })
			a := do(t, r)
			wire.set(func() { wire.answer = "" })
			blamesTheStore(t, what+" with "+name, a)
		}
	}
}
