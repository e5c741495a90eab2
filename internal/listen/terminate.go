package listen

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// handshakeTimeout is how long a client may take to agree on TLS.
const handshakeTimeout = 10 * time.Second

// Terminated ends TLS on the connections of inner. It gives those only on which
// the client agreed, so that what HTTP they speak is known; net/http would
// shake hands behind Accept. Each handshake has a goroutine and a time limit of
// its own. config is as for tls.NewListener.
func Terminated(inner net.Listener, config *tls.Config, log zerolog.Logger) net.Listener {
	ctx, stop := context.WithCancel(context.Background())
	l := &terminated{Listener: inner, config: config, log: log, ctx: ctx, stop: stop, ready: make(chan accepted)}
	l.running.Go(l.run)
	return l
}

type terminated struct {
	net.Listener
	config  *tls.Config
	log     zerolog.Logger
	ctx     context.Context
	stop    context.CancelFunc
	ready   chan accepted
	running sync.WaitGroup
}

type accepted struct {
	conn net.Conn
	err  error
}

// Accept waits for a connection with TLS.
func (l *terminated) Accept() (net.Conn, error) {
	select {
	case a := <-l.ready:
		return a.conn, a.err
	case <-l.ctx.Done():
		return nil, net.ErrClosed
	}
}

// Close ends the listener and the handshakes under way.
func (l *terminated) Close() error {
	l.stop()
	err := l.Listener.Close()
	l.running.Wait()
	return err
}

func (l *terminated) run() {
	for l.ctx.Err() == nil {
		c, err := l.Listener.Accept()
		if err == nil {
			l.running.Go(func() { l.shake(c) })
			continue
		}
		// Whoever accepts decides whether that error passes, and waits.
		l.give(accepted{err: err})
		if errors.Is(err, net.ErrClosed) {
			return
		}
	}
}

func (l *terminated) give(a accepted) {
	select {
	case l.ready <- a:
	case <-l.ctx.Done():
		if a.conn != nil {
			a.conn.Close()
		}
	}
}

func (l *terminated) shake(c net.Conn) {
	secure := tls.Server(c, l.config)
	ctx, cancel := context.WithTimeout(l.ctx, handshakeTimeout)
	defer cancel()
	err := secure.HandshakeContext(ctx)
	if err == nil {
		l.give(accepted{conn: secure})
		return
	}
	var record tls.RecordHeaderError
	if errors.As(err, &record) && record.Conn != nil && looksLikeHTTP(record.RecordHeader) {
		_, _ = io.WriteString(record.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
	}
	l.log.Debug().Stringer("client", c.RemoteAddr()).Err(err).Msg("TLS: no handshake")
	c.Close()
}

// looksLikeHTTP tells a client that speaks plain HTTP by the method it begins
// with.
func looksLikeHTTP(header [5]byte) bool {
	switch string(header[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO", "DELET":
		return true
	}
	return false
}
