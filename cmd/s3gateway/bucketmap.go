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

// openFurther makes the clients of the file's backends. A backend is asked
// nothing yet: one that is away fails the requests for its own buckets and no
// others.
func (a *app) openFurther(ctx context.Context, cfg *config.Config, log zerolog.Logger, now func() time.Time) error {
	a.further = map[string]*backend.Client{}
	for _, b := range cfg.Backends {
		endpoint, err := furtherEndpoint(ctx, b, now)
		if err != nil {
			return err
		}
		a.further[b.Name] = backend.New(endpoint, log, now)
	}
	return nil
}

// bucketMap makes the rows of the file's bucket map.
func (a *app) bucketMap(cfg *config.Config) (map[string]proxy.Bucket, error) {
	rows := make(map[string]proxy.Bucket, len(cfg.Buckets))
	for _, b := range cfg.Buckets {
		client, known := a.further[b.Backend]
		if b.Backend == config.DefaultBackend {
			client, known = a.client, true
		}
		if !known {
			return nil, settingsError("%s: bucket %s: backend %s is new, and backends are opened at a start: restart the gateway", b.Where, b.Name, b.Backend)
		}
		rows[b.Name] = proxy.Bucket{Name: b.Name, Backend: client, Bucket: b.Bucket, Prefix: b.Prefix}
	}
	return rows, nil
}

// furtherName stands for a backend of the file in logs and cache keys.
func furtherName(name string) string { return "file:" + name }

// furtherEndpoint is a backend beside the one of the S3_* settings. Its name in
// logs and cache keys cannot be one of theirs.
func furtherEndpoint(ctx context.Context, b config.Backend, now func() time.Time) (e backend.Endpoint, err error) {
	e = backend.Endpoint{
		Name: furtherName(b.Name), URL: b.EndpointURL, Region: b.Region, PathStyle: b.ForcePathStyle,
		Trailers: b.Trailers, VerifyPayload: b.VerifyPayload == "gateway",
	}
	if e.URL == nil {
		e.URL = backend.AWSEndpoint(b.Region)
	}
	e.Know()
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
