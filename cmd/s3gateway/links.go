package main

import (
	"crypto/rand"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/api"
	"github.com/codeguardians/s3gateway/cache"
	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/verify"
)

// backendLinks are the links straight to the backend and what stands before the
// files that come by them; both nil where links point at this gateway.
func (a *app) backendLinks(cfg *config.Config, rules *policy.Policy, metadata *cache.Metadata, log zerolog.Logger) (*verify.Gate, *api.BackendLinks) {
	if cfg.PresignVia != "backend" || a.client == nil {
		return nil, nil
	}
	gate := verify.New(&verify.Gate{
		Client: a.client, Bucket: cfg.BucketName, Prefix: cfg.UploadPrefix, Name: cfg.BucketName,
		Policy: rules, Cache: metadata, Key: a.keys.derive("mark"), Random: rand.Reader, Log: log,
	})
	return gate, &api.BackendLinks{Client: a.client, Bucket: cfg.BucketName, PublicURL: cfg.PublicEndpointURL, Gate: gate}
}
