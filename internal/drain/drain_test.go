package drain_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/internal/drain"
)

// refuse answers 413 after it has read some bytes of the body.
func refuse(read int64) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if read > 0 {
			_, _ = io.CopyN(io.Discard, r.Body, read)
		}
		drain.Before(w, r)
		w.Header().Set("Content-Length", "2")
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		_, _ = io.WriteString(w, "no")
		drain.Body(w, r)
	})
}

func serve(t *testing.T, h http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv
}

func zeros(n int) func() io.Reader {
	return func() io.Reader { return bytes.NewReader(make([]byte, n)) }
}

// hidden keeps net/http from learning a body's length.
type hidden struct{ io.Reader }

func TestAClientThatIsStillSendingReadsTheAnswer(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name string
		read int64
		body func() io.Reader
	}{
		{"8 MiB declared, nothing read", 0, zeros(8 * mib)},
		{"5 MiB declared, 1 MiB read", mib, zeros(5 * mib)},
		{"5 MiB chunked, nothing read", 0, func() io.Reader { return hidden{zeros(5 * mib)()} }},
		{"a few bytes", 0, zeros(3)},
		{"read to its end", 100, zeros(100)},
	} {
		for _, middle := range []struct {
			name string
			wrap func(http.Handler) http.Handler
		}{{"tracked", drain.Middleware}, {"bare", func(h http.Handler) http.Handler { return h }}} {
			t.Run(c.name+"/"+middle.name, func(t *testing.T) {
				srv := serve(t, middle.wrap(refuse(c.read)))
				for range 5 {
					resp, err := srv.Client().Post(srv.URL, "text/plain", c.body())
					if err != nil {
						t.Fatal(err)
					}
					text, err := io.ReadAll(resp.Body)
					resp.Body.Close()
					if resp.StatusCode != 413 || string(text) != "no" || err != nil {
						t.Fatalf("status %d, body %q, %v", resp.StatusCode, text, err)
					}
				}
			})
		}
	}
}

// TestASendThenReadClientReadsTheAnswer is the client of most languages' HTTP
// libraries: it writes its whole body before it looks for an answer.
func TestASendThenReadClientReadsTheAnswer(t *testing.T) {
	srv := serve(t, drain.Middleware(refuse(0)))
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	const size = 7 << 20
	fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", size)
	if _, err := conn.Write(make([]byte, size)); err != nil {
		t.Fatalf("the body could not be sent: %v", err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil || resp.StatusCode != 413 || !resp.Close {
		t.Fatalf("got %v, %v; want 413 and Connection: close", resp, err)
	}
}

func TestAClientThatWaitsForContinueIsNotAskedForItsBody(t *testing.T) {
	for _, middle := range []func(http.Handler) http.Handler{drain.Middleware, func(h http.Handler) http.Handler { return h }} {
		srv := serve(t, middle(refuse(0)))
		conn, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		start := time.Now()
		fmt.Fprint(conn, "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9999999\r\n\r\n")
		all, _ := io.ReadAll(conn)
		if !bytes.HasPrefix(all, []byte("HTTP/1.1 413 ")) {
			t.Errorf("answer %q, want 413 and no 100 Continue", all)
		}
		if took := time.Since(start); took > drain.MaxTime {
			t.Errorf("took %v: it waited for a body that was never asked for", took)
		}
	}
}

// restless moves the read deadline on with each read, as a guard against
// stalled clients does.
type restless struct {
	io.ReadCloser
	rc *http.ResponseController
}

func (b restless) Read(p []byte) (int, error) {
	_ = b.rc.SetReadDeadline(time.Now().Add(time.Hour))
	return b.ReadCloser.Read(p)
}

func TestASilentClientIsLetGo(t *testing.T) {
	inner := drain.Middleware(refuse(0))
	srv := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = restless{r.Body, http.NewResponseController(w)}
		inner.ServeHTTP(w, r)
	}))
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	start := time.Now()
	fmt.Fprint(conn, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n")
	all, _ := io.ReadAll(conn)
	if took := time.Since(start); took > 3*drain.MaxTime {
		t.Errorf("held for %v", took)
	}
	if !bytes.HasPrefix(all, []byte("HTTP/1.1 413 ")) {
		t.Errorf("answer %q", all)
	}
}

func TestAConnectionIsKeptWhenTheBodyWasRead(t *testing.T) {
	srv := serve(t, drain.Middleware(refuse(100)))
	resp, err := srv.Client().Post(srv.URL, "text/plain", bytes.NewReader(make([]byte, 100)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Close {
		t.Error("the connection was closed for nothing")
	}
}

// Go's client sends its body at once unless it was told how long to wait.
func TestAClientThatSaysItWaitsAndDoesNotReadsItsRefusal(t *testing.T) {
	srv := serve(t, drain.Middleware(refuse(0)))
	for range 10 {
		r, err := http.NewRequestWithContext(t.Context(), "PUT", srv.URL, bytes.NewReader(make([]byte, 6<<20)))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Expect", "100-continue")
		client := &http.Transport{} // ExpectContinueTimeout 0
		resp, err := client.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		client.CloseIdleConnections()
		if resp.StatusCode != 413 {
			t.Errorf("status %d", resp.StatusCode)
		}
	}
}
