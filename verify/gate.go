package verify

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
	"golang.org/x/sync/singleflight"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/cache"
	"github.com/codeguardians/s3gateway/policy"
)

const (
	// checksAtOnce bounds the streams of checks, which cost the backend's
	// bandwidth as much as a download does.
	checksAtOnce = 8
	// checkWait is how long a check waits for its turn; retryAfter is what a
	// client is told that waited in vain.
	checkWait  = 10 * time.Second
	retryAfter = 5 * time.Second
	// headsAtOnce bounds the questions for the state of a listing's files.
	headsAtOnce = 16
	// stateVariant marks this package's cache entries.
	stateVariant = "mark"
)

// Gate stands before the objects of one bucket under one prefix. Its fields are
// set once; it is then safe for concurrent use. A nil *Gate covers nothing.
type Gate struct {
	// Client and Bucket are the backend's; Prefix is the folder that is
	// covered, with its slash, or "" for the whole bucket.
	Client *backend.Client
	Bucket string
	Prefix string
	// Name is the bucket's name for the policy, as clients know it.
	Name   string
	Policy *policy.Policy
	// Cache hears of every check: it changes the object.
	Cache *cache.Metadata
	// Key makes the marks; replicas share it.
	Key    []byte
	Random io.Reader // of mark ids
	Log    zerolog.Logger

	flights singleflight.Group
	slots   *semaphore.Weighted

	maxCopy, copyPart int64 // as the constants, but in tests
}

// New completes a gate.
func New(g *Gate) *Gate {
	g.maxCopy, g.copyPart = maxCopy, copyPart
	g.slots = semaphore.NewWeighted(checksAtOnce)
	if g.Prefix != "" {
		g.Prefix = strings.TrimSuffix(g.Prefix, "/") + "/"
	}
	return g
}

// Covers reports whether an object, under its backend's own names, can have come
// past the gateway. It goes by the address: two backends of the settings may be
// the same store.
func (g *Gate) Covers(c *backend.Client, bucket, key string) bool {
	return g != nil && c.URL.Host == g.Client.URL.Host && bucket == g.Bucket && g.coversKey(key)
}

// coversKey goes by the key that a store which cleans keys would make of it, too.
func (g *Gate) coversKey(key string) bool { return g.under(key) || g.under(gateway.CleanKey(key)) }

func (g *Gate) under(key string) bool {
	return g != nil && strings.HasPrefix(key, g.Prefix) && !strings.HasPrefix(key, gateway.ReservedPrefix)
}

// Check judges an object, the newest version when version is "", and marks it.
// Nil means that it passed; an object with a mark passes at once. Errors are the
// policy's refusals, after which the object is gone if it came by a link, and
// the backend's. Callers that ask about the same object share one check, which
// goes on when they leave.
func (g *Gate) Check(ctx context.Context, key, version string) error {
	if !g.coversKey(key) {
		return nil
	}
	flight := g.flights.DoChan(key+"\x00"+version, func() (any, error) {
		return nil, g.check(context.WithoutCancel(ctx), key, version)
	})
	select {
	case <-ctx.Done():
		return ctx.Err()
	case result := <-flight:
		return result.Err
	}
}

func (g *Gate) check(ctx context.Context, key, version string) error {
	waiting, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	if err := g.slots.Acquire(waiting, 1); err != nil {
		return &gateway.Error{
			Code: gateway.ServiceUnavailable, Message: "Too many files are being checked. Please try again.",
			RetryAfter: retryAfter, Err: err,
		}
	}
	defer g.slots.Release(1)
	return g.judge(ctx, key, version)
}

// Unverified gives those of the keys whose objects have no valid mark, for a
// listing. It asks for a few at once, and the cache first.
func (g *Gate) Unverified(ctx context.Context, keys []string) (map[string]bool, error) {
	unverified := make([]bool, len(keys))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(headsAtOnce)
	for i, key := range keys {
		if !g.coversKey(key) {
			continue
		}
		group.Go(func() error {
			ok, err := g.state(ctx, key)
			unverified[i] = !ok
			return err
		})
	}
	err := group.Wait()
	found := map[string]bool{}
	for i, key := range keys {
		if unverified[i] {
			found[key] = true
		}
	}
	return found, err
}

// state reports whether an object has a valid mark. One that is gone has
// nothing to hide.
func (g *Gate) state(ctx context.Context, key string) (bool, error) {
	at := cache.Key{Backend: g.Client.Name, Bucket: g.Bucket, Object: key, Variant: stateVariant}
	if e, ok := g.Cache.Get(at); ok {
		return g.Verified(key, e.Header), nil
	}
	filling := g.Cache.Fill(at)
	resp, err := g.Client.Do(ctx, backend.Request{Method: http.MethodHead, Bucket: g.Bucket, Key: key})
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return true, nil
	default:
		return false, backend.ReadError(resp)
	}
	ok := g.Verified(key, resp.Header)
	if ok { // the other state ends behind the gateway's back
		filling.Put(cache.Entry{Header: resp.Header})
	}
	return ok, nil
}
