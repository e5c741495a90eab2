package localstore

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"
)

// TestMillion measures a store of a million keys: listings, starts, and the rate of
// PUT after most keys were deleted. It takes minutes, so it runs on demand:
//
//	make measure-store
func TestMillion(t *testing.T) {
	if os.Getenv("S3GATEWAY_MEASURE") == "" {
		t.Skip("measures for minutes: make measure-store")
	}
	const keys = 1_000_000
	o := Options{Dir: t.TempDir(), Bucket: "b", NoSync: true, Log: zerolog.Nop()}
	s := reopen(t, nil, o, "")
	report := func(what string, began time.Time) {
		t.Logf("%-60s %v", what, time.Since(began).Round(10*time.Microsecond))
	}

	began := time.Now()
	each(t, keys, func(i int) error { return s.put(t, fmt.Sprintf("dir%03d/key%07d", i%1000, i)) })
	report("PUT of 1,000,000 keys, 16 at once, without syncs", began)
	list := func(what string, in ListInput) {
		in.Bucket, in.Max = "b", MaxListed
		for range 3 {
			began := time.Now()
			page, err := s.List(in)
			if err != nil || len(page.Entries) != MaxListed {
				t.Fatal(len(page.Entries), err)
			}
			report(what, began)
		}
	}
	list("listing 1,000 of 1,000,000 keys", ListInput{After: "dir500/"})
	list("listing 1,000 common prefixes of 1,000,000 keys", ListInput{Delimiter: "/"})

	s = reopen(t, s, o, "start with 1,000,000 keys after a clean stop")
	s.crash(t)
	s = reopen(t, nil, o, "start with 1,000,000 keys after a kill")

	if err := s.SetVersioning("b", "Enabled"); err != nil {
		t.Fatal(err)
	}
	each(t, keys-2000, func(i int) error {
		_, err := s.Delete("b", DeleteInput{Key: fmt.Sprintf("dir%03d/key%07d", i%1000, i)})
		return err
	})
	list("listing 1,000 keys among 998,000 delete markers", ListInput{})
	each(t, 100_000, func(int) error { return s.put(t, "versions") })
	list("listing 1,000 keys beside 100,000 versions of one key", ListInput{})

	began = time.Now()
	page, err := s.ListVersions(ListInput{Bucket: "b", Prefix: "versions", Max: MaxListed})
	if err != nil || len(page.Entries) != MaxListed {
		t.Fatal(len(page.Entries), err)
	}
	report("listing 1,000 of 100,000 versions of one key", began)
}

// TestMillionDeleted measures PUT and a start after 900,000 of 1,000,000 keys were
// deleted for good.
func TestMillionDeleted(t *testing.T) {
	if os.Getenv("S3GATEWAY_MEASURE") == "" {
		t.Skip("measures for minutes: make measure-store")
	}
	o := Options{Dir: t.TempDir(), Bucket: "b", NoSync: true, Log: zerolog.Nop()}
	s := reopen(t, nil, o, "")
	each(t, 1_000_000, func(i int) error { return s.put(t, fmt.Sprintf("key%07d", i)) })
	each(t, 900_000, func(i int) error {
		_, err := s.Delete("b", DeleteInput{Key: fmt.Sprintf("key%07d", i)})
		return err
	})
	o.NoSync = false
	s = reopen(t, s, o, "start after 900,000 of 1,000,000 keys were deleted")
	rate := func(what string, s *Store) {
		began := time.Now()
		each(t, 20_000, func(i int) error { return s.put(t, fmt.Sprintf("new%07d", i)) })
		t.Logf("%-60s %.0f requests/s", what, 20_000/time.Since(began).Seconds())
	}
	o.Dir = t.TempDir()
	empty := reopen(t, nil, o, "")
	for range 3 {
		rate("PUT with syncs, 16 at once, after the deletions", s)
		rate("PUT with syncs, 16 at once, in an empty store", empty)
	}
}

// each calls fn for each number, 16 at once.
func each(t *testing.T, n int, fn func(int) error) {
	t.Helper()
	var running sync.WaitGroup
	for worker := range 16 {
		running.Go(func() {
			for i := worker; i < n; i += 16 {
				if err := fn(i); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	if t.Failed() {
		t.FailNow()
	}
}

func (s *Store) put(t *testing.T, key string) error {
	_, err := s.Put(t.Context(), PutInput{Bucket: "b", Key: key, Body: strings.NewReader("hello"), Expect: Expect{Length: 5}})
	return err
}

// reopen closes a store, unless it is nil, and opens the folder.
func reopen(t *testing.T, s *Store, o Options, what string) *Store {
	t.Helper()
	if s != nil {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	s, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if what != "" {
		t.Logf("%-60s %v", what, time.Since(began).Round(time.Millisecond))
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// crash has the folder look as after a kill: what Close would write at last is not
// there.
func (s *Store) crash(t *testing.T) {
	t.Helper()
	path := s.lock.Name()
	path = path[:len(path)-len("lock")] + "names.db"
	killed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, killed, 0o600); err != nil {
		t.Fatal(err)
	}
}
