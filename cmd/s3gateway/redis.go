package main

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/api"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/cache"
	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/quota"
	"github.com/codeguardians/s3gateway/shared"
)

// awayText is what health says while Redis is away.
const awayText = "Redis is away: limits and quotas are those of this replica alone, and no cache entry is served."

// sharing is what replicas share. Without REDIS_URL every part of it is nil.
type sharing struct {
	redis       *shared.Redis
	buckets     policy.SharedBuckets
	flights     policy.SharedFlights
	generations cache.Shared
	quotas      quota.Shared
	stop        context.CancelFunc
	done        chan struct{}
}

// openRedis makes the connection to Redis; patience is shared.Open's. One that is away does not keep the
// gateway from starting.
func openRedis(ctx context.Context, cfg *config.Config, patience time.Duration, log zerolog.Logger) (*sharing, error) {
	if cfg.RedisURL == "" {
		return &sharing{}, nil
	}
	r, err := shared.Open(cfg.RedisURL.Reveal(), patience, log)
	if err != nil {
		return nil, &exitError{code: exitSettings, err: err}
	}
	s := &sharing{redis: r, buckets: r, flights: r, generations: r, quotas: shared.NewQuotas(r), done: make(chan struct{})}
	ctx, s.stop = context.WithCancel(ctx)
	go func() {
		defer close(s.done)
		r.Run(ctx)
	}()
	return s, nil
}

// Err is nil, or what health says.
func (s *sharing) Err() error {
	if s.redis == nil || s.redis.Err() == nil {
		return nil
	}
	return gateway.Errorf(gateway.ServiceUnavailable, "%s", awayText).Because(s.redis.Err())
}

func (s *sharing) close() {
	if s == nil || s.redis == nil {
		return
	}
	s.stop()
	<-s.done
	_ = s.redis.Close()
}

// uploadLocks are those of one process, and of all replicas while Redis is there.
type uploadLocks struct {
	local api.UploadLocks
	redis *shared.Redis
}

func newUploadLocks(s *sharing) api.UploadLocks {
	if s.redis == nil {
		return api.NewUploadLocks()
	}
	return uploadLocks{local: api.NewUploadLocks(), redis: s.redis}
}

// Lock takes the lock of this process first, so that its requests do not wait
// for each other by way of Redis.
func (l uploadLocks) Lock(ctx context.Context, name string, interrupt func()) (func(), error) {
	release, err := l.local.Lock(ctx, name, interrupt)
	if err != nil {
		return nil, err
	}
	releaseAll, err := l.redis.Lock(ctx, name, interrupt)
	switch {
	case errors.Is(err, shared.ErrAway):
		return release, nil // the condition on the upload's state decides then
	case err != nil:
		release()
		return nil, err
	}
	return func() {
		releaseAll()
		release()
	}, nil
}

// keyLocks are those of one process, and of all replicas while Redis is there.
type keyLocks struct {
	local backend.KeyLocks
	redis *shared.Redis
}

func newKeyLocks(s *sharing) backend.KeyLocks {
	if s.redis == nil {
		return backend.NewKeyLocks()
	}
	return keyLocks{local: backend.NewKeyLocks(), redis: s.redis}
}

// Share lets a write pass while Redis is away: Redis is never needed to store.
func (l keyLocks) Share(ctx context.Context, name string) (func(), error) {
	return l.take(ctx, name, l.local.Share, func(ctx context.Context, name string) (func(), error) {
		release, err := l.redis.ShareKey(ctx, name)
		if errors.Is(err, shared.ErrAway) {
			return func() {}, nil
		}
		return release, err
	})
}

// Own fails while Redis is away.
func (l keyLocks) Own(ctx context.Context, name string) (func(), error) {
	return l.take(ctx, name, l.local.Own, l.redis.OwnKey)
}

// take takes the lock of this process first, so that its requests do not wait for
// each other by way of Redis.
func (l keyLocks) take(ctx context.Context, name string, local, all func(context.Context, string) (func(), error)) (func(), error) {
	release, err := local(ctx, name)
	if err != nil {
		return nil, err
	}
	releaseAll, err := all(ctx, name)
	if err != nil {
		release()
		return nil, err
	}
	return func() {
		releaseAll()
		release()
	}, nil
}
