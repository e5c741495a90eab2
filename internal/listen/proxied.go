package listen

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/pires/go-proxyproto"
	"github.com/rs/zerolog"
)

// headerTimeout is how long a proxy may take to send its header; it sends the
// header with the first packet.
const headerTimeout = 5 * time.Second

// Proxied takes a PROXY protocol header, version 1 or 2, off each connection
// whose peer is in trusted, and gives the connection the client's address
// (https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt). A trusted peer
// that sends no header is cut off: section 2 of the specification forbids to
// guess. Connections of all others, unix sockets among them, pass as they are,
// so that a header they send is no more than a bad request.
func Proxied(inner net.Listener, trusted []netip.Prefix, log zerolog.Logger) net.Listener {
	// Any port scan of a proxy makes such a connection, so one line a minute.
	log = log.Sample(&zerolog.BurstSampler{Burst: 1, Period: time.Minute})
	return &proxied{log: log, Listener: &proxyproto.Listener{
		Listener: inner, ReadHeaderTimeout: headerTimeout,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			if from(o.Upstream, trusted) {
				return proxyproto.REQUIRE, nil
			}
			return proxyproto.SKIP, nil
		},
	}}
}

func from(peer net.Addr, networks []netip.Prefix) bool {
	tcp, ok := peer.(*net.TCPAddr)
	if !ok {
		return false
	}
	addr := tcp.AddrPort().Addr().WithZone("").Unmap()
	return slices.ContainsFunc(networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}

type proxied struct {
	net.Listener
	log zerolog.Logger
}

// Accept waits for a connection, not for its header: that is read by the
// goroutine that serves the connection.
func (l *proxied) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if p, ok := c.(*proxyproto.Conn); ok {
		return &proxiedConn{Conn: p, log: l.log}, nil
	}
	return c, err
}

// proxiedConn is a connection that a trusted proxy made.
type proxiedConn struct {
	*proxyproto.Conn
	log  zerolog.Logger
	told sync.Once
}

// nobody is the address of a client that the header does not name, or names as
// one of another machine's own: the proxy's health checks (LOCAL), UNKNOWN, unix
// sockets, loopback. It is no address of this machine, so nobody is taken for a
// local user.
var nobody = &net.TCPAddr{IP: net.IPv4zero}

// RemoteAddr gives the client's address. It waits for the header.
func (c *proxiedConn) RemoteAddr() net.Addr {
	header := c.ProxyHeader()
	if header == nil {
		c.told.Do(func() {
			c.log.Warn().Stringer("proxy", c.Raw().RemoteAddr()).
				Msg("PROXY_PROTOCOL: a connection from TRUSTED_PROXIES without a valid PROXY header was cut off")
		})
		return nobody
	}
	client, ok := header.SourceAddr.(*net.TCPAddr)
	if !ok || !header.Command.IsProxy() || header.TransportProtocol.IsUnspec() {
		return nobody
	}
	addr := client.AddrPort().Addr().Unmap()
	if !addr.IsValid() || addr.IsLoopback() || addr.IsUnspecified() {
		return nobody
	}
	return client
}

// LocalAddr is this machine's end of the connection. The header's would be the
// proxy's word for it, and a unix socket in it would open the door to a local
// user.
func (c *proxiedConn) LocalAddr() net.Addr { return c.Raw().LocalAddr() }

// CloseWrite lets net/http end an answer before the connection, so that a client
// that is still sending can read it.
func (c *proxiedConn) CloseWrite() error {
	if tcp, ok := c.TCPConn(); ok {
		return tcp.CloseWrite()
	}
	return nil
}
