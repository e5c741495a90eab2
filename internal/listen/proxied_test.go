package listen

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/testlog"
)

// v2 is a header of version 2, written by hand.
func v2(command, family byte, addresses ...byte) string {
	h := []byte("\r\n\r\n\x00\r\nQUIT\n")
	h = append(h, 0x20|command, family)
	h = binary.BigEndian.AppendUint16(h, uint16(len(addresses)))
	return string(append(h, addresses...))
}

// v4 and v6 are a source, this machine as destination, and ports 4000 and 443.
func v4(a, b, c, d byte) []byte {
	return []byte{a, b, c, d, 127, 0, 0, 1, 0x0f, 0xa0, 1, 0xbb}
}

func v6(source string) []byte {
	src, dst := netip.MustParseAddr(source).As16(), netip.MustParseAddr("::1").As16()
	return append(append(src[:], dst[:]...), 0x0f, 0xa0, 1, 0xbb)
}

func unix(path string) []byte {
	both := make([]byte, 216)
	copy(both, path)
	copy(both[108:], path)
	return both
}

const (
	local, proxy                      = 0, 1
	unspecified, tcp4, udp4, tcp6, ux = 0x00, 0x11, 0x12, 0x21, 0x31
)

// seen serves one address and answers what it takes the client for.
func seen(t *testing.T, trusted ...string) (address string, log *testlog.Buffer) {
	t.Helper()
	l, err := Bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var networks []netip.Prefix
	for _, n := range trusted {
		networks = append(networks, netip.MustParsePrefix(n))
	}
	log = &testlog.Buffer{}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		own := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
		fmt.Fprintf(w, "%s on %s %s", r.RemoteAddr, own.Network(), own)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(Proxied(l, networks, zerolog.New(log))) }()
	t.Cleanup(func() { server.Close(); <-done })
	return l.Addr().String(), log
}

// exchange sends bytes and gives the whole answer, "" for a cut connection.
func exchange(t *testing.T, address, bytes string) string {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, bytes); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

const get = "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

func TestTheClientIsTheOneInTheHeader(t *testing.T) {
	const noOne = "0.0.0.0:0"
	address, _ := seen(t, "127.0.0.0/8")
	for _, c := range []struct{ name, header, client string }{
		{"version 1, TCP4", "PROXY TCP4 203.0.113.7 127.0.0.1 4000 443\r\n", "203.0.113.7:4000"},
		{"version 1, TCP6", "PROXY TCP6 2001:db8::7 ::1 4000 443\r\n", "[2001:db8::7]:4000"},
		{"version 2, TCP4", v2(proxy, tcp4, v4(203, 0, 113, 7)...), "203.0.113.7:4000"},
		{"version 2, TCP6", v2(proxy, tcp6, v6("2001:db8::7")...), "[2001:db8::7]:4000"},
		{"version 2 with a TLV behind the addresses", v2(proxy, tcp4, append(v4(203, 0, 113, 7), 4, 0, 1, 0)...), "203.0.113.7:4000"},

		{"version 1, UNKNOWN", "PROXY UNKNOWN\r\n", noOne},
		{"version 1, UNKNOWN with addresses", "PROXY UNKNOWN 127.0.0.1 127.0.0.1 4000 443\r\n", noOne},
		{"a health check of the proxy", v2(local, unspecified), noOne},
		{"LOCAL with an address", v2(local, tcp4, v4(203, 0, 113, 7)...), noOne},
		{"LOCAL with a loopback address", v2(local, tcp4, v4(127, 0, 0, 1)...), noOne},
		{"a unix socket", v2(proxy, ux, unix("/run/s3gateway.sock")...), noOne},
		{"UDP", v2(proxy, udp4, v4(203, 0, 113, 7)...), noOne},
		{"loopback, version 1", "PROXY TCP4 127.0.0.1 127.0.0.1 4000 443\r\n", noOne},
		{"loopback, version 2", v2(proxy, tcp4, v4(127, 9, 9, 9)...), noOne},
		{"loopback, IPv6", v2(proxy, tcp6, v6("::1")...), noOne},
		{"loopback, IPv4 mapped into IPv6", v2(proxy, tcp6, v6("::ffff:127.0.0.1")...), noOne},
		{"loopback, IPv4 mapped, version 1", "PROXY TCP6 ::ffff:127.0.0.1 ::1 4000 443\r\n", noOne},
		{"unspecified", v2(proxy, tcp6, v6("::")...), noOne},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The local address is never the header's.
			if got, want := exchange(t, address, c.header+get), "200 "+c.client+" on tcp "+address; got != want {
				t.Errorf("%q, want %q", got, want)
			}
		})
	}
}

func TestATrustedProxyMustSendAHeader(t *testing.T) {
	address, log := seen(t, "127.0.0.0/8")
	for name, bytes := range map[string]string{
		"none":                     get,
		"no line end":              "PROXY TCP4 203.0.113.7 127.0.0.1 4000 443" + strings.Repeat(" ", 100) + get,
		"no address":               "PROXY TCP4 client 127.0.0.1 4000 443\r\n" + get,
		"unknown family":           "PROXY TCP9 203.0.113.7 127.0.0.1 4000 443\r\n" + get,
		"version 3":                strings.Replace(v2(proxy, tcp4, v4(1, 2, 3, 4)...), "\x21\x11", "\x31\x11", 1) + get,
		"unknown command":          v2(7, tcp4, v4(1, 2, 3, 4)...) + get,
		"addresses too short":      v2(proxy, tcp6, v4(1, 2, 3, 4)...) + get,
		"PROXY without family":     v2(proxy, unspecified) + get,
		"two headers, one in each": "PROXY TCP4 203.0.113.7 127.0.0.1 4000 443\r\n" + v2(local, unspecified) + get,
	} {
		t.Run(name, func(t *testing.T) {
			if got := exchange(t, address, bytes); strings.HasPrefix(got, "200") {
				t.Errorf("served: %q", got)
			}
		})
	}
	if n := strings.Count(log.String(), "without a valid PROXY header"); n != 1 {
		t.Errorf("%d lines in the log, want one a minute: %s", n, log)
	}
}

func TestAHeaderFromAnyoneElseIsABadRequest(t *testing.T) {
	address, log := seen(t, "192.0.2.0/24")
	for name, header := range map[string]string{
		"version 1": "PROXY TCP4 192.0.2.1 127.0.0.1 4000 443\r\n",
		"version 2": v2(proxy, tcp4, v4(192, 0, 2, 1)...),
	} {
		if got := exchange(t, address, header+get); !strings.HasPrefix(got, "400") {
			t.Errorf("%s: %q", name, got)
		}
	}
	if got := exchange(t, address, get); !strings.HasPrefix(got, "200 127.0.0.1:") {
		t.Errorf("without a header: %q", got)
	}
	if len(log.String()) > 0 {
		t.Errorf("anyone can write into the log: %s", log)
	}
}

func TestAUnixSocketHasNoProxies(t *testing.T) {
	inner, err := Bind("unix:" + filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	l := Proxied(inner, []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}, zerolog.Nop())
	defer l.Close()
	c, err := net.Dial("unix", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	if _, plain := served.(*net.UnixConn); !plain {
		t.Errorf("%T", served)
	}
}

// piped is a listener of one connection, which says it comes from a proxy.
type piped struct {
	net.Listener
	conn net.Conn
}

func (p piped) Accept() (net.Conn, error) { return p, nil }
func (p piped) RemoteAddr() net.Addr      { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 1} }
func (p piped) LocalAddr() net.Addr       { return &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2), Port: 2} }

func (p piped) Read(b []byte) (int, error)         { return p.conn.Read(b) }
func (p piped) Write(b []byte) (int, error)        { return p.conn.Write(b) }
func (p piped) Close() error                       { return p.conn.Close() }
func (p piped) SetDeadline(t time.Time) error      { return p.conn.SetDeadline(t) }
func (p piped) SetReadDeadline(t time.Time) error  { return p.conn.SetReadDeadline(t) }
func (p piped) SetWriteDeadline(t time.Time) error { return p.conn.SetWriteDeadline(t) }

func TestAHeaderThatDoesNotComeIsNotAwaited(t *testing.T) {
	for name, begin := range map[string]string{"nothing": "", "the beginning of version 1": "PRO", "the beginning of version 2": "\r\n\r\n\x00\r\nQUIT\n\x21"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, client := net.Pipe()
				defer client.Close()
				conn, err := Proxied(piped{conn: server}, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, zerolog.Nop()).Accept()
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				go func() { _, _ = io.WriteString(client, begin) }()
				start := time.Now()
				if got := conn.RemoteAddr().String(); got != "0.0.0.0:0" {
					t.Errorf("client %s", got)
				}
				if took := time.Since(start); took != headerTimeout {
					t.Errorf("waited %v", took)
				}
				if _, err := conn.Read(make([]byte, 1)); err == nil {
					t.Error("the connection can be read")
				}
			})
		})
	}
}

// A client that is still sending reads its refusal only if net/http can close
// one direction after the other.
func TestAnswersAreEndedBeforeTheConnection(t *testing.T) {
	var _ interface{ CloseWrite() error } = (*proxiedConn)(nil)
	inner, err := Bind("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Proxied(inner, []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, zerolog.Nop())
	defer l.Close()
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	served, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer served.Close()
	if _, err := io.WriteString(c, "PROXY TCP4 203.0.113.7 127.0.0.1 4000 443\r\n"); err != nil {
		t.Fatal(err)
	}
	if err := served.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the client reads %v", err)
	}
	if _, err := io.WriteString(c, "x"); err != nil {
		t.Errorf("the client cannot send: %v", err)
	}
	if _, err := io.ReadFull(served, make([]byte, 1)); err != nil {
		t.Errorf("the server cannot read: %v", err)
	}
}
