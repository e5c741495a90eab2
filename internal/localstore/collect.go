package localstore

import (
	"context"
	"io/fs"
	"sync"

	"github.com/codeguardians/s3gateway/internal/localstore/blob"
	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// scanRows is how many rows one transaction reads at the most, so that no reader
// keeps pages from being used again for long.
const scanRows = 1000

// collector unlinks dead blobs in the background. A blob is unlinked after the
// transaction that made it dead is on disk, and when nobody reads it.
type collector struct {
	mu    sync.Mutex
	dead  []blob.ID
	wake  chan struct{}
	ended chan struct{}
}

func newCollector() *collector {
	return &collector{wake: make(chan struct{}, 1), ended: make(chan struct{})}
}

// add hands over blobs whose death is on disk.
func (c *collector) add(ids []blob.ID) {
	if len(ids) == 0 {
		return
	}
	c.mu.Lock()
	c.dead = append(c.dead, ids...)
	c.mu.Unlock()
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

func (c *collector) take() []blob.ID {
	c.mu.Lock()
	defer c.mu.Unlock()
	ids := c.dead
	c.dead = nil
	return ids
}

// collect runs until ctx ends: first what an earlier process left, then what
// dies.
func (s *Store) collect(ctx context.Context) {
	defer close(s.collector.ended)
	if err := s.Sweep(ctx); err != nil && ctx.Err() == nil {
		s.log.Warn().Err(err).Msg("embedded store: what an earlier run left behind could not be removed; the next start tries again")
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.collector.wake:
			s.unlink(s.collector.take())
		}
	}
}

// unlink removes dead blobs and their rows. Those that are being read are left
// for the moment when the reader ends.
func (s *Store) unlink(dead []blob.ID) {
	if len(dead) == 0 {
		return
	}
	s.blobs.Barrier()
	gone := dead[:0:0]
	for _, id := range dead {
		if s.delay(id) {
			continue
		}
		if err := s.blobs.Remove(id); err != nil {
			s.log.Warn().Err(err).Stringer("blob", id).Msg("embedded store: a dead blob could not be removed; the next start tries again")
			continue
		}
		gone = append(gone, id)
	}
	// The rows may go later, or never: a start unlinks what they name again.
	_ = s.write(func(t *transaction) error {
		for _, id := range gone {
			if err := t.tx.Delete(deadTree, id[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// delay keeps a dead blob that is being read until its last reader ends, and
// reports whether there is one. Readers unpin before they take the lock, so none
// is overlooked.
func (s *Store) delay(id blob.ID) bool {
	s.pinned.Lock()
	defer s.pinned.Unlock()
	if !s.blobs.Pinned(id) {
		return false
	}
	s.pinned.dead[id] = true
	return true
}

// unpin ends a reader of these blobs, and hands over those that died meanwhile.
func (s *Store) unpin(ids []blob.ID) {
	s.blobs.Unpin(ids...)
	s.pinned.Lock()
	defer s.pinned.Unlock()
	if len(s.pinned.dead) == 0 {
		return
	}
	var free []blob.ID
	for _, id := range ids {
		if s.pinned.dead[id] && !s.blobs.Pinned(id) {
			delete(s.pinned.dead, id)
			free = append(free, id)
		}
	}
	s.collector.add(free)
}

// Sweep removes what a killed process left: blobs that are dead, files that no
// name refers to, and uploads of deleted buckets. It is safe beside everything
// else and ends early with ctx.
func (s *Store) Sweep(ctx context.Context) error {
	if err := s.sweepDead(ctx); err != nil {
		return err
	}
	if err := s.sweepOrphans(ctx); err != nil {
		return err
	}
	return s.sweepFiles(ctx)
}

func (s *Store) sweepDead(ctx context.Context) error {
	for from := []byte(nil); ; {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		var ids []blob.ID
		// Not in a snapshot: it may show a commit that a power cut would still take
		// back, and with it the death.
		err := s.write(func(t *transaction) error {
			ids = nil
			c := t.tx.Cursor(deadTree)
			for ok := c.Seek(from); ok && len(ids) < scanRows; ok = c.Next() {
				ids = append(ids, blob.ID(c.Key()))
			}
			return nil
		})
		if err != nil || len(ids) == 0 {
			return err
		}
		last := ids[len(ids)-1]
		from = append(last[:], 0)
		s.unlink(ids)
	}
}

// sweepFiles removes files without a name. A file has none for good if it is not
// among this process's unfinished writes, and a transaction that begins after
// that was asked does not name it. Clocks play no part.
func (s *Store) sweepFiles(ctx context.Context) error {
	return s.blobs.Walk(func(id blob.ID, _ fs.FileInfo) error {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if s.blobs.Unfinished(id) {
			return nil
		}
		named := true
		err := s.read(func(tx *kv.Tx) error {
			row, err := tx.Get(blobsTree, id[:])
			if err != nil || row != nil {
				return err
			}
			row, err = tx.Get(deadTree, id[:])
			named = row != nil
			return err
		})
		if err != nil || named {
			return err
		}
		return s.blobs.Remove(id)
	})
}

// sweepOrphans ends the uploads of deleted buckets, a few in each transaction.
func (s *Store) sweepOrphans(ctx context.Context) error {
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		more := false
		err := s.write(func(t *transaction) (err error) {
			more, err = t.endOrphans()
			return err
		})
		if err != nil || !more {
			return err
		}
	}
}
