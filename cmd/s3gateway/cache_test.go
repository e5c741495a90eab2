package main

import (
	"bytes"
	"net/http"
	"testing"
	"time"
)

func (w *world) signed(method, key string, headers ...string) answer {
	r := newRequest(w.t, method, w.url+"/"+w.bucket+"/"+key, nil, headers...)
	sign(w.t, r, hexSHA256(nil), testSecret, time.Now())
	return do(w.t, r)
}

func TestHeadIsCachedUntilAWrite(t *testing.T) {
	w := newWorld(t, open...)
	do(t, w.signedPut("a.txt", []byte("one")))
	head := func(wantCache string) string {
		t.Helper()
		got := w.signed(http.MethodHead, "a.txt")
		if got.status != 200 || got.header.Get("X-Cache") != wantCache {
			t.Fatalf("status %d, X-Cache %q, want %q", got.status, got.header.Get("X-Cache"), wantCache)
		}
		return got.header.Get("Etag")
	}
	first := head("miss")
	if again := head("hit"); again != first {
		t.Errorf("the cache changed the ETag: %s, %s", first, again)
	}
	do(t, w.signedPut("a.txt", []byte("two")))
	if second := head("miss"); second == first {
		t.Error("HEAD after PUT shows what the PUT replaced")
	}
	head("hit")
	w.clock.Advance(31 * time.Second)
	head("miss")
	if got := w.signed(http.MethodDelete, "a.txt"); got.status != 204 {
		t.Fatal(got.status)
	}
	if got := w.signed(http.MethodHead, "a.txt"); got.status != 404 || len(got.body) > 0 {
		t.Errorf("HEAD after DELETE: %d", got.status)
	}
}

func TestTheCacheAsksForAuthorisationFirst(t *testing.T) {
	w := newWorld(t, open...)
	do(t, w.signedPut("a.txt", []byte("one")))
	w.signed(http.MethodHead, "a.txt")
	w.signed(http.MethodHead, "a.txt")
	r := newRequest(t, "HEAD", w.url+"/"+w.bucket+"/a.txt", nil)
	if got := do(t, r); got.status != 403 || got.header.Get("Etag") != "" {
		t.Errorf("unsigned HEAD of a cached object: %d %v", got.status, got.header)
	}
}

func TestAWriteByOneDoorIsSeenByTheOther(t *testing.T) {
	w := newWorld(t, open...)
	content, formType := form(t, "a.png", "image/png", png(100))
	stored := do(t, newRequest(t, "POST", w.rest("direct"), content, "Content-Type", formType)).json(t)
	id := stored["file_id"].(string)
	metadata := func(wantCache string) map[string]any {
		t.Helper()
		got := do(t, newRequest(t, "GET", w.rest("metadata/"+id), nil))
		if got.status != 200 || got.header.Get("X-Cache") != wantCache {
			t.Fatalf("%d, X-Cache %q, want %q", got.status, got.header.Get("X-Cache"), wantCache)
		}
		return got.json(t)
	}
	metadata("miss")
	metadata("hit")
	if got := do(t, w.signedPut(id, bytes.Repeat([]byte("x"), 5))); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if now := metadata("miss"); now["file_size"].(float64) != 5 {
		t.Errorf("metadata after a PUT by the S3 door: %v", now)
	}
	w.signed(http.MethodHead, id)
	if got := do(t, newRequest(t, "DELETE", w.rest(id), nil)); got.status != 204 {
		t.Fatal(got.status)
	}
	if got := w.signed(http.MethodHead, id); got.status != 404 {
		t.Errorf("HEAD after a DELETE by the REST door: %d", got.status)
	}
}
