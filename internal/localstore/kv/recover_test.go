package kv

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"
)

// failOnce makes the next commit fail: before its first write, or after its
// last.
func failOnce(d *DB, after bool, cause error) {
	d.commitTx = func(tx *bolt.Tx) error {
		d.commitTx = (*bolt.Tx).Commit
		if after {
			if err := tx.Commit(); err != nil {
				return err
			}
		}
		return cause
	}
}

func TestAFailedCommitIsRolledBackAndNamed(t *testing.T) {
	for cause, kind := range map[error]error{
		syscall.ENOSPC: ErrNoSpace,
		syscall.EDQUOT: ErrNoSpace,
		syscall.EROFS:  ErrReadOnly,
		syscall.EIO:    ErrIO,
		errors.New("file resize error: " + syscall.ENOSPC.Error()): ErrNoSpace,
	} {
		d := fresh(t)
		put(t, d, "t", "k", "v")
		before := d.bolt.Load()
		failOnce(d, false, cause)
		errs := group(d, putting("t", "k", "w"), putting("t", "l", "w"), func(*Tx) error { return errRefused })
		for _, err := range errs {
			if !errors.Is(err, kind) || !errors.Is(err, cause) {
				t.Errorf("%v: %v, want %v", cause, err, kind)
			}
		}
		if d.bolt.Load() == before {
			t.Error("the file was not opened again")
		}
		if err := d.Err(); err != nil {
			t.Errorf("%v: unhealthy: %v", cause, err)
		}
		want(t, d, "t", "k", "v")
		want(t, d, "t", "l", "-")
		put(t, d, "t", "l", "w")
		want(t, d, "t", "l", "w")
	}
}

func TestAFailureAfterTheLastWriteIsOfUnknownOutcome(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	failOnce(d, true, syscall.EIO)
	err := d.Commit(putting("t", "k", "w"))
	if !errors.Is(err, ErrUnknownOutcome) || !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	if err := d.Err(); err != nil {
		t.Fatal(err)
	}
	want(t, d, "t", "k", "w")
	want(t, open(t, crashCopy(t, d.o.Path)), "t", "k", "w")
}

func TestItIsUnavailableUntilACommitSucceeds(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	failOnce(d, false, syscall.EIO)
	d.backoff.delay = maxDelay // reset by the failure
	away := d.o.Path + ".away"
	d2 := d.commitTx
	d.commitTx = func(tx *bolt.Tx) error {
		if err := os.Rename(d.o.Path, away); err != nil {
			t.Error(err)
		}
		return d2(tx)
	}
	if err := d.Commit(putting("t", "k", "w")); !errors.Is(err, ErrUnknownOutcome) {
		t.Fatal(err) // the file cannot be read
	}
	for what, err := range map[string]error{
		"err":    d.Err(),
		"view":   d.View(func(*Tx) error { return nil }),
		"commit": d.Commit(putting("t", "k", "w")),
	} {
		if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no such file") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := os.Stat(d.o.Path); !os.IsNotExist(err) {
		t.Fatalf("an empty database was created: %v", err)
	}
	if err := os.Rename(away, d.o.Path); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it works again by itself", func() bool { return d.Err() == nil })
	want(t, d, "t", "k", "v")
	put(t, d, "t", "k", "w")
}

func TestItRecoversWithTheNextOperation(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	fails := 2 // the commit, the attempt at once
	d.commitTx = func(tx *bolt.Tx) error {
		if fails--; fails >= 0 {
			return syscall.EROFS
		}
		return tx.Commit()
	}
	if err := d.Commit(putting("t", "k", "w")); !errors.Is(err, ErrReadOnly) {
		t.Fatal(err)
	}
	eventually(t, "an operation succeeds", func() bool {
		err := d.Commit(putting("t", "k", "x"))
		if err != nil && !errors.Is(err, ErrUnavailable) {
			t.Error(err)
		}
		return err == nil
	})
	want(t, d, "t", "k", "x")
}

func TestCloseWhileUnavailable(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	d.commitTx = func(*bolt.Tx) error { return syscall.EIO }
	if err := d.Commit(putting("t", "k", "w")); !errors.Is(err, ErrIO) {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	want(t, open(t, d.o.Path), "t", "k", "v")
}

func TestAFailedCommitDoesNotDisturbReaders(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-done:
				return
			default:
			}
			err := d.View(func(tx *Tx) error {
				if v, err := tx.Get("t", []byte("k")); err != nil || string(v) != "v" {
					t.Errorf("%q %v", v, err)
				}
				return nil
			})
			if err != nil && !errors.Is(err, ErrUnavailable) {
				t.Error(err)
			}
		}
	}()
	for range 30 {
		failOnce(d, false, syscall.ENOSPC)
		if err := d.Commit(putting("t", "k", "w")); !errors.Is(err, ErrNoSpace) {
			t.Error(err)
		}
	}
	close(done)
	<-stopped
}

// smallDisk mounts a file system of 8 MiB.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("a tmpfs cannot be mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskLosesNothing(t *testing.T) {
	dir := smallDisk(t)
	d := open(t, filepath.Join(dir, "names.db"))
	t.Cleanup(func() { _ = d.Close() })
	put(t, d, "t", "k", "v")
	filler := filepath.Join(dir, "filler")
	fill(t, filler)

	large := func(tx *Tx) error { return tx.Put("t", []byte("large"), make([]byte, 1<<20)) }
	for range 3 {
		if err := d.Commit(large); !errors.Is(err, ErrNoSpace) || !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		want(t, d, "t", "k", "v")
		want(t, d, "t", "large", "-")
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	eventually(t, "healthy", func() bool { return d.Err() == nil })
	if err := d.Commit(large); err != nil {
		t.Fatal(err)
	}
	want(t, d, "t", "k", "v")
	if err := d.CheckPages(t.Context()); err != nil {
		t.Error(err)
	}
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for {
		if _, err := f.Write(make([]byte, 4096)); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReadOnlyDiskIsNamedAndRecovers(t *testing.T) {
	dir := smallDisk(t)
	d := open(t, filepath.Join(dir, "names.db"))
	t.Cleanup(func() { _ = d.Close() })
	put(t, d, "t", "k", "v")
	// A disk with an open file cannot be made read-only by force: the failure
	// is injected, and the file is then really not writable.
	failOnce(d, false, syscall.EROFS)
	inner := d.commitTx
	d.commitTx = func(tx *bolt.Tx) error {
		err := inner(tx)
		_ = tx.Rollback()
		_ = d.bolt.Load().Close()
		if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
			t.Error(err)
		}
		return err
	}
	if err := d.Commit(putting("t", "k", "w")); !errors.Is(err, ErrReadOnly) {
		t.Fatal(err)
	}
	if err := d.Commit(putting("t", "k", "w")); !errors.Is(err, ErrUnavailable) || !errors.Is(err, ErrReadOnly) {
		t.Fatal(err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT, ""); err != nil {
		t.Fatal(err)
	}
	eventually(t, "healthy", func() bool { return d.Err() == nil })
	want(t, d, "t", "k", "v")
	put(t, d, "t", "k", "w")
}

func TestReadsGoOnWhileTheDiskRefusesWrites(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	var refuse atomic.Bool
	refuse.Store(true)
	commit := d.commitTx
	d.commitTx = func(tx *bolt.Tx) error {
		if refuse.Load() {
			return syscall.EROFS
		}
		return commit(tx)
	}
	for range 3 {
		if err := d.Commit(putting("t", "k", "w")); err == nil {
			t.Fatal("a commit succeeded")
		}
		want(t, d, "t", "k", "v")
	}
	if err := d.Err(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("health: %v", err)
	}
	refuse.Store(false)
	eventually(t, "it works again by itself", func() bool { return d.Err() == nil })
	put(t, d, "t", "k", "w")
	want(t, d, "t", "k", "w")
	if _, err := os.Stat(d.o.Path + ".probe"); !os.IsNotExist(err) {
		t.Errorf("the probe is left: %v", err)
	}
}
