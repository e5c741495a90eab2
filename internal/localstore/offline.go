package localstore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// Inspect runs Check on the store of a folder that no process has open, and
// changes nothing in it. A folder without a store is an error.
func Inspect(ctx context.Context, o Options, found func(Problem)) (Report, error) {
	var report Report
	err := offline(o, true, func(s *Store, _ string) (err error) {
		report, err = s.Check(ctx, found)
		return err
	})
	return report, err
}

// compactFile is where a compaction writes.
const compactFile = "names.db.compact"

// Compact writes the database of a folder that no process has open anew, without
// the space that deleted rows left, and returns its size in bytes before and
// after. Until the new file is complete and synced the old one stays.
func Compact(o Options) (before, after int64, err error) {
	var path, fresh string
	err = offline(o, false, func(s *Store, folder string) error {
		path, fresh = filepath.Join(folder, "names.db"), filepath.Join(folder, compactFile)
		if err := s.names.Compact(fresh); err != nil {
			return err
		}
		before, after = fileSize(path), fileSize(fresh)
		if err := s.names.Close(); err != nil {
			return err
		}
		if err := os.Rename(fresh, path); err != nil {
			return err
		}
		return syncFolder(folder)
	})
	return before, after, err
}

// offline runs fn on a store without its background work, under the folder's
// lock.
func offline(o Options, readOnly bool, fn func(s *Store, folder string) error) error {
	folder := filepath.Join(o.Dir, "store")
	if _, err := os.Stat(filepath.Join(folder, "names.db")); err != nil {
		return err
	}
	lock, err := lockFolder(o.Dir, filepath.Join(folder, "lock"), 0)
	if err != nil {
		return err
	}
	defer lock.Close()
	o.readOnly = readOnly
	s := newStore(o, folder)
	if err := s.open(o, folder); err != nil {
		return err
	}
	return errors.Join(fn(s, folder), s.names.Close())
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}
