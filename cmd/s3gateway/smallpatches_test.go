package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/quota"
)

// meter counts the bytes that go to a backend and come from it.
type meter struct {
	backend.Guard
	sent, got, requests atomic.Int64
}

// RoundTrip counts one request.
func (m *meter) RoundTrip(r *http.Request, bucket, key string, next http.RoundTripper) (*http.Response, error) {
	m.requests.Add(1)
	m.sent.Add(max(r.ContentLength, 0))
	resp, err := m.Guard.RoundTrip(r, bucket, key, next)
	if err == nil {
		resp.Body = &metered{resp.Body, m}
	}
	return resp, err
}

type metered struct {
	io.ReadCloser
	m *meter
}

// Read counts what it reads.
func (b *metered) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.m.got.Add(int64(n))
	return n, err
}

func (m *meter) total() int64 { return m.sent.Load() + m.got.Load() }

// meterBackend counts from now on.
func (w *world) meterBackend() *meter {
	m := &meter{Guard: w.app.client.Guard}
	w.app.client.Guard = m
	return m
}

// resumable is an upload by the tus protocol.
type resumable struct {
	w      *world
	at     string
	key    string // API key, "" for the local user
	offset int64
}

func (w *world) createUpload(key string, length int64) (*resumable, answer) {
	w.t.Helper()
	headers := []string{"Tus-Resumable", "1.0.0", "Upload-Length", strconv.FormatInt(length, 10)}
	if key != "" {
		headers = append(headers, "X-Api-Key", key)
	}
	a := do(w.t, newRequest(w.t, "POST", w.rest("resumable"), nil, headers...))
	return &resumable{w: w, at: a.header.Get("Location"), key: key}, a
}

func (u *resumable) request(method string, body []byte) answer {
	u.w.t.Helper()
	r := newRequest(u.w.t, method, u.at, bytes.NewReader(body), "Tus-Resumable", "1.0.0")
	if method == "PATCH" {
		r.Header.Set("Upload-Offset", strconv.FormatInt(u.offset, 10))
		r.Header.Set("Content-Type", "application/offset+octet-stream")
	}
	if u.key != "" {
		r.Header.Set("X-Api-Key", u.key)
	}
	return do(u.w.t, r)
}

func (u *resumable) patch(body []byte) answer {
	u.w.t.Helper()
	a := u.request("PATCH", body)
	if a.status == http.StatusNoContent {
		u.offset += int64(len(body))
	}
	return a
}

// Small chunks cost little, however much of a part lies there already, and the
// file is what was sent.
func TestSmallChunksOfAnUploadCostLittle(t *testing.T) {
	const few = 12 << 10 // bytes of a chunk's own cost, both ways
	w := newWorld(t, open...)
	random := rand.NewChaCha8([32]byte{1})
	file := make([]byte, 11<<20)
	_, _ = random.Read(file)
	u, a := w.createUpload("", int64(len(file)))
	if a.status != http.StatusCreated {
		t.Fatal(a.status, string(a.body))
	}
	m := w.meterBackend()
	for _, phase := range []struct {
		chunk, n int
	}{
		{4_800_000, 1}, {1, 150}, {100, 100}, {9 << 10, 150}, {64 << 10, 12}, {1, 20},
	} {
		before, requests, sent := m.total(), m.requests.Load(), 0
		began := time.Now()
		for range phase.n {
			if a := u.patch(file[u.offset:][:phase.chunk]); a.status != http.StatusNoContent {
				t.Fatal(a.status, string(a.body))
			}
			sent += phase.chunk
		}
		cost := m.total() - before
		t.Logf("%d chunks of %d bytes: %d bytes to and from the store, %d requests, %v", phase.n, phase.chunk, cost, m.requests.Load()-requests, time.Since(began).Round(time.Millisecond))
		// A part that fills up meanwhile is read once and sent once.
		if most := int64(8*sent + phase.n*few + 2*5<<20); phase.chunk > 1 && cost > most {
			t.Errorf("more than %d", most)
		}
		if phase.chunk == 1 && cost > int64(phase.n*few) {
			t.Errorf("a chunk of one byte costs %d", cost/int64(phase.n))
		}
	}
	if a := u.patch(file[u.offset:]); a.status != http.StatusNoContent {
		t.Fatal(a.status, string(a.body))
	}
	id := u.request("HEAD", nil).header.Get("X-File-Id")
	if got := do(t, newRequest(t, "GET", w.rest("download/"+id), nil)); !bytes.Equal(got.body, file) {
		t.Errorf("%d: %d bytes are not the file", got.status, len(got.body))
	}
	w.noRecords()
}

// noRecords fails the test if anything but finished uploads is left of the
// gateway's records of uploads.
func (w *world) noRecords() {
	w.t.Helper()
	for key := range w.store.Snapshot(w.t, w.bucket) {
		if len(key) > 14 && (key[:15] == ".s3gateway/tus/" || key[:15] == ".s3gateway/tus-") && key[:16] != ".s3gateway/tus-d" {
			w.t.Errorf("%s is left", key)
		}
	}
}

// What lies there of unfinished uploads counts towards the quota, by the requests
// and by a listing, and no more when it is gone.
func TestUnfinishedUploadsCountTowardsTheQuota(t *testing.T) {
	w := newWorld(t, append(open, "QUOTA_BYTES=10MiB")...)
	w.used("QUOTA_BYTES")
	var all []*resumable
	stored := int64(0)
	for range 6 {
		u, a := w.createUpload("", 5_000_000)
		if a.status == http.StatusInsufficientStorage {
			continue
		}
		if a.status != http.StatusCreated {
			t.Fatal(a.status, string(a.body))
		}
		switch a := u.patch(make([]byte, 4_900_000)); a.status {
		case http.StatusNoContent:
			all, stored = append(all, u), stored+4_900_000
		case http.StatusInsufficientStorage:
		default:
			t.Fatal(a.status, string(a.body))
		}
	}
	if len(all) != 2 {
		t.Fatalf("%d bytes lie under a quota of 10 MiB", stored)
	}
	if got := w.used("QUOTA_BYTES"); got != (quota.Usage{Bytes: stored}) {
		t.Errorf("counted %+v, stored %d", got, stored)
	}
	do(t, w.signedPut("other", make([]byte, 1<<20))).isS3Error(t, http.StatusInsufficientStorage, "QuotaExceeded")
	w.clock.Advance(2 * time.Hour)
	w.app.quotas.Use(quotasOf(w.app.current.Load().config, w.app.client.Name))
	eventually(t, "a listing counts the same", func() bool { return w.used("QUOTA_BYTES") == quota.Usage{Bytes: stored} })
	// The last bytes of one fit, although the file is there beside them for a moment.
	if a := all[1].patch(make([]byte, 100_000)); a.status != http.StatusNoContent {
		t.Fatal(a.status, string(a.body))
	}
	if a := all[0].request("DELETE", nil); a.status != http.StatusNoContent {
		t.Fatal(a.status)
	}
	if got := w.used("QUOTA_BYTES"); got != (quota.Usage{Bytes: 5_000_000, Objects: 1}) {
		t.Errorf("counted %+v in the end", got)
	}
}

// A caller opens so many uploads and no more; finished ones do not count, nor do
// those of others.
func TestOpenUploadsOfACallerAreBounded(t *testing.T) {
	w := newFiled(t, twoCallers, "MAX_OPEN_UPLOADS=3")
	var all []*resumable
	for range 3 {
		u, a := w.createUpload(greedyKey, 10)
		if a.status != http.StatusCreated {
			t.Fatal(a.status, string(a.body))
		}
		all = append(all, u)
	}
	refused := func() {
		t.Helper()
		_, a := w.createUpload(greedyKey, 10)
		a.isProblem(t, http.StatusTooManyRequests, "3 uploads are open (MAX_OPEN_UPLOADS)")
	}
	refused()
	if _, a := w.createUpload(modestKey, 10); a.status != http.StatusCreated {
		t.Error(a.status, string(a.body))
	}
	if a := all[0].patch(make([]byte, 10)); a.status != http.StatusNoContent {
		t.Fatal(a.status, string(a.body))
	}
	if a := all[1].request("DELETE", nil); a.status != http.StatusNoContent {
		t.Fatal(a.status, string(a.body))
	}
	for range 2 {
		if _, a := w.createUpload(greedyKey, 10); a.status != http.StatusCreated {
			t.Error(a.status, string(a.body))
		}
	}
	refused()
	if a := all[0].request("HEAD", nil); a.header.Get("X-File-Id") == "" {
		t.Errorf("a finished upload does not tell its file: %d", a.status)
	}
}
