package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// storeCommand is for the operator of an embedded store.
type storeCommand struct {
	Check   storeCheckCommand   `cmd:"" help:"Read everything and report what is damaged or missing; changes nothing."`
	Compact storeCompactCommand `cmd:"" help:"Give the space that deleted rows left in the database back to the disk."`
}

type (
	storeCheckCommand   struct{}
	storeCompactCommand struct{}
)

// Run reads the whole store and ends with an error where something is wrong.
func (storeCheckCommand) Run(ctx context.Context, cli *commands, p process) error {
	o, err := cli.localstore(p)
	if err != nil {
		return err
	}
	report, err := localstore.Inspect(ctx, o, func(problem localstore.Problem) { fmt.Fprintln(p.stdout, "problem:", problem) })
	if err != nil {
		return notNow(o, err)
	}
	writeReport(p.stdout, report)
	if report.Problems > 0 {
		return fmt.Errorf("%d problems in %s: restore what is named from a backup, or delete it", report.Problems, o.Dir)
	}
	return nil
}

func writeReport(w io.Writer, r localstore.Report) {
	fmt.Fprintf(w, "%d buckets, %d versions, %d delete markers, %d unfinished uploads with %d parts\n",
		r.Buckets, r.Versions, r.Markers, r.Uploads, r.Parts)
	fmt.Fprintf(w, "%d files with %d bytes, %d small objects in the database; %d files without a name, which the next start removes\n",
		r.Blobs, r.Bytes, r.Small, r.Unnamed)
	if r.Problems == 0 {
		fmt.Fprintln(w, "ok: every name has its bytes, and every byte its checksum")
	}
}

// Run writes the database anew.
func (storeCompactCommand) Run(cli *commands, p process) error {
	o, err := cli.localstore(p)
	if err != nil {
		return err
	}
	before, after, err := localstore.Compact(o)
	if err != nil {
		return notNow(o, err)
	}
	fmt.Fprintf(p.stdout, "the database had %d bytes, and has %d\n", before, after)
	return nil
}

// localstore returns where the embedded store of the settings is.
func (c *commands) localstore(p process) (localstore.Options, error) {
	cfg, _, err := c.load(p)
	if err != nil {
		return localstore.Options{}, err
	}
	if !cfg.Embedded() {
		return localstore.Options{}, settingsError("S3_ENABLED is set, so the files are in the S3 of the S3_* settings and not in an embedded store")
	}
	return localstore.Options{Dir: cfg.DataDir}, nil
}

// notNow says what to do where the store cannot be opened.
func notNow(o localstore.Options, err error) error {
	if used := (*localstore.InUseError)(nil); errors.As(err, &used) {
		return fmt.Errorf("%s is in use by s3gateway (pid %s): stop it first", o.Dir, used.PID)
	}
	return fmt.Errorf("DATA_DIR=%q: %w", o.Dir, err)
}
