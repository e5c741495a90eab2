package main

import (
	"context"
	"time"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/api"
)

const (
	// firstSweep leaves a start its time; sweepEvery is how often follows.
	firstSweep = time.Minute
	sweepEvery = time.Hour
	// sweepSlack is how much longer a record is kept than it counts, for
	// clocks that differ.
	sweepSlack = time.Hour
)

// sweep removes what is no longer needed, until ctx ends. Every replica does:
// what another one removed already is not there to remove.
func (a *app) sweep(ctx context.Context) {
	timer := time.NewTimer(firstSweep)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		a.sweepOnce(ctx)
		timer.Reset(sweepEvery)
	}
}

// sweepOnce leaves a store that cannot be used for the next time.
func (a *app) sweepOnce(ctx context.Context) {
	if a.monitor.Err() != nil {
		return
	}
	for _, s := range a.sweepers {
		s(ctx)
	}
}

// sweepRecords removes the records of Idempotency-Key that are too old.
func sweepRecords(files *api.Store, log zerolog.Logger, now func() time.Time) func(context.Context) {
	return func(ctx context.Context) {
		n, err := files.SweepRecords(ctx, now(), api.RecordLife+sweepSlack)
		if err != nil && ctx.Err() == nil {
			log.Warn().Err(err).Msg("old records of Idempotency-Key could not be removed")
		}
		if n > 0 {
			log.Info().Int("records", n).Msg("old records of Idempotency-Key were removed")
		}
	}
}

// sweepUploads removes resumable uploads that have expired.
func sweepUploads(files *api.Store, log zerolog.Logger, now func() time.Time) func(context.Context) {
	return func(ctx context.Context) {
		n, err := files.SweepUploads(ctx, now())
		if err != nil && ctx.Err() == nil {
			log.Warn().Err(err).Msg("expired uploads could not be removed; it is tried again")
		}
		if n > 0 {
			log.Info().Int("uploads", n).Msg("expired uploads were removed")
		}
	}
}

// sweepParts removes what gateways that were killed left of uploads.
func sweepParts(files *api.Store, folder string, log zerolog.Logger, now func() time.Time) func(context.Context) {
	return func(ctx context.Context) {
		n, err := files.SweepParts(ctx, folder, now())
		if err != nil && ctx.Err() == nil {
			log.Warn().Err(err).Msg("parts that were left behind could not be removed; it is tried again")
		}
		if n > 0 {
			log.Info().Int("uploads", n).Msg("parts that were left behind were removed")
		}
	}
}
