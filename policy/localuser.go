package policy

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/codeguardians/s3gateway"
)

// localCaller lets in the user of this machine. A reverse proxy on the same
// host, a foreign page in the user's browser and a name that was rebound to
// 127.0.0.1 all reach us over loopback too; each clause keeps one of them out.
func (a *RESTAuth) localCaller(r *http.Request) (gateway.Caller, error) {
	for _, clause := range []struct {
		holds   bool
		refusal string
	}{
		{localPeer(r), "the client is not on this machine"},
		{a.localHost(r.Host), "the Host is neither localhost nor a loopback address"},
		{!forwarded(r.Header), "it came through a proxy"},
		{sameSite(r.Header), "a page of another site made it"},
		{a.ownOrigin(r), "its Origin is another one"},
		// What nginx sends by default has no mark of a proxy but this.
		{r.ProtoAtLeast(1, 1), "it is of HTTP/1.0, as proxies speak it"},
		{a.ownUser(r), "its connection is not of the user that the gateway runs as"},
	} {
		if !clause.holds {
			return gateway.Caller{}, unauthenticated(
				"Without API_KEYS only requests made on the gateway's own machine are served, and " + clause.refusal + ".")
		}
	}
	return gateway.Caller{Name: LocalUser}, nil
}

// ownUser asks who connected, which costs a look into the kernel's tables, only
// when all else is as the local user has it.
func (a *RESTAuth) ownUser(r *http.Request) bool {
	other := a.OwnUser == nil || !localPeer(r) || !a.localHost(r.Host) || forwarded(r.Header) || !sameSite(r.Header) || !a.ownOrigin(r)
	return other || a.OwnUser(r)
}

// localPeer goes by the connection, not by a header. That a listener is a unix
// socket is known from our own end: the other one has no address.
func localPeer(r *http.Request) bool {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return true
	}
	addr, ok := parseAddress(r.RemoteAddr)
	return ok && addr.IsLoopback()
}

// localHost goes by what the client called us: after DNS rebinding a browser
// still sends the attacker's name.
func (a *RESTAuth) localHost(host string) bool {
	if host == "" {
		return false
	}
	if strings.EqualFold(host, a.PublicHost) {
		return true
	}
	name, ok := withoutPort(host)
	if !ok {
		return false
	}
	if strings.EqualFold(name, "localhost") || name == "[::1]" {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Is4() && addr.IsLoopback()
}

// withoutPort cuts ":8000" off a Host. A colon that begins no port makes it
// false: an IPv6 address without brackets, "localhost:80:80".
func withoutPort(host string) (string, bool) {
	end := strings.LastIndexByte(host, ']') + 1
	name, port, found := strings.Cut(host[end:], ":")
	digits := !strings.ContainsFunc(port, func(c rune) bool { return c < '0' || c > '9' })
	return host[:end] + name, !found || digits
}

// forwarded reports whether a proxy left its mark. An empty header is one too.
func forwarded(h http.Header) bool {
	for name := range h {
		name = http.CanonicalHeaderKey(name)
		if name == "Forwarded" || name == "Via" || name == "X-Real-Ip" || strings.HasPrefix(name, "X-Forwarded-") {
			return true
		}
	}
	return false
}

// sameSite reads Sec-Fetch-Site, which browsers set and pages cannot. A page on
// another port of localhost is same-site, and not ours.
func sameSite(h http.Header) bool {
	for _, site := range h.Values("Sec-Fetch-Site") {
		if site != "same-origin" && site != "none" {
			return false
		}
	}
	return true
}

func (a *RESTAuth) ownOrigin(r *http.Request) bool {
	for _, origin := range r.Header.Values("Origin") {
		u, err := url.Parse(origin)
		own := err == nil && (u.Scheme == "http" || u.Scheme == "https") && strings.EqualFold(origin, u.Scheme+"://"+r.Host)
		if !own && (origin == "*" || !slices.Contains(a.CORSOrigins, origin)) {
			return false
		}
	}
	return true
}
