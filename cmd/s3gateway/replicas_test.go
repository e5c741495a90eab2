package main

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// newReplicas starts replicas over one bucket of the test store and one Redis.
func newReplicas(t *testing.T, n int, settings ...string) ([]*world, *testbed.Redis) {
	t.Helper()
	redis, store := testbed.StartRedis(t), testbed.Open(t).OnTCP(t) // no two processes share the store of one
	bucket := store.Bucket(t)
	var all []*world
	for range n {
		all = append(all, newWorldOn(t, store, bucket, append(append(open, "REDIS_URL="+redis.URL), settings...)...))
	}
	return all, redis
}

func TestRatesHoldAcrossReplicas(t *testing.T) {
	all, redis := newReplicas(t, 3, "RATE_LIMIT=0.01/s:9")
	allowed := 0
	for i := range 24 {
		if got := all[i%3].signed("GET", "missing"); got.status == 404 {
			allowed++
		} else {
			got.isS3Error(t, 503, "SlowDown")
		}
	}
	if allowed != 9 {
		t.Errorf("%d allowed on three replicas, want 9", allowed)
	}
	// Each has used up a third of a burst of its own: that is left to it.
	redis.Stop()
	for i := range 3 {
		if got := all[0].signed("GET", "missing"); got.status != 404 {
			t.Errorf("request %d while Redis is away: %d", i, got.status)
		}
	}
}

func TestACacheEntryIsNotServedAfterAWriteByAnotherReplica(t *testing.T) {
	all, redis := newReplicas(t, 3)
	put := func(w *world, body string) string {
		t.Helper()
		got := do(t, w.signedPut("a.txt", []byte(body)))
		if got.status != 200 {
			t.Fatalf("PUT: %d %s", got.status, got.body)
		}
		return got.header.Get("ETag")
	}
	head := func(w *world, etag, state string) {
		t.Helper()
		if got := w.signed("HEAD", "a.txt"); got.header.Get("ETag") != etag || got.header.Get("X-Cache") != state {
			t.Errorf("HEAD: %s %s, want %s %s", got.header.Get("ETag"), got.header.Get("X-Cache"), etag, state)
		}
	}
	for round, body := range []string{"one", "two", "three", "four"} {
		etag := put(all[round%3], body)
		for _, w := range all {
			head(w, etag, "miss")
			head(w, etag, "hit")
		}
	}
	redis.Stop()
	etag := put(all[0], "while Redis is away")
	for _, w := range all {
		head(w, etag, "miss")
		head(w, etag, "miss")
		eventually(t, "health says so", func() bool {
			got := do(t, newRequest(t, "GET", w.rest("health"), nil))
			detail, _ := got.json(t)["detail"].(string)
			return got.status == 200 && strings.Contains(detail, "Redis is away")
		})
	}
	redis.Start()
	for _, w := range all {
		eventually(t, "the cache is back", func() bool { return w.signed("HEAD", "a.txt").header.Get("X-Cache") == "hit" })
		head(w, etag, "hit")
		if n := strings.Count(w.log.String(), "Redis is away: limits"); n != 1 {
			t.Errorf("logged %d times", n)
		}
	}
}

func TestAGatewayStartsWithoutItsRedis(t *testing.T) {
	w := newWorld(t, append(open, "REDIS_URL=redis://:password-of-redis@127.0.0.1:1/0", "RATE_LIMIT=1/s:2")...)
	for range 2 {
		if got := w.signed("GET", "missing"); got.status != 404 {
			t.Errorf("status %d", got.status)
		}
	}
	w.signed("GET", "missing").isS3Error(t, 503, "SlowDown")
	if strings.Contains(w.log.String(), "password-of-redis") {
		t.Error("the log holds the password")
	}
}

// A client whose connection was lost goes on by another replica, while the first
// one still waits for its bytes: that one ends and keeps what it has.
func TestAnUploadGoesOnByAnotherReplica(t *testing.T) {
	all, server := newReplicas(t, 2)
	body := png(300_000)
	created := do(t, newRequest(t, "POST", all[0].rest("resumable"), nil, "Tus-Resumable", "1.0.0",
		"Upload-Length", strconv.Itoa(len(body)), "Upload-Metadata", "filename YS5wbmc="))
	if created.status != 201 {
		t.Fatalf("%d %s", created.status, created.body)
	}
	at, err := url.Parse(created.header.Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	lost, write := io.Pipe()
	defer write.Close()
	first := make(chan int, 1)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), "PATCH", all[0].url+at.Path, lost)
		if err != nil {
			first <- 0
			return
		}
		r.ContentLength = int64(len(body))
		for name, value := range map[string]string{"Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"} {
			r.Header.Set(name, value)
		}
		resp, err := transport().RoundTrip(r)
		if err != nil {
			first <- 0
			return
		}
		resp.Body.Close()
		first <- resp.StatusCode
	}()
	if _, err := write.Write(body[:100_000]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the lock of the first request", func() bool { return server.Has("*lock:*") })
	head := do(t, newRequest(t, "HEAD", all[1].url+at.Path, nil, "Tus-Resumable", "1.0.0"))
	offset, err := strconv.Atoi(head.header.Get("Upload-Offset"))
	if head.status != 200 || err != nil {
		t.Fatalf("%d %v", head.status, head.header)
	}
	done := do(t, newRequest(t, "PATCH", all[1].url+at.Path, bytes.NewReader(body[offset:]), "Tus-Resumable", "1.0.0",
		"Upload-Offset", strconv.Itoa(offset), "Content-Type", "application/offset+octet-stream"))
	id := done.header.Get("X-File-Id")
	if done.status != 204 || id == "" {
		t.Fatalf("%d %v %s", done.status, done.header, done.body)
	}
	if got := do(t, newRequest(t, "GET", all[0].rest("download/"+id), nil)); !bytes.Equal(got.body, body) {
		t.Errorf("%d bytes of %d", len(got.body), len(body))
	}
	if status := <-first; status != 423 && status != 0 {
		t.Errorf("the first request: %d", status)
	}
}
