package policy

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// unixPeer is the address of a client on a unix socket, or of none that can be
// read.
const unixPeer = "unix"

// AddressKey gives the key under which a client address is limited: the address
// for IPv4, also when it is mapped into IPv6, the /64 network for IPv6 (a
// customer has at least one, so single addresses cost nothing), "unix" for a
// unix socket. remote is an address with or without a port.
func AddressKey(remote string) string {
	addr, ok := parseAddress(remote)
	if !ok {
		return unixPeer
	}
	if addr.Is4() {
		return addr.String()
	}
	network, err := addr.Prefix(64)
	if err != nil {
		return unixPeer
	}
	return network.String()
}

// ClientAddress gives the address of the client, without a port: the peer's, or,
// when the peer is a trusted proxy, the right-most address of X-Forwarded-For
// that is not one. What a client writes into the header stands further left and
// is not believed. "unix" for a unix socket.
func ClientAddress(r *http.Request, trusted []netip.Prefix) string {
	client, ok := parseAddress(r.RemoteAddr)
	if !ok {
		return unixPeer
	}
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && contains(trusted, client); i-- {
		hop, ok := parseAddress(strings.TrimSpace(hops[i]))
		if !ok {
			break
		}
		client = hop
	}
	return client.String()
}

func contains(networks []netip.Prefix, addr netip.Addr) bool {
	for _, n := range networks {
		if n.Contains(addr) {
			return true
		}
	}
	return false
}

// parseAddress takes "1.2.3.4", "1.2.3.4:5", "::1", "[::1]" and "[::1]:5".
// IPv4 mapped into IPv6 comes out as IPv4, a zone is dropped.
func parseAddress(s string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(s); err == nil {
		s = host
	} else if inner, ok := strings.CutPrefix(s, "["); ok {
		s = strings.TrimSuffix(inner, "]")
	}
	addr, err := netip.ParseAddr(s)
	return addr.WithZone("").Unmap(), err == nil
}
