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

// tableWindow is how much of the table of checksums a Reader holds, in bytes: that
// of 8 MiB of data.
const tableWindow = 1024 * sumSize

// window is the memory of a Reader: the end of the table, and the footer behind it.
type window [tableWindow + footerSize]byte

// Reader reads a range of a blob. It reads into the caller's buffer and holds no
// block of its own, unless that buffer is smaller than a block. Close may be called
// while another goroutine reads; otherwise a Reader is for one goroutine.
type Reader struct {
	s      *Store
	id     ID
	file   *os.File
	seeds  seeds
	length int64 // of the data of the blob
	next   int64 // offset of the next byte to load
	end    int64 // offset after the last byte of the range
	w      *window
	sums   []byte // entries in w
	first  int64  // the block of sums[0]
	block  *[blockSize]byte
	ready  []byte // verified bytes in block, which is nil without any
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
	r.w = r.s.windows.Get().(*window)
	tail := r.w[:min(size, int64(len(r.w)))]
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
	switch {
	case len(p) == 0:
		return 0, nil
	case len(r.ready) > 0:
		return r.take(p), nil
	case r.err != nil:
		return 0, r.err
	case r.next == r.end:
		return 0, io.EOF
	}
	start := r.next - r.next%blockSize
	if stop := min(start+blockSize, r.length); int64(len(p)) < stop-start {
		r.err = r.loadBlock(start, stop)
		return r.take(p), r.err
	}
	n, err := r.load(p, start)
	if r.err = err; n > 0 {
		err = nil
	}
	return n, err
}

// load reads as many blocks from start on as p holds, verifies them there and
// returns how many bytes of the range p then begins with: those before a block
// that is damaged.
func (r *Reader) load(p []byte, start int64) (int, error) {
	whole := max(int64(len(p))/blockSize*blockSize, 1) // 1 for a last block that is shorter
	stop := min(start+whole, r.end)
	stop = min((stop+blockSize-1)/blockSize*blockSize, r.length)
	data := p[:stop-start]
	if err := r.readAt(data, start); err != nil {
		return 0, err
	}
	good, err := r.verifyAll(data, start/blockSize)
	from, to := r.next-start, min(int64(good), r.end-start)
	if to <= from {
		return 0, err
	}
	r.next = start + to
	return copy(p, data[from:to]), err
}

// verifyAll verifies blocks and returns how many bytes of them are good.
func (r *Reader) verifyAll(data []byte, block int64) (good int, err error) {
	for good < len(data) {
		end := min(good+blockSize, len(data))
		if err := r.verify(block, data[good:end]); err != nil {
			return good, err
		}
		good = end
		block++
	}
	return good, nil
}

// loadBlock reads and verifies one block into memory of the Reader's own.
func (r *Reader) loadBlock(start, stop int64) error {
	r.block = r.s.blocks.Get().(*[blockSize]byte)
	data := r.block[:stop-start]
	err := r.readAt(data, start)
	if err == nil {
		err = r.verify(start/blockSize, data)
	}
	if err != nil {
		r.dropBlock()
		return err
	}
	to := min(stop, r.end)
	r.ready = data[r.next-start : to-start]
	r.next = to
	return nil
}

// take copies verified bytes and gives the block back with the last one.
func (r *Reader) take(p []byte) int {
	n := copy(p, r.ready)
	if r.ready = r.ready[n:]; len(r.ready) == 0 {
		r.dropBlock()
	}
	return n
}

func (r *Reader) dropBlock() {
	if r.block != nil {
		r.s.blocks.Put(r.block)
	}
	r.block, r.ready = nil, nil
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
	r.sums, r.first = r.w[:n*sumSize], block
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

// release returns the memory: no slice of it is used afterwards.
func (r *Reader) release() error {
	if r.w != nil {
		r.s.windows.Put(r.w)
	}
	r.dropBlock()
	r.w, r.sums = nil, nil
	return r.file.Close()
}

// verifyBuffer is how much Verify reads at once, in bytes.
const verifyBuffer = 128 << 10

// Verify reads the whole blob and returns its length.
func (s *Store) Verify(id ID) (size int64, err error) {
	r, err := s.open(id)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }()
	r.end = r.length
	buf := make([]byte, min(blocks(r.length)*blockSize, verifyBuffer))
	for r.next < r.end {
		if _, err := r.Read(buf); err != nil {
			return 0, err
		}
	}
	return r.length, nil
}
