// Package kv stores named rows in a bbolt database and groups the commits of
// concurrent callers.
//
// bbolt checks its two meta pages only. kv adds a checksum to every row, undoes
// the writes of an operation that fails without harm to the others of its
// group, and never goes on from memory after a failed commit: it closes the
// file, reads what the disk holds and opens it again.
//
// No slice of bbolt's memory leaves the package: keys and values are copies.
package kv

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"
)

// Tree names a top-level bucket of the database. A tree is created by its
// first Put. A name is not empty and contains no zero byte.
type Tree string

// Options are the settings of Open.
type Options struct {
	// Path is the database file. It is created if it does not exist.
	Path string
	// NoSync skips every sync of the file. A crash of the machine may then
	// lose acknowledged rows or the whole file. Tests only.
	NoSync bool
	// ReadOnly opens an existing file without a change to it. Commit returns
	// ErrReadOnly. The file may be damaged: no page is read before it is used.
	ReadOnly bool
	Log      zerolog.Logger
	// OpenFile opens the database file; nil means os.OpenFile.
	OpenFile func(name string, flag int, perm os.FileMode) (*os.File, error)
}

// DB is an open database. It is safe for concurrent use.
type DB struct {
	o       Options
	bolt    atomic.Pointer[bolt.DB] // nil while unavailable
	reads   atomic.Pointer[bolt.DB] // for reading only, while bolt is nil
	why     atomic.Pointer[error]   // why bolt is nil
	queue   chan *operation
	stop    chan struct{}
	stopped chan struct{}
	once    sync.Once
	closing error
	count   counters
	// commitTx is tx.Commit. Tests make it fail.
	commitTx func(*bolt.Tx) error

	// The committer alone uses these.
	sequence sequence
	backoff  backoff
}

// Open opens the database at o.Path and starts its committer. After a crash it
// reads every page once: the free pages are only stored by Close.
func Open(o Options) (*DB, error) {
	if o.OpenFile == nil {
		o.OpenFile = os.OpenFile
	}
	d := &DB{
		o:        o,
		queue:    make(chan *operation),
		stop:     make(chan struct{}),
		stopped:  make(chan struct{}),
		commitTx: (*bolt.Tx).Commit,
	}
	if !o.ReadOnly {
		if err := d.create(); err != nil {
			return nil, fmt.Errorf("create %s: %w", o.Path, err)
		}
	}
	b, err := d.open()
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.Path, err)
	}
	d.bolt.Store(b)
	go d.loop()
	return d, nil
}

// View runs fn on a consistent snapshot and returns its error. fn must be
// short, must not call View and must not wait for anything but the database:
// an open snapshot keeps pages from being reused. A memory fault in fn, as
// from an unreadable page, is a *DamageError.
//
// The snapshot may hold a commit whose last sync has not ended, which a power
// cut may take back. What destroys something, such as a file without a name,
// is decided in a Commit that returned nil: all it saw is on disk.
func (d *DB) View(fn func(*Tx) error) error {
	tx, err := d.begin()
	if err != nil {
		return err
	}
	t := &Tx{tx: tx}
	defer func() {
		t.tx = nil
		_ = tx.Rollback()
	}()
	err, _ = d.guard(func() error { return fn(t) })
	return err
}

// begin starts a read transaction on the file that is open now.
func (d *DB) begin() (*bolt.Tx, error) {
	for {
		b, err := d.readable()
		if err != nil {
			return nil, err
		}
		tx, err := d.beginOn(b, false)
		if err == nil {
			return tx, nil
		}
		if d.bolt.Load() == b || d.reads.Load() == b {
			return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}

// beginOn starts a transaction. bbolt reads the meta pages from mapped memory while
// it holds its locks, and a fault there leaves them held: the file can then neither
// be used nor closed by this process.
func (d *DB) beginOn(b *bolt.DB, writable bool) (tx *bolt.Tx, err error) {
	err, faulted := d.guard(func() (err error) {
		tx, err = b.Begin(writable)
		return err
	})
	if faulted {
		err = fmt.Errorf("%w: start again once the disk can be read", err)
		d.setWhy(err)
		d.bolt.CompareAndSwap(b, nil)
		d.reads.CompareAndSwap(b, nil)
	}
	return tx, err
}

// current returns the file that is open for writing, or why none is.
func (d *DB) current() (*bolt.DB, error) {
	for {
		if b := d.bolt.Load(); b != nil {
			return b, nil
		}
		// The reason is set before the file is closed and cleared after it is
		// open again: without one, the file has just been opened.
		if err := d.Err(); err != nil {
			return nil, err
		}
	}
}

// Err returns nil while the database is healthy. Otherwise it returns an error
// that wraps ErrUnavailable and the reason. Reads may go on all the same.
func (d *DB) Err() error {
	why := d.why.Load()
	if why == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, *why)
}

// Close waits for the running group, stores the list of free pages so that the
// next Open is fast, and closes the file. Operations that wait are refused
// with ErrUnavailable. Further calls return the result of the first.
func (d *DB) Close() error {
	d.once.Do(func() {
		close(d.stop)
		<-d.stopped
		d.setWhy(errClosed)
		d.endReads()
		if b := d.bolt.Swap(nil); b != nil {
			d.storeFreePages(b)
			d.closing, _ = d.guard(b.Close)
		}
	})
	return d.closing
}

func (d *DB) storeFreePages(b *bolt.DB) {
	if d.o.ReadOnly {
		return
	}
	b.NoFreelistSync = false
	if err := d.emptyCommit(b); err != nil {
		d.o.Log.Warn().Err(err).Msg("the list of free pages is not stored, the next start reads the whole database")
	}
}

func (d *DB) setWhy(err error) { d.why.Store(&err) }

// lockTimeout bounds the wait for the lock of another process on the file.
const lockTimeout = time.Second

// options returns the settings of bbolt.
func (d *DB) options() *bolt.Options {
	return &bolt.Options{
		Timeout: lockTimeout,
		// A list that is long after mass deletes would be written by every
		// commit.
		NoFreelistSync:  true,
		FreelistType:    bolt.FreelistMapType,
		InitialMmapSize: initialMmapSize(),
		NoSync:          d.o.NoSync,
		ReadOnly:        d.o.ReadOnly,
		OpenFile:        d.o.OpenFile,
	}
}

// initialMmapSize returns a size that most databases never reach: to map a
// larger file bbolt waits for all readers and holds up new ones. On Windows
// the file itself would take this size.
func initialMmapSize() int {
	if runtime.GOOS == "windows" || strconv.IntSize < 64 {
		return 0
	}
	shift := 32
	return 1 << shift
}

var errClosed = errors.New("the database is closed")
