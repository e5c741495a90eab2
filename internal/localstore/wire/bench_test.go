package wire_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// BenchmarkGet reads a small object: parsing, engine and answer.
func BenchmarkGet(b *testing.B) {
	r := newRig(b)
	r.bucket("things")
	r.must("PUT", "/things/k", strings.Repeat("x", 4096), "Content-Type", "text/plain", "X-Amz-Meta-A", "b")
	req, err := http.NewRequest("GET", "http://store/things/k", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		resp, err := r.wire.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); n != 4096 || err != nil {
			b.Fatal(n, err)
		}
		resp.Body.Close()
	}
}

// BenchmarkList writes a page of 1,000 keys.
func BenchmarkList(b *testing.B) {
	r := newRig(b)
	r.bucket("things")
	for i := range 1000 {
		r.must("PUT", "/things/prefix/of/a/key/"+strings.Repeat("k", i%50)+string(rune('a'+i%26))+strings.Repeat("z", i/26), "")
	}
	b.ReportAllocs()
	for b.Loop() {
		r.must("GET", "/things?list-type=2", "")
	}
}
