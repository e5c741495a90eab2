package kv

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/rs/zerolog"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if path := os.Getenv(childEnv); path != "" {
		childMain(path)
	}
	goleak.VerifyTestMain(m)
}

// open opens the database at path until the test ends.
func open(t testing.TB, path string) *DB {
	t.Helper()
	d, err := Open(Options{Path: path, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

// fresh opens a new database.
func fresh(t testing.TB) *DB {
	t.Helper()
	return open(t, filepath.Join(t.TempDir(), "names.db"))
}

func put(t testing.TB, d *DB, tree Tree, key, value string) {
	t.Helper()
	if err := d.Commit(putting(tree, key, value)); err != nil {
		t.Fatal(err)
	}
}

func putting(tree Tree, key, value string) func(*Tx) error {
	return func(tx *Tx) error { return tx.Put(tree, []byte(key), []byte(value)) }
}

// want checks the value of key; absent is "-".
func want(t testing.TB, d *DB, tree Tree, key, value string) {
	t.Helper()
	err := d.View(func(tx *Tx) error {
		v, err := tx.Get(tree, []byte(key))
		got := string(v)
		if v == nil {
			got = "-"
		}
		if got != value {
			t.Errorf("%s %s is %q, want %q", tree, key, got, value)
		}
		return err
	})
	if err != nil {
		t.Errorf("%s %s: %v", tree, key, err)
	}
}

// eventually waits for a condition.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestRowsAreReadBackAfterClose(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	put(t, d, "t", "empty", "")
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, d.o.Path)
	want(t, d, "t", "k", "v")
	want(t, d, "t", "empty", "")
	want(t, d, "t", "other", "-")
	want(t, d, "other", "k", "-")
}

func TestRowsAreReadBackAfterACrash(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	crashed := open(t, crashCopy(t, d.o.Path))
	want(t, crashed, "t", "k", "v")
	put(t, crashed, "t", "k", "w")
	want(t, crashed, "t", "k", "w")
}

func TestACrashBeforeTheCommitLeavesTheStateBefore(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "before")
	var inside string
	err := d.Commit(func(tx *Tx) error {
		defer func() { inside = crashCopy(t, d.o.Path) }()
		return tx.Put("t", []byte("k"), []byte("after"))
	})
	if err != nil {
		t.Fatal(err)
	}
	want(t, open(t, inside), "t", "k", "before")
	want(t, open(t, crashCopy(t, d.o.Path)), "t", "k", "after")
}

func TestACrashWhileTheFileIsCreatedIsNoObstacle(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.db")
	if err := os.WriteFile(path+".new", []byte("torn"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := open(t, path)
	put(t, d, "t", "k", "v")
	if _, err := os.Stat(path + ".new"); !os.IsNotExist(err) {
		t.Errorf("the incomplete file is left: %v", err)
	}
}

func TestTheFileIsLockedAgainstASecondProcess(t *testing.T) {
	d := fresh(t)
	_, err := Open(Options{Path: d.o.Path, Log: zerolog.Nop()})
	if err == nil {
		t.Fatal("the file was opened twice")
	}
	put(t, d, "t", "k", "v")
}

func TestWhatIsReturnedIsACopy(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "value")
	var value, key, scanned []byte
	err := d.View(func(tx *Tx) error {
		value, _ = tx.Get("t", []byte("k"))
		c := tx.Cursor("t")
		c.Seek(nil)
		key = c.Key()
		scanned, _ = c.Value()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		put(t, d, "t", "k", "other")
	}
	if string(value) != "value" || string(scanned) != "value" || string(key) != "k" {
		t.Errorf("got %q, %q, %q", value, scanned, key)
	}
	copy(value, "wrong") // must not be the map, which is read-only
	copy(key, "w")
}

func TestWritesAreRefusedInAView(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	_ = d.View(func(tx *Tx) error {
		_, sequence := tx.Sequence()
		for what, err := range map[string]error{
			"put":      tx.Put("t", []byte("k"), []byte("w")),
			"delete":   tx.Delete("t", []byte("k")),
			"drop":     tx.DropTree("t"),
			"sequence": sequence,
		} {
			if err == nil {
				t.Errorf("%s is not refused", what)
			}
		}
		return nil
	})
	want(t, d, "t", "k", "v")
}

func TestATransactionIsDeadAfterItsEnd(t *testing.T) {
	d := fresh(t)
	var kept *Tx
	if err := d.Commit(func(tx *Tx) error { kept = tx; return tx.Put("t", []byte("k"), nil) }); err != nil {
		t.Fatal(err)
	}
	if _, err := kept.Get("t", []byte("k")); !errors.Is(err, errDone) {
		t.Errorf("get: %v", err)
	}
	if err := kept.Put("t", []byte("k"), nil); !errors.Is(err, errDone) {
		t.Errorf("put: %v", err)
	}
}

func TestOnlyAnEmptyTreeIsDropped(t *testing.T) {
	d := fresh(t)
	put(t, d, "a", "k", "v")
	put(t, d, "b", "k", "v")
	drop := func(tx *Tx) error { return tx.DropTree("a") }
	if err := d.Commit(drop); err == nil {
		t.Fatal("a tree with rows was dropped")
	}
	want(t, d, "a", "k", "v")
	err := d.Commit(func(tx *Tx) error {
		if err := tx.Delete("a", []byte("k")); err != nil {
			return err
		}
		return tx.DropTree("a")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(drop); err != nil {
		t.Errorf("an absent tree: %v", err)
	}
	_ = d.View(func(tx *Tx) error {
		if got := tx.Trees(); !slices.Equal(got, []Tree{"b"}) {
			t.Errorf("trees %v", got)
		}
		return nil
	})
}

func TestTheSequenceNeverGoesBack(t *testing.T) {
	d := fresh(t)
	var last uint64
	take := func(result error) {
		t.Helper()
		var n uint64
		err := d.Commit(func(tx *Tx) (err error) {
			if n, err = tx.Sequence(); err != nil {
				return err
			}
			return result
		})
		if !errors.Is(err, result) {
			t.Fatal(err)
		}
		if n <= last {
			t.Fatalf("%d after %d", n, last)
		}
		last = n
	}
	for i := range 20 {
		take(nil)
		take(errors.New("refused"))
		take(nil)
		switch i % 3 {
		case 0:
			_ = d.Close()
			d = open(t, d.o.Path)
		case 1:
			d = open(t, crashCopy(t, d.o.Path))
		case 2:
			compacted := filepath.Join(t.TempDir(), "compact.db")
			if err := d.Compact(compacted); err != nil {
				t.Fatal(err)
			}
			d = open(t, compacted)
		}
	}
}

func TestCompactKeepsEveryRow(t *testing.T) {
	d := fresh(t)
	fillRows(t, d, 20_000)
	err := d.Commit(func(tx *Tx) error {
		for i := range 19_000 {
			if err := tx.Delete("rows", rowKey(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "compact.db")
	if err := d.Compact(path); err != nil {
		t.Fatal(err)
	}
	if err := d.Compact(path); !errors.Is(err, os.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	small := open(t, path)
	if was, is := d.Stats().Size, small.Stats().Size; is > was/4 {
		t.Errorf("%d bytes of %d", is, was)
	}
	err = small.View(func(tx *Tx) error {
		c, i := tx.Cursor("rows"), 19_000
		for ok := c.Seek(nil); ok; ok = c.Next() {
			if value, err := c.Value(); err != nil || len(value) != 100 || string(c.Key()) != string(rowKey(i)) {
				return fmt.Errorf("row %d: %q %v", i, c.Key(), err)
			}
			i++
		}
		if i != 20_000 {
			return fmt.Errorf("%d rows", i)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := small.CheckPages(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReadOnlyChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.db")
	if _, err := Open(Options{Path: path, ReadOnly: true}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
	d := open(t, path)
	put(t, d, "t", "k", "v")
	for _, path := range []string{crashCopy(t, path), path} {
		_ = d.Close()
		before, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		reader, err := Open(Options{Path: path, ReadOnly: true, Log: zerolog.Nop()})
		if err != nil {
			t.Fatal(err)
		}
		want(t, reader, "t", "k", "v")
		if err := reader.CheckPages(t.Context()); err != nil {
			t.Error(err)
		}
		if err := reader.Commit(putting("t", "k", "w")); !errors.Is(err, ErrReadOnly) {
			t.Errorf("commit: %v", err)
		}
		_ = reader.Stats()
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
		if after, err := os.ReadFile(path); err != nil || !slices.Equal(before, after) {
			t.Errorf("the file has changed, %v", err)
		}
	}
}

func TestCloseEndsWhatFollows(t *testing.T) {
	d := fresh(t)
	put(t, d, "t", "k", "v")
	for range 2 {
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Commit(putting("t", "k", "w")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("commit: %v", err)
	}
	if err := d.View(func(*Tx) error { return nil }); !errors.Is(err, ErrUnavailable) {
		t.Errorf("view: %v", err)
	}
	if err := d.Err(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("err: %v", err)
	}
	if err := d.Compact(filepath.Join(t.TempDir(), "c.db")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("compact: %v", err)
	}
	_ = d.Stats()
}
