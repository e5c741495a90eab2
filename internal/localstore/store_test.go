package localstore

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// newTestStore opens a store in a new folder, with the bucket "b".
func newTestStore(t testing.TB, change ...func(*Options)) *Store {
	t.Helper()
	o := Options{Dir: t.TempDir(), Bucket: "b", NoSync: true, Log: zerolog.New(zerolog.NewTestWriter(t))}
	for _, fn := range change {
		fn(&o)
	}
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func mustPut(t testing.TB, s *Store, key, body string) Version {
	t.Helper()
	v, err := s.Put(t.Context(), PutInput{Bucket: "b", Key: key, Body: strings.NewReader(body), Expect: Expect{Length: int64(len(body))}})
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func mustGet(t testing.TB, s *Store, ref Ref) []byte {
	t.Helper()
	o, err := s.Get(ref)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	r, err := o.Open(Range{Length: o.Version().Size})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func files(t testing.TB, s *Store) (n int) {
	t.Helper()
	if err := s.Sweep(context.Background()); err != nil {
		t.Fatal(err)
	}
	report, err := s.Check(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return report.Blobs
}

func TestWhatWasPutIsThereAfterAReopen(t *testing.T) {
	dir := t.TempDir()
	bodies := map[string]string{}
	for i, size := range []int{0, 1, 100, defaultInlineMax, defaultInlineMax + 1, 64 << 10, 1 << 20, 3<<20 + 17} {
		bodies[fmt.Sprintf("k%d", i)] = strings.Repeat(string(rune('a'+i)), size)
	}
	s, err := Open(t.Context(), Options{Dir: dir, Bucket: "b"})
	if err != nil {
		t.Fatal(err)
	}
	for key, body := range bodies {
		mustPut(t, s, key, body)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = newTestStore(t, func(o *Options) { o.Dir = dir })
	for key, body := range bodies {
		if got := mustGet(t, s, Ref{Bucket: "b", Key: key}); string(got) != body {
			t.Errorf("%s: %d bytes, want %d", key, len(got), len(body))
		}
	}
	report, err := s.Check(t.Context(), func(p Problem) { t.Error(p) })
	if err != nil || report.Versions != len(bodies) || report.Blobs != 4 {
		t.Errorf("check: %+v, %v", report, err)
	}
}

func TestDeletedBytesLeaveTheDisk(t *testing.T) {
	s := newTestStore(t)
	mustPut(t, s, "a", strings.Repeat("x", 1<<20))
	mustPut(t, s, "a", strings.Repeat("y", 1<<20))
	if n := files(t, s); n != 1 {
		t.Errorf("%d blobs after an overwrite, want 1", n)
	}
	if _, err := s.Delete("b", DeleteInput{Key: "a"}); err != nil {
		t.Fatal(err)
	}
	if n := files(t, s); n != 0 {
		t.Errorf("%d blobs after a delete, want 0", n)
	}
}

func TestAReaderKeepsWhatWasDeleted(t *testing.T) {
	s := newTestStore(t)
	body := strings.Repeat("x", 1<<20)
	mustPut(t, s, "a", body)
	o, err := s.Get(Ref{Bucket: "b", Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Delete("b", DeleteInput{Key: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := o.Open(Range{Offset: 5, Length: 1<<20 - 5})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || string(got) != body[5:] {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	o.Close()
	if n := files(t, s); n != 0 {
		t.Errorf("%d blobs after the reader, want 0", n)
	}
}

func TestAnEmptyReadReturns(t *testing.T) {
	s := newTestStore(t)
	for _, size := range []int{1, 1 << 20} {
		mustPut(t, s, "a", strings.Repeat("x", size))
		o, err := s.Get(Ref{Bucket: "b", Key: "a"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := o.Open(Range{Length: int64(size)})
		if err != nil {
			t.Fatal(err)
		}
		if n, err := r.Read(nil); n != 0 || err != nil {
			t.Errorf("object of %d bytes: %d, %v", size, n, err)
		}
		r.Close()
		o.Close()
	}
}

func TestACopyOutlivesItsSource(t *testing.T) {
	s := newTestStore(t)
	for _, size := range []int{0, 10, 1 << 20} {
		body := strings.Repeat("x", size)
		v := mustPut(t, s, "a", body)
		c, _, err := s.Copy(t.Context(), CopyInput{Source: Ref{Bucket: "b", Key: "a"}, Bucket: "b", Key: "c"})
		if err != nil || c.ETag != v.ETag {
			t.Fatal(c, err)
		}
		if _, err := s.Delete("b", DeleteInput{Key: "a"}); err != nil {
			t.Fatal(err)
		}
		if got := mustGet(t, s, Ref{Bucket: "b", Key: "c"}); string(got) != body {
			t.Errorf("%d bytes, want %d", len(got), size)
		}
	}
}

func TestMultipart(t *testing.T) {
	s := newTestStore(t)
	first, second := strings.Repeat("1", MinPartSize), "2"
	u, err := s.CreateUpload(CreateUploadInput{Bucket: "b", Key: "m"})
	if err != nil {
		t.Fatal(err)
	}
	var list []CompletedPart
	for i, body := range []string{first, second} {
		p, err := s.PutPart(t.Context(), PartInput{Bucket: "b", Key: "m", UploadID: u.ID, Number: i + 1, Body: strings.NewReader(body), Expect: Expect{Length: -1}})
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, CompletedPart{Number: i + 1, ETag: p.ETag})
	}
	in := CompleteInput{Bucket: "b", Key: "m", UploadID: u.ID, Parts: list}
	v, err := s.Complete(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if got := mustGet(t, s, Ref{Bucket: "b", Key: "m"}); string(got) != first+second || !strings.HasSuffix(v.ETag, "-2") {
		t.Errorf("%d bytes, ETag %s", len(got), v.ETag)
	}
	if _, err := s.Delete("b", DeleteInput{Key: "m"}); err != nil {
		t.Fatal(err)
	}
	again, err := s.Complete(t.Context(), in)
	if err != nil || again.ETag != v.ETag {
		t.Errorf("a retry: %+v, %v", again, err)
	}
	if _, err := s.Stat(Ref{Bucket: "b", Key: "m"}); CodeOf(err) != NoSuchKey {
		t.Errorf("a retry brought the object back: %v", err)
	}
	in.Parts = list[:1]
	if _, err := s.Complete(t.Context(), in); CodeOf(err) != NoSuchUpload {
		t.Errorf("a retry with another list: %v", err)
	}
	if n := files(t, s); n != 0 {
		t.Errorf("%d blobs are left", n)
	}
}

func TestABodyThatFailsStoresNothing(t *testing.T) {
	s := newTestStore(t)
	for _, size := range []int{10, 1 << 20} {
		cut := io.MultiReader(bytes.NewReader(make([]byte, size)), iotestErr{io.ErrUnexpectedEOF})
		_, err := s.Put(t.Context(), PutInput{Bucket: "b", Key: "a", Body: cut, Expect: Expect{Length: -1}})
		if BodyError(err) != io.ErrUnexpectedEOF {
			t.Errorf("%d bytes: %v", size, err)
		}
		_, err = s.Put(t.Context(), PutInput{Bucket: "b", Key: "a", Body: bytes.NewReader(make([]byte, size)), Expect: Expect{Length: int64(size + 1)}})
		if CodeOf(err) != IncompleteBody {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	if _, err := s.Stat(Ref{Bucket: "b", Key: "a"}); CodeOf(err) != NoSuchKey {
		t.Error(err)
	}
	if n := files(t, s); n != 0 {
		t.Errorf("%d blobs are left", n)
	}
}

type iotestErr struct{ err error }

func (r iotestErr) Read([]byte) (int, error) { return 0, r.err }

func TestAFullDiskRefusesPutAndTakesDelete(t *testing.T) {
	free := uint64(1 << 30)
	s := newTestStore(t, func(o *Options) { o.Free = func() (uint64, error) { return free, nil } })
	mustPut(t, s, "a", "x")
	free = 100
	_, err := s.Put(t.Context(), PutInput{Bucket: "b", Key: "c", Body: strings.NewReader("x"), Expect: Expect{Length: 1}})
	if CodeOf(err) != InsufficientCapacity || CodeOf(s.Err()) != InsufficientCapacity {
		t.Error(err, s.Err())
	}
	if _, err := s.Delete("b", DeleteInput{Key: "a"}); err != nil {
		t.Error(err)
	}
	free = 1 << 30
	mustPut(t, s, "c", "x")
	if err := s.Err(); err != nil {
		t.Error(err)
	}
}

func TestASecondProcessIsRefused(t *testing.T) {
	s := newTestStore(t)
	_, err := lockFolder("dir", s.lock.Name(), 10*time.Millisecond)
	if want := fmt.Sprintf("dir is in use by another s3gateway (pid %d): stop it, or set DATA_DIR to another folder", pid()); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func pid() int { return os.Getpid() }
