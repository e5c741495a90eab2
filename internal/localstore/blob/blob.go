// Package blob stores immutable files of bytes with a checksum per block.
//
// A file is synced, and its folder, before Finish returns: what is named
// afterwards has its bytes. A byte leaves the package only after the checksum
// of its block was verified, also for a range.
//
// The format is
//
//	data | table | footer
//
// where the table has one CRC-32C per block of 8 KiB of data and the footer
// the length. Each checksum includes the id of the blob and the number of the
// block: a block from elsewhere does not pass. The table needs no checksum,
// each entry is proved by its block.
//
// The package knows nothing of names. It keeps account of files that are being
// written and of files that are pinned, so that a caller can tell which file
// may be removed.
package blob

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/rs/zerolog"
)

// ID is the random name of a blob.
type ID [16]byte

// String returns 32 lower-case hex digits.
func (id ID) String() string { return hex.EncodeToString(id[:]) }

// ParseID returns the ID whose String is s.
func ParseID(s string) (ID, error) {
	var id ID
	b, err := hex.DecodeString(s)
	if err != nil || len(b) != len(id) || hex.EncodeToString(b) != s {
		return ID{}, fmt.Errorf("%q is not the id of a blob: want 32 lower-case hex digits", s)
	}
	copy(id[:], b)
	return id, nil
}

// Options are the settings of Open.
type Options struct {
	// Dir is the folder of the blobs. It is created if it does not exist.
	Dir string
	// NoSync skips every sync. A crash of the machine may then lose blobs that
	// Finish returned. Tests only.
	NoSync bool
	// Random is the source of ids; nil means crypto/rand.
	Random io.Reader
	Log    zerolog.Logger
}

// Store is a folder of blobs. It is safe for concurrent use.
type Store struct {
	o       Options
	reading sync.RWMutex
	writers sync.Pool // of *bufio.Writer

	mu         sync.Mutex
	unfinished map[ID]struct{}
	pins       map[ID]int
}

// DamageError reports a blob that does not hold what was written.
type DamageError struct {
	ID     ID
	Reason string
	Err    error // the cause, or nil
}

// Error returns the id and the reason.
func (e *DamageError) Error() string { return fmt.Sprintf("blob %s is damaged: %s", e.ID, e.Reason) }

// Unwrap returns the cause.
func (e *DamageError) Unwrap() error { return e.Err }

// folders is the number of folders that the blobs are spread over.
const folders = 256

// Open opens the store and creates its folders.
func Open(o Options) (*Store, error) {
	if o.Random == nil {
		o.Random = rand.Reader
	}
	s := &Store{o: o, unfinished: map[ID]struct{}{}, pins: map[ID]int{}}
	if err := s.makeFolders(); err != nil {
		return nil, fmt.Errorf("open blob store %s: %w", o.Dir, err)
	}
	return s, nil
}

// makeFolders creates the missing folders and makes their names durable. They
// may also be left over, unsynced, from a process that was killed here.
func (s *Store) makeFolders() error {
	if err := os.MkdirAll(s.o.Dir, 0o700); err != nil {
		return err
	}
	for i := range folders {
		err := os.Mkdir(filepath.Join(s.o.Dir, fmt.Sprintf("%02x", i)), 0o700)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	if err := s.syncDir(s.o.Dir); err != nil {
		return err
	}
	return s.syncDir(filepath.Dir(s.o.Dir))
}

func (s *Store) syncDir(path string) error {
	if s.o.NoSync {
		return nil
	}
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

// path returns the file of a blob.
func (s *Store) path(id ID) string {
	name := id.String()
	return filepath.Join(s.o.Dir, name[:2], name)
}

// Remove removes the file of a blob. An absent file is no error. The removal is
// not synced: after a crash the file may be back.
func (s *Store) Remove(id ID) error {
	err := os.Remove(s.path(id))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove blob: %w", err)
	}
	return nil
}

// walkBatch bounds the folder entries that Walk holds.
const walkBatch = 1000

// Walk calls fn for each file of a blob until it returns an error. Other files
// are skipped, and files that are removed meanwhile.
func (s *Store) Walk(fn func(ID, fs.FileInfo) error) error {
	for i := range folders {
		if err := s.walkFolder(fmt.Sprintf("%02x", i), fn); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) walkFolder(name string, fn func(ID, fs.FileInfo) error) error {
	dir, err := os.Open(filepath.Join(s.o.Dir, name))
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	defer func() { _ = dir.Close() }()
	for {
		entries, err := dir.ReadDir(walkBatch)
		for _, entry := range entries {
			if err := visit(name, entry, fn); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list blobs: %w", err)
		}
	}
}

func visit(folder string, entry fs.DirEntry, fn func(ID, fs.FileInfo) error) error {
	id, err := ParseID(entry.Name())
	if err != nil || entry.Name()[:2] != folder || !entry.Type().IsRegular() {
		return nil
	}
	info, err := entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list blobs: %w", err)
	}
	return fn(id, info)
}
