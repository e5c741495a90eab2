package blob

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// writeBuffer is the size of the buffer between Write and the file.
const writeBuffer = 128 << 10

var errFinished = errors.New("the blob is finished")

// Writer writes a new blob. It is for one goroutine. Its memory is a buffer and
// four bytes per block.
type Writer struct {
	s     *Store
	id    ID
	file  *os.File // nil when closed
	buf   *bufio.Writer
	seeds seeds
	table []byte
	sum   uint32 // of the block so far
	fill  int    // bytes of the block so far
	size  int64
	err   error // the first failure
	named bool  // released or aborted
}

// Create starts a blob. It counts as unfinished until Release or Abort, one of
// which the caller must call.
func (s *Store) Create() (*Writer, error) {
	const attempts = 3
	for range attempts {
		w, err := s.create()
		if !errors.Is(err, fs.ErrExist) {
			return w, err
		}
	}
	return nil, errors.New("create blob: the random ids repeat")
}

func (s *Store) create() (*Writer, error) {
	var id ID
	if _, err := io.ReadFull(s.o.Random, id[:]); err != nil {
		return nil, fmt.Errorf("create blob: %w", err)
	}
	if !s.register(id) {
		return nil, fs.ErrExist
	}
	f, err := os.OpenFile(s.path(id), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		s.unregister(id)
		return nil, fmt.Errorf("create blob: %w", err)
	}
	w := &Writer{s: s, id: id, file: f, seeds: newSeeds(id)}
	w.sum = w.seeds.at(0)
	if b, ok := s.writers.Get().(*bufio.Writer); ok {
		w.buf = b
		w.buf.Reset(f)
	} else {
		w.buf = bufio.NewWriterSize(f, writeBuffer)
	}
	return w, nil
}

// register notes an unfinished blob, before its file exists: the file must not
// be taken for a leftover of a crash.
func (s *Store) register(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.unfinished[id]; ok {
		return false
	}
	s.unfinished[id] = struct{}{}
	return true
}

func (s *Store) unregister(id ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.unfinished, id)
}

// ID returns the id of the blob.
func (w *Writer) ID() ID { return w.id }

// Write appends p to the blob. After an error the blob cannot be finished.
func (w *Writer) Write(p []byte) (int, error) {
	if w.file == nil {
		return 0, errFinished
	}
	if w.err != nil {
		return 0, w.err
	}
	n, err := w.buf.Write(p)
	w.size += int64(n)
	w.hash(p[:n])
	if err != nil {
		w.err = fmt.Errorf("write blob: %w", err)
	}
	return n, w.err
}

// hash adds p to the checksums.
func (w *Writer) hash(p []byte) {
	for len(p) > 0 {
		n := min(len(p), blockSize-w.fill)
		w.sum = crc32.Update(w.sum, castagnoli, p[:n])
		w.fill += n
		p = p[n:]
		if w.fill == blockSize {
			w.endBlock()
		}
	}
}

func (w *Writer) endBlock() {
	w.table = binary.LittleEndian.AppendUint32(w.table, w.sum)
	w.sum = w.seeds.at(int64(len(w.table) / sumSize))
	w.fill = 0
}

// Finish completes the file, syncs it and its folder and closes it. It returns
// the number of bytes of data. After an error the caller must call Abort.
func (w *Writer) Finish() (size int64, err error) {
	if w.file == nil {
		return 0, errFinished
	}
	if w.err == nil {
		w.err = w.complete()
	}
	if err := w.close(); w.err == nil && err != nil {
		w.err = fmt.Errorf("close blob: %w", err)
	}
	if w.err != nil {
		return 0, w.err
	}
	return w.size, nil
}

func (w *Writer) complete() error {
	if w.fill > 0 {
		w.endBlock()
	}
	if _, err := w.buf.Write(w.table); err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	if _, err := w.buf.Write(w.seeds.footer(w.size)); err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	if err := w.buf.Flush(); err != nil {
		return fmt.Errorf("write blob: %w", err)
	}
	if w.s.o.NoSync {
		return nil
	}
	if err := w.file.Sync(); err != nil {
		return fmt.Errorf("sync blob: %w", err)
	}
	if err := w.s.syncDir(filepath.Dir(w.file.Name())); err != nil {
		return fmt.Errorf("sync folder of blob: %w", err)
	}
	return nil
}

// close closes the file and returns the buffer.
func (w *Writer) close() error {
	if w.file == nil {
		return nil
	}
	err := w.file.Close()
	w.file = nil
	w.buf.Reset(nil)
	w.s.writers.Put(w.buf)
	w.buf = nil
	return err
}

// Release ends the account of the blob as unfinished. It is called after the
// transaction that names the blob has ended, also if its outcome is unknown.
// A blob that was not finished is left incomplete, for the caller's sweep.
func (w *Writer) Release() {
	if w.named {
		return
	}
	w.named = true
	_ = w.close()
	w.s.unregister(w.id)
}

// Abort removes the file. It may be called after Finish; after Release it does
// nothing.
func (w *Writer) Abort() {
	if w.named {
		return
	}
	w.named = true
	_ = w.close()
	if err := w.s.Remove(w.id); err != nil {
		w.s.o.Log.Warn().Err(err).Msg("an unfinished blob is left for the sweep")
	}
	w.s.unregister(w.id)
}
