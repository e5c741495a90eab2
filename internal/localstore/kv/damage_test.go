package kv

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rs/zerolog"
)

// closedFile returns the content of a database of two trees, closed cleanly,
// and its rows.
func closedFile(t *testing.T) ([]byte, map[string]string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "names.db")
	d := open(t, path)
	rows := map[string]string{}
	err := d.Commit(func(tx *Tx) error {
		for i := range 600 {
			key, value := fmt.Sprintf("key-%04d", i*7919%600), strings.Repeat(fmt.Sprint(i, " "), 1+i%40)
			rows[key] = value
			if err := tx.Put("t", []byte(key), []byte(value)); err != nil {
				return err
			}
		}
		return tx.Put("small", []byte("inline"), []byte("row"))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := readMeta(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return content[:m.pages*m.pageSize], rows
}

// verdict is what a damaged database shows.
type verdict struct {
	refused, wrong, failed, hidden int
	check                          error
}

func examine(t *testing.T, path string, content []byte, rows map[string]string) (v verdict) {
	t.Helper()
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := Open(Options{Path: path, NoSync: true, Log: zerolog.Nop()})
	if err != nil {
		return verdict{refused: 1}
	}
	defer func() { _ = d.Close() }()
	for key, value := range rows {
		err := d.View(func(tx *Tx) error {
			got, err := tx.Get("t", []byte(key))
			switch {
			case err == nil && got == nil:
				v.hidden++
			case err == nil && string(got) != value:
				v.wrong++
			}
			return err
		})
		if err != nil {
			v.failed++
		}
	}
	v.check = d.CheckPages(t.Context())
	return v
}

// TestAFlippedBitIsNeverServed flips random bits of the file. A row that cannot
// be found any more must be one that CheckPages knows of.
func TestAFlippedBitIsNeverServed(t *testing.T) {
	content, rows := closedFile(t)
	m, err := readMeta(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "damaged.db")
	var found verdict
	for range 600 {
		bit := random.IntN(len(content) * 8)
		damaged := bytes.Clone(content)
		damaged[bit/8] ^= 1 << (bit % 8)
		v := examine(t, path, damaged, rows)
		if v.wrong > 0 || v.hidden > 0 && v.check == nil {
			t.Errorf("bit %d (page %d, byte %d): %+v", bit, bit/8/int(m.pageSize), bit/8%int(m.pageSize), v)
		}
		found.refused += v.refused
		found.failed += v.failed
		found.hidden += v.hidden
	}
	t.Logf("%+v", found)
	if found.failed == 0 {
		t.Error("no row failed: the test damages nothing")
	}
}

func TestADamagedRowLeavesTheOthers(t *testing.T) {
	content, rows := closedFile(t)
	at := bytes.Index(content, []byte("key-0300"+"\x00")) // its page, not the branch
	for i := range content {
		if bytes.HasPrefix(content[i:], []byte("key-0300")) {
			at = i // the last one is of the last commit
		}
	}
	damaged := bytes.Clone(content)
	damaged[at+len("key-0300")+6] ^= 0x40
	path := filepath.Join(t.TempDir(), "damaged.db")
	if v := examine(t, path, damaged, rows); v.failed != 1 || v.hidden != 0 || v.check != nil {
		t.Errorf("%+v", v)
	}
	d := open(t, path)
	err := d.View(func(tx *Tx) error {
		_, err := tx.Get("t", []byte("key-0300"))
		return err
	})
	var damage *DamageError
	if !errors.As(err, &damage) || damage.Tree != "t" || string(damage.Key) != "key-0300" {
		t.Errorf("%v", err)
	}
	scanned, bad := 0, 0
	_ = d.View(func(tx *Tx) error {
		c := tx.Cursor("t")
		for ok := c.Seek(nil); ok; ok = c.Next() {
			scanned++
			if _, err := c.Value(); errors.As(err, &damage) {
				bad++
			}
		}
		return nil
	})
	if scanned != len(rows) || bad != 1 {
		t.Errorf("%d rows, %d damaged", scanned, bad)
	}
	put(t, d, "t", "key-0300", "new")
	want(t, d, "t", "key-0300", "new")
	if err := d.Commit(func(tx *Tx) error { return tx.Delete("t", []byte("key-0300")) }); err != nil {
		t.Error(err)
	}
}

func TestADamagedKeyIsNotTakenForAnAbsentOne(t *testing.T) {
	content, rows := closedFile(t)
	path := filepath.Join(t.TempDir(), "damaged.db")
	for bit := range 8 * len("key-0300") {
		damaged := bytes.Clone(content)
		at := bytes.LastIndex(damaged, []byte("key-0300"))
		damaged[at+bit/8] ^= 1 << (bit % 8)
		if v := examine(t, path, damaged, rows); v.hidden > 0 || v.wrong > 0 || v.failed == 0 {
			t.Errorf("bit %d: %+v", bit, v)
		}
	}
}

func TestADamagedSequenceIsNotCountedOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.db")
	d := open(t, path)
	take := func(tx *Tx) error { _, err := tx.Sequence(); return err }
	if err := d.Commit(take); err != nil {
		t.Fatal(err)
	}
	put(t, d, "t", "k", "v")
	_ = d.Close()
	content, _ := os.ReadFile(path)
	at := bytes.LastIndex(content, []byte("sequence"))
	content[at+len("sequence")+sumSize+7] ^= 1
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	d = open(t, path)
	var damage *DamageError
	if err := d.Commit(take); !errors.As(err, &damage) {
		t.Errorf("commit: %v", err)
	}
	if err := d.CheckPages(t.Context()); !errors.As(err, &damage) {
		t.Errorf("check: %v", err)
	}
	want(t, d, "t", "k", "v")
}

// TestADamagedPageAfterACrashIsAnError covers the start that reads every page.
func TestADamagedPageAfterACrashIsAnError(t *testing.T) {
	d := fresh(t)
	fillRows(t, d, 5000)
	crashed, err := os.ReadFile(d.o.Path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := readMeta(bytes.NewReader(crashed))
	if err != nil || m.freelist != noFreelist {
		t.Fatal(m, err)
	}
	at := bytes.LastIndex(crashed, rowKey(2500)) / int(m.pageSize) * int(m.pageSize)
	path := filepath.Join(t.TempDir(), "damaged.db")
	for name, damage := range map[string]func(page []byte){
		"id":    func(p []byte) { p[0] ^= 1 },
		"type":  func(p []byte) { p[8] ^= 4 },
		"count": func(p []byte) { p[10] ^= 2 },
	} {
		content := bytes.Clone(crashed)
		damage(content[at:])
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Options{Path: path, Log: zerolog.Nop()})
		var damaged *DamageError
		page := fmt.Sprintf("page %d", at/int(m.pageSize))
		if !errors.As(err, &damaged) || !strings.Contains(err.Error(), page) {
			t.Errorf("%s: %v", name, err)
		}
		reader, err := Open(Options{Path: path, ReadOnly: true, Log: zerolog.Nop()})
		if err != nil {
			t.Errorf("%s: read-only: %v", name, err)
			continue
		}
		if err := reader.CheckPages(t.Context()); !errors.As(err, &damaged) || !strings.Contains(err.Error(), page) {
			t.Errorf("%s: read-only: %v", name, err)
		}
		if err := reader.Compact(path + ".compact"); !errors.As(err, &damaged) {
			t.Errorf("%s: compact: %v", name, err)
		}
		want(t, reader, "rows", string(rowKey(1)), string(make([]byte, 100)))
		_ = reader.Close()
	}
}

// TestUnreadableMemoryIsAnError cuts the file under the mapping, so that
// reading it is a fault.
func TestUnreadableMemoryIsAnError(t *testing.T) {
	d := fresh(t)
	fillRows(t, d, 5000)
	put(t, d, "other", "k", "v")
	info, err := os.Stat(d.o.Path)
	if err != nil {
		t.Fatal(err)
	}
	size := int64(os.Getpagesize())
	if err := os.Truncate(d.o.Path, 2*size); err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	err = d.View(func(tx *Tx) error { _, err := tx.Get("rows", rowKey(2500)); return err })
	if !errors.As(err, &damage) {
		t.Errorf("view: %v", err)
	}
	err = d.Commit(func(tx *Tx) error { return tx.Put("rows", rowKey(2500), nil) })
	if !errors.As(err, &damage) {
		t.Errorf("commit: %v", err)
	}
	if err := d.CheckPages(t.Context()); err == nil {
		t.Error("CheckPages finds nothing")
	}
	if d.Stats().Panics == 0 {
		t.Error("no fault is counted")
	}
	// The process must live; the file need not.
	_ = os.Truncate(d.o.Path, info.Size())
}
