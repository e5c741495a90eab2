package localstore

import (
	"context"
	"io/fs"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/codeguardians/s3gateway/internal/localstore/blob"
	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// scrubBurst is how many bytes are read at once, whatever the rate.
const scrubBurst = 1 << 20

// ScrubFigures are what the background scrub has done. They are safe to read at any
// time.
type ScrubFigures struct {
	Bytes, Rows, Damaged atomic.Int64
	// Finished is when the last whole pass ended, in seconds since 1970; 0: none.
	Finished atomic.Int64
}

// Scrub reads every row and every blob again and again, at so many bytes a second,
// until ctx ends: damage is found while there is still a backup. What it finds
// shows in Err and in the log.
func (s *Store) Scrub(ctx context.Context, bytesPerSecond float64, figures *ScrubFigures) {
	pass := &scrub{store: s, ctx: ctx, figures: figures, limit: rate.NewLimiter(rate.Limit(bytesPerSecond), scrubBurst)}
	for ctx.Err() == nil {
		if err := pass.run(); err != nil && ctx.Err() == nil {
			s.log.Warn().Err(err).Msg("embedded store: the scrub ended early; it begins again in an hour")
		} else {
			figures.Finished.Store(s.now().Unix())
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Hour):
		}
	}
}

type scrub struct {
	store   *Store
	ctx     context.Context
	figures *ScrubFigures
	limit   *rate.Limiter
}

func (p *scrub) run() error {
	var trees []kv.Tree
	err := p.store.read(func(tx *kv.Tx) error {
		trees = tx.Trees()
		return nil
	})
	if err != nil {
		return err
	}
	for _, tree := range trees {
		if err := p.rows(tree); err != nil {
			return err
		}
	}
	return p.store.blobs.Walk(p.blob)
}

// rows reads a tree, scanRows at a time.
func (p *scrub) rows(tree kv.Tree) error {
	for from := []byte(nil); ; {
		read, next := 0, []byte(nil)
		err := p.store.names.View(func(tx *kv.Tx) error {
			read, next = 0, nil
			c, n := tx.Cursor(tree), 0
			for ok := c.Seek(from); ok; ok = c.Next() {
				key := c.Key()
				if n++; n > scanRows {
					next = key
					return nil
				}
				value, err := c.Value()
				p.note(err)
				read += len(key) + len(value)
			}
			p.figures.Rows.Add(int64(n))
			return nil
		})
		if err != nil {
			return err
		}
		if err := p.pay(read); err != nil || next == nil {
			return err
		}
		from = next
	}
}

// blob reads a blob. One that is removed meanwhile is no finding.
func (p *scrub) blob(id blob.ID, _ fs.FileInfo) error {
	if p.store.blobs.Unfinished(id) {
		return nil
	}
	p.store.blobs.Pin(id)
	defer p.store.unpin([]blob.ID{id})
	named := false
	err := p.store.read(func(tx *kv.Tx) error {
		row, err := tx.Get(blobsTree, id[:])
		named = row != nil
		return err
	})
	if err != nil || !named {
		return err
	}
	size, err := p.store.blobs.Verify(id)
	p.note(err)
	return p.pay(int(size))
}

// note counts damage.
func (p *scrub) note(err error) {
	if err != nil {
		p.figures.Damaged.Add(1)
		_ = p.store.translate(err)
	}
}

// pay waits until so many bytes were allowed.
func (p *scrub) pay(n int) error {
	p.figures.Bytes.Add(int64(n))
	for n > 0 {
		step := min(n, scrubBurst)
		if err := p.limit.WaitN(p.ctx, step); err != nil {
			return err
		}
		n -= step
	}
	return nil
}
