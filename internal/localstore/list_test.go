package localstore

import (
	"fmt"
	"slices"
	"testing"
)

// pages reads a listing in pages of one size, as "key", "key@n" for the nth
// version, or "prefix*".
func pages(t *testing.T, list func(ListInput) (Page, error), in ListInput, size int) (all []string) {
	t.Helper()
	in.Max = size
	for range 1000 {
		page, err := list(in)
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Entries) > size {
			t.Fatalf("%d entries in a page of %d", len(page.Entries), size)
		}
		for _, e := range page.Entries {
			switch {
			case e.Prefix != "":
				all = append(all, e.Prefix+"*")
			case e.Upload.ID != "":
				all = append(all, e.Upload.Key)
			default:
				all = append(all, e.Version.Key)
			}
		}
		if !page.Truncated {
			return all
		}
		in.After, in.AfterID = page.Next, page.NextID
	}
	t.Fatal("the listing does not end")
	return nil
}

func TestListingsHaveEveryKeyOnceWhateverThePageSize(t *testing.T) {
	s := newTestStore(t)
	if err := s.SetVersioning("b", "Enabled"); err != nil {
		t.Fatal(err)
	}
	keys := []string{"/", "a", "a\x00", "a\x00b", "a/", "a//b", "a/b", "a/b/c", "b", "ä", "ä/x", "\U0010ffff"}
	var twice []string
	for _, key := range keys {
		for range 2 {
			mustPut(t, s, key, "x")
			if _, err := s.CreateUpload(CreateUploadInput{Bucket: "b", Key: key}); err != nil {
				t.Fatal(err)
			}
			twice = append(twice, key)
		}
	}
	for size := 1; size < 30; size++ {
		for _, c := range []struct {
			name string
			list func(ListInput) (Page, error)
			in   ListInput
			want []string
		}{
			{"current", s.List, ListInput{}, keys},
			{"versions", s.ListVersions, ListInput{}, twice},
			{"uploads", s.ListUploads, ListInput{}, twice},
			{"delimiter", s.List, ListInput{Delimiter: "/"}, []string{"/*", "a", "a\x00", "a\x00b", "a/*", "b", "ä", "ä/*", "\U0010ffff"}},
			{"prefix and delimiter", s.List, ListInput{Prefix: "a/", Delimiter: "/"}, []string{"a/", "a//*", "a/b", "a/b/*"}},
			{"versions with a delimiter", s.ListVersions, ListInput{Prefix: "a", Delimiter: "/"}, []string{"a", "a", "a\x00", "a\x00", "a\x00b", "a\x00b", "a/*"}},
			{"uploads with a prefix", s.ListUploads, ListInput{Prefix: "ä"}, []string{"ä", "ä", "ä/x", "ä/x"}},
		} {
			c.in.Bucket = "b"
			if got := pages(t, c.list, c.in, size); !slices.Equal(got, c.want) {
				t.Errorf("%s, %d in a page: %q, want %q", c.name, size, got, c.want)
			}
		}
	}
}

func TestTheNewestVersionIsTheLatestOnEachPage(t *testing.T) {
	s := newTestStore(t)
	if err := s.SetVersioning("b", "Enabled"); err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		mustPut(t, s, "k", fmt.Sprint(i))
	}
	in := ListInput{Bucket: "b", Max: 1}
	for i := range 3 {
		page, err := s.ListVersions(in)
		if err != nil || len(page.Entries) != 1 || page.Entries[0].Version.Latest != (i == 0) {
			t.Fatalf("page %d: %+v, %v", i, page, err)
		}
		in.After, in.AfterID = page.Next, page.NextID
	}
}
