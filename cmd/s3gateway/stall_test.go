package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/internal/drain"
)

// TestAClientThatStandsStillHoldsNothing: before it sends an answer net/http
// reads the rest of a small body, and it has no deadline of its own. A client
// that announces some bytes and never sends them, signed or not, must read its
// answer all the same, and its connection must end.
func TestAClientThatStandsStillHoldsNothing(t *testing.T) {
	refuse := func(w http.ResponseWriter, r *http.Request) {
		drain.Before(w, r)
		http.Error(w, "refused", http.StatusForbidden)
		drain.Body(w, r)
	}
	for _, c := range []struct {
		name, head, body string
		status           int
		handle           http.HandlerFunc
	}{
		{"the body is read", "Content-Length: 1000", "some", 408, func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err != nil {
				http.Error(w, "too slow", http.StatusRequestTimeout)
			}
		}},
		{"the body is not touched", "Content-Length: 1000", "some", 204, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }},
		{"no byte of the body comes", "Content-Length: 1000", "", 403, refuse},
		{"refused before the body", "Content-Length: 1000", "some", 403, refuse},
		{"refused before a body of unknown length", "Transfer-Encoding: chunked", "10\r\nsome", 403, refuse},
		{"refused before a large body", "Content-Length: 100000000", "some", 403, refuse},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(drain.Middleware(guardStalls(200 * time.Millisecond)(c.handle)))
			defer server.Close()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "PUT / HTTP/1.1\r\nHost: a\r\n%s\r\n\r\n%s", c.head, c.body)
			raw, err := io.ReadAll(conn) // until the server ends it
			if err != nil || !strings.HasPrefix(string(raw), fmt.Sprintf("HTTP/1.1 %d ", c.status)) {
				t.Errorf("%q, %v", raw, err)
			}
		})
	}
}

// TestAConnectionLivesOnAfterABodyWasRead: the deadline of a body is not the
// next request's.
func TestAConnectionLivesOnAfterABodyWasRead(t *testing.T) {
	const pause = 100 * time.Millisecond
	server := httptest.NewServer(guardStalls(pause)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/read" {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		select { // longer than the pause, while net/http watches the connection
		case <-time.After(3 * pause):
		case <-r.Context().Done():
			t.Error("the request was cancelled")
		}
	})))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/read", "/ignored", "/read"} {
		fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nsome", path)
		answer := make([]byte, len("HTTP/1.1 200 OK\r\n"))
		if _, err := io.ReadFull(conn, answer); err != nil || string(answer) != "HTTP/1.1 200 OK\r\n" {
			t.Fatalf("%s: %q, %v", path, answer, err)
		}
		for rest := ""; !strings.HasSuffix(rest, "\r\n\r\n"); {
			var b [1]byte
			if _, err := io.ReadFull(conn, b[:]); err != nil {
				t.Fatal(err)
			}
			rest += string(b[:])
		}
	}
}
