package kv

import (
	"errors"
	"os"

	bolt "go.etcd.io/bbolt"
)

// While the file cannot be written, it is open for reading only, so that a full or
// read-only disk stops writes alone. What such a snapshot shows was in the file
// when the commit failed: the state before it, or after it where the outcome is
// unknown.

// readable returns the file that reads use, or why there is none.
func (d *DB) readable() (*bolt.DB, error) {
	if b := d.bolt.Load(); b != nil {
		return b, nil
	}
	if b := d.reads.Load(); b != nil {
		return b, nil
	}
	return d.current()
}

// beginReads opens the file for reading only. Without success reads are refused,
// as writes are.
func (d *DB) beginReads() {
	if d.reads.Load() != nil {
		return
	}
	o := d.options()
	o.ReadOnly = true
	var b *bolt.DB
	err, _ := d.guard(func() (err error) {
		b, err = bolt.Open(d.o.Path, 0o600, o)
		return err
	})
	if err != nil {
		d.o.Log.Warn().Err(err).Msg("the database cannot be read either")
		return
	}
	d.reads.Store(b)
}

// endReads closes what beginReads opened: the lock of the file is needed to open
// it for writing. It waits for snapshots under way.
func (d *DB) endReads() {
	if b := d.reads.Swap(nil); b != nil {
		_, _ = d.guard(b.Close)
	}
}

// probeSize is what a commit of one small change writes, about.
const probeSize = 64 << 10

// probe reports whether the folder can be written again: reads go on until there
// is a reason to believe that opening the file for writing will succeed.
func (d *DB) probe() error {
	path := d.o.Path + ".probe"
	file, err := d.o.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(make([]byte, probeSize))
	if err == nil && !d.o.NoSync {
		err = file.Sync()
	}
	return errors.Join(err, file.Close(), os.Remove(path))
}
