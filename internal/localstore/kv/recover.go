package kv

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	bolt "go.etcd.io/bbolt"
)

// create makes the database file if it does not exist, and its name durable: a
// process before may have been killed between the two.
func (d *DB) create() error {
	_, err := os.Stat(d.o.Path)
	if os.IsNotExist(err) {
		err = d.createFile()
	}
	if err != nil || d.o.NoSync {
		return err
	}
	return syncDir(filepath.Dir(d.o.Path))
}

// createFile makes the file under another name and renames it when it is
// complete and synced: a crash leaves a whole database or none.
func (d *DB) createFile() error {
	fresh := d.o.Path + ".new"
	if err := os.Remove(fresh); err != nil && !os.IsNotExist(err) {
		return err
	}
	b, err := bolt.Open(fresh, 0o600, d.options())
	if err != nil {
		return err
	}
	if err := b.Close(); err != nil {
		return err
	}
	return os.Rename(fresh, d.o.Path)
}

// syncDir makes the names in a folder durable.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	err = dir.Sync()
	if cerr := dir.Close(); err == nil {
		err = cerr
	}
	return err
}

// open opens the file and proves that it can be written. The commit also makes
// durable what a process before, killed during its last sync, left in the page
// cache: nothing may be built on a state that a power cut would take back.
func (d *DB) open() (*bolt.DB, error) {
	if err := d.checkBeforeOpen(); err != nil {
		return nil, err
	}
	var b *bolt.DB
	err, _ := d.guard(func() (err error) {
		b, err = bolt.Open(d.o.Path, 0o600, d.options())
		return err
	})
	if err != nil || d.o.ReadOnly {
		return b, err
	}
	if err := d.emptyCommit(b); err != nil {
		_, _ = d.guard(b.Close)
		return nil, err
	}
	return b, nil
}

// emptyCommit writes and syncs a transaction without changes, and reads the
// sequence.
func (d *DB) emptyCommit(b *bolt.DB) error {
	var tx *bolt.Tx
	err, _ := d.guard(func() (err error) {
		if tx, err = b.Begin(true); err != nil {
			return err
		}
		d.sequence.load(&Tx{tx: tx})
		return d.commitTx(tx)
	})
	if err != nil && tx != nil {
		_, _ = d.guard(tx.Rollback)
	}
	return err
}

// nothingWritten is passed to failed if the commit did not begin.
const nothingWritten = -1

// failed handles a failed commit. before is the id of the last transaction that
// succeeded. It closes the file, because bbolt's memory may be ahead of the
// disk, finds out what is stored, tries to open the file again and returns the
// error of the operations.
func (d *DB) failed(b *bolt.DB, before int, cause error) error {
	d.count.failures.Add(1)
	d.setWhy(cause)
	d.bolt.Store(nil)
	_, _ = d.guard(b.Close)
	outcome := failure(cause)
	now, err := readMetaFile(d.o.Path)
	if before != nothingWritten && (err != nil || now.txid != uint64(before)) {
		outcome = fmt.Errorf("%w: %w", ErrUnknownOutcome, cause)
	}
	d.o.Log.Error().Err(outcome).Msg("a commit failed")
	d.backoff.reset()
	d.revive()
	return outcome
}

// revive opens the file again and reports whether it works. If it does not, the
// next attempt is due after a delay.
func (d *DB) revive() bool {
	b, err := d.reopen()
	if err != nil {
		d.count.failures.Add(1)
		d.setWhy(failure(err))
		d.backoff.next()
		d.o.Log.Warn().Err(err).Msg("the database is not available yet")
		return false
	}
	d.backoff.stop()
	d.bolt.Store(b)
	d.why.Store(nil)
	d.o.Log.Info().Msg("the database works again")
	return true
}

// reopen opens the file for writing, if the folder can be written at all.
func (d *DB) reopen() (*bolt.DB, error) {
	if d.reads.Load() != nil {
		if err := d.probe(); err != nil {
			return nil, err
		}
	}
	d.endReads()
	b, err := d.open()
	if err != nil {
		d.beginReads()
	}
	return b, err
}

// The delays between attempts to open the file again.
const (
	minDelay = 100 * time.Millisecond
	maxDelay = 10 * time.Second
)

// backoff times the attempts to recover. The zero value waits for nothing.
type backoff struct {
	timer *time.Timer
	delay time.Duration
	last  time.Time
}

// wait returns a channel that receives when the next attempt is due, nil if
// none is.
func (b *backoff) wait() <-chan time.Time {
	if b.timer == nil {
		return nil
	}
	return b.timer.C
}

// due reports whether an operation may trigger an attempt already.
func (b *backoff) due() bool { return time.Since(b.last) >= minDelay }

// reset makes the next delay the shortest.
func (b *backoff) reset() { b.delay = 0 }

// next starts the delay to the next attempt, twice the one before.
func (b *backoff) next() {
	b.stop()
	b.last = time.Now()
	b.delay = min(max(2*b.delay, minDelay), maxDelay)
	b.timer = time.NewTimer(b.delay)
}

// stop cancels the next attempt.
func (b *backoff) stop() {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
}

func (d *DB) closedError() error { return fmt.Errorf("%w: %w", ErrUnavailable, errClosed) }

// Compact writes the rows of the database to a new file at path, which must not
// exist, without free pages. It refuses a database with damaged pages, whose
// rows would be dropped silently; damaged rows are copied as they are. It
// holds a snapshot while it runs.
func (d *DB) Compact(path string) error {
	if err := d.CheckPages(context.Background()); err != nil {
		return fmt.Errorf("compact: %w", err)
	}
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("compact to %s: %w", path, fs.ErrExist)
	}
	b, err := d.current()
	if err != nil {
		return err
	}
	err, _ = d.guard(func() error { return compact(path, b) })
	if err != nil {
		_ = os.Remove(path)
		return fmt.Errorf("compact to %s: %w", path, err)
	}
	return syncDir(filepath.Dir(path))
}

// compactBatch is the size of the transactions of Compact, in bytes.
const compactBatch = 16 << 20

func compact(path string, from *bolt.DB) (err error) {
	to, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: lockTimeout, NoSync: true, FreelistType: bolt.FreelistMapType})
	if err != nil {
		return err
	}
	defer func() {
		if cerr := to.Close(); err == nil {
			err = cerr
		}
	}()
	if err := bolt.Compact(to, from, compactBatch); err != nil {
		return err
	}
	return to.Sync()
}
