package localstore

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/codeguardians/s3gateway/internal/localstore/blob"
)

// defaultInlineMax is up to which size bytes live in the database: below it one
// sync of the database for many objects is cheaper than a file and its syncs for
// each. Measured by BenchmarkInlineThreshold.
const defaultInlineMax = 32 << 10

// copySize is how many bytes of a body are hashed and written at a time.
const copySize = 256 << 10

// buffers are shared by all stores of the process.
var buffers = sync.Pool{New: func() any { b := make([]byte, copySize); return &b }}

// draft is bytes that are on disk, or small enough for a row, and have no name
// yet.
type draft struct {
	sums  *sums
	small []byte       // of a small object
	file  *blob.Writer // of another one; nil for a small or empty one
}

// receive reads a body to its end and checks what was declared. On failure
// nothing is left.
func (s *Store) receive(ctx context.Context, body io.Reader, e Expect, kept string) (*draft, error) {
	limit := int64(MaxPartSize)
	if e.Length > limit {
		return nil, tooLarge(e.Length)
	}
	if err := s.space.room(max(e.Length, 0)); err != nil {
		return nil, err
	}
	hashes, err := newSums(e, kept)
	if err != nil {
		return nil, err
	}
	d := &draft{sums: hashes}
	if err = s.fill(ctx, d, body, limit); err == nil {
		err = hashes.check(e)
	}
	if err != nil {
		d.abandon()
		return nil, s.translate(err)
	}
	return d, nil
}

func tooLarge(size int64) error {
	return refuse(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size: it has %d bytes, the limit is %d.", size, int64(MaxPartSize))
}

// fill copies a body into a draft.
func (s *Store) fill(ctx context.Context, d *draft, body io.Reader, limit int64) error {
	if body == nil {
		return nil
	}
	pooled := buffers.Get().(*[]byte)
	defer buffers.Put(pooled)
	buf := *pooled
	for {
		n, err := readFull(body, buf)
		if d.sums.size+int64(n) > limit {
			return tooLarge(d.sums.size + int64(n))
		}
		d.sums.Write(buf[:n])
		if err != nil && err != io.EOF {
			return &bodyError{err}
		}
		if err := context.Cause(ctx); err != nil {
			return &bodyError{err}
		}
		if failed := s.keep(d, buf[:n], err == io.EOF); failed != nil || err == io.EOF {
			return failed
		}
	}
}

// readFull fills p, or returns the error with which the body ended: io.EOF at
// its end, and io.ErrUnexpectedEOF only where the body itself says so. io.ReadFull
// would say it of both.
func readFull(body io.Reader, p []byte) (n int, err error) {
	for n < len(p) && err == nil {
		var m int
		m, err = body.Read(p[n:])
		n += m
	}
	return n, err
}

// keep writes the next bytes of a draft.
func (s *Store) keep(d *draft, p []byte, last bool) (err error) {
	if d.file == nil && last && int64(len(p)) <= s.inlineMax {
		d.small = append(d.small, p...)
		return nil
	}
	if d.file == nil {
		if d.file, err = s.blobs.Create(); err != nil {
			return s.failed(err)
		}
	}
	if err := s.space.room(int64(len(p))); err != nil {
		return err
	}
	if _, err := d.file.Write(p); err != nil {
		return s.failed(err)
	}
	if !last {
		return nil
	}
	if _, err = d.file.Finish(); err != nil {
		return s.failed(err)
	}
	s.failing.Store(nil)
	return nil
}

// failed notes that a blob could not be written, for Err.
func (s *Store) failed(err error) error {
	err = diskError(err)
	s.failing.Store(&err)
	return err
}

// writable returns nil where blobs can be written. After a failure it tries.
func (s *Store) writable() error {
	failure := s.failing.Load()
	if failure == nil {
		return nil
	}
	probe, err := s.blobs.Create()
	if err != nil {
		return diskError(err)
	}
	defer probe.Abort()
	if _, err := probe.Write(make([]byte, 1)); err != nil {
		return diskError(err)
	}
	if _, err := probe.Finish(); err != nil {
		return diskError(err)
	}
	s.failing.CompareAndSwap(failure, nil)
	return nil
}

// bodyError is an error of the body that was read, not of the store.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "reading the body: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// BodyError returns the error with which reading a body ended, nil where err is
// not about the body.
func BodyError(err error) error {
	var b *bodyError
	if errors.As(err, &b) {
		return b.err
	}
	return nil
}

// abandon removes what was written, unless it was named.
func (d *draft) abandon() {
	if d.file != nil {
		d.file.Abort()
	}
}

// named ends a draft after the transaction that should name it. Only where it is
// certain that nothing was stored, its file is removed at once; otherwise a sweep
// looks whether it has a name.
func (s *Store) named(d *draft, err error) {
	switch {
	case d.file == nil:
	case err == nil:
		d.file.Release()
	case CodeOf(err) == ServiceUnavailable:
		d.file.Release()
		s.unswept.Store(true)
	default:
		d.file.Abort()
	}
}

// content returns the draft as a content of one piece.
func (d *draft) content() content {
	p := piece{size: d.sums.size, checksum: d.sums.kept.Sum(nil)}
	switch {
	case d.file != nil:
		p.segments = []segment{{blob: d.file.ID(), length: d.sums.size}}
	case len(d.small) > 0:
		p.segments = []segment{{length: d.sums.size}}
	}
	return content{pieces: []piece{p}}
}

// store names the draft's bytes. An empty draft has none.
func (t *transaction) store(d *draft) (uint64, error) {
	if d.sums.size == 0 {
		return 0, nil
	}
	return t.addContent(d.content(), d.small)
}
