//go:build !slim

package embedded

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
)

// An upload of many parts must not fail at its end because the list of them is
// larger than the file system keeps with a file.
func TestTheListOfPartsFits(t *testing.T) {
	dir := t.TempDir()
	if err := (meta.XattrMeta{}).Test(dir); err != nil {
		t.Skip("no extended attributes here: ", err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name  string
		parts int
		size  func() int64
		kept  bool
	}{
		{"one part", 1, func() int64 { return 5 << 20 }, true},
		{"a thousand of 5 MiB", 1024, func() int64 { return 5 << 20 }, true},
		{"ten thousand of 5 MiB", 10000, func() int64 { return 5 << 20 }, true},
		{"ten thousand of any size", 10000, func() int64 { return random.Int64N(5 << 30) }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := os.Create(filepath.Join(dir, c.name))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			list := backend.MpUploadMetadata{UploadID: "9b2d9c5e-6f0a-4b5e-8f0e-0a3c7c7f1d11"}
			var end int64
			for range c.parts {
				end += c.size()
				list.Parts = append(list.Parts, end)
			}
			value, err := backend.MarshalMpUploadMetadata(list, false)
			if err != nil {
				t.Fatal(err)
			}
			s := roomForParts{}
			if err := s.StoreAttribute(f, dir, c.name, "user", make([]byte, 2<<10)); err != nil {
				t.Fatal(err)
			}
			if err := s.StoreAttribute(f, dir, c.name, partsAttribute, value); err != nil {
				t.Fatalf("the upload fails: %v", err)
			}
			back, err := s.RetrieveAttribute(nil, dir, c.name, partsAttribute)
			if !c.kept {
				if !errors.Is(err, meta.ErrNoSuchKey) {
					t.Skip("this file system has room for everything") // more than 4 KiB
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got, err := backend.UnmarshalMpUploadMetadata(back, false)
			if err != nil || got.UploadID != list.UploadID || !slices.Equal(got.Parts, list.Parts) {
				t.Errorf("%v: %d parts of %d", err, len(got.Parts), len(list.Parts))
			}
		})
	}
}
