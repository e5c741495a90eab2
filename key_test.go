package gateway

import (
	"path"
	"strings"
	"testing"
)

// Every key of up to seven characters is cleaned as path.Clean would, but for a slash at
// its end; one that is clean is given back as it is.
func TestCleanKey(t *testing.T) {
	keys := []string{""}
	for at := 0; len(keys[at]) < 7; at++ {
		keys = append(keys, keys[at]+"/", keys[at]+".", keys[at]+"a")
	}
	for _, key := range keys {
		want := strings.TrimPrefix(path.Clean("/"+key), "/")
		if want != "" && strings.HasSuffix(key, "/") {
			want += "/"
		}
		if got := CleanKey(key); got != want {
			t.Errorf("%q: %q, want %q", key, got, want)
		}
	}
}
