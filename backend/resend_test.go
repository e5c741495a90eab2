package backend

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
)

// fickle is a server that answers one request on each connection and closes it
// as soon as the next one arrives on it: what a store does whose idle limit ends
// at that moment.
type fickle struct {
	address string
	bodies  chan string
	dropped atomic.Int32 // connections that were closed over a request
}

// reads is how much of the second request is read before the connection closes.
func newFickle(t *testing.T, reads int64) *fickle {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fickle{address: "http://" + l.Addr().String(), bodies: make(chan string, 16)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go f.serve(conn, reads)
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return f
}

func (f *fickle) serve(conn net.Conn, reads int64) {
	defer conn.Close()
	reader := bufio.NewReader(conn)
	r, err := http.ReadRequest(reader)
	if err != nil {
		return
	}
	if r.Header.Get("Expect") != "" {
		_, _ = io.WriteString(conn, "HTTP/1.1 100 Continue\r\n\r\n")
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	f.bodies <- string(body)
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	if n, _ := io.CopyN(io.Discard, reader, reads); n > 0 {
		f.dropped.Add(1)
	}
}

func TestARequestOnAConnectionThatTheBackendClosedIsSentAgain(t *testing.T) {
	for _, c := range []struct {
		name, method string
		header       http.Header
		size         int
		reads        int64
		again        bool
	}{
		{"a read", "GET", nil, 0, 1, true},
		{"a delete", "DELETE", nil, 0, 1, true},
		{"a write of nothing", "PUT", nil, 0, 1, true},
		{"a small write", "PUT", nil, 1000, 1, true},
		{"a small write that was read whole", "PUT", nil, 1000, 1000, true},
		{"a write as long as what is kept", "PUT", nil, maxReplay, maxReplay / 2, true},
		{"a long write, asked for before it is sent", "PUT", nil, 3 << 20, 1, true},
		{"a write under a condition", "PUT", http.Header{"If-None-Match": {"*"}}, 1000, 1, false},
		{"a post, which may not be done twice", "POST", nil, 1000, 1000, false},
		{"a write of which more was read than is kept", "PUT", nil, expectContinueFrom - 1, 900_000, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFickle(t, c.reads)
			client := New(testEndpoint(t, f.address), zerolog.Nop(), time.Now)
			defer client.Close()
			body := strings.Repeat("b", c.size)
			send := func(method string, header http.Header) error {
				req := Request{Method: method, Bucket: "bucket", Key: "key", Header: header}
				if c.size > 0 {
					// No GetBody: a client's stream cannot be had twice.
					req.Body, req.Length = io.NopCloser(struct{ io.Reader }{strings.NewReader(body)}), int64(c.size)
				}
				resp, err := client.Do(context.Background(), req)
				if err == nil {
					_, _ = io.Copy(io.Discard, resp.Body)
					resp.Body.Close()
				}
				return err
			}
			if err := send("PUT", nil); err != nil {
				t.Fatal(err)
			}
			<-f.bodies
			err := send(c.method, c.header.Clone())
			if !c.again {
				if gateway.CodeOf(err) != gateway.ServiceUnavailable {
					t.Errorf("%v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := <-f.bodies; got != body {
				t.Errorf("%d bytes of %d arrived", len(got), len(body))
			}
			if f.dropped.Load() == 0 {
				t.Error("the second request never met the connection that closes")
			}
		})
	}
}

// What failed for a reason of the client's own is not sent again.
func TestABodyThatFailedIsNotSentAgain(t *testing.T) {
	f := newFickle(t, 1)
	client := New(testEndpoint(t, f.address), zerolog.Nop(), time.Now)
	defer client.Close()
	for _, fails := range []bool{false, true} {
		req := Request{Method: "PUT", Bucket: "bucket", Key: "key", Length: 5, Body: io.NopCloser(strings.NewReader("hello"))}
		if fails {
			req.Body = io.NopCloser(io.MultiReader(strings.NewReader("he"), spoiled{}))
		}
		resp, err := client.Do(t.Context(), req)
		if err == nil {
			resp.Body.Close()
		}
		if fails && gateway.CodeOf(err) != gateway.BadDigest && gateway.CodeOf(err) != gateway.ServiceUnavailable {
			t.Errorf("%v", err)
		}
		if !fails && err != nil {
			t.Fatal(err)
		}
	}
	if len(f.bodies) != 1 {
		t.Errorf("%d bodies arrived", len(f.bodies))
	}
}

type spoiled struct{}

func (spoiled) Read([]byte) (int, error) { return 0, gateway.Errorf(gateway.BadDigest, "") }
