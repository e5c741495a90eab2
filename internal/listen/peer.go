package listen

import (
	"context"
	"net"
)

type connKey struct{}

// WithConn is for http.Server.ConnContext: OwnUser asks the connection of a unix
// socket.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}
