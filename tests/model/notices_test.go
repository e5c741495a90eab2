package model

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// wrong is a defect that a store could have, made of a store that is right by
// changing its requests and answers.
type wrong struct {
	name    string
	request func(r *http.Request)
	answer  func(r *http.Request, a *http.Response)
}

// without returns a request without some of its headers.
func without(names ...string) func(*http.Request) {
	return func(r *http.Request) {
		for _, name := range names {
			r.Header.Del(name)
		}
	}
}

// ignoring returns a request without a parameter.
func ignoring(method, name string) func(*http.Request) {
	return func(r *http.Request) {
		if q := r.URL.Query(); r.Method == method && q.Has(name) {
			q.Del(name)
			r.URL.RawQuery = q.Encode()
		}
	}
}

var wrongs = []wrong{
	{name: "If-None-Match is ignored", request: without("If-None-Match")},
	{name: "If-Match is ignored", request: without("If-Match")},
	{name: "If-Unmodified-Since is ignored", request: without("If-Unmodified-Since")},
	{name: "conditions of copies are ignored", request: without("X-Amz-Copy-Source-If-Match", "X-Amz-Copy-Source-If-None-Match")},
	{name: "metadata of copies is never replaced", request: without("X-Amz-Metadata-Directive")},
	{name: "tags are lost", request: without("X-Amz-Tagging")},
	{name: "a range of a copied part is ignored", request: without("X-Amz-Copy-Source-Range")},
	{name: "legal holds are lost", request: without("X-Amz-Object-Lock-Legal-Hold")},
	{name: "checksums are not checked", request: without("X-Amz-Checksum-Crc32", "X-Amz-Checksum-Sha256")},
	{name: "a deletion takes the current version", request: ignoring(http.MethodDelete, "versionId")},
	{name: "a read takes the current version", request: ignoring(http.MethodGet, "versionId")},
	{name: "a delimiter is ignored", request: ignoring(http.MethodGet, "delimiter")},
	{name: "a version id marker is ignored", request: ignoring(http.MethodGet, "version-id-marker")},
	{name: "a continuation token is ignored", request: ignoring(http.MethodGet, "continuation-token")},
	{name: "retention can always be bypassed", request: func(r *http.Request) {
		if r.Method == http.MethodDelete {
			r.Header.Set("X-Amz-Bypass-Governance-Retention", "true")
		}
	}},
	{name: "keys fold case", request: func(r *http.Request) {
		bucket, key, _ := strings.Cut(r.URL.EscapedPath()[1:], "/")
		if key == "A" {
			r.URL.Path, r.URL.RawPath = "/"+bucket+"/a", ""
		}
	}},
	{name: "a delete marker is not named", answer: func(_ *http.Request, a *http.Response) { a.Header.Del("X-Amz-Delete-Marker") }},
	{name: "a time is a second late", answer: func(r *http.Request, a *http.Response) {
		if at, err := http.ParseTime(a.Header.Get("Last-Modified")); err == nil && r.Method == http.MethodHead {
			a.Header.Set("Last-Modified", at.Add(time.Second).Format(http.TimeFormat))
		}
	}},
	{name: "a version of suspended versioning has an id", answer: func(_ *http.Request, a *http.Response) {
		if a.Header.Get("X-Amz-Version-Id") == "null" {
			a.Header.Set("X-Amz-Version-Id", "00000000000000010000000000000001")
		}
	}},
}

// wrongStore is a store with a defect.
type wrongStore struct {
	wrong
	right http.RoundTripper
}

func (w wrongStore) RoundTrip(r *http.Request) (*http.Response, error) {
	if w.request != nil {
		r = r.Clone(r.Context())
		w.request(r)
	}
	a, err := w.right.RoundTrip(r)
	if err == nil && w.answer != nil {
		w.answer(r, a)
	}
	return a, err
}

// A model that accepted every answer would pass every store.
func TestProgramsNoticeWhatAStoreDoesWrong(t *testing.T) {
	const limit = 300 // programs; most defects are noticed by the first ten
	target, done := openStore(t, time.Now, nil)
	defer done()
	right := map[int]bool{} // programs that pass without the defect
	for i, w := range wrongs {
		wrong, done := openStore(t, time.Now, func(right http.RoundTripper) http.RoundTripper { return wrongStore{w, right} })
		noticed := 0
		for n := 1; n <= limit && noticed == 0; n++ {
			p := Generate(target, uint64(n))
			if p.big() {
				continue
			}
			if !right[n] {
				if f := Run(t.Context(), target, p, fmt.Sprintf("right%d-", n), &Totals{}); f != nil {
					t.Fatalf("program %d fails on the right store: %s", n, f)
				}
				right[n] = true
			}
			if f := Run(t.Context(), wrong, p, fmt.Sprintf("wrong%d-%d-", i, n), &Totals{}); f != nil {
				noticed = n
				t.Logf("%s: program %d, %s", w.name, n, f.Kind())
			}
		}
		done()
		if noticed == 0 {
			t.Errorf("%d programs did not notice that %s", limit, w.name)
		}
	}
}

// big reports whether a program has parts of the size that S3 demands, which
// take most of the time.
func (p Program) big() bool {
	for _, s := range p.Steps {
		if len(s.Body) >= 1<<20 {
			return true
		}
	}
	return false
}
