package main

import (
	"net/http"
	"testing"
	"time"
)

// A date condition counts in whole seconds: an object is not newer than its own
// Last-Modified.
func TestConditionsOnDates(t *testing.T) {
	w := newWorld(t, open...)
	do(t, w.signedPut("a.txt", []byte("one")))
	head := w.signed("HEAD", "a.txt")
	modified, err := http.ParseTime(head.header.Get("Last-Modified"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		header string
		date   time.Time
		want   int
	}{
		{"If-Modified-Since", modified, 304},
		{"If-Modified-Since", modified.Add(-time.Second), 200},
		{"If-Unmodified-Since", modified, 200},
		{"If-Unmodified-Since", modified.Add(-time.Second), 412},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			got := w.signed(method, "a.txt", c.header, c.date.UTC().Format(http.TimeFormat))
			if got.status != c.want {
				t.Errorf("%s %s %s: %d, want %d", method, c.header, c.date, got.status, c.want)
			}
			if got.status == 304 && (len(got.body) > 0 || got.header.Get("Etag") == "") {
				t.Errorf("304 with a body or without ETag: %v %q", got.header, got.body)
			}
		}
	}
	copied := w.signedCopy("b.txt", "a.txt", "X-Amz-Copy-Source-If-Unmodified-Since", modified.UTC().Format(http.TimeFormat))
	if copied.status != 200 {
		t.Errorf("copy: %d %s", copied.status, copied.body)
	}
}

func (w *world) signedCopy(key, source string, headers ...string) answer {
	headers = append(headers, "X-Amz-Copy-Source", w.bucket+"/"+source)
	r := newRequest(w.t, "PUT", w.url+"/"+w.bucket+"/"+key, nil, headers...)
	sign(w.t, r, hexSHA256(nil), testSecret, time.Now())
	return do(w.t, r)
}
