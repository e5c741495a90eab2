package proxy

import (
	"cmp"
	"net"
	"strings"

	"github.com/codeguardians/s3gateway/signer"
)

// objectURL is where the client finds the object that it asked for.
func (d *Door) objectURL(x *exchange) string {
	return d.origin(x) + signer.EncodePath(x.target.Path)
}

// origin is scheme and host by which the client reaches the gateway: behind a
// proxy that ends TLS neither is what arrives here. The host is the one that the
// client signed. PUBLIC_URL tells its scheme where it is that one's, and else a
// trusted proxy does.
func (d *Door) origin(x *exchange) string {
	host := cmp.Or(x.auth.Host, x.r.Host)
	if d.PublicURL != nil && (sameHost(host, d.PublicURL.Host) || UnderDomain(d.Domains, host) && UnderDomain(d.Domains, d.PublicURL.Host)) {
		return d.PublicURL.Scheme + "://" + host
	}
	scheme := "http"
	if x.r.TLS != nil {
		scheme = "https"
	}
	if d.ForwardedProto != nil {
		scheme = cmp.Or(d.ForwardedProto(x.r), scheme)
	}
	return scheme + "://" + host
}

// sameHost compares two hosts; a default port is as good as none.
func sameHost(a, b string) bool { return strings.EqualFold(withoutPort(a), withoutPort(b)) }

func withoutPort(host string) string {
	if name, port, err := net.SplitHostPort(host); err == nil && (port == "80" || port == "443") {
		return name
	}
	return host
}
