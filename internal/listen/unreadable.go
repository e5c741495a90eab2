package listen

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Unreadable is a request that net/http refuses before any handler sees it: a
// target with a bad escape, a header that is none, more than MaxHeaderBytes.
type Unreadable struct {
	// Status and Reason are what net/http would have answered, for example 400
	// and "missing required Host header". Reason may be empty.
	Status int
	Reason string
	// Line is the request line without its end, at most 8 KiB of it. It is
	// empty where the request came right behind another on one connection.
	Line string
	// LineEnded is false when no end of the line came.
	LineEnded bool
	// RemoteAddr is the client's, as in http.Request.
	RemoteAddr string
}

// maxNotedLine bounds what is kept of a request line, in bytes.
const maxNotedLine = 8 << 10

// The bounds of what is read and thrown away behind such an answer: a client
// that is still sending must be able to read it.
const (
	lingerTime  = time.Second
	lingerBytes = 1 << 20
)

// AnswerUnreadable has a server answer requests that it cannot read in the words
// of answer, which gives the whole response as it goes on the wire. net/http
// itself answers them with plain text that no S3 client understands, and has no
// hook for them. Call it before the server serves, and serve listeners that
// Watched gave. HTTP/2 has its own way (RFC 9113 section 8.1.1): the stream is
// reset.
func AnswerUnreadable(server *http.Server, answer func(Unreadable) []byte) {
	next := server.Handler
	server.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(watchedKey{}).(*watched); ok {
			c.begin()
			r.TLS = c.tls
		}
		next.ServeHTTP(w, r)
	})
	further := server.ConnContext
	server.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		if further != nil {
			ctx = further(ctx, c)
		}
		if c, ok := c.(*watched); ok {
			c.answer = answer
			return context.WithValue(ctx, watchedKey{}, c)
		}
		return ctx
	}
	server.ConnState = func(c net.Conn, state http.ConnState) {
		if c, ok := c.(*watched); ok && state == http.StateIdle {
			c.serving.Store(false)
		}
	}
}

type watchedKey struct{}

// Watched gives a listener whose connections AnswerUnreadable can speak on.
func Watched(inner net.Listener) net.Listener { return &watchedListener{inner} }

type watchedListener struct{ net.Listener }

// Accept waits for a connection.
func (l *watchedListener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return watch(c), nil
}

// NetConn returns the connection that is watched.
func (c *watched) NetConn() net.Conn { return c.Conn }

// watch leaves a connection with HTTP/2 as it is: net/http knows it by its type.
func watch(c net.Conn) net.Conn {
	secure, ok := c.(*tls.Conn)
	if !ok {
		return &watched{Conn: c}
	}
	state := secure.ConnectionState()
	if state.NegotiatedProtocol == "h2" {
		return c
	}
	return &watched{Conn: c, tls: &state}
}

// watched is a connection with HTTP/1. While no handler serves a request of it,
// what is written to it is net/http's own.
type watched struct {
	net.Conn
	tls     *tls.ConnectionState // nil for plain
	answer  func(Unreadable) []byte
	serving atomic.Bool

	mu    sync.Mutex // net/http reads one byte ahead in the background
	line  []byte
	ended bool
}

// begin notes that a handler has the connection.
func (c *watched) begin() {
	c.serving.Store(true)
	c.mu.Lock()
	c.line, c.ended = c.line[:0], false
	c.mu.Unlock()
}

// Read notes the request line. While a handler runs, only reads of one byte are
// looked at: they are net/http's look at the next request, all others are of
// the body.
func (c *watched) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if n > 0 && (len(p) == 1 || !c.serving.Load()) {
		c.note(p[:n])
	}
	return n, err
}

func (c *watched) note(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended {
		return
	}
	if end := bytes.IndexByte(p, '\n'); end >= 0 {
		p, c.ended = p[:end], true
	}
	c.line = append(c.line, p[:min(len(p), maxNotedLine-len(c.line))]...)
}

// Write passes on what is written, but for net/http's own refusals.
func (c *watched) Write(p []byte) (int, error) {
	if c.serving.Load() || c.answer == nil {
		return c.Conn.Write(p)
	}
	status, reason, ok := plainRefusal(p)
	if !ok {
		return c.Conn.Write(p)
	}
	c.mu.Lock()
	u := Unreadable{Status: status, Reason: reason, Line: strings.TrimSuffix(string(c.line), "\r"), LineEnded: c.ended}
	c.mu.Unlock()
	u.RemoteAddr = c.RemoteAddr().String()
	if _, err := c.Conn.Write(c.answer(u)); err != nil {
		return 0, err
	}
	c.linger()
	return len(p), nil
}

// plainRefusal reads the answers that net/http writes by itself (server.go,
// conn.serve): no date, these two headers, and text.
func plainRefusal(p []byte) (status int, reason string, ok bool) {
	line, rest, _ := bytes.Cut(p, []byte("\r\n"))
	_, known := bytes.CutPrefix(rest, []byte("Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n"))
	code, isHTTP := bytes.CutPrefix(line, []byte("HTTP/1.1 "))
	if !known || !isHTTP || len(code) < 3 {
		return 0, "", false
	}
	status, err := strconv.Atoi(string(code[:3]))
	_, reason, _ = strings.Cut(string(code), ": ")
	return status, reason, err == nil && status >= http.StatusBadRequest
}

// linger reads what the client still sends, within bounds. A connection that is
// closed over unread bytes is reset, and the answer lost.
func (c *watched) linger() {
	if c.CloseWrite() != nil || c.SetReadDeadline(time.Now().Add(lingerTime)) != nil {
		return
	}
	_, _ = io.CopyN(io.Discard, c.Conn, lingerBytes)
}

// CloseWrite ends an answer before the connection.
func (c *watched) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return nil
}

// ReadFrom keeps what the connection beneath can do with files and sockets.
func (c *watched) ReadFrom(r io.Reader) (int64, error) {
	if from, ok := c.Conn.(io.ReaderFrom); ok {
		return from.ReadFrom(r)
	}
	return io.Copy(struct{ io.Writer }{c.Conn}, r)
}
