package localstore

import (
	"context"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/internal/localstore/blob"
)

// flip changes one bit in the middle of the only blob of a store.
func flip(t *testing.T, s *Store, dir string) {
	t.Helper()
	err := s.blobs.Walk(func(id blob.ID, _ fs.FileInfo) error {
		name := id.String()
		path := filepath.Join(dir, "store", "blobs", name[:2], name)
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		b[len(b)/2] ^= 4
		return os.WriteFile(path, b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDamageIsNeverServedAndIsFound(t *testing.T) {
	dir := t.TempDir()
	s := newTestStore(t, func(o *Options) { o.Dir = dir })
	mustPut(t, s, "a", strings.Repeat("x", 1<<20))
	mustPut(t, s, "good", "y")
	flip(t, s, dir)
	o, err := s.Get(Ref{Bucket: "b", Key: "a"})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	r, err := o.Open(Range{Length: 1 << 20})
	if err == nil {
		var got strings.Builder
		var n int64
		n, err = io.Copy(&got, r)
		if got.String() != strings.Repeat("x", int(n)) || n == 1<<20 {
			t.Errorf("%d bytes were served, and they are not the object's", n)
		}
	}
	if CodeOf(err) != InternalError || CodeOf(s.Err()) != InternalError {
		t.Errorf("reading: %v; health: %v", err, s.Err())
	}
	if got := mustGet(t, s, Ref{Bucket: "b", Key: "good"}); string(got) != "y" {
		t.Errorf("the other object: %q", got)
	}
	var found []Problem
	if _, err := s.Check(t.Context(), func(p Problem) { found = append(found, p) }); err != nil || len(found) != 1 || !strings.HasPrefix(found[0].What, "blob ") {
		t.Errorf("check: %v, %v", found, err)
	}
}

func TestTheScrubFindsDamage(t *testing.T) {
	dir := t.TempDir()
	s := newTestStore(t, func(o *Options) { o.Dir = dir })
	mustPut(t, s, "a", strings.Repeat("x", 1<<20))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var sound ScrubFigures
	go s.Scrub(ctx, 1e12, &sound)
	waitFor(t, func() bool { return sound.Finished.Load() > 0 })
	if sound.Damaged.Load() != 0 || sound.Bytes.Load() < 1<<20 || sound.Rows.Load() == 0 || s.Err() != nil {
		t.Errorf("a sound store: %d damaged of %d bytes, %v", sound.Damaged.Load(), sound.Bytes.Load(), s.Err())
	}
	flip(t, s, dir)
	var damaged ScrubFigures
	go s.Scrub(ctx, 1e12, &damaged)
	waitFor(t, func() bool { return damaged.Finished.Load() > 0 })
	if damaged.Damaged.Load() != 1 || CodeOf(s.Err()) != InternalError {
		t.Errorf("%d damaged, %v", damaged.Damaged.Load(), s.Err())
	}
}

func waitFor(t *testing.T, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not happen")
		}
	}
}

func TestADiskThatTakesNoBlobsIsUnhealthyUntilItDoes(t *testing.T) {
	dir := t.TempDir()
	s := newTestStore(t, func(o *Options) { o.Dir = dir })
	blobs := filepath.Join(dir, "store", "blobs")
	if err := os.Rename(blobs, blobs+".away"); err != nil {
		t.Fatal(err)
	}
	body := strings.Repeat("x", 1<<20)
	_, err := s.Put(t.Context(), PutInput{Bucket: "b", Key: "a", Body: strings.NewReader(body), Expect: Expect{Length: 1 << 20}})
	if CodeOf(err) != ServiceUnavailable || CodeOf(s.Err()) != ServiceUnavailable {
		t.Errorf("put: %v; health: %v", err, s.Err())
	}
	if err := os.Rename(blobs+".away", blobs); err != nil {
		t.Fatal(err)
	}
	if err := s.Err(); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	mustPut(t, s, "a", body)
	if n := files(t, s); n != 1 {
		t.Errorf("%d blobs, want 1", n)
	}
}
