package backend

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// Guard is passed by every request to a backend, whoever makes it and by
// whichever way, signed and ready to be sent. It sends the request by next, or
// refuses it with a *gateway.Error. bucket and key are decoded, and empty where
// the request names none.
type Guard interface {
	RoundTrip(r *http.Request, bucket, key string, next http.RoundTripper) (*http.Response, error)
	// Room refuses an object of so many bytes that RoundTrip would refuse now.
	// It is asked before a client sends them, and reserves nothing.
	Room(ctx context.Context, bucket, key string, bytes int64) error
}

// Room is the guard's; without one there is room for everything. A nil client is
// for a door that is never ready.
func (c *Client) Room(ctx context.Context, bucket, key string, bytes int64) error {
	if c == nil || c.Guard == nil {
		return nil
	}
	return c.Guard.Room(ctx, bucket, key, bytes)
}

// over is the way to the backend over some connections.
func (c *Client) over(next http.RoundTripper) http.RoundTripper {
	return &guarded{client: c, next: sound{&logged{next: next, log: c.log, now: c.now}}}
}

// guarded has requests pass the client's guard.
type guarded struct {
	client *Client
	next   http.RoundTripper
}

// RoundTrip passes the request on.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	bucket, key := g.client.named(r.URL)
	next := g.next
	if r.Method != http.MethodGet && r.Method != http.MethodHead && !gateway.Reserved(key) {
		next = noted{next}
	}
	if g.client.Guard == nil {
		return next.RoundTrip(r)
	}
	return g.client.Guard.RoundTrip(r, bucket, key, next)
}

// named gives the bucket and key that a URL of this endpoint names, in either
// style: the other way round than target.
func (e *Endpoint) named(u *url.URL) (bucket, key string) {
	path := strings.TrimPrefix(strings.TrimPrefix(u.Path, strings.TrimSuffix(e.URL.Path, "/")), "/")
	if bucket, ok := strings.CutSuffix(u.Host, "."+e.URL.Host); ok {
		return bucket, path
	}
	if at := strings.Index(u.Host, ".s3."); at > 0 && strings.HasPrefix(e.URL.Host, "s3.") {
		return u.Host[:at], path // of another region of AWS
	}
	bucket, key, _ = strings.Cut(path, "/")
	return bucket, key
}
