package listen

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A connection of this process belongs to its user, over TCP and a unix socket;
// one whose client has another address does not.
func TestAConnectionOfThisProcessIsOfItsUser(t *testing.T) {
	for _, network := range []string{"tcp4", "tcp6", "unix"} {
		address := map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0", "unix": filepath.Join(t.TempDir(), "s")}[network]
		l, err := net.Listen(network, address)
		if err != nil {
			t.Logf("skipped %s: %v", network, err)
			continue
		}
		got := make(chan [2]bool, 1)
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			own := OwnUser(r)
			r.RemoteAddr = "127.0.0.1:1"
			got <- [2]bool{own, OwnUser(r)}
		}))
		server.Listener.Close()
		server.Listener, server.Config.ConnContext = Watched(l), WithConn
		server.Start()
		client := &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return net.Dial(l.Addr().Network(), l.Addr().String())
		}}}
		resp, err := client.Get("http://localhost/")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if own := <-got; !own[0] || own[1] && network != "unix" {
			t.Errorf("%s: own %v, with another address %v", network, own[0], own[1])
		}
		client.CloseIdleConnections()
		server.Close()
	}
}

func TestARowCountsOnlyForExactlyItsConnection(t *testing.T) {
	const row = "   1: 0100007F:%P 0100007F:1F40 %S 00000000:00000000 00:00000000 00000000  %U        0 %I 1 0000000000000000 20 4 30 10 -1\n"
	client, server := netip.MustParseAddrPort("127.0.0.1:40000"), netip.MustParseAddrPort("127.0.0.1:8000")
	for _, c := range []struct {
		port, state, user, inode string
		uid                      int
		want                     bool
	}{
		{"9C40", "01", "1000", "77", 1000, true},
		{"9C41", "01", "1000", "77", 1000, false}, // another client
		{"9C40", "08", "1000", "77", 1000, false}, // closing
		{"9C40", "01", "33", "77", 1000, false},   // another user
		{"9C40", "01", "0", "0", 0, false},        // a client that sent and closed
	} {
		table := "header\n" + strings.NewReplacer("%P", c.port, "%S", c.state, "%U", c.user, "%I", c.inode).Replace(row)
		if got := findRow(strings.NewReader(table), client, server, c.uid); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	if ownRow(filepath.Join(t.TempDir(), "none"), client, server, os.Geteuid()) {
		t.Error("a table that cannot be read")
	}
}
