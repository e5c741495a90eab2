package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// A download that is resumed after the object was replaced gets all of the new
// one, by whatever way: a range would join bytes of two files (RFC 9110 section
// 13.1.5).
func TestAResumedDownloadMixesNoTwoFiles(t *testing.T) {
	w := newWorld(t, append(open, "CACHE_ENTRIES=0")...) // the test replaces the object past the gateway
	const before, after = "0123456789-before", "0123456789-after!"
	w.plant(copySource, "text/plain", []byte(before))
	link, _ := do(t, newRequest(t, "GET", w.rest("download/"+copySource+"/url"), nil)).json(t)["download_url"].(string)
	ways := map[string]func(headers ...string) answer{
		"signed": func(headers ...string) answer {
			r := newRequest(t, "GET", w.url+"/"+w.bucket+"/"+copySource, nil, headers...)
			sign(t, r, hexSHA256(nil), testSecret, time.Now())
			return do(t, r)
		},
		"link": func(headers ...string) answer { return do(t, newRequest(t, "GET", link, nil, headers...)) },
		"upload API": func(headers ...string) answer {
			return do(t, newRequest(t, "GET", w.rest("download/"+copySource), nil, headers...))
		},
		"upload API, two ranges": func(headers ...string) answer {
			for i, h := range headers {
				if h == "bytes=11-" {
					headers[i] = "bytes=11-12,14-"
				}
			}
			return do(t, newRequest(t, "GET", w.rest("download/"+copySource), nil, headers...))
		},
	}
	for name, get := range ways {
		w.plant(copySource, "text/plain", []byte(before))
		first := get()
		etag, modified := first.header.Get("ETag"), first.header.Get("Last-Modified")
		at, err := http.ParseTime(modified)
		if err != nil || string(first.body) != before {
			t.Fatalf("%s: %d %v %s", name, first.status, err, first.body)
		}
		if a := get("Range", "bytes=11-", "If-Range", etag); a.status != http.StatusPartialContent {
			t.Errorf("%s: a range of the same object: %d", name, a.status)
		}
		eventually(t, "the date is a strong validator, by a clock of the store that may lag a second", func() bool { return time.Since(at) > 2200*time.Millisecond })
		if a := get("Range", "bytes=11-", "If-Range", modified); a.status != http.StatusPartialContent {
			t.Errorf("%s: a range by the object's date: %d", name, a.status)
		}
		w.plant(copySource, "text/plain", []byte(after))
		now := get().header.Get("ETag")
		for _, ifRange := range []string{etag, "W/" + etag, "W/" + now, etag + ", " + now, strings.Trim(now, `"`), "*", modified, longAgo, farFuture, "yesterday"} {
			a := get("Range", "bytes=11-", "If-Range", ifRange)
			if a.status != http.StatusOK || string(a.body) != after || a.header.Get("Content-Range") != "" {
				t.Errorf("%s with If-Range: %s: %d %q", name, ifRange, a.status, a.body)
			}
		}
		if a := get("Range", "bytes=11-", "If-Range", now, "If-Match", etag); a.status != http.StatusPreconditionFailed {
			t.Errorf("%s: If-Match beside If-Range: %d", name, a.status)
		}
		if a := get("If-Range", etag); a.status != http.StatusOK {
			t.Errorf("%s: an If-Range without a range: %d", name, a.status)
		}
	}
}
