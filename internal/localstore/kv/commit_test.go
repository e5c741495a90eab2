package kv

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	bolt "go.etcd.io/bbolt"
	"pgregory.net/rapid"
)

var errRefused = errors.New("refused")

// group runs the operations in one group and returns their errors.
func group(d *DB, fns ...func(*Tx) error) []error {
	var ops []*operation
	for _, fn := range fns {
		ops = append(ops, &operation{fn: fn, done: make(chan struct{})})
	}
	d.serve(ops)
	var errs []error
	for _, op := range ops {
		<-op.done
		errs = append(errs, op.err)
	}
	return errs
}

// state is a model: rows by tree and key.
type state map[Tree]map[string]string

func (s state) clone() state {
	c := state{}
	for tree, rows := range s {
		c[tree] = maps.Clone(rows)
	}
	return c
}

// dump reads everything.
func dump(tx *Tx) (state, error) {
	s := state{}
	for _, tree := range tx.Trees() {
		s[tree] = map[string]string{}
		c := tx.Cursor(tree)
		for ok := c.Seek(nil); ok; ok = c.Next() {
			value, err := c.Value()
			if err != nil {
				return nil, err
			}
			s[tree][string(c.Key())] = string(value)
		}
	}
	return s, nil
}

func (s state) equal(other state) bool {
	return maps.EqualFunc(s, other, func(a, b map[string]string) bool { return maps.Equal(a, b) })
}

// step draws a change, applies it to the model and returns it.
func step(rt *rapid.T, s state) func(*Tx) error {
	tree := Tree(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(rt, "tree"))
	key := fmt.Sprintf("key%02d", rapid.IntRange(0, 30).Draw(rt, "key"))
	switch rapid.IntRange(0, 4).Draw(rt, "kind") {
	case 0, 1:
		value := rapid.SampledFrom([]string{"", "x", string(make([]byte, 700)), string(make([]byte, 9000))}).Draw(rt, "value")
		if s[tree] == nil {
			s[tree] = map[string]string{}
		}
		s[tree][key] = value
		return putting(tree, key, value)
	case 2, 3:
		delete(s[tree], key)
		return func(tx *Tx) error { return tx.Delete(tree, []byte(key)) }
	}
	if len(s[tree]) > 0 {
		return func(tx *Tx) error {
			if tx.DropTree(tree) == nil {
				return errors.New("a tree with rows was dropped")
			}
			return nil
		}
	}
	delete(s, tree)
	return func(tx *Tx) error { return tx.DropTree(tree) }
}

// TestGroupsOfOperationsMatchAModel runs random groups whose operations are
// stored, refused or panic, and checks that each sees what those before it
// stored.
func TestGroupsOfOperationsMatchAModel(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.db")
	rapid.Check(t, func(rt *rapid.T) {
		d, err := Open(Options{Path: path, NoSync: true})
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = d.Close() }()
		model := state{}
		if err := d.View(func(tx *Tx) (err error) { model, err = dump(tx); return err }); err != nil {
			rt.Fatal(err)
		}
		for range rapid.IntRange(1, 4).Draw(rt, "groups") {
			model = runGroupOfModel(rt, d, model)
		}
		_ = d.View(func(tx *Tx) error {
			got, err := dump(tx)
			if err != nil || !got.equal(model) {
				rt.Fatalf("got %v, want %v, %v", got, model, err)
			}
			return nil
		})
		if err := d.CheckPages(t.Context()); err != nil {
			rt.Fatal(err)
		}
	})
}

func runGroupOfModel(rt *rapid.T, d *DB, model state) state {
	var fns []func(*Tx) error
	var wanted []error
	for range rapid.IntRange(1, 5).Draw(rt, "operations") {
		before, after := model.clone(), model.clone()
		var steps []func(*Tx) error
		for range rapid.IntRange(0, 6).Draw(rt, "steps") {
			steps = append(steps, step(rt, after))
		}
		result := rapid.SampledFrom([]error{nil, nil, errRefused, ErrInternal}).Draw(rt, "result")
		if result == nil {
			model = after
		}
		wanted = append(wanted, result)
		fns = append(fns, func(tx *Tx) error {
			if got, err := dump(tx); err != nil || !got.equal(before) {
				return fmt.Errorf("before: got %v, want %v, %v", got, before, err)
			}
			for _, s := range steps {
				if err := s(tx); err != nil {
					return err
				}
			}
			if got, err := dump(tx); err != nil || !got.equal(after) {
				return fmt.Errorf("after: got %v, want %v, %v", got, after, err)
			}
			if result == ErrInternal {
				panic("in an operation")
			}
			return result
		})
	}
	for i, err := range group(d, fns...) {
		if !errors.Is(err, wanted[i]) {
			rt.Fatalf("operation %d: %v, want %v", i, err, wanted[i])
		}
	}
	return model
}

func TestAPanicHarmsNoOtherOperation(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	runs := 0
	errs := group(d,
		func(tx *Tx) error { runs++; return tx.Put("t", []byte("a"), []byte("1")) },
		func(tx *Tx) error { _ = tx.Put("t", []byte("k"), nil); panic("here") },
		func(tx *Tx) error { _ = tx.Put("t", []byte("k"), nil); return errRefused },
		putting("t", "b", "2"),
	)
	if errs[0] != nil || !errors.Is(errs[1], ErrInternal) || !errors.Is(errs[2], errRefused) || errs[3] != nil {
		t.Errorf("%v", errs)
	}
	if runs != 2 {
		t.Errorf("%d runs", runs)
	}
	want(t, d, "t", "k", "v")
	want(t, d, "t", "a", "1")
	want(t, d, "t", "b", "2")
	if err := d.Err(); err != nil {
		t.Error(err)
	}
}

func TestAPanicInTheCommitHarmsNoOtherOperation(t *testing.T) {
	d := fresh(t)
	d.commitTx = func(tx *bolt.Tx) error {
		if tx.Bucket([]byte("bad")) != nil {
			panic("assertion failed: a page")
		}
		return tx.Commit()
	}
	errs := group(d, putting("t", "a", "1"), putting("bad", "k", "v"), putting("t", "b", "2"))
	var damage *DamageError
	if errs[0] != nil || !errors.As(errs[1], &damage) || errs[2] != nil {
		t.Errorf("%v", errs)
	}
	want(t, d, "t", "a", "1")
	want(t, d, "t", "b", "2")
	want(t, d, "bad", "k", "-")
}

func TestAPanicInAViewIsAnError(t *testing.T) {
	d := fresh(t)
	if err := d.View(func(*Tx) error { panic("here") }); !errors.Is(err, ErrInternal) {
		t.Error(err)
	}
	put(t, d, "t", "k", "v") // the snapshot is closed
	if n := d.bolt.Load().Stats().OpenTxN; n != 0 {
		t.Errorf("%d transactions are open", n)
	}
}

func TestConcurrentCommitsShareTransactions(t *testing.T) {
	d := fresh(t)
	const callers = 200
	var started atomic.Int64
	var wg sync.WaitGroup
	before := d.Stats().Commits
	wg.Go(func() {
		_ = d.Commit(func(tx *Tx) error {
			eventually(t, "all callers started", func() bool { return started.Load() == callers })
			return tx.Put("t", []byte("first"), nil)
		})
	})
	for i := range callers {
		wg.Go(func() {
			started.Add(1)
			if err := d.Commit(putting("t", fmt.Sprint(i), "v")); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := d.Stats().Commits - before; n > callers/10 {
		t.Errorf("%d transactions for %d commits", n, callers)
	}
	for i := range callers {
		want(t, d, "t", fmt.Sprint(i), "v")
	}
}

func TestRefusalsAndReadsCommitNothing(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	before := d.Stats().Commits
	group(d,
		func(tx *Tx) error { _ = tx.Put("t", []byte("k"), nil); return errRefused },
		func(tx *Tx) error { _, err := tx.Get("t", []byte("k")); return err },
	)
	if n := d.Stats().Commits - before; n != 0 {
		t.Errorf("%d commits", n)
	}
}

func TestReadersSeeWholeOperationsOnly(t *testing.T) {
	d := fresh(t)
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				err := d.View(func(tx *Tx) error {
					a, _ := tx.Get("t", []byte("a"))
					b, _ := tx.Get("t", []byte("b"))
					if string(a) != string(b) {
						return fmt.Errorf("a is %q, b is %q", a, b)
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 300 {
		_ = d.Commit(func(tx *Tx) error {
			_ = tx.Put("t", []byte("a"), fmt.Append(nil, i))
			if i%3 == 0 {
				return errRefused
			}
			return tx.Put("t", []byte("b"), fmt.Append(nil, i))
		})
	}
	close(done)
	wg.Wait()
}
