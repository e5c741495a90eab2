package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// A client that resumes joins what it has with what it gets: in doubt it must
// get the whole file.
func TestARangeIsGivenOfTheSameFileOnly(t *testing.T) {
	b := newReal(t, 0)
	id := b.upload("a.txt", "0123456789")
	head := b.do("HEAD", Root+"/download/"+id, nil, nil).header
	etag := head.Get("Etag")
	modified, err := http.ParseTime(head.Get("Last-Modified"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ ifRange, want string }{
		"its ETag":               {etag, "2-4"},
		"its date":               {modified.UTC().Format(http.TimeFormat), "2-4"},
		"another ETag":           {`"old"`, ""},
		"a weak ETag":            {"W/" + etag, ""},
		"an ETag without quotes": {strings.Trim(etag, `"`), ""},
		"a list of ETags":        {`"old", ` + etag, ""},
		"every ETag":             {"*", ""},
		"an earlier date":        {modified.Add(-time.Second).UTC().Format(http.TimeFormat), ""},
		"a later date":           {modified.Add(time.Hour).UTC().Format(http.TimeFormat), ""},
		"no date":                {"yesterday", ""},
	} {
		for _, set := range []string{"2-4", "2-3,6-7"} {
			got := b.do("GET", Root+"/download/"+id, http.Header{"Range": {"bytes=" + set}, "If-Range": {c.ifRange}}, nil)
			if c.want == "" && (got.status != 200 || got.body != "0123456789") || c.want != "" && got.status != 206 {
				t.Errorf("%s, bytes=%s: %d %q", name, set, got.status, got.body)
			}
		}
	}
}

func TestARangeBehindTheEndTellsTheLength(t *testing.T) {
	b := newReal(t, 0)
	id := b.upload("a.txt", "0123456789")
	for _, asked := range []string{"bytes=10-", "bytes=99-120", "bytes=10-11,20-"} {
		got := b.do("GET", Root+"/download/"+id, http.Header{"Range": {asked}}, nil)
		b.wantRefusal(got, refusal{416, "InvalidRange", "", ""})
		if got.header.Get("Content-Range") != "bytes */10" {
			t.Errorf("%s: %v", asked, got.header)
		}
	}
	if got := b.do("GET", Root+"/download/"+id, http.Header{"Range": {"bytes=5-2"}}, nil); got.status != 200 || got.body != "0123456789" {
		t.Errorf("a range from its end to its beginning: %d %q", got.status, got.body)
	}
}

// RFC 9110 section 13.2.2.
func TestConditionsAreJudgedInTheirOrder(t *testing.T) {
	b := newReal(t, 0)
	id := b.upload("a.txt", "0123456789")
	head := b.do("HEAD", Root+"/download/"+id, nil, nil).header
	etag, modified := head.Get("Etag"), head.Get("Last-Modified")
	before := "Mon, 02 Jan 2006 15:04:05 GMT"
	for name, c := range map[string]struct {
		header []string
		want   int
	}{
		"If-Match before If-Unmodified-Since":            {[]string{"If-Match", etag, "If-Unmodified-Since", before}, 200},
		"If-Match that fails, a date that holds":         {[]string{"If-Match", `"x"`, "If-Unmodified-Since", modified}, 412},
		"If-None-Match before If-Modified-Since":         {[]string{"If-None-Match", `"x"`, "If-Modified-Since", modified}, 200},
		"If-None-Match that holds, a date that does too": {[]string{"If-None-Match", etag, "If-Modified-Since", before}, 304},
		"If-Match fails before If-None-Match":            {[]string{"If-Match", `"x"`, "If-None-Match", etag}, 412},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			header := http.Header{}
			for i := 0; i < len(c.header); i += 2 {
				header.Set(c.header[i], c.header[i+1])
			}
			if got := b.do(method, Root+"/download/"+id, header, nil); got.status != c.want {
				t.Errorf("%s of %s: %d, want %d", method, name, got.status, c.want)
			}
		}
	}
}

func TestOnlyTheFileThatWasSeenIsDeletedOrCopied(t *testing.T) {
	b := newReal(t, 0)
	id := b.upload("a.txt", "hello")
	etag := b.do("HEAD", Root+"/download/"+id, nil, nil).header.Get("Etag")
	before := b.bed.Snapshot(t, b.bucket)
	other := jsonHeader.Clone()
	other.Set("If-Match", `"other"`)
	for _, query := range []string{"", "?missing_ok=true"} {
		b.wantRefusal(b.do("DELETE", Root+"/"+id+query, other, nil), refusal{412, "PreconditionFailed", "If-Match", ""})
	}
	document := `{"file_id":"` + id + `","move":true}`
	b.wantRefusal(b.do("POST", Root+"/copy", other, strings.NewReader(document)), refusal{412, "PreconditionFailed", "If-Match", ""})
	b.bed.Unchanged(t, b.bucket, before)
	same := http.Header{"If-Match": {etag}}
	if got := b.do("DELETE", Root+"/"+id, same, nil); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	b.wantRefusal(b.do("DELETE", Root+"/"+id, same, nil), refusal{404, "NoSuchKey", "", ""})
	if got := b.do("DELETE", Root+"/"+id+"?missing_ok=true", same, nil); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestACursorHoldsWhileFilesComeAndGo(t *testing.T) {
	b := newReal(t, 0)
	put := func(key string) {
		if _, err := b.bed.Client(t).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, Body: strings.NewReader("x")}); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 6 {
		put(fmt.Sprintf("uploads/%d", i))
	}
	var seen []string
	for cursor, page := "", 0; ; page++ {
		got := b.do("GET", Root+"/list?limit=2&cursor="+url.QueryEscape(cursor), nil, nil).json(t)
		for _, f := range got["files"].([]any) {
			seen = append(seen, strings.TrimPrefix(f.(map[string]any)["file_id"].(string), "uploads/"))
		}
		if page == 0 { // the file of the cursor goes, one comes before it and one behind
			if deleted := b.do("DELETE", Root+"/uploads/1", nil, nil); deleted.status != 204 {
				t.Fatalf("%d %s", deleted.status, deleted.body)
			}
			put("uploads/0a")
			put("uploads/4a")
		}
		next, more := got["next_cursor"].(string)
		if !more {
			break
		}
		cursor = next
	}
	if got := strings.Join(seen, " "); got != "0 1 2 3 4 4a 5" {
		t.Errorf("listed %s", got)
	}
	for limit, want := range map[string]int{"1": 200, "1000": 200, "1001": 422, "0": 422, "-1": 422} {
		if got := b.do("GET", Root+"/list?limit="+limit, nil, nil); got.status != want {
			t.Errorf("limit=%s: %d %s", limit, got.status, got.body)
		}
	}
}

// What a backend was seen to count need not be asked for.
func TestTagsAreAskedForOnlyWhereThereMayBeAny(t *testing.T) {
	var store *Store
	b := newReal(t, 0, func(s *Store) { store = s })
	first, tagged, last := b.upload("a.txt", "a"), b.upload("b.txt", "b"), b.upload("c.txt", "c")
	_, err := b.bed.Client(t).PutObjectTagging(t.Context(), &s3.PutObjectTaggingInput{Bucket: &b.bucket, Key: &tagged,
		Tagging: &types.Tagging{TagSet: []types.Tag{{Key: aws.String("k"), Value: aws.String("v")}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{first, tagged, last} {
		o, _, err := store.Head(t.Context(), id)
		if err != nil || (id == tagged) != (o.Tags["k"] == "v") {
			t.Errorf("%s: %v %v", id, o.Tags, err)
		}
	}
	if !store.counts.seen.Load() || store.counts.missed.Load() {
		t.Error("this store counts the tags of an object in its HEAD, and it was not noticed")
	}
}

func TestAnAbsentCountIsNoPromiseUntilACountWasSeen(t *testing.T) {
	var c tagCounts
	none, two := http.Header{}, http.Header{tagCount: {"2"}}
	if c.none(none) {
		t.Error("before any count was seen")
	}
	if c.none(two) || !c.none(none) || !c.none(http.Header{tagCount: {"0"}}) {
		t.Error("after a count was seen")
	}
	c.compare(none, url.Values{"k": {"v"}})
	if c.none(none) {
		t.Error("after tags that were not counted")
	}
}

func TestPagesOfThePrivateNetwork(t *testing.T) {
	for origins, want := range map[string]string{"https://app.example": "true", "*": "", "https://*.example": ""} {
		b := newBench(t, func(o *Options) { o.CORSAllowedOrigins = []string{origins} })
		for _, method := range []string{"PATCH", "DELETE", "HEAD"} {
			got := b.do("OPTIONS", Root+"/metadata/uploads/a", http.Header{"Origin": {"https://app.example"},
				"Access-Control-Request-Method": {method}, "Access-Control-Request-Private-Network": {"true"}}, nil)
			if got.status != 204 || got.header.Get("Access-Control-Allow-Methods") != method || got.header.Get("Access-Control-Max-Age") != "600" ||
				got.header.Get("Access-Control-Allow-Private-Network") != want {
				t.Errorf("%s for %s: %d %v", method, origins, got.status, got.header)
			}
		}
		null := b.do("GET", Root+"/list", http.Header{"Origin": {"null"}}, nil).header
		if origin := null.Get("Access-Control-Allow-Origin"); (origin != "") != (origins == "*") || null.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("the origin null for %s: %v", origins, null)
		}
	}
}
