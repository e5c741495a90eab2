package signer

import (
	"net/http"
	"slices"
	"strings"
)

// hosts lists the hosts that the client may have signed, the received one
// first. Clients drop default ports and proxies rewrite Host; only names that
// the operator or a trusted proxy vouches for are added.
func (v *Verifier) hosts(r *http.Request) []string {
	given := []string{r.Host, v.PublicHost}
	if v.ForwardedHost != nil {
		given = append(given, v.ForwardedHost(r))
	}
	var hosts []string
	for _, host := range given {
		if host == "" || !v.sameBucket(r.Host, host) {
			continue
		}
		for _, h := range withPorts(host) {
			if !slices.Contains(hosts, h) {
				hosts = append(hosts, h)
			}
		}
	}
	return hosts
}

// sameBucket keeps a signature for one bucket's host from opening another's:
// with virtual-host addressing the Host header is part of what is asked for.
func (v *Verifier) sameBucket(received, signed string) bool {
	return v.BucketOf == nil || v.BucketOf(received) == v.BucketOf(signed)
}

// withPorts gives the host itself and the same with the default port removed or
// added. Behind TLS termination either default may be the client's.
func withPorts(host string) []string {
	name, port := splitPort(host)
	switch port {
	case "80", "443":
		return []string{host, name}
	case "":
		return []string{host, host + ":80", host + ":443"}
	}
	return []string{host}
}

// splitPort cuts the port off; the colons of a bracketed IPv6 address are not
// one.
func splitPort(host string) (name, port string) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || i < strings.LastIndexByte(host, ']') {
		return host, ""
	}
	return host[:i], host[i+1:]
}
