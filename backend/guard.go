package backend

import (
	"context"
	"encoding/base64"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
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
	return &guarded{client: c, next: &locking{client: c, next: sound{&logged{next: faults{next, c.Stall}, log: c.log, now: c.now}}}}
}

// guarded has requests pass the client's guard.
type guarded struct {
	client *Client
	next   http.RoundTripper
}

// RoundTrip passes the request on.
func (g *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := g.client.checkReach(r.URL); err != nil {
		return nil, err
	}
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

// checkReach refuses a request by which a store would reach something else than
// what the request names, and was judged by.
func (e *Endpoint) checkReach(u *url.URL) error {
	if e.administers(u) {
		return gateway.Errorf(gateway.AccessDenied, "What is below /minio/ belongs to the administration of the storage backend, so no bucket can have that name.")
	}
	if u.RawQuery == "" {
		return nil
	}
	query := u.Query()
	if climbs(query.Get("uploadId")) {
		return gateway.Errorf(gateway.NoSuchUpload, "")
	}
	if forged(query) {
		return gateway.Errorf(gateway.InvalidArgument, "The marker or continuation token is none that a listing gave.")
	}
	return nil
}

// administers reports a URL that MinIO does not take for a bucket's or key's: below
// /minio/ lie its own interfaces, and signed with the gateway's key a GET there
// gives away, and a PUT takes over, all that the server has. Which store is behind
// an endpoint is not known; AWS is none of MinIO's. A proxy in front of the store
// may clean paths.
func (e *Endpoint) administers(u *url.URL) bool {
	if e.aws() {
		return false
	}
	at := path.Clean("/" + strings.TrimPrefix(u.Path, strings.TrimSuffix(e.URL.Path, "/")))
	return at == "/minio" || strings.HasPrefix(at, "/minio/")
}

// climbs reports an upload ID that is a path out of the uploads of its key. Stores
// use an ID as the name of a folder: MinIO what stands behind the first dot once
// it has decoded the ID, and looks at no segment of it. With the gateway's key
// every object of every bucket could be written over by such a path, and any
// unfinished upload ended.
func climbs(uploadID string) bool {
	decoded, _ := base64.RawURLEncoding.DecodeString(uploadID)
	_, folder, _ := strings.Cut(string(decoded), ".")
	segments := strings.FieldsFunc(uploadID+"/"+folder, func(c rune) bool { return c == '/' || c == '\\' })
	return slices.Contains(segments, "..") || slices.Contains(segments, ".")
}

// cachedListing is how MinIO ends a marker that continues a listing.
var cachedListing = regexp.MustCompile(`\[minio_cache:v[0-9]+,(return:|id:[0-9a-f-]{36},p:[0-9]+,s:[0-9]+)\]$`)

// forged reports a place in a listing with a note that MinIO did not write. It
// makes a path of the note's id, where it writes the rest of the listing and
// later removes what is there, in any bucket and in its own settings.
func forged(query url.Values) bool {
	places := []string{query.Get("marker"), query.Get("key-marker"), query.Get("start-after")}
	for _, token := range query["continuation-token"] {
		decoded, _ := base64.StdEncoding.DecodeString(token)
		places = append(places, token, string(decoded))
	}
	return slices.ContainsFunc(places, func(at string) bool {
		return strings.Contains(at, "[minio_cache:") && !cachedListing.MatchString(at)
	})
}

// named gives the bucket and key that a URL of this endpoint names, in either
// style: the other way round than target.
func (e *Endpoint) named(u *url.URL) (bucket, key string) {
	rest := strings.TrimPrefix(strings.TrimPrefix(u.Path, strings.TrimSuffix(e.URL.Path, "/")), "/")
	if bucket, ok := strings.CutSuffix(u.Host, "."+e.URL.Host); ok {
		return bucket, rest
	}
	if at := strings.Index(u.Host, ".s3."); at > 0 && strings.HasPrefix(e.URL.Host, "s3.") {
		return u.Host[:at], rest // of another region of AWS
	}
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key
}
