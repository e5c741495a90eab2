package faults

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/internal/localstore/wire"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

// embedded is the store in the gateway, without the gateway.
type embedded struct {
	store *localstore.Store
	dir   string
	rt    http.RoundTripper
}

// openIn opens a store in a folder that it makes itself, or that is there.
func openIn(folder string, noSync bool) workload.Opener {
	return func(dir string) (workload.Store, error) {
		return openEmbedded(localstore.Options{Dir: filepath.Join(dir, folder), NoSync: noSync, Log: zerolog.Nop()})
	}
}

// openCompacted writes the database anew before it opens the store.
func openCompacted(dir string) (workload.Store, error) {
	if _, _, err := localstore.Compact(localstore.Options{Dir: filepath.Join(dir, "data"), Log: zerolog.Nop()}); err != nil {
		return nil, err
	}
	return openIn("data", false)(dir)
}

func openEmbedded(o localstore.Options) (workload.Store, error) {
	s, err := localstore.Open(context.Background(), o)
	if err != nil {
		return nil, err
	}
	return &embedded{s, filepath.Join(o.Dir, "store"), wire.New(s, wire.Options{})}, nil
}

func (e *embedded) Transport() http.RoundTripper { return e.rt }
func (e *embedded) Health() error                { return e.store.Err() }
func (e *embedded) Close() error                 { return e.store.Close() }

// Settle sweeps, and checks that nothing is left over.
func (e *embedded) Settle(ctx context.Context) ([]string, error) {
	if err := e.store.Sweep(ctx); err != nil {
		return nil, err
	}
	left, r, err := e.check(ctx)
	if r.Unnamed > 0 {
		left = append(left, fmt.Sprintf("%d files without a name", r.Unnamed))
	}
	entries, dirErr := os.ReadDir(e.dir)
	for _, entry := range entries {
		if !slices.Contains([]string{"blobs", "lock", "names.db"}, entry.Name()) {
			left = append(left, entry.Name())
		}
	}
	return left, errors.Join(err, dirErr)
}

// Check returns what is damaged, a line each.
func (e *embedded) Check(ctx context.Context) ([]string, error) {
	problems, _, err := e.check(ctx)
	return problems, err
}

func (e *embedded) check(ctx context.Context) (problems []string, r localstore.Report, err error) {
	r, err = e.store.Check(ctx, func(p localstore.Problem) { problems = append(problems, p.String()) })
	return problems, r, err
}
