package api

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// cutChunk sends a chunk of which only the first sent bytes go out before the
// connection is closed. announced is its Content-Length, -1 for chunked coding.
func (b *real) cutChunk(path string, offset int, body []byte, announced int) {
	b.t.Helper()
	before := b.requests()
	defer waitFor(b.t, func() bool { return b.requests() > before && b.busy.Load() == 0 })
	c, err := net.Dial("tcp", b.srv.Listener.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	out := bufio.NewWriter(c)
	fmt.Fprintf(out, "PATCH %s HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: %d\r\nContent-Type: %s\r\n", path, testKey, offset, tusChunk)
	if announced >= 0 {
		fmt.Fprintf(out, "Content-Length: %d\r\n\r\n", announced)
		_, err = out.Write(body)
	} else {
		fmt.Fprint(out, "Transfer-Encoding: chunked\r\n\r\n")
		_, err = fmt.Fprintf(out, "%x\r\n%s\r\n", len(body), body)
	}
	if err := errors.Join(err, out.Flush(), c.Close()); err != nil {
		b.t.Fatal(err)
	}
}

// requests is how many were begun.
func (b *bench) requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.rec)
}

// offsetOf asks how far an upload is.
func (b *bench) offsetOf(path string) int {
	b.t.Helper()
	got := b.do("HEAD", path, tusHeader(), nil)
	n, err := strconv.Atoi(got.header.Get("Upload-Offset"))
	if got.status != 200 || err != nil {
		b.t.Fatalf("HEAD: %d %v", got.status, got.header)
	}
	return n
}

// A connection that breaks keeps what came, and nothing that did not; another
// replica goes on with it.
func TestAnUploadResumesAfterCutsOnAnyReplica(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		t.Run(fmt.Sprintf("chunked coding %v", chunked), func(t *testing.T) {
			b := newReal(t, 0)
			random := rand.New(rand.NewPCG(7, 7))
			body := randomBytes(3*statePart + 1234)
			path := b.begin(len(body))
			at := 0
			for range 8 {
				n := random.IntN(min(statePart*3/2, len(body)-at-1))
				announced := len(body) - at
				if chunked {
					announced = -1
				}
				b.cutChunk(path, at, body[at:at+n], announced)
				b.change(func(*Options) {}) // another replica: no lock is shared
				at += n
				if got := b.offsetOf(path); got != at {
					t.Fatalf("offset %d, want %d", got, at)
				}
			}
			if got := b.chunk(path, at, body[at:]); got.status != 204 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			b.wantFile(path, body)
			if left := b.bed.Uploads(t, b.bucket); len(left) > 0 {
				t.Errorf("uploads left: %v", left)
			}
		})
	}
}

func TestABrokenChunkWithAChecksumCountsNothing(t *testing.T) {
	b := newReal(t, 0)
	path := b.begin(100)
	h := tusHeader("Upload-Offset", "0", "Content-Type", tusChunk, "Upload-Checksum", "crc32 AAAAAA==")
	r, w := io.Pipe()
	go func() { _, _ = w.Write([]byte("abc")); w.CloseWithError(io.ErrUnexpectedEOF) }()
	req, _ := http.NewRequest("PATCH", b.srv.URL+path, r)
	h.Set("X-Api-Key", testKey)
	req.Header = h
	if resp, err := b.srv.Client().Do(req); err == nil {
		resp.Body.Close()
	}
	waitFor(t, func() bool { return b.requests() == 2 && b.busy.Load() == 0 })
	b.wantOffset(path, 0)
}

// A client that comes back while its old connection still stands ends that one.
func TestANewRequestEndsTheOneThatStillWrites(t *testing.T) {
	for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
		t.Run(method, func(t *testing.T) {
			b := newReal(t, 0)
			locks := &localLocks{}
			b.change(func(o *Options) { o.UploadLocks = locks })
			path := b.begin(10)
			r, w := io.Pipe()
			first := make(chan reply, 1)
			go func() {
				first <- b.do("PATCH", path, tusHeader("Upload-Offset", "0", "Content-Type", tusChunk), r)
			}()
			if _, err := w.Write([]byte("abcd")); err != nil {
				t.Fatal(err)
			}
			waitFor(t, func() bool {
				locks.mu.Lock()
				defer locks.mu.Unlock()
				return len(locks.held) == 1
			})
			switch method {
			case "HEAD":
				if at := b.offsetOf(path); at != 4 && at != 0 {
					t.Errorf("offset %d", at)
				}
			case "PATCH":
				waitFor(t, func() bool { return b.chunk(path, 4, []byte("efghij")).status == 204 || b.offsetOf(path) == 0 })
			case "DELETE":
				if got := b.do("DELETE", path, tusHeader(), nil); got.status != 204 {
					t.Errorf("%d %s", got.status, got.body)
				}
			}
			w.Close()
			if got := <-first; got.status != 423 || got.header.Get("Retry-After") == "" {
				t.Errorf("the first one: %d %s", got.status, got.body)
			}
		})
	}
}

// Requests on replicas that share no lock race for one offset: each state has
// one winner, and the file is what was sent.
func TestChunksThatRaceOnReplicas(t *testing.T) {
	b := newReal(t, 0)
	other := httptest.NewServer(New(b.options))
	defer other.Close()
	body := randomBytes(statePart + 4096)
	for round := range 3 {
		path := b.begin(len(body))
		at := 0
		for at < len(body) {
			end := min(at+(statePart+2)/2, len(body))
			var wg sync.WaitGroup
			answers := make([]int, 2)
			for i, base := range []string{b.srv.URL, other.URL} {
				wg.Go(func() {
					r, _ := http.NewRequest("PATCH", base+path, bytes.NewReader(body[at:end]))
					r.Header = tusHeader("Upload-Offset", strconv.Itoa(at), "Content-Type", tusChunk, "X-Api-Key", testKey)
					resp, err := http.DefaultTransport.RoundTrip(r)
					if err != nil {
						t.Error(err)
						return
					}
					said, _ := io.ReadAll(resp.Body)
					resp.Body.Close()
					if resp.StatusCode >= 400 {
						t.Logf("%s", said)
					}
					answers[i] = resp.StatusCode
				})
			}
			wg.Wait()
			for _, status := range answers {
				if status != 204 && status != 409 && status != 423 {
					t.Fatalf("round %d: answers %v", round, answers)
				}
			}
			now := b.offsetOf(path)
			// A request that another one ended keeps what it had.
			if won := answers[0] == 204 || answers[1] == 204; won && now != end || now < at || now > end {
				t.Fatalf("round %d: answers %v, offset %d of %d to %d", round, answers, now, at, end)
			}
			at = now
		}
		b.wantFile(path, body)
	}
	if left := b.bed.Uploads(t, b.bucket); len(left) > 0 {
		t.Errorf("uploads left: %v", left)
	}
}

func waitFor(t *testing.T, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !holds(); {
		if time.Now().After(end) {
			t.Fatal("it never came true")
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// A page of an allowed origin sees what the protocol says.
func TestAPageMayReadTheProtocolsHeaders(t *testing.T) {
	const origin = "https://app.example"
	b := newReal(t, 0)
	b.change(func(o *Options) { o.CORSAllowedOrigins = []string{origin} })
	preflight := b.do("OPTIONS", Root+"/resumable/x", http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"PATCH"},
		"Access-Control-Request-Headers": {"content-type,tus-resumable,upload-offset,x-api-key"}}, nil)
	if preflight.status >= 300 || preflight.header.Get("Access-Control-Allow-Origin") != origin || !strings.Contains(preflight.header.Get("Access-Control-Allow-Headers"), "upload-offset") {
		t.Errorf("%d %v", preflight.status, preflight.header)
	}
	got := b.do("POST", Root+"/resumable", tusHeader("Upload-Length", "3", "Origin", origin), nil)
	exposed := strings.ToLower(got.header.Get("Access-Control-Expose-Headers"))
	for _, name := range []string{"location", "upload-offset", "upload-length", "upload-expires", "tus-resumable", "x-file-id", "x-file-url", "tus-max-size"} {
		if !strings.Contains(exposed, name) {
			t.Errorf("%s is not exposed: %s", name, exposed)
		}
	}
}
