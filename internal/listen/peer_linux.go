package listen

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// KnowsPeers says that OwnUser can tell who connected.
const KnowsPeers = true

// OwnUser reports whether the socket of a request's client belongs to the user of
// this process. A proxy on the same machine that leaves no mark in its requests is
// told from the user by that. What cannot be read counts as no.
func OwnUser(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok {
		return false
	}
	if local.Network() == "unix" {
		return ownSocket(r.Context())
	}
	server, err1 := netip.ParseAddrPort(local.String())
	client, err2 := netip.ParseAddrPort(r.RemoteAddr)
	if err1 != nil || err2 != nil {
		return false
	}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		if ownRow(table, unmapped(client), unmapped(server), os.Geteuid()) {
			return true
		}
	}
	return false
}

func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// ownSocket asks the kernel who connected to a unix socket.
func ownSocket(ctx context.Context) bool {
	conn, _ := ctx.Value(connKey{}).(net.Conn)
	for {
		inner, wrapped := conn.(interface{ NetConn() net.Conn })
		if !wrapped {
			break
		}
		conn = inner.NetConn()
	}
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return false
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return false
	}
	own := false
	err = raw.Control(func(fd uintptr) {
		peer, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		own = err == nil && int(peer.Uid) == os.Geteuid() && int(peer.Uid) != overflowUser()
	})
	return err == nil && own
}

// overflowUser is the uid that stands for users that this namespace does not have.
func overflowUser() int {
	raw, err := os.ReadFile("/proc/sys/kernel/overflowuid")
	if err != nil {
		return 65534
	}
	uid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil {
		return 65534
	}
	return uid
}

// ownRow looks for the client's end of a connection in a table of the kernel.
func ownRow(path string, client, server netip.AddrPort, uid int) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return uid != overflowUser() && findRow(f, client, server, uid)
}

// The columns of /proc/net/tcp (Documentation/networking/proc_net_tcp.rst).
const (
	columnLocal, columnRemote, columnState = 1, 2, 3
	columnUser, columnInode                = 7, 9
	established                            = "01"
)

// findRow reports whether a table has an established connection of exactly these
// ends that belongs to uid. A socket that its process has closed shows as uid 0
// with inode 0.
func findRow(table io.Reader, client, server netip.AddrPort, uid int) bool {
	lines := bufio.NewScanner(table)
	for lines.Scan() {
		f := strings.Fields(lines.Text())
		if len(f) <= columnInode || f[columnState] != established || f[columnInode] == "0" || f[columnUser] != strconv.Itoa(uid) {
			continue
		}
		if endOf(f[columnLocal]) == client && endOf(f[columnRemote]) == server {
			return true
		}
	}
	return false
}

// endOf reads "0100007F:1F40": words of 32 bits in the machine's order, and a port.
func endOf(text string) netip.AddrPort {
	address, port, _ := strings.Cut(text, ":")
	raw, err1 := hex.DecodeString(address)
	number, err2 := strconv.ParseUint(port, 16, 16)
	if err1 != nil || err2 != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}
	}
	for i := 0; i < len(raw); i += 4 {
		word := binary.BigEndian.Uint32(raw[i:])
		binary.NativeEndian.PutUint32(raw[i:], word)
	}
	addr, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(number))
}
