package api

import (
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	gateway "github.com/codeguardians/s3gateway"
)

// typed fails when an error is not one that a client may be told.
func typed(t *testing.T, err error) {
	t.Helper()
	if !errors.As(err, new(*gateway.Error)) {
		t.Fatalf("an error without a code: %v", err)
	}
}

// What was read of Upload-Metadata, written anew, reads the same.
func FuzzUploadMetadata(f *testing.F) {
	for _, s := range []string{"", "filename YS5iaW4=", "a,b YQ==", "a YQ==,a YQ==", "a  YQ==", " ,", "sha256 YQ==", "filename YS5iaW4=,filetype aW1hZ2UvcG5n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		meta, err := readUploadMetadata(http.Header{"Upload-Metadata": {value}})
		if err != nil {
			typed(t, err)
			return
		}
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(meta)) {
			pairs = append(pairs, name+" "+base64.StdEncoding.EncodeToString([]byte(meta[name])))
		}
		again, err := readUploadMetadata(http.Header{"Upload-Metadata": {strings.Join(pairs, ",")}})
		if len(strings.Join(pairs, ",")) > maxUploadMetadata {
			return
		}
		if err != nil || !maps.Equal(meta, again) {
			t.Fatalf("%q gives %q, written anew %q, %v", value, meta, again, err)
		}
	})
}

// A file id that passed is below its prefix, and escaped anew it is the same.
func FuzzFileID(f *testing.F) {
	for _, s := range []string{"uploads/a.png", "uploads/", "uploads/../a", "uploads//a", "uploads/%2e%2e/a", "uploads/%zz", "uploads/a%00", "/uploads/a", "uploads/./a", "uploads%2Fa"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, escaped string) {
		const below = prefix("uploads/")
		id, err := below.parseID(escaped)
		if err != nil {
			typed(t, err)
			return
		}
		if !strings.HasPrefix(id, string(below)) || len(id) == len(below) || !utf8.ValidString(id) || strings.ContainsFunc(id, unicode.IsControl) ||
			gateway.CleanKey(id) != id {
			t.Fatalf("%q gives %q", escaped, id)
		}
		if again, err := below.parseID(url.PathEscape(id)); err != nil || again != id {
			t.Fatalf("%q gives %q, then %q, %v", escaped, id, again, err)
		}
	})
}

// Ranges that are served lie in the file and do not overlap.
func FuzzRanges(f *testing.F) {
	for _, s := range []string{"0-1,3-4", "-5,0-0", "5-", "0-0,0-0", "9999999999999999999-", "1-0", "--1", "0-1, 4-", ","} {
		f.Add(s, int64(10))
	}
	f.Fuzz(func(t *testing.T, set string, size int64) {
		if size < 0 {
			return
		}
		all, worth := parseRanges(set, size)
		if !worth {
			return
		}
		sum := int64(0)
		for _, b := range all {
			if b.first < 0 || b.last >= size || b.length() <= 0 {
				t.Fatalf("%q of %d bytes: %+v", set, size, b)
			}
			sum += b.length()
		}
		if sum > size {
			t.Fatalf("%q of %d bytes: %d bytes are served", set, size, sum)
		}
	})
}
