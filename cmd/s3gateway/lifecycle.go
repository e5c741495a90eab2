package main

import (
	"context"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/localstore/lifecycle"
	"github.com/codeguardians/s3gateway/signer"
)

// sweepLifecycle carries out the lifecycle rules of the embedded store's buckets.
// Each deletion takes the way of a client's, so that quotas and the cache learn
// of it, and leaves a line in the audit log.
func (a *app) sweepLifecycle(log zerolog.Logger, now func() time.Time) func(context.Context) {
	began := time.Now()
	runner := &lifecycle.Runner{
		Store: a.store, Delete: a.deleteDue, Now: now, Log: log,
		Elapsed: func() time.Duration { return time.Since(began) },
	}
	return func(ctx context.Context) {
		n, err := runner.Run(ctx)
		if err != nil && ctx.Err() == nil {
			log.Warn().Err(err).Msg("lifecycle rules could not be carried out; it is tried again")
		}
		if n > 0 {
			log.Info().Int("deleted", n).Msg("lifecycle rules were carried out")
		}
		if _, err := a.store.Expire(ctx); err != nil && ctx.Err() == nil {
			log.Warn().Err(err).Msg("old records of completed uploads could not be removed; it is tried again")
		}
	}
}

// deleteDue carries out one deletion.
func (a *app) deleteDue(ctx context.Context, d lifecycle.Deletion) error {
	change := a.metadata.Change(a.client.Name, d.Bucket, d.Key)
	req := backend.Request{Method: http.MethodDelete, Bucket: d.Bucket, Key: d.Key, Header: http.Header{}}
	switch {
	case d.UploadID != "":
		req.Query = []signer.Param{{Key: "uploadId", Value: d.UploadID}}
	case d.VersionID != "":
		req.Query = []signer.Param{{Key: "versionId", Value: d.VersionID}}
	}
	if d.UploadID == "" && (d.VersionID == "" || d.VersionID == "null") {
		// What replaced the object, or the null version, meanwhile is young.
		if d.ETag != "" {
			req.Header.Set("If-Match", `"`+d.ETag+`"`)
		}
		req.Header.Set("X-Amz-If-Match-Last-Modified-Time", d.Modified.UTC().Format(http.TimeFormat))
	}
	resp, err := a.client.Do(ctx, req)
	if err != nil {
		change.Done(false)
		return err
	}
	defer resp.Body.Close()
	change.Done(true)
	if resp.StatusCode != http.StatusNoContent {
		return backend.ReadError(resp)
	}
	a.log.Log().Str("log", "audit").Str("outcome", outcomeChanged).Str("caller", "lifecycle").Str("operation", "Lifecycle").
		Str("rule", d.Rule).Str("bucket", d.Bucket).Str("key", d.Key).Str("version_id", d.VersionID).Str("upload_id", d.UploadID).Send()
	return nil
}
