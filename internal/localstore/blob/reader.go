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
	tableWindow  = 1024 * sumSize // of 8 MiB of data
	verifyBuffer = 128 << 10
)

// tableBuffer holds a part of the table, and at first the footer.
type tableBuffer [tableWindow + footerSize]byte

// A Reader holds a tableBuffer until it is closed, but a block only while a part
// of it is unread: a client that stands still must cost little.
var (
	tables        = sync.Pool{New: func() any { return new(tableBuffer) }}
	blockBuffers  = sync.Pool{New: func() any { return new([blockSize]byte) }}
	verifyBuffers = sync.Pool{New: func() any { return new([verifyBuffer]byte) }}
)

// Reader reads a range of a blob. Close may be called while another goroutine
// reads; otherwise a Reader is for one goroutine.
type Reader struct {
	id     ID
	file   *os.File
	seeds  seeds
	length int64 // of the data of the blob
	next   int64 // offset of the next byte to load
	end    int64 // offset after the last byte of the range
	table  *tableBuffer
	sums   []byte           // entries in table
	first  int64            // the block of sums[0]
	block  *[blockSize]byte // nil unless rest is in it
	rest   []byte           // verified bytes of block
	err    error            // of what is at next

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
	r := &Reader{id: id, file: f, seeds: newSeeds(id)}
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
	r.table = tables.Get().(*tableBuffer)
	tail := r.table[:min(size, int64(len(r.table)))]
	if _, err := r.readAt(tail, size-int64(len(tail))); err != nil {
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

// readAt fills p, or returns how much it could fill and why no more. A file that
// ends early is damaged.
func (r *Reader) readAt(p []byte, offset int64) (int, error) {
	n, err := r.file.ReadAt(p, offset)
	if n == len(p) {
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		return n, r.damage("the file is too short")
	}
	return n, fmt.Errorf("read blob: %w", err)
}

// Read reads verified bytes. It may use the rest of p for bytes that are not. An
// error comes after all bytes before it; after one that is not io.EOF no byte
// follows.
func (r *Reader) Read(p []byte) (int, error) {
	if err := r.enter(); err != nil {
		return 0, err
	}
	defer r.leave()
	switch {
	case len(p) == 0:
		return 0, nil
	case len(r.rest) > 0:
		return r.readRest(p), nil
	case r.err != nil:
		return 0, r.err
	case r.next == r.end:
		return 0, io.EOF
	}
	if n := r.fitting(len(p)); n > 0 {
		return r.readBlocks(p[:n])
	}
	return r.readPart(p)
}

// readBlocks reads whole blocks into p, which has their length.
func (r *Reader) readBlocks(p []byte) (int, error) {
	n := copy(p, r.load(p)) // from the middle of p, where the range begins inside of a block
	if n == 0 {
		return 0, r.err
	}
	return n, nil
}

// readPart reads a part of a block that p is too small for.
func (r *Reader) readPart(p []byte) (int, error) {
	r.block = blockBuffers.Get().(*[blockSize]byte)
	r.rest = r.load(r.block[:r.fitting(blockSize)])
	if len(r.rest) == 0 {
		r.releaseBlock()
		return 0, r.err
	}
	return r.readRest(p), nil
}

// readRest reads from the block of which a part was read before.
func (r *Reader) readRest(p []byte) int {
	n := copy(p, r.rest)
	if r.rest = r.rest[n:]; len(r.rest) == 0 {
		r.releaseBlock()
	}
	return n
}

// fitting returns the length of those blocks, from the one of r.next to the last
// of the range, that fit into n bytes. The last block of a blob may be short.
func (r *Reader) fitting(n int) int {
	start := r.next / blockSize * blockSize
	if left := min(blocks(r.end)*blockSize, r.length) - start; left <= int64(n) {
		return int(left)
	}
	return n / blockSize * blockSize
}

// load reads the blocks from the one of r.next on into p, which has their length,
// and returns their bytes of the range. It stops at a block that cannot be read or
// verified and sets r.err.
func (r *Reader) load(p []byte) []byte {
	block := r.next / blockSize
	start := block * blockSize
	n, err := r.readAt(p, start)
	good := 0
	for good < len(p) && r.err == nil {
		stop := min(good+blockSize, len(p))
		if stop > n {
			r.err = err
		} else if r.err = r.verify(block, p[good:stop]); r.err == nil {
			good = stop
			block++
		}
	}
	if good == 0 {
		return nil
	}
	to := min(start+int64(good), r.end)
	ready := p[r.next-start : to-start]
	r.next = to
	return ready
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
	r.sums, r.first = r.table[:n*sumSize], block
	if _, err := r.readAt(r.sums, r.length+block*sumSize); err != nil {
		r.sums = nil
		return err
	}
	return nil
}

// enter begins a call that uses the memory of the reader.
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

// Close closes the file. During a Read of another goroutine it takes effect
// when that returns. Further calls do nothing.
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

// release returns the buffers: no slice of them is used afterwards.
func (r *Reader) release() error {
	r.releaseBlock()
	if r.table != nil {
		tables.Put(r.table)
	}
	r.table, r.sums = nil, nil
	return r.file.Close()
}

func (r *Reader) releaseBlock() {
	if r.block != nil {
		blockBuffers.Put(r.block)
	}
	r.block, r.rest = nil, nil
}

// Verify reads the whole blob and returns its length.
func (s *Store) Verify(id ID) (size int64, err error) {
	r, err := s.open(id)
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }()
	r.end = r.length
	buf := verifyBuffers.Get().(*[verifyBuffer]byte)
	defer verifyBuffers.Put(buf)
	for err == nil {
		_, err = r.Read(buf[:])
	}
	if !errors.Is(err, io.EOF) {
		return 0, err
	}
	return r.length, nil
}
