package localstore

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/localstore/blob"
	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// Region is the region of every bucket.
const Region = "us-east-1"

// Options say where a store is and how it works.
type Options struct {
	// Dir is DATA_DIR; the store keeps its files in the folder "store" in it.
	Dir string
	// Bucket is made at the start; "" for none.
	Bucket string
	// NoSync leaves out every sync, so that a power cut loses data. For tests.
	NoSync bool
	// InlineMax is up to how many bytes an object lives in the database. 0:
	// 32 KiB; negative: none does.
	InlineMax int64
	// Reserve is how many free bytes of the disk are closed to PUT. 0: 64 MiB.
	Reserve uint64
	// Free returns the free bytes of the disk. nil: as the system says.
	Free func() (uint64, error)
	Log  zerolog.Logger
	Now  func() time.Time // nil: time.Now
	// Wait is how long to wait for another process to leave the folder: the two of
	// a rolling restart overlap for a moment.
	Wait time.Duration
	// Random is read for names of files and IDs. nil: crypto/rand.
	Random io.Reader

	readOnly bool // the database is opened for reading only
}

// Store is an open store. Its methods are safe for concurrent use. Errors are
// *Error, or wrap the error of a body (BodyError).
type Store struct {
	names     *kv.DB
	blobs     *blob.Store
	lock      *os.File
	space     space
	inlineMax int64
	log       zerolog.Logger
	now       func() time.Time
	random    io.Reader

	collector  *collector
	background context.Context // ends with Close
	stop       context.CancelFunc
	pinned     struct {
		sync.Mutex
		dead map[blob.ID]bool
	}
	damage  atomic.Pointer[error]
	unswept atomic.Bool           // a write ended without anyone knowing how
	failing atomic.Pointer[error] // why the last blob could not be written
	closing func() error
}

// Open opens the store of a folder and makes what is missing of it. A folder that
// another process has is an InUseError, one on a network file system and one in
// the form of an older version are refused, and nothing in them is changed.
func Open(_ context.Context, o Options) (*Store, error) {
	folder := filepath.Join(o.Dir, "store")
	if err := prepare(o.Dir, folder); err != nil {
		return nil, err
	}
	lock, err := lockFolder(o.Dir, filepath.Join(folder, "lock"), o.Wait)
	if err != nil {
		return nil, err
	}
	s := newStore(o, folder)
	s.lock = lock
	if err := s.open(o, folder); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.background, s.stop = context.WithCancel(context.Background())
	go s.collect(s.background)
	if o.Bucket != "" {
		err := s.CreateBucket(CreateBucketInput{Name: o.Bucket})
		if err != nil && CodeOf(err) != BucketAlreadyOwned {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

func newStore(o Options, folder string) *Store {
	s := &Store{
		space:     space{reserve: cmp.Or(o.Reserve, defaultReserve), free: o.Free},
		inlineMax: cmp.Or(o.InlineMax, defaultInlineMax),
		log:       o.Log, now: o.Now, random: o.Random, collector: newCollector(),
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.space.free == nil {
		s.space.free = func() (uint64, error) { return freeBytes(folder) }
	}
	s.pinned.dead = map[blob.ID]bool{}
	s.closing = sync.OnceValue(s.close)
	return s
}

func (s *Store) open(o Options, folder string) (err error) {
	s.blobs, err = blob.Open(blob.Options{Dir: filepath.Join(folder, "blobs"), NoSync: o.NoSync, Random: s.random, Log: o.Log})
	if err != nil {
		return err
	}
	if !o.readOnly {
		_ = os.Remove(filepath.Join(folder, compactFile)) // of a compaction that was killed
	}
	s.names, err = kv.Open(kv.Options{Path: filepath.Join(folder, "names.db"), NoSync: o.NoSync, ReadOnly: o.readOnly, Log: o.Log})
	return err
}

// oldForm are the entries that a folder of an older version has.
var oldForm = []string{"store.json", "buckets"}

// prepare makes the folders, unless the data folder is one that this version must
// not touch.
func prepare(dir, folder string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := checkFileSystem(dir); err != nil {
		return err
	}
	_, err := os.Stat(folder)
	if err == nil {
		return syncFolders(folder)
	}
	for _, name := range oldForm {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return fmt.Errorf("%s holds files of an earlier, unreleased version of the embedded store, which this version cannot read; "+
				"nothing in it was touched: copy the objects out with that version, or set DATA_DIR to a new folder", dir)
		}
	}
	if err := os.Mkdir(folder, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	return syncFolders(folder)
}

// syncFolders makes the names of a folder and of all above it durable. An earlier
// process may have been killed between making one and syncing its parent. Folders
// above that this user may not read were not made by it.
func syncFolders(folder string) error {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return err
	}
	for {
		parent := filepath.Dir(folder)
		if parent == folder {
			return nil
		}
		if err := syncFolder(parent); err != nil && !errors.Is(err, os.ErrPermission) {
			return err
		}
		folder = parent
	}
}

func syncFolder(dir string) error {
	file, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// Err returns nil while the store serves everything; otherwise why it does not:
// the disk refuses writes, or damage was found.
func (s *Store) Err() error {
	if err := s.names.Err(); err != nil {
		return s.translate(err)
	}
	if err := s.damage.Load(); err != nil {
		return *err
	}
	if err := s.space.room(0); err != nil {
		return err
	}
	return s.writable()
}

// damaged notes that damaged data was met. It stays noted until a restart: only
// store check can say that there is no more.
func (s *Store) damaged(cause error) {
	err := error(&Error{Code: InternalError, Message: "The store found damaged data on its disk. Run s3gateway store check.", Err: cause})
	if s.damage.CompareAndSwap(nil, &err) {
		s.log.Error().Err(cause).Msg("embedded store: damaged data; run s3gateway store check")
	}
}

// Close waits for running operations and releases the folder. Further calls
// return the same result. Readers that are still open fail.
func (s *Store) Close() error { return s.closing() }

func (s *Store) close() error {
	s.stop()
	<-s.collector.ended
	return errors.Join(s.names.Close(), s.lock.Close())
}

// random64 returns 64 random bits.
func (s *Store) random64() (uint64, error) {
	var b [8]byte
	if _, err := io.ReadFull(s.random, b[:]); err != nil {
		return 0, err
	}
	return binary.BigEndian.Uint64(b[:]), nil
}

// clock returns the time of an operation. S3 keeps whole seconds.
func (s *Store) clock() time.Time { return s.now().UTC().Truncate(time.Second) }
