package main

import (
	"bytes"
	"fmt"
	"strconv"
	"sync"
	"testing"
)

// begin makes a resumable upload and gives its address.
func (w *world) begin(size int) string {
	w.t.Helper()
	created := do(w.t, newRequest(w.t, "POST", w.rest("resumable"), nil, "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(size), "Upload-Metadata", "filename YS5wbmc="))
	if created.status != 201 {
		w.t.Fatalf("%d %s", created.status, created.body)
	}
	return created.header.Get("Location")
}

func (w *world) append(at string, offset int, body []byte) answer {
	w.t.Helper()
	return do(w.t, newRequest(w.t, "PATCH", at, bytes.NewReader(body), "Tus-Resumable", "1.0.0", "Upload-Offset", strconv.Itoa(offset), "Content-Type", "application/offset+octet-stream"))
}

// Where links lead straight to the backend, what came through the gateway was
// judged on its way, and needs no check.
func TestResumableUploadsBesideLinksToTheBackend(t *testing.T) {
	w := newWorld(t, "PRESIGN_VIA=backend", "MAX_FILE_SIZE=20MB", "ALLOWED_FILE_TYPES=image/png")
	for _, size := range []int{4000, 12 << 20} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			w.t = t
			body, at := png(size), w.begin(size)
			if got := w.append(at, 0, body[:size/2]); got.status != 204 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			got := w.append(at, size/2, body[size/2:])
			id := got.header.Get("X-File-Id")
			if got.status != 204 || id == "" {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if status := w.statuses()[id]; status != "" {
				t.Errorf("listed as %q", status)
			}
			if down := w.ask("GET", "/download/"+id, ""); down.status != 200 || !bytes.Equal(down.body, body) {
				t.Errorf("%d, %d bytes", down.status, len(down.body))
			}
			if about := w.ask("GET", "/metadata/"+id, "").json(t); about["sha256"] != hexSHA256(body) {
				t.Errorf("%v", about)
			}
		})
	}
	page := append([]byte("<html>"), make([]byte, 4000)...)
	w.t = t
	w.append(w.begin(len(page)), 0, page).isProblem(t, 415, "File type not allowed")
}

// Two clients send the same chunk of one upload at once: each hears 204, or
// what to do, and the bytes are right.
func TestTwoChunksOfOneUploadAtOnce(t *testing.T) {
	w := newWorld(t, "MAX_FILE_SIZE=20MB", "ALLOWED_FILE_TYPES=image/png")
	body := png(12 << 20)
	for range 3 {
		at := w.begin(len(body))
		var wg sync.WaitGroup
		answers := make([]answer, 2)
		for i := range answers {
			wg.Go(func() { answers[i] = w.append(at, 0, body) })
		}
		wg.Wait()
		for _, a := range answers {
			switch a.status {
			case 204, 409: // all of it, or behind the one that took all of it
			case 423:
				if a.header.Get("Retry-After") == "" {
					t.Error("a 423 without Retry-After")
				}
			default:
				t.Fatalf("%d %s", a.status, a.body)
			}
		}
		var head answer
		eventually(t, "the offset", func() bool {
			head = do(t, newRequest(t, "HEAD", at, nil, "Tus-Resumable", "1.0.0"))
			return head.status == 200
		})
		offset, err := strconv.Atoi(head.header.Get("Upload-Offset"))
		if err != nil {
			t.Fatal(head.header)
		}
		if offset < len(body) {
			if head = w.append(at, offset, body[offset:]); head.status != 204 {
				t.Fatalf("%d %s", head.status, head.body)
			}
		}
		if down := w.ask("GET", "/download/"+head.header.Get("X-File-Id"), ""); !bytes.Equal(down.body, body) {
			t.Errorf("%d bytes of %d", len(down.body), len(body))
		}
	}
	w.onlyFiles(3)
}
