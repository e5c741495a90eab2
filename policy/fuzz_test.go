package policy

import (
	"net/http"
	"net/netip"
	"testing"
)

// What a client writes is not believed, and what a trusted proxy adds at the end
// is.
func FuzzClientAddress(f *testing.F) {
	for _, s := range []string{"", "1.2.3.4", "9.9.9.9, 1.2.3.4", "::1", "[::1]:5", "1.2.3.4:5", "unknown", ",", "10.0.0.1, 10.0.0.2", "::ffff:1.2.3.4%eth0"} {
		f.Add(s)
	}
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	f.Fuzz(func(t *testing.T, forwarded string) {
		ask := func(peer string, lines ...string) string {
			return ClientAddress(&http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": lines}}, trusted)
		}
		if got := ask("1.1.1.1:80", forwarded); got != "1.1.1.1" {
			t.Fatalf("a stranger's %q is believed: %s", forwarded, got)
		}
		if got := ask("10.0.0.1:80", forwarded, "2.2.2.2"); got != "2.2.2.2" {
			t.Fatalf("behind %q the proxy's own word is not believed: %s", forwarded, got)
		}
		if got := ask("10.0.0.1:80", forwarded); AddressKey(got) == unixPeer {
			t.Fatalf("%q gives %q, which is no address", forwarded, got)
		}
	})
}
