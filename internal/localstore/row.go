package localstore

import (
	"encoding/binary"
	"errors"
	"time"
)

// errRow is a row that cannot be read although its checksum holds: it was
// written by another version of the program.
var errRow = errors.New("localstore: a row has an unknown form")

// rowWriter appends the fields of a row.
type rowWriter struct{ b []byte }

func (w *rowWriter) uint(v uint64)    { w.b = binary.AppendUvarint(w.b, v) }
func (w *rowWriter) int(v int64)      { w.b = binary.AppendVarint(w.b, v) }
func (w *rowWriter) bytes(v []byte)   { w.uint(uint64(len(v))); w.b = append(w.b, v...) }
func (w *rowWriter) string(v string)  { w.uint(uint64(len(v))); w.b = append(w.b, v...) }
func (w *rowWriter) time(v time.Time) { w.int(millis(v)) }

func (w *rowWriter) bool(v bool) {
	n := byte(0)
	if v {
		n = 1
	}
	w.b = append(w.b, n)
}

func (w *rowWriter) pairs(list []Pair) {
	w.uint(uint64(len(list)))
	for _, p := range list {
		w.string(p.Name)
		w.string(p.Value)
	}
}

// rowReader reads the fields in the order in which they were written. After the
// first failure it returns zero values; err reports it at the end.
type rowReader struct {
	b   []byte
	bad bool
}

func (r *rowReader) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	return uint64(r.skip(int64(v), n))
}

func (r *rowReader) int() int64 {
	v, n := binary.Varint(r.b)
	return r.skip(v, n)
}

func (r *rowReader) skip(v int64, n int) int64 {
	if n <= 0 || r.bad {
		r.bad = true
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *rowReader) bytes() []byte {
	n := r.uint()
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *rowReader) string() string  { return string(r.bytes()) }
func (r *rowReader) time() time.Time { return fromMillis(r.int()) }

func (r *rowReader) bool() bool {
	if r.bad || len(r.b) == 0 {
		r.bad = true
		return false
	}
	v := r.b[0] != 0
	r.b = r.b[1:]
	return v
}

// count returns a number of entries, each of at least one byte.
func (r *rowReader) count() int {
	n := r.uint()
	if r.bad || n > uint64(len(r.b)) {
		r.bad = true
		return 0
	}
	return int(n)
}

func (r *rowReader) pairs() []Pair {
	n := r.count()
	if n == 0 {
		return nil
	}
	list := make([]Pair, 0, n)
	for range n {
		list = append(list, Pair{r.string(), r.string()})
	}
	return list
}

func (r *rowReader) err() error {
	if r.bad || len(r.b) != 0 {
		return errRow
	}
	return nil
}

// millis is the form of times in rows: milliseconds since 1970, 0 for the zero
// time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
