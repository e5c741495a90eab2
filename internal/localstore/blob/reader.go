package blob

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sync"
)

const (
	windowBlocks = 2
	windowSize   = windowBlocks * blockSize
	tableWindow  = 1024 * sumSize // of 64 MiB of data
)

// window is the memory of a Reader while it reads.
type window struct {
	data  [windowSize]byte
	table [tableWindow + footerSize]byte
}

// Reader reads a range of a blob. Close may be called while another goroutine
// reads; otherwise a Reader is for one goroutine.
type Reader struct {
	s      *Store
	id     ID
	file   *os.File
	seeds  seeds
	length int64 // of the data of the blob
	next   int64 // offset of the next byte to load
	end    int64 // offset after the last byte of the range
	w      *window
	ready  []byte // verified bytes in w.data
	sums   []byte // entries in w.table
	first  int64  // the block of sums[0]
	err    error

	mu     sync.Mutex
	busy   bool
	closed bool
}

// Open returns a reader of length bytes at offset. A range that is not inside
// the blob is a *DamageError, as is an absent file: the caller knows from the
// name what the blob must hold.
func (s *Store) Open(id ID, offset, length int64) (*Reader, error) {
	r, err := s.open(id)
	if err != nil {
		return nil, err
	}
	if offset < 0 || length < 0 || offset > r.length || length > r.length-offset {
		_ = r.Close()
		return nil, &DamageError{ID: id, Reason: fmt.Sprintf("it has %d bytes, wanted are %d at %d", r.length, length, offset)}
	}
	r.next, r.end = offset, offset+length
	return r, nil
}

// open returns a reader of nothing.
func (s *Store) open(id ID) (*Reader, error) {
	f, err := os.Open(s.path(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &DamageError{ID: id, Reason: "the file does not exist", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("open blob: %w", err)
	}
	r := &Reader{s: s, id: id, file: f, seeds: newSeeds(id)}
	if err := r.readEnd(); err != nil {
		_ = r.Close()
		return nil, err
	}
	return r, nil
}

// readEnd reads the footer and the end of the table.
func (r *Reader) readEnd() error {
	info, err := r.file.Stat()
	if err != nil {
		return fmt.Errorf("open blob: %w", err)
	}
	size := info.Size()
	if size < footerSize {
		return r.damage("the file is too short")
	}
	r.w, _ = r.s.readers.Get().(*window)
	if r.w == nil {
		r.w = new(window)
	}
	tail := r.w.table[:min(size, int64(len(r.w.table)))]
	if err := r.readAt(tail, size-int64(len(tail))); err != nil {
		return err
	}
	end := len(tail) - footerSize
	length, reason := r.seeds.parseFooter(tail[end:], size)
	if reason != "" {
		return r.damage(reason)
	}
	r.length = length
	n := min(blocks(length), int64(end/sumSize))
	r.sums = tail[int64(end)-n*sumSize : end]
	r.first = blocks(length) - n
	return nil
}

func (r *Reader) damage(reason string) error { return &DamageError{ID: r.id, Reason: reason} }

// readAt fills p. A file that ends early is damaged.
func (r *Reader) readAt(p []byte, offset int64) error {
	n, err := r.file.ReadAt(p, offset)
	if n == len(p) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return r.damage("the file is too short")
	}
	return fmt.Errorf("read blob: %w", err)
}

// Read reads verified bytes. After an error that is not io.EOF no byte follows.
func (r *Reader) Read(p []byte) (int, error) {
	if err := r.enter(); err != nil {
		return 0, err
	}
	defer r.leave()
	if len(p) == 0 {
		return 0, nil
	}
	if err := r.fill(); err != nil {
		return 0, err
	}
	n := copy(p, r.ready)
	r.ready = r.ready[n:]
	return n, nil
}

// WriteTo writes the rest of the range to w, whole blocks at once.
func (r *Reader) WriteTo(w io.Writer) (n int64, err error) {
	if err := r.enter(); err != nil {
		return 0, err
	}
	defer r.leave()
	for {
		if err := r.fill(); err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return n, err
		}
		m, err := w.Write(r.ready)
		n += int64(m)
		r.ready = r.ready[m:]
		if err != nil {
			return n, err
		}
	}
}

// fill loads the next blocks if no verified byte is left, and returns io.EOF at
// the end of the range.
func (r *Reader) fill() error {
	if len(r.ready) > 0 {
		return nil
	}
	if r.err == nil && r.next == r.end {
		return io.EOF
	}
	if r.err == nil {
		r.err = r.load()
	}
	return r.err
}

// load reads and verifies the blocks at r.next.
func (r *Reader) load() error {
	block := r.next / blockSize
	start := block * blockSize
	stop := min(start+windowSize, blocks(r.end)*blockSize, r.length)
	data := r.w.data[:stop-start]
	if err := r.readAt(data, start); err != nil {
		return err
	}
	for at := 0; at < len(data); at += blockSize {
		if err := r.verify(block, data[at:min(at+blockSize, len(data))]); err != nil {
			return err
		}
		block++
	}
	to := min(stop, r.end)
	r.ready = data[r.next-start : to-start]
	r.next = to
	return nil
}

// verify compares a block with its checksum.
func (r *Reader) verify(block int64, data []byte) error {
	if i := block - r.first; i < 0 || i >= int64(len(r.sums)/sumSize) {
		if err := r.loadTable(block); err != nil {
			return err
		}
	}
	want := binary.LittleEndian.Uint32(r.sums[(block-r.first)*sumSize:])
	if crc32.Update(r.seeds.at(block), castagnoli, data) != want {
		return r.damage(fmt.Sprintf("block %d does not match its checksum", block))
	}
	return nil
}

// loadTable reads the entries of the table from block on.
func (r *Reader) loadTable(block int64) error {
	n := min(blocks(r.length)-block, tableWindow/sumSize)
	r.sums, r.first = r.w.table[:n*sumSize], block
	if err := r.readAt(r.sums, r.length+block*sumSize); err != nil {
		r.sums = nil
		return err
	}
	return nil
}

// enter begins a call that uses the window.
func (r *Reader) enter() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return fs.ErrClosed
	}
	r.busy = true
	return nil
}

// leave ends the call and does what a Close meanwhile left over.
func (r *Reader) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.busy = false
	if r.closed {
		_ = r.release()
	}
}

// Close closes the file. During a Read or WriteTo of another goroutine it takes
// effect when that returns. Further calls do nothing.
func (r *Reader) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil
	}
	r.closed = true
	if r.busy {
		return nil
	}
	return r.release()
}

// release returns the window: no slice of it is used afterwards.
func (r *Reader) release() error {
	if r.w != nil {
		r.s.readers.Put(r.w)
	}
	r.w, r.ready, r.sums = nil, nil, nil
	return r.file.Close()
}

// Verify reads the whole blob and returns its length.
func (s *Store) Verify(id ID) (size int64, err error) {
	r, err := s.open(id)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }()
	r.end = r.length
	if _, err := r.WriteTo(io.Discard); err != nil {
		return 0, err
	}
	return r.length, nil
}
