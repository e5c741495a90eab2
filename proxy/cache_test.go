package proxy

import (
	"cmp"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway/policy"
)

func head(path string) call { return call{method: "HEAD", path: path} }

// cached reports how a HEAD was answered: "hit", "miss" or "" for past the cache.
func (r *rig) cached(c call) string {
	r.t.Helper()
	a := r.do(c)
	if a.status != 200 {
		r.t.Fatalf("%s %s: %d %v", c.method, c.path, a.status, a.header)
	}
	return a.header.Get("X-Cache")
}

func TestHeadsAreAnsweredFromTheCache(t *testing.T) {
	r := newRig(t)
	r.backend.answers(func(w http.ResponseWriter, _ *http.Request, s seen) {
		w.Header().Set("Etag", `"etag"`)
		w.Header().Set("Content-Length", "1234567")
		w.Header().Set("X-Amz-Meta-Colour", "blue")
		w.Header().Set("X-Amz-Request-Id", "secret")
		if s.Header.Get("X-Amz-Checksum-Mode") != "" {
			w.Header().Set("X-Amz-Checksum-Crc32", "AAAA")
		}
	})
	first, second := r.do(head("/bucket/key")), r.do(head("/bucket/key"))
	if first.header.Get("X-Cache") != "miss" || second.header.Get("X-Cache") != "hit" {
		t.Errorf("%q, then %q", first.header.Get("X-Cache"), second.header.Get("X-Cache"))
	}
	for _, h := range []http.Header{first.header, second.header} {
		h.Del("X-Cache")
		h.Del("Date")
	}
	if a, b := headerText(first.header), headerText(second.header); a != b || strings.Contains(a, "secret") || !strings.Contains(b, "Content-Length: 1234567") {
		t.Errorf("a hit differs from its miss:\n%s\n%s", a, b)
	}
	// An answer with checksums is another one.
	summed := call{method: "HEAD", path: "/bucket/key", header: map[string]string{"X-Amz-Checksum-Mode": "ENABLED"}}
	if got := r.cached(summed); got != "miss" {
		t.Errorf("with checksums: %q", got)
	}
	if a := r.do(summed); a.header.Get("X-Cache") != "hit" || a.header.Get("X-Amz-Checksum-Crc32") != "AAAA" {
		t.Errorf("with checksums again: %v", a.header)
	}
	if a := r.do(head("/bucket/key")); a.header.Get("X-Amz-Checksum-Crc32") != "" {
		t.Error("checksums that were not asked for")
	}
	if n := len(r.backend.requests()); n != 2 {
		t.Errorf("the backend was asked %d times", n)
	}
}

// Whatever may change the answer and is not part of the key goes past the cache.
func TestOtherQuestionsGoPastTheCache(t *testing.T) {
	r := newRig(t)
	r.cached(head("/bucket/key"))
	for _, c := range []call{
		{query: "versionId=v"}, {query: "partNumber=1"}, {query: "response-content-type=a/b"},
		{header: map[string]string{"Range": "bytes=0-1"}}, {header: map[string]string{"If-Match": `"etag"`}}, {header: map[string]string{"If-None-Match": `"other"`}},
		{header: map[string]string{"If-Modified-Since": "x"}}, {header: map[string]string{"X-Amz-Expected-Bucket-Owner": "1"}},
		{header: map[string]string{"X-Amz-Request-Payer": "requester"}}, {header: map[string]string{"X-Amz-Checksum-Mode": "DISABLED"}},
		{header: map[string]string{"X-Amz-Server-Side-Encryption-Customer-Algorithm": "AES256"}},
	} {
		c.method, c.path = "HEAD", "/bucket/key"
		if got := r.cached(c); got != "" {
			t.Errorf("?%s %v: %q", c.query, c.header, got)
		}
	}
	for _, path := range []string{"/bucket//key", "/bucket/./key", "/bucket/a/../key"} { // may be aliases of /bucket/key
		for range 2 {
			if got := r.cached(head(path)); got != "" {
				t.Errorf("%s: %q", path, got)
			}
		}
	}
	if got := r.cached(call{method: "HEAD", path: "/bucket/key", query: "x-id=HeadObject"}); got != "hit" {
		t.Errorf("x-id is no part of the question: %q", got)
	}
}

func TestWritesEmptyTheCache(t *testing.T) {
	for name, write := range map[string]call{
		"put":              {method: "PUT", path: "/bucket/key", body: "x"},
		"put by an alias":  {method: "PUT", path: "/bucket//key", body: "x"},
		"delete":           {method: "DELETE", path: "/bucket/key"},
		"delete a version": {method: "DELETE", path: "/bucket/key", query: "versionId=v"},
		"tags":             {method: "PUT", path: "/bucket/key", query: "tagging", body: "<Tagging></Tagging>"},
		"no tags":          {method: "DELETE", path: "/bucket/key", query: "tagging"},
		"copy":             {method: "PUT", path: "/bucket/key", header: map[string]string{"X-Amz-Copy-Source": "/bucket/old"}},
		"complete":         {method: "POST", path: "/bucket/key", query: "uploadId=u", body: completeBody(1)},
		"batch":            deletes(deleteBody("other", "key"), nil),
		"batch by alias":   deletes(deleteBody("other", "/key"), nil),
		"retention":        {method: "PUT", path: "/bucket/key", query: "retention", body: "<Retention></Retention>"},
		"restore":          {method: "POST", path: "/bucket/key", query: "restore", body: "<RestoreRequest></RestoreRequest>"},
		"the bucket":       {method: "DELETE", path: "/bucket"},
		"versioning":       {method: "PUT", path: "/bucket", query: "versioning", body: "<VersioningConfiguration></VersioningConfiguration>"},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			r.backend.hasSources("/bucket/old")
			r.backend.answers(func(w http.ResponseWriter, q *http.Request, _ seen) {
				w.Header().Set("Etag", `"etag"`)
				if q.Method != http.MethodHead {
					root := cmp.Or(map[string]string{"copy": "CopyObjectResult", "complete": "CompleteMultipartUploadResult"}[name], "DeleteResult")
					_, _ = io.WriteString(w, "<"+root+"></"+root+">")
				}
			})
			r.cached(head("/bucket/key"))
			if got := r.cached(head("/bucket/key")); got != "hit" {
				t.Fatalf("before: %q", got)
			}
			if a := r.do(write); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			if got := r.cached(head("/bucket/key")); got != "miss" {
				t.Errorf("after: %q", got)
			}
			if got := r.cached(head("/bucket/key")); got != "hit" {
				t.Errorf("and again: %q", got)
			}
		})
	}
}

// After a write of unknown outcome the key stays out of the cache: the write may
// still happen.
func TestAnUnknownOutcomeKeepsTheKeyOut(t *testing.T) {
	r := newRig(t)
	r.backend.refuses(500, "InternalError", "")
	if a := r.do(call{method: "PUT", path: "/bucket/key", body: "x"}); a.status != 500 {
		t.Fatal(a.status)
	}
	r.backend.answers(nil)
	for range 2 {
		if got := r.cached(head("/bucket/key")); got != "miss" {
			t.Errorf("after an unknown outcome: %q", got)
		}
	}
	r.backend.refuses(412, "PreconditionFailed", "")
	if a := r.do(call{method: "PUT", path: "/bucket/other", body: "x"}); a.status != 412 {
		t.Fatal(a.status)
	}
	r.backend.answers(nil)
	r.cached(head("/bucket/other"))
	if got := r.cached(head("/bucket/other")); got != "hit" {
		t.Errorf("after a refusal, which changed nothing: %q", got)
	}
}

// A HEAD that began before a PUT and ends after it is not kept.
func TestAnOldAnswerIsNotKept(t *testing.T) {
	r := newRig(t)
	asked, answer := make(chan struct{}), make(chan struct{})
	r.backend.answers(func(w http.ResponseWriter, q *http.Request, _ seen) {
		if q.Method == http.MethodHead {
			close(asked)
			<-answer
		}
		w.Header().Set("Etag", `"old"`)
	})
	done := make(chan string)
	go func() {
		resp, err := r.send(head("/bucket/key"))
		if err != nil {
			done <- err.Error()
			return
		}
		done <- readReply(resp).header.Get("X-Cache")
	}()
	<-asked
	r.do(call{method: "PUT", path: "/bucket/key", body: "new"})
	close(answer)
	if got := <-done; got != "miss" {
		t.Errorf("the old HEAD: %q", got)
	}
	r.backend.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) { w.Header().Set("Etag", `"new"`) })
	if a := r.do(head("/bucket/key")); a.header.Get("X-Cache") != "miss" || a.header.Get("Etag") != `"new"` {
		t.Errorf("the next HEAD: %v", a.header)
	}
}

func TestRefusalsAreNotCachedAndTheCacheAsksThePolicyFirst(t *testing.T) {
	r := newRig(t)
	r.backend.refuses(404, "NoSuchKey", "")
	r.do(head("/bucket/key"))
	r.backend.answers(nil)
	if got := r.cached(head("/bucket/key")); got != "miss" {
		t.Errorf("after a 404: %q", got)
	}
	r.cached(head("/bucket/key"))
	a := r.do(call{method: "HEAD", path: "/bucket/key", anonymous: true})
	if a.status != 403 || a.header.Get("X-Cache") != "" {
		t.Errorf("anonymous: %d %v", a.status, a.header)
	}
}

func TestADoorWithoutACacheWorks(t *testing.T) {
	r := newRig(t, func(r *rig) { r.door.Cache, r.policy.Types = nil, policy.AnyType() })
	for range 2 {
		if a := r.do(head("/bucket/key")); a.status != 200 || a.header.Get("X-Cache") == "hit" {
			t.Errorf("%d %v", a.status, a.header)
		}
	}
}
