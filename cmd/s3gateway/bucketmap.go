package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/internal/listen"
	"github.com/codeguardians/s3gateway/proxy"
)

// openMap makes the clients of the file's backends and the rows of its bucket
// map. A backend is asked nothing yet: one that is away fails the requests for
// its own buckets and no others.
func (a *app) openMap(ctx context.Context, cfg *config.Config, log zerolog.Logger, now func() time.Time) (map[string]proxy.Bucket, error) {
	clients := map[string]*backend.Client{config.DefaultBackend: a.client}
	for _, b := range cfg.Backends {
		endpoint, err := furtherEndpoint(ctx, b, now)
		if err != nil {
			return nil, err
		}
		clients[b.Name] = backend.New(endpoint, log, now)
		a.further = append(a.further, clients[b.Name])
	}
	rows := make(map[string]proxy.Bucket, len(cfg.Buckets))
	for _, b := range cfg.Buckets {
		rows[b.Name] = proxy.Bucket{Name: b.Name, Backend: clients[b.Backend], Bucket: b.Bucket, Prefix: b.Prefix}
	}
	return rows, nil
}

// furtherEndpoint is a backend beside the one of the S3_* settings. Its name in
// logs and cache keys cannot be one of theirs.
func furtherEndpoint(ctx context.Context, b config.Backend, now func() time.Time) (e backend.Endpoint, err error) {
	e = backend.Endpoint{
		Name: "file:" + b.Name, URL: b.EndpointURL, Region: b.Region, PathStyle: b.ForcePathStyle,
		Trailers: b.Trailers, VerifyPayload: b.VerifyPayload == "gateway",
	}
	if e.URL == nil {
		e.URL = backend.AWSEndpoint(b.Region)
	}
	if b.CAFile != "" {
		if e.CAs, err = (listen.File{Setting: b.Where + ": ca_file", Path: b.CAFile}).Pool(); err != nil {
			return e, &exitError{code: exitSettings, err: err}
		}
	}
	e.Credentials, err = backend.NewCredentials(ctx, backend.CredentialSource{
		AccessKeyID: b.AccessKeyID, SecretAccessKey: b.SecretAccessKey.Reveal(),
		SecretID: b.CredentialsSecretID, Region: b.Region, Now: now,
	})
	return e, err
}
