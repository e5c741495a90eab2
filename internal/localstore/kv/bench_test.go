package kv

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// fillRows puts n small rows in large groups.
func fillRows(t testing.TB, d *DB, n int) {
	t.Helper()
	const batch = 10_000
	for at := 0; at < n; at += batch {
		err := d.Commit(func(tx *Tx) error {
			for i := at; i < min(at+batch, n); i++ {
				if err := tx.Put("rows", rowKey(i), make([]byte, 100)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func rowKey(i int) []byte { return fmt.Appendf(nil, "folder/object-%09d", i) }

// crashCopy returns a copy of the file of an open database.
func crashCopy(t testing.TB, path string) string {
	t.Helper()
	from, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	copied := filepath.Join(t.TempDir(), "crashed.db")
	to, err := os.Create(copied)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = to.Close() }()
	if _, err := io.Copy(to, from); err != nil {
		t.Fatal(err)
	}
	if err := to.Sync(); err != nil {
		t.Fatal(err)
	}
	return copied
}

func BenchmarkCommit(b *testing.B) {
	for _, callers := range []int{1, 16} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			d := open(b, filepath.Join(b.TempDir(), "names.db"))
			var next atomic.Int64
			b.SetParallelism(callers) // times GOMAXPROCS=1, see -cpu
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := int(next.Add(1))
					if err := d.Commit(func(tx *Tx) error { return tx.Put("rows", rowKey(i), make([]byte, 100)) }); err != nil {
						b.Error(err)
						return
					}
				}
			})
			s := d.Stats()
			b.ReportMetric(float64(s.Operations)/float64(s.Commits), "operations/commit")
		})
	}
}

func BenchmarkGet(b *testing.B) {
	d := open(b, filepath.Join(b.TempDir(), "names.db"))
	const rows = 100_000
	fillRows(b, d, rows)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i = (i + 7919) % rows
		err := d.View(func(tx *Tx) error {
			_, err := tx.Get("rows", rowKey(i))
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStartWithAMillionRows(b *testing.B) {
	path := filepath.Join(b.TempDir(), "names.db")
	d := open(b, path)
	fillRows(b, d, 1_000_000)
	crashed := crashCopy(b, path)
	if err := d.Close(); err != nil {
		b.Fatal(err)
	}
	b.Run("clean", func(b *testing.B) {
		for b.Loop() {
			if err := open(b, path).Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("after a crash", func(b *testing.B) {
		for b.Loop() {
			again := crashCopy(b, crashed)
			start := time.Now()
			d := open(b, again)
			b.ReportMetric(time.Since(start).Seconds(), "s/start")
			if err := d.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkPutAfterDeletingNineInTen(b *testing.B) {
	path := filepath.Join(b.TempDir(), "names.db")
	d := open(b, path)
	const rows = 1_000_000
	fillRows(b, d, rows)
	put := func(b *testing.B) {
		i := 0
		for b.Loop() {
			i++
			if err := d.Commit(func(tx *Tx) error { return tx.Put("rows", rowKey(i*17%rows), make([]byte, 100)) }); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("before", put)
	for at := 0; at < rows; at += 10_000 {
		err := d.Commit(func(tx *Tx) error {
			for i := at; i < at+9_000; i++ {
				if err := tx.Delete("rows", rowKey(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.Run("after", put)
	b.ReportMetric(float64(d.Stats().FreePages), "free-pages")
}
