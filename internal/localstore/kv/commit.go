package kv

import (
	"errors"
	"runtime"
	"sync/atomic"

	bolt "go.etcd.io/bbolt"
)

// maxGroup bounds the operations of one transaction.
const maxGroup = 256

// operation is one call of Commit.
type operation struct {
	fn   func(*Tx) error
	err  error
	done chan struct{}
}

func (op *operation) answer(err error) {
	op.err = err
	close(op.done)
}

func answer(ops []*operation, err error) {
	for _, op := range ops {
		op.answer(err)
	}
}

// Commit runs fn in the next group of operations and returns when the group is
// on disk. If fn returns an error, or panics, its changes are undone and the
// others of its group are not affected.
//
// fn runs in another goroutine. It sees the changes of the operations before it
// in the group. It may run more than once: it assigns its results and does not
// accumulate them. It must not call View or Commit.
//
// An error that wraps ErrUnknownOutcome leaves open whether the changes are
// stored. After any other error nothing is stored.
func (d *DB) Commit(fn func(*Tx) error) error {
	if d.o.ReadOnly {
		return ErrReadOnly
	}
	op := &operation{fn: fn, done: make(chan struct{})}
	select {
	case d.queue <- op:
	case <-d.stop:
		return d.closedError()
	}
	<-op.done
	return op.err
}

// loop is the committer.
func (d *DB) loop() {
	defer close(d.stopped)
	defer d.backoff.stop()
	for {
		select {
		case <-d.stop:
			return
		case op := <-d.queue:
			d.serve(d.gather(op))
		case <-d.backoff.wait():
			d.revive()
		}
	}
}

// gather returns the operations that wait now, after first. The yield lets the
// callers of the group before, which have just been answered, get in line.
func (d *DB) gather(first *operation) []*operation {
	runtime.Gosched()
	ops := []*operation{first}
	for len(ops) < maxGroup {
		select {
		case op := <-d.queue:
			ops = append(ops, op)
		default:
			return ops
		}
	}
	return ops
}

// serve runs the operations until all are answered.
func (d *DB) serve(ops []*operation) {
	if d.Err() != nil && !(d.backoff.due() && d.revive()) {
		answer(ops, d.Err())
		return
	}
	for len(ops) > 0 {
		again, alone := d.runGroup(ops)
		if !alone {
			ops = again
			continue
		}
		for _, op := range again {
			d.serve([]*operation{op})
		}
		return
	}
}

// runGroup runs the operations in one transaction and answers them. It returns
// those that are to be run again, and whether each of them alone.
func (d *DB) runGroup(ops []*operation) (again []*operation, alone bool) {
	b, err := d.current()
	if err != nil {
		answer(ops, err)
		return nil, false
	}
	tx, err := d.beginOn(b, true)
	if damage := (*DamageError)(nil); errors.As(err, &damage) {
		answer(ops, err)
		return nil, false
	}
	if err != nil {
		answer(ops, d.failed(b, nothingWritten, err))
		return nil, false
	}
	t := &Tx{tx: tx, sequence: &d.sequence}
	bad, dirty := d.apply(t, ops)
	if bad >= 0 {
		d.abandon(t)
		ops[bad].answer(ops[bad].err)
		return append(ops[:bad:bad], ops[bad+1:]...), false
	}
	if !dirty {
		d.abandon(t)
		d.settled(ops)
		return nil, false
	}
	return d.commit(b, t, ops)
}

// apply runs the operations on t. It returns the index of one that panicked or
// could not be undone, or -1, and whether there is something to commit.
func (d *DB) apply(t *Tx, ops []*operation) (bad int, dirty bool) {
	for i, op := range ops {
		before := d.sequence.last
		err, panicked := d.guard(func() error { return op.fn(t) })
		op.err = err
		if panicked {
			return i, false
		}
		if err == nil {
			dirty = dirty || len(t.undo) > 0 || d.sequence.last != before
			t.settle()
			continue
		}
		if err, _ := d.guard(t.rollback); err != nil {
			op.err = err
			return i, false
		}
	}
	return -1, dirty
}

// abandon ends t without a commit.
func (d *DB) abandon(t *Tx) {
	tx := t.tx
	t.tx = nil
	_, _ = d.guard(tx.Rollback)
}

// settled answers the operations with their own results.
func (d *DB) settled(ops []*operation) {
	d.count.operations.Add(int64(len(ops)))
	for _, op := range ops {
		op.answer(op.err)
	}
}

// commit ends t and answers the operations. A refusal is not answered with its
// reason if the commit fails: it may rest on a change that is gone.
func (d *DB) commit(b *bolt.DB, t *Tx, ops []*operation) (again []*operation, alone bool) {
	tx, before := t.tx, t.tx.ID()-1
	err, panicked := d.guard(func() error {
		if err := d.sequence.save(t); err != nil {
			return err
		}
		return d.commitTx(tx)
	})
	if err == nil {
		t.tx = nil
		d.sequence.stored = d.sequence.last
		d.count.commits.Add(1)
		d.settled(ops)
		return nil, false
	}
	d.abandon(t)
	err = d.failed(b, before, err)
	if panicked && len(ops) > 1 && d.Err() == nil {
		return ops, true
	}
	answer(ops, err)
	return nil, false
}

// counters are the figures of Stats.
type counters struct {
	commits, operations, failures, panics atomic.Int64
}

// Stats are figures since Open, unless they say otherwise.
type Stats struct {
	Commits    int64 // groups on disk
	Operations int64 // operations answered with their own result
	Failures   int64 // failed commits and failed attempts to recover
	Panics     int64 // panics and memory faults
	FreePages  int64 // now, in the file
	Size       int64 // bytes of the file now, with free pages
}

// Stats returns the figures.
func (d *DB) Stats() Stats {
	s := Stats{
		Commits:    d.count.commits.Load(),
		Operations: d.count.operations.Load(),
		Failures:   d.count.failures.Load(),
		Panics:     d.count.panics.Load(),
	}
	tx, err := d.begin()
	if err != nil {
		return s
	}
	defer func() { _ = tx.Rollback() }()
	now := tx.DB().Stats()
	s.FreePages = int64(now.FreePageN + now.PendingPageN)
	s.Size = tx.Size()
	return s
}
