package listen

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// advices say what to do about an address that cannot be taken.
var advices = map[error]string{
	syscall.EADDRINUSE:    "end what listens there, or set another port",
	syscall.EADDRNOTAVAIL: "this machine has no such address; without a host it is every interface",
	syscall.EACCES:        "this user may not take that port; one from 1024 on needs no right",
}

// Bind listens on host:port or unix:/path. The socket file of a process that
// died is replaced, that of a running one is not.
func Bind(address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		l, err := net.Listen("tcp", address)
		for cause, advice := range advices {
			if errors.Is(err, cause) {
				return nil, fmt.Errorf("%w: %s", err, advice)
			}
		}
		return l, err
	}
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, errors.New("another process serves this socket")
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return net.Listen("unix", path)
}
