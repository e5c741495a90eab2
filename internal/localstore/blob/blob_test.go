package blob

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fresh opens a new store that does not sync.
func fresh(t testing.TB) *Store {
	t.Helper()
	return openAt(t, t.TempDir(), true)
}

func openAt(t testing.TB, dir string, noSync bool) *Store {
	t.Helper()
	s, err := Open(Options{Dir: dir, NoSync: noSync})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// bytesOf returns n bytes that do not repeat.
func bytesOf(n int) []byte {
	b := make([]byte, n)
	random := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = random.Read(b)
	return b
}

// store writes a blob in pieces and releases it.
func store(t testing.TB, s *Store, data []byte, pieces int) ID {
	t.Helper()
	w, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 {
		n := min(pieces, len(data))
		if m, err := w.Write(data[:n]); m != n || err != nil {
			t.Fatal(m, err)
		}
		data = data[n:]
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	w.Release()
	return w.ID()
}

func readAll(s *Store, id ID, offset, length int64) ([]byte, error) {
	r, err := s.Open(id, offset, length)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}

// sizes are lengths around the borders of blocks and of the large buffer of
// package relay.
var sizes = []int{0, 1, 100, blockSize - 1, blockSize, blockSize + 1, 128<<10 - 1, 128 << 10, 128<<10 + 1, 5*blockSize + 17}

// bufferSizes are those of buffers that hold a part of a block, one or many.
var bufferSizes = []int{1, 100, 4096, blockSize - 1, blockSize, blockSize + 1, 128 << 10}

func TestABlobOfEachSizeIsReadBack(t *testing.T) {
	s := openAt(t, t.TempDir(), false)
	for _, size := range sizes {
		for _, pieces := range []int{1000, blockSize, 1 << 20} {
			data := bytesOf(size)
			id := store(t, s, data, pieces)
			got, err := readAll(s, id, 0, int64(size))
			if err != nil || !bytes.Equal(got, data) {
				t.Errorf("%d bytes in pieces of %d: %d bytes, %v", size, pieces, len(got), err)
			}
			if n, err := s.Verify(id); n != int64(size) || err != nil {
				t.Errorf("%d bytes: verified %d, %v", size, n, err)
			}
			info, err := os.Stat(s.path(id))
			if err != nil || info.Size() != fileSize(int64(size)) {
				t.Errorf("%d bytes: the file has %d, %v", size, info.Size(), err)
			}
		}
	}
}

func TestARangeHoldsItsBytes(t *testing.T) {
	s := fresh(t)
	data := bytesOf(5*blockSize + 17)
	id := store(t, s, data, 1<<20)
	rapid.Check(t, func(rt *rapid.T) {
		near := rapid.SampledFrom([]int{0, blockSize, 2 * blockSize, 4 * blockSize, len(data)})
		offset := min(max(near.Draw(rt, "near")+rapid.IntRange(-20, 20).Draw(rt, "shift"), 0), len(data))
		length := rapid.IntRange(0, len(data)-offset).Draw(rt, "length")
		want := data[offset : offset+length]
		r, err := s.Open(id, int64(offset), int64(length))
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		var got bytes.Buffer
		// Some bytes at once, the rest through a buffer.
		head := make([]byte, rapid.IntRange(0, length).Draw(rt, "head"))
		if _, err := io.ReadFull(r, head); err != nil {
			rt.Fatal(err)
		}
		got.Write(head)
		buffer := make([]byte, rapid.SampledFrom(bufferSizes).Draw(rt, "buffer"))
		if n, err := copyThrough(&got, r, buffer); err != nil || n != int64(length-len(head)) {
			rt.Fatal(n, err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			rt.Fatalf("%d bytes at %d differ", length, offset)
		}
		if n, err := r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			rt.Fatal(n, err)
		}
	})
}

func TestALongTableIsReadInPieces(t *testing.T) {
	s := fresh(t)
	const blocks = 2*tableWindow/sumSize + 10
	w, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, blockSize)
	for i := range blocks {
		block[0], block[1] = byte(i), byte(i>>8)
		if _, err := w.Write(block); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	w.Release()
	if n, err := s.Verify(w.ID()); n != blocks*blockSize || err != nil {
		t.Fatal(n, err)
	}
	for _, i := range []int64{0, 1, 9, 10, 11, tableWindow/sumSize - 1, tableWindow / sumSize, blocks - 1} {
		got, err := readAll(s, w.ID(), i*blockSize, 2)
		if err != nil || got[0] != byte(i) || got[1] != byte(i>>8) {
			t.Errorf("block %d: %v %v", i, got, err)
		}
	}
}

// TestAFlippedBitIsNeverServed flips each bit of the footer and of the table,
// and many of the data.
func TestAFlippedBitIsNeverServed(t *testing.T) {
	s := fresh(t)
	for _, size := range []int{0, 1, 300, 2*blockSize + 100} {
		data := bytesOf(size)
		id := store(t, s, data, 1<<20)
		file, err := os.ReadFile(s.path(id))
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(1, 1))
		for bit := 0; bit < len(file)*8; bit++ {
			if bit < size*8 {
				bit = min(bit+random.IntN(1+size*8/300), size*8)
			}
			if bit == len(file)*8 {
				break
			}
			flip(t, s, id, bit)
			if got, err := readAll(s, id, 0, int64(size)); !isDamage(err, id) {
				t.Fatalf("size %d, bit %d: %d bytes, %v", size, bit, len(got), err)
			} else if !bytes.HasPrefix(data, got) {
				t.Fatalf("size %d, bit %d: wrong bytes were served", size, bit)
			}
			if _, err := s.Verify(id); !isDamage(err, id) {
				t.Fatalf("size %d, bit %d: verify: %v", size, bit, err)
			}
			flip(t, s, id, bit)
		}
		if _, err := s.Verify(id); err != nil {
			t.Fatal(err)
		}
	}
}

func isDamage(err error, id ID) bool {
	var damage *DamageError
	return errors.As(err, &damage) && damage.ID == id
}

// flip inverts one bit of a file.
func flip(t testing.TB, s *Store, id ID, bit int) {
	t.Helper()
	f, err := os.OpenFile(s.path(id), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	var b [1]byte
	if _, err := f.ReadAt(b[:], int64(bit/8)); err != nil {
		t.Fatal(err)
	}
	b[0] ^= 1 << (bit % 8)
	if _, err := f.WriteAt(b[:], int64(bit/8)); err != nil {
		t.Fatal(err)
	}
}

func TestADamagedBlockHarmsOnlyItsRanges(t *testing.T) {
	s := fresh(t)
	data := bytesOf(5 * blockSize)
	id := store(t, s, data, 1<<20)
	flip(t, s, id, (3*blockSize+5)*8)
	if got, err := readAll(s, id, 0, 3*blockSize); err != nil || !bytes.Equal(got, data[:3*blockSize]) {
		t.Errorf("before: %v", err)
	}
	if got, err := readAll(s, id, 4*blockSize, blockSize); err != nil || !bytes.Equal(got, data[4*blockSize:]) {
		t.Errorf("after: %v", err)
	}
	// One byte at the other end of the block.
	if got, err := readAll(s, id, 4*blockSize-1, 1); !isDamage(err, id) || len(got) > 0 {
		t.Errorf("inside: %d bytes, %v", len(got), err)
	}
	r, err := s.Open(id, 0, 5*blockSize)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var out bytes.Buffer
	if _, err := io.Copy(&out, r); !isDamage(err, id) || !bytes.Equal(out.Bytes(), data[:3*blockSize]) {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
	if n, err := r.Read(make([]byte, 10)); n > 0 || !isDamage(err, id) {
		t.Errorf("after the damage: %d bytes, %v", n, err)
	}
}

// TestDamageEndsARangeAtItsBlock reads ranges with each buffer, of a sound blob
// and with damage in each block: all bytes before it are served, and none of it.
func TestDamageEndsARangeAtItsBlock(t *testing.T) {
	s := fresh(t)
	data := bytesOf(19*blockSize + 17)
	id := store(t, s, data, 1<<20)
	random := rand.New(rand.NewPCG(1, 2))
	for bad := -1; bad < int(blocks(int64(len(data)))); bad++ {
		bit := 0
		if bad >= 0 {
			if bit = bad*blockSize*8 + random.IntN(17*8); random.IntN(3) == 0 {
				bit = (len(data)+bad*sumSize)*8 + random.IntN(sumSize*8) // in its checksum
			}
			flip(t, s, id, bit)
		}
		for _, size := range bufferSizes {
			for range 10 {
				offset, length := randomRange(random, len(data), bad, size)
				if err := checkRange(s, id, data, bad, size, offset, length); err != nil {
					t.Errorf("damage in block %d, buffer of %d, %d bytes at %d: %v", bad, size, length, offset, err)
				}
			}
		}
		if bad >= 0 {
			flip(t, s, id, bit)
		}
	}
}

// randomRange returns a range of size bytes. It is often one near the damaged
// block, or one that begins at the border of a block, and short for a buffer that
// would take long.
func randomRange(random *rand.Rand, size, bad, buffer int) (offset, length int) {
	offset = random.IntN(size + 1)
	if bad >= 0 && random.IntN(2) == 0 {
		offset = min(max(bad*blockSize-random.IntN(3*blockSize), 0), size)
	}
	if random.IntN(3) == 0 {
		offset -= offset % blockSize
	}
	length = random.IntN(size - offset + 1)
	if buffer < 4096 {
		length = min(length, random.IntN(4*blockSize))
	}
	return offset, length
}

// checkRange reads a range through a buffer. bad is the number of the damaged
// block, negative where none is.
func checkRange(s *Store, id ID, data []byte, bad, buffer, offset, length int) error {
	want := data[offset : offset+length]
	damaged := bad >= 0 && length > 0 && offset < (bad+1)*blockSize && offset+length > bad*blockSize
	if damaged {
		want = data[offset:max(offset, bad*blockSize)]
	}
	r, err := s.Open(id, int64(offset), int64(length))
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	const beyond = 0xa5
	memory := bytes.Repeat([]byte{beyond}, buffer+blockSize)
	var got []byte
	for err == nil {
		var n int
		if n, err = r.Read(memory[:buffer]); n > 0 && err != nil || n == 0 && err == nil {
			return fmt.Errorf("Read returned %d bytes and %v", n, err)
		}
		got = append(got, memory[:n]...)
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("%d bytes were read, want %d", len(got), len(want))
	}
	if isDamage(err, id) != damaged || !damaged && err != io.EOF {
		return fmt.Errorf("it ended with %w", err)
	}
	if n, again := r.Read(memory[:buffer]); n != 0 || again != err {
		return fmt.Errorf("after %w: %d bytes, %w", err, n, again)
	}
	if bytes.Count(memory[buffer:], []byte{beyond}) != blockSize {
		return errors.New("Read wrote behind the end of its buffer")
	}
	return nil
}

// TestAFileThatIsCutIsServedUpToTheCut cuts a file that is open already.
func TestAFileThatIsCutIsServedUpToTheCut(t *testing.T) {
	s := fresh(t)
	data := bytesOf(5 * blockSize)
	for _, size := range bufferSizes {
		id := store(t, s, data, 1<<20)
		r, err := s.Open(id, 10, int64(len(data))-10)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(s.path(id), 3*blockSize+5); err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		_, err = copyThrough(&got, r, make([]byte, size))
		if !isDamage(err, id) || !strings.Contains(err.Error(), "too short") {
			t.Errorf("buffer of %d: %v", size, err)
		}
		if !bytes.Equal(got.Bytes(), data[10:3*blockSize]) {
			t.Errorf("buffer of %d: %d bytes were read", size, got.Len())
		}
		_ = r.Close()
	}
}

// TestAReaderThatStandsStillHoldsNoBlock reads as a copy to a client that stops
// reading does.
func TestAReaderThatStandsStillHoldsNoBlock(t *testing.T) {
	s := fresh(t)
	id := store(t, s, bytesOf(3*blockSize), 1<<20)
	r, err := s.Open(id, 0, 3*blockSize)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for _, step := range []struct {
		size int
		held bool
	}{{blockSize, false}, {100, true}, {blockSize - 101, true}, {1, false}, {blockSize, false}} {
		if _, err := io.ReadFull(r, make([]byte, step.size)); err != nil {
			t.Fatal(err)
		}
		if held := r.block != nil; held != step.held {
			t.Errorf("after %d bytes a block is held: %v", step.size, held)
		}
	}
}

// TestAnotherSizeOfBlocksIsAnotherFormat has a sound footer of a file with blocks
// of 64 KiB, which no release wrote.
func TestAnotherSizeOfBlocksIsAnotherFormat(t *testing.T) {
	s := fresh(t)
	id := store(t, s, bytesOf(100), 100)
	file, err := os.ReadFile(s.path(id))
	if err != nil {
		t.Fatal(err)
	}
	footer := file[len(file)-footerSize:]
	binary.LittleEndian.PutUint32(footer[12:], 64<<10)
	seeds := newSeeds(id)
	binary.LittleEndian.PutUint32(footer[footerSize-sumSize:], crc32.Update(seeds.at(footerBlock), castagnoli, footer[:footerSize-sumSize]))
	if err := os.WriteFile(s.path(id), file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(id, 0, 100); !isDamage(err, id) || !strings.Contains(err.Error(), "of another format") {
		t.Error(err)
	}
}

func TestABlockFromElsewhereDoesNotPass(t *testing.T) {
	s := fresh(t)
	data := make([]byte, 3*blockSize) // all blocks are the same
	a, b := store(t, s, data, 1<<20), store(t, s, data, 1<<20)
	file, err := os.ReadFile(s.path(a))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path(b), file, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readAll(s, b, 0, 1); !isDamage(err, b) {
		t.Errorf("another file: %v", err)
	}
	table := file[len(data):]
	if bytes.Equal(table[:sumSize], table[sumSize:2*sumSize]) {
		t.Error("the checksum does not include the number of the block")
	}
}

func TestAShortOrAbsentFileIsDamaged(t *testing.T) {
	s := fresh(t)
	size := 2*blockSize + 100
	id := store(t, s, bytesOf(size), 1<<20)
	whole := fileSize(int64(size))
	for _, cut := range []int64{1, footerSize, footerSize + 1, footerSize + 3*sumSize, blockSize, whole - 1, whole} {
		if err := os.Truncate(s.path(id), whole-cut); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Open(id, 0, 1); !isDamage(err, id) {
			t.Errorf("%d bytes cut: %v", cut, err)
		}
		if _, err := s.Verify(id); !isDamage(err, id) {
			t.Errorf("%d bytes cut: verify: %v", cut, err)
		}
	}
	if err := s.Remove(id); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(id, 0, 1); !isDamage(err, id) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("absent: %v", err)
	}
}

func TestARangeOutsideTheBlobIsDamage(t *testing.T) {
	s := fresh(t)
	id := store(t, s, bytesOf(100), 100)
	for _, r := range [][2]int64{{0, 101}, {100, 1}, {101, 0}, {-1, 5}, {0, -1}, {50, 1<<63 - 1}, {1<<63 - 1, 1}} {
		if _, err := s.Open(id, r[0], r[1]); !isDamage(err, id) {
			t.Errorf("%v: %v", r, err)
		}
	}
}

func TestABlobIsUnfinishedUntilItIsReleased(t *testing.T) {
	s := fresh(t)
	w, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	check := func(when string, want bool) {
		t.Helper()
		if got := s.Unfinished(w.ID()); got != want {
			t.Errorf("%s: unfinished is %v", when, got)
		}
	}
	check("created", true)
	if _, err := w.Finish(); err != nil {
		t.Fatal(err)
	}
	check("finished", true)
	w.Release()
	check("released", false)
	w.Abort()
	if _, err := s.Verify(w.ID()); err != nil {
		t.Errorf("Abort after Release removed the file: %v", err)
	}
	if _, err := w.Write([]byte("x")); err == nil {
		t.Error("a finished blob was written")
	}
	if _, err := w.Finish(); err == nil {
		t.Error("a blob was finished twice")
	}
}

func TestAbortRemovesTheFile(t *testing.T) {
	s := fresh(t)
	for _, finish := range []bool{false, true} {
		w, err := s.Create()
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(bytesOf(300))
		if finish {
			if _, err := w.Finish(); err != nil {
				t.Fatal(err)
			}
		}
		w.Abort()
		w.Abort()
		w.Release()
		if _, err := os.Stat(s.path(w.ID())); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("finished %v: the file is left: %v", finish, err)
		}
		if s.Unfinished(w.ID()) {
			t.Error("it is still unfinished")
		}
	}
}

func TestAnIDThatExistsIsNotOverwritten(t *testing.T) {
	dir := t.TempDir()
	random := strings.NewReader(strings.Repeat("a", 16) + strings.Repeat("a", 16) + strings.Repeat("b", 16))
	s, err := Open(Options{Dir: dir, NoSync: true, Random: random})
	if err != nil {
		t.Fatal(err)
	}
	first := store(t, s, []byte("first"), 100)
	second := store(t, s, []byte("second"), 100)
	if first == second {
		t.Fatal("the id repeats")
	}
	if got, err := readAll(s, first, 0, 5); string(got) != "first" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if _, err := s.Create(); !errors.Is(err, io.EOF) {
		t.Errorf("without randomness: %v", err)
	}
}

func TestPinsAreCounted(t *testing.T) {
	s := fresh(t)
	a, b := ID{1}, ID{2}
	s.Pin(a, b, a)
	s.Unpin(a, b)
	if !s.Pinned(a) || s.Pinned(b) {
		t.Error("after one Unpin")
	}
	s.Unpin(a)
	if s.Pinned(a) || len(s.pins) != 0 {
		t.Error("after both")
	}
}

func TestABarrierWaitsForThoseThatRead(t *testing.T) {
	s := fresh(t)
	done := s.Reading()
	passed := make(chan struct{})
	go func() {
		s.Barrier()
		close(passed)
	}()
	// A later reader cannot begin while the barrier waits; the one before must
	// have pinned when the barrier passes.
	s.Pin(ID{1})
	select {
	case <-passed:
		t.Error("the barrier did not wait")
	default:
	}
	done()
	<-passed
	s.Barrier()
	s.Reading()()
}

func TestWalkFindsEveryBlobAndNothingElse(t *testing.T) {
	s := fresh(t)
	want := map[ID]int64{}
	for i := range 50 {
		want[store(t, s, bytesOf(i), 100)] = fileSize(int64(i))
	}
	for _, name := range []string{"00/foreign", "00/" + strings.Repeat("01", 16), "00/" + strings.Repeat("0", 30) + "AB", "stray"} {
		if err := os.WriteFile(filepath.Join(s.o.Dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(s.o.Dir, "00", strings.Repeat("0", 32)), 0o700); err != nil {
		t.Fatal(err)
	}
	err := s.Walk(func(id ID, info fs.FileInfo) error {
		if want[id] != info.Size() {
			t.Errorf("%s has %d bytes", id, info.Size())
		}
		delete(want, id)
		return s.Remove(id) // also while it lists
	})
	if err != nil || len(want) > 0 {
		t.Errorf("%d are missing, %v", len(want), err)
	}
	stop := errors.New("stop")
	store(t, s, nil, 1)
	if err := s.Walk(func(ID, fs.FileInfo) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestAnIDIsStrictLowerCaseHex(t *testing.T) {
	id := ID{0xab, 1}
	if got, err := ParseID(id.String()); got != id || err != nil {
		t.Error(got, err)
	}
	for _, bad := range []string{"", "ab", strings.Repeat("A", 32), strings.Repeat("g", 32), strings.Repeat("a", 33), strings.Repeat("a", 34)} {
		if _, err := ParseID(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}

// TestCloseDuringAReadIsSafe closes readers while others read: a buffer that
// returns to the pool too early would show another blob's bytes.
func TestCloseDuringAReadIsSafe(t *testing.T) {
	s := fresh(t)
	var ids []ID
	var datas [][]byte
	for i := range 4 {
		datas = append(datas, bytes.Repeat([]byte{byte('a' + i)}, 4*blockSize))
		ids = append(ids, store(t, s, datas[i], 1<<20))
	}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for round := range 100 {
				r, err := s.Open(ids[i%4], 0, 4*blockSize)
				if err != nil {
					t.Error(err)
					return
				}
				var closing sync.WaitGroup
				closing.Go(func() { _ = r.Close() })
				var out bytes.Buffer
				buffer := make([]byte, []int{1000, 3 * blockSize}[round%2])
				if _, err := copyThrough(&out, r, buffer); err != nil && !errors.Is(err, fs.ErrClosed) {
					t.Error(err)
				}
				if !bytes.HasPrefix(datas[i%4], out.Bytes()) {
					t.Error("bytes of another blob")
				}
				closing.Wait()
				if _, err := r.file.Stat(); !errors.Is(err, fs.ErrClosed) || r.table != nil || r.block != nil {
					t.Errorf("a closed reader holds its file or its memory: %v", err)
				}
				_ = r.Close()
			}
		})
	}
	wg.Wait()
	r, err := s.Open(ids[0], 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("read after close: %v", err)
	}
}

func TestAFullDiskIsNamedAndLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skipf("a tmpfs cannot be mounted: %v", err)
	}
	defer func() { _ = syscall.Unmount(dir, 0) }()
	s := openAt(t, filepath.Join(dir, "blobs"), false)
	kept := store(t, s, bytesOf(1000), 1000)
	w, err := s.Create()
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = w.Write(make([]byte, 1<<20))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("write: %v", err)
	}
	if _, err := w.Finish(); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("finish: %v", err)
	}
	w.Abort()
	if _, err := s.Verify(kept); err != nil {
		t.Error(err)
	}
	id := store(t, s, bytesOf(1<<20), 1<<20)
	if _, err := s.Verify(id); err != nil {
		t.Error(err)
	}
}

func TestAFailingClientEndsTheRead(t *testing.T) {
	s := fresh(t)
	id := store(t, s, bytesOf(5*blockSize), 1<<20)
	r, err := s.Open(id, 0, 5*blockSize)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	gone := errors.New("client is gone")
	if n, err := io.Copy(failing{gone}, r); n != 0 || !errors.Is(err, gone) {
		t.Error(n, err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

func TestOpenIsRepeatable(t *testing.T) {
	dir := t.TempDir()
	s := openAt(t, dir, false)
	id := store(t, s, []byte("data"), 10)
	if err := os.Remove(filepath.Join(dir, "7f")); err != nil && !strings.HasPrefix(id.String(), "7f") {
		t.Fatal(err)
	}
	s = openAt(t, dir, false)
	if got, err := readAll(s, id, 0, 4); string(got) != "data" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if _, err := os.Stat(filepath.Join(dir, "7f")); err != nil {
		t.Error(err)
	}
	if _, err := Open(Options{Dir: s.path(id)}); err == nil {
		t.Error("a file was taken for the folder")
	}
}

// BenchmarkRead reads with the buffers of package relay.
func BenchmarkRead(b *testing.B) {
	const size = 64 << 20
	s := fresh(b)
	id := store(b, s, bytesOf(size), 1<<20)
	for _, buffer := range []int{128 << 10, 8 << 10} {
		b.Run(fmt.Sprintf("%dKiB", buffer>>10), func(b *testing.B) {
			buf := make([]byte, buffer)
			b.SetBytes(size)
			b.ReportAllocs()
			for b.Loop() {
				r, err := s.Open(id, 0, size)
				if err != nil {
					b.Fatal(err)
				}
				if n, err := copyThrough(io.Discard, r, buf); n != size || err != nil {
					b.Fatal(n, err)
				}
				_ = r.Close()
			}
		})
	}
}

// copyThrough copies with this buffer, whatever methods w has to copy by itself.
func copyThrough(w io.Writer, r io.Reader, buf []byte) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{r}, buf)
}

func BenchmarkWrite(b *testing.B) {
	for _, noSync := range []bool{true, false} {
		s := openAt(b, b.TempDir(), noSync)
		for _, size := range []int{100 << 10, 64 << 20} {
			data := bytesOf(size)
			b.Run(fmt.Sprintf("nosync=%v/%d", noSync, size), func(b *testing.B) {
				b.SetBytes(int64(size))
				b.ReportAllocs()
				for b.Loop() {
					w, err := s.Create()
					if err != nil {
						b.Fatal(err)
					}
					for at := 0; at < size; at += 32 << 10 {
						if _, err := w.Write(data[at:min(at+32<<10, size)]); err != nil {
							b.Fatal(err)
						}
					}
					if _, err := w.Finish(); err != nil {
						b.Fatal(err)
					}
					w.Abort()
				}
			})
		}
	}
}
