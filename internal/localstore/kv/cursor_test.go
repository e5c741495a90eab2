package kv

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// TestACursorMatchesAModelWhileRowsChange moves a cursor over several pages and
// puts and deletes rows on the way, also all rows of a page.
func TestACursorMatchesAModelWhileRowsChange(t *testing.T) {
	d := fresh(t)
	const rows = 120
	key := func(i int) string { return fmt.Sprintf("key%03d", i) }
	err := d.Commit(func(tx *Tx) error {
		for i := range rows {
			if err := tx.Put("t", []byte(key(i)), make([]byte, 300)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		err := d.Commit(func(tx *Tx) error {
			moveAndChange(rt, tx, key, rows)
			return errRefused
		})
		if !errors.Is(err, errRefused) {
			rt.Fatal(err)
		}
	})
}

func moveAndChange(rt *rapid.T, tx *Tx, key func(int) string, rows int) {
	keys := make([]string, rows) // sorted
	for i := range keys {
		keys[i] = key(i)
	}
	c, at := tx.Cursor("t"), "" // at is the key of the cursor, "" if none
	set := func(i int) {
		at = ""
		if i >= 0 && i < len(keys) {
			at = keys[i]
		}
	}
	for range rapid.IntRange(1, 60).Draw(rt, "moves") {
		k := key(rapid.IntRange(0, rows-1).Draw(rt, "key"))
		i, found := slices.BinarySearch(keys, at)
		var ok bool
		switch kind := rapid.IntRange(0, 9).Draw(rt, "kind"); kind {
		case 0:
			ok = c.Seek([]byte(k))
			to, _ := slices.BinarySearch(keys, k)
			set(to)
		case 1:
			ok = c.Last()
			set(len(keys) - 1)
		case 2, 3, 4:
			ok = c.Next()
			if at != "" && found {
				i++
			}
			if at != "" {
				set(i)
			}
		case 5, 6:
			ok = c.Prev()
			if at != "" {
				set(i - 1)
			}
		default:
			keys = changeRows(rt, tx, keys, k, kind)
			continue
		}
		if got := string(c.Key()); got != at || ok != (at != "") {
			rt.Fatalf("at %q (%v), want %q", got, ok, at)
		}
		if value, err := c.Value(); err != nil || at != "" && len(value) != 300 {
			rt.Fatalf("value %q %v", value, err)
		}
	}
}

// changeRows puts a row, deletes one or deletes many that follow each other.
func changeRows(rt *rapid.T, tx *Tx, keys []string, k string, kind int) []string {
	i, found := slices.BinarySearch(keys, k)
	n := 1
	switch kind {
	case 7:
		if err := tx.Put("t", []byte(k), make([]byte, 300)); err != nil {
			rt.Fatal(err)
		}
		if !found {
			keys = slices.Insert(keys, i, k)
		}
		return keys
	case 8:
		n = rapid.IntRange(1, 60).Draw(rt, "count")
	}
	for range n {
		if i >= len(keys) {
			break
		}
		if err := tx.Delete("t", []byte(keys[i])); err != nil {
			rt.Fatal(err)
		}
		keys = slices.Delete(keys, i, i+1)
	}
	return keys
}

func TestACursorOfAnAbsentTreeIsEmpty(t *testing.T) {
	d := fresh(t)
	_ = d.View(func(tx *Tx) error {
		c := tx.Cursor("none")
		if c.Seek(nil) || c.Last() || c.Next() || c.Prev() || c.Key() != nil {
			t.Error("it has rows")
		}
		return nil
	})
}

func TestAScanThatDeletesEveryRowEnds(t *testing.T) {
	d := fresh(t)
	fillRows(t, d, 5000)
	err := d.Commit(func(tx *Tx) error {
		c, n := tx.Cursor("rows"), 0
		for ok := c.Seek(nil); ok; ok = c.Next() {
			if err := tx.Delete("rows", c.Key()); err != nil {
				return err
			}
			n++
		}
		if n != 5000 {
			return fmt.Errorf("%d rows", n)
		}
		return tx.DropTree("rows")
	})
	if err != nil {
		t.Fatal(err)
	}
}
