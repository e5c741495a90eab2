package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	greedyKey = "greedy-api-key-of-16-or-more"
	modestKey = "modest-api-key-of-16-or-more"
)

var (
	greedyPair = aws.Credentials{AccessKeyID: "GREEDYKEY", SecretAccessKey: "greedy-secret-of-16-or-more"}
	modestPair = aws.Credentials{AccessKeyID: "MODESTKEY", SecretAccessKey: "modest-secret-of-16-or-more"}
)

const twoCallers = `
callers:
  - name: greedy
    access_keys: [{id: GREEDYKEY, secret: greedy-secret-of-16-or-more}]
    api_keys: [{key: greedy-api-key-of-16-or-more}]
    grants: [{bucket: BUCKET, actions: [list, read, write, delete]}]
  - name: modest
    access_keys: [{id: MODESTKEY, secret: modest-secret-of-16-or-more}]
    api_keys: [{key: modest-api-key-of-16-or-more}]
    grants: [{bucket: BUCKET, actions: [list, read, write, delete]}]
`

// held is an upload that stands still after its first bytes.
type held struct {
	body   *io.PipeWriter
	answer chan answer
}

// holdUpload begins an upload of unknown length by a caller of the upload API, and
// returns once its first bytes are sent.
func (w *world) holdUpload(key string, sent int) *held {
	w.t.Helper()
	body, rest := io.Pipe()
	r := newRequest(w.t, "PUT", w.rest("direct?filename=a.bin"), body, "X-Api-Key", key, "Content-Type", "application/octet-stream")
	h := &held{rest, make(chan answer, 1)}
	go h.run(w.t, r)
	w.t.Cleanup(func() { rest.CloseWithError(io.ErrUnexpectedEOF) })
	h.send(make([]byte, sent))
	return h
}

func (h *held) run(t *testing.T, r *http.Request) {
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	if err != nil {
		h.answer <- answer{}
		return
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	h.answer <- answer{status: resp.StatusCode, header: resp.Header, body: raw}
}

func (h *held) send(p []byte) { _, _ = h.body.Write(p) }

// over reports whether the upload has its answer.
func (h *held) over() bool { return len(h.answer) > 0 }

// upload stores a body of unknown length by the upload API.
func (w *world) upload(key string, size int) answer {
	w.t.Helper()
	return do(w.t, newRequest(w.t, "PUT", w.rest("direct?filename=b.bin"), struct{ io.Reader }{bytes.NewReader(make([]byte, size))},
		"X-Api-Key", key, "Content-Type", "application/octet-stream"))
}

// Uploads that sent little hold little, and disturb nobody.
func TestIdleUploadsThatSentLittleKeepNobodyOut(t *testing.T) {
	w := newFiled(t, twoCallers, "UPLOAD_BUFFER_BYTES=32MiB")
	var idle []*held
	for range 64 {
		idle = append(idle, w.holdUpload(greedyKey, 4<<10))
	}
	if a := w.upload(modestKey, 9<<20); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
	for _, h := range idle {
		if h.over() {
			t.Fatalf("an idle upload was ended without pressure: %+v", <-h.answer)
		}
	}
}

// Uploads that filled the memory and then stand still lose one of theirs when
// another caller needs some, and no more. One that moves is not chosen.
func TestOneIdleUploadIsEndedUnderPressure(t *testing.T) {
	w := newFiled(t, twoCallers, "UPLOAD_BUFFER_BYTES=32MiB")
	var idle []*held
	for range 3 {
		idle = append(idle, w.holdUpload(greedyKey, 7<<20))
	}
	moving := w.holdUpload(greedyKey, 7<<20)
	stop := make(chan struct{})
	var sender sync.WaitGroup
	sender.Go(func() {
		for {
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
				moving.send(make([]byte, 1000))
			}
		}
	})
	if a := w.upload(modestKey, 7<<20); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
	close(stop)
	sender.Wait()
	ended := 0
	for _, h := range idle {
		if h.over() {
			ended++
			a := <-h.answer
			a.isProblem(t, http.StatusRequestTimeout, "other clients wait for memory for uploads (UPLOAD_BUFFER_BYTES)")
		}
	}
	if ended != 1 || moving.over() {
		t.Errorf("%d idle uploads were ended; the moving one: %v", ended, moving.over())
	}
}

// A resumable upload that is ended keeps the bytes that came.
func TestAnEndedResumableUploadKeepsItsOffset(t *testing.T) {
	w := newFiled(t, twoCallers, "UPLOAD_BUFFER_BYTES=8MiB")
	create := do(t, newRequest(t, "POST", w.rest("resumable"), nil, "X-Api-Key", greedyKey, "Tus-Resumable", "1.0.0", "Upload-Length", "5200000"))
	if create.status != http.StatusCreated {
		t.Fatal(create.status, string(create.body))
	}
	at := create.header.Get("Location")
	body, rest := io.Pipe()
	r := newRequest(t, "PATCH", at, body, "X-Api-Key", greedyKey, "Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream")
	h := &held{rest, make(chan answer, 1)}
	go h.run(t, r)
	h.send(make([]byte, 4_900_000))
	eventually(t, "the buffer has grown", func() bool { return w.app.budget.Memory.Held() == 8<<20 })
	if a := w.upload(modestKey, 3<<20); a.status != http.StatusCreated {
		t.Errorf("%d %s", a.status, a.body)
	}
	(<-h.answer).isProblem(t, http.StatusRequestTimeout, "other clients wait")
	rest.Close()
	head := do(t, newRequest(t, "HEAD", at, nil, "X-Api-Key", greedyKey, "Tus-Resumable", "1.0.0"))
	if got := head.header.Get("Upload-Offset"); got != "4900000" {
		t.Errorf("offset %s", got)
	}
}

// slowReader asks for an object and reads nothing of the answer.
func (w *world) slowReader(path string) net.Conn {
	w.t.Helper()
	u, err := url.Parse(w.url)
	if err != nil {
		w.t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, u.Host)
	began := make([]byte, len("HTTP/1.1 200"))
	if _, err := io.ReadFull(conn, began); err != nil || string(began) != "HTTP/1.1 200" {
		w.t.Fatalf("%s %v", began, err)
	}
	return conn
}

// Anonymous readers that stand still fill the slots of a public bucket. A caller
// gets one all the same, and one reader is cut for it.
func TestAnonymousReadersDoNotKeepCallersOut(t *testing.T) {
	w := newFiled(t, "buckets: [{name: BUCKET, public: read, in_flight: 8}]\n"+twoCallers)
	const size = 10 << 20 // more than the sockets' buffers take
	if a := do(t, w.signedPut("large", make([]byte, size))); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	var readers []net.Conn
	for range 8 {
		readers = append(readers, w.slowReader("/"+w.bucket+"/large"))
	}
	get := func(keys *aws.Credentials) answer {
		r := newRequest(t, "GET", w.url+"/"+w.bucket+"/large", nil, "Range", "bytes=0-9")
		if keys != nil {
			signAs(t, r, hexSHA256(nil), *keys, time.Now())
		}
		return do(t, r)
	}
	eventually(t, "all slots are taken", func() bool {
		a := get(nil)
		return a.status == http.StatusServiceUnavailable
	})
	if a := get(&modestPair); a.status != http.StatusPartialContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	var cut atomic.Int64
	var all sync.WaitGroup
	for _, c := range readers {
		all.Go(func() {
			_ = c.SetReadDeadline(time.Now().Add(20 * time.Second))
			in := bufio.NewReader(io.MultiReader(strings.NewReader("HTTP/1.1 200"), c))
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if n, err := io.Copy(io.Discard, resp.Body); err != nil {
				cut.Add(1)
			} else if n != size {
				t.Errorf("an answer of %d bytes looks whole", n)
			}
		})
	}
	all.Wait()
	if cut.Load() != 1 {
		t.Errorf("%d readers were cut", cut.Load())
	}
}

// A tenant that stands still after its first bytes reserves little of a quota that
// it shares, and what it reserved is free when it leaves.
func TestAnIdleUploadReservesLittleOfAQuota(t *testing.T) {
	w := newFiled(t, "buckets: [{name: BUCKET, quota_bytes: 10MiB}]\n"+twoCallers)
	w.used("bucket " + w.bucket)
	stalled := w.holdSignedPut(greedyPair, "stalled", 10<<20-1, 4<<10)
	if a := w.putBy(modestPair, "other", 5<<20); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	if stalled.over() {
		t.Errorf("it was ended without need: %+v", <-stalled.answer)
	}
	// It would not fit any more: it is refused on its way, and nothing is stored.
	go func() { _, _ = io.CopyN(stalled.body, zeros{}, 10<<20) }()
	(<-stalled.answer).isS3Error(t, http.StatusInsufficientStorage, "QuotaExceeded")
	eventually(t, "what it reserved is free", func() bool { return w.putBy(modestPair, "third", 4<<20).status == http.StatusOK })
}

// What stands still with most of a quota reserved loses it to a caller below its
// share.
func TestAnIdleUploadLosesItsReservationUnderPressure(t *testing.T) {
	w := newFiled(t, "buckets: [{name: BUCKET, quota_bytes: 10MiB}]\n"+twoCallers)
	w.used("bucket " + w.bucket)
	stalled := w.holdSignedPut(greedyPair, "stalled", 10<<20-1, 9<<20)
	eventually(t, "what it sent is reserved", func() bool { return w.app.quotas.Held("bucket "+w.bucket) >= 9<<20 })
	if a := w.putBy(modestPair, "other", 4<<20); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
	(<-stalled.answer).isS3Error(t, http.StatusRequestTimeout, "RequestTimeout")
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// holdSignedPut begins a PutObject of a length and sends its first bytes.
func (w *world) holdSignedPut(keys aws.Credentials, key string, length, sent int) *held {
	w.t.Helper()
	body, rest := io.Pipe()
	r := newRequest(w.t, "PUT", w.url+"/"+w.bucket+"/"+key, body)
	r.ContentLength = int64(length)
	signAs(w.t, r, "UNSIGNED-PAYLOAD", keys, time.Now())
	h := &held{rest, make(chan answer, 1)}
	go h.run(w.t, r)
	w.t.Cleanup(func() { rest.CloseWithError(io.ErrUnexpectedEOF) })
	h.send(make([]byte, sent))
	return h
}

func (w *world) putBy(keys aws.Credentials, key string, size int) answer {
	w.t.Helper()
	r := newRequest(w.t, "PUT", w.url+"/"+w.bucket+"/"+key, bytes.NewReader(make([]byte, size)))
	signAs(w.t, r, "UNSIGNED-PAYLOAD", keys, time.Now())
	return do(w.t, r)
}

// Random callers upload in parallel with little memory while others stand still:
// those that move get through, however many wait.
func TestWhatMovesGetsThrough(t *testing.T) {
	w := newFiled(t, twoCallers, "UPLOAD_BUFFER_BYTES=16MiB")
	for range 8 {
		w.holdUpload(greedyKey, 1<<20)
	}
	var all sync.WaitGroup
	var stored atomic.Int64
	for i := range 8 {
		all.Go(func() {
			key := []string{greedyKey, modestKey}[i%2]
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				r := newRequest(t, "PUT", w.rest("direct?filename=b.bin"), struct{ io.Reader }{bytes.NewReader(make([]byte, 3<<20))},
					"X-Api-Key", key, "Content-Type", "application/octet-stream").WithContext(ctx)
				if a := do(t, r); a.status == http.StatusCreated {
					stored.Add(1)
				} else if !strings.Contains(string(a.body), "UPLOAD_BUFFER_BYTES") {
					t.Errorf("%d %s", a.status, a.body)
				}
				cancel()
			}
		})
	}
	all.Wait()
	if stored.Load() < 22 {
		t.Errorf("%d of 24 uploads were stored", stored.Load())
	}
}
