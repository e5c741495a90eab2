package kv

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"
)

func open(t testing.TB, path string) *DB {
	t.Helper()
	d, err := Open(Options{Path: path, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func TestARowIsReadBackAfterReopening(t *testing.T) {
	path := filepath.Join(t.TempDir(), "names.db")
	d := open(t, path)
	if err := d.Commit(func(tx *Tx) error { return tx.Put("t", []byte("k"), []byte("v")) }); err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("refused")
	if err := d.Commit(func(tx *Tx) error {
		_ = tx.Put("t", []byte("k"), []byte("other"))
		return refusal
	}); !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d = open(t, path)
	err := d.View(func(tx *Tx) error {
		v, err := tx.Get("t", []byte("k"))
		if string(v) != "v" {
			t.Errorf("got %q", v)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
