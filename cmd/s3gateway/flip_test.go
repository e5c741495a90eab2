package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// marker is where a wire changes a byte of a body.
const marker = "[the byte after this is changed]"

// badWire is a network between the gateway and its store that changes one byte
// behind each marker, in one direction.
type badWire struct {
	up, down atomic.Int64 // how many bytes are still to be changed
	changed  atomic.Int64
}

// open listens and connects each connection to the store.
func (b *badWire) open(t *testing.T, store *testbed.Store) *testbed.Store {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	store = store.Signed(t) // which checks the signatures of chunks
	var running sync.WaitGroup
	var conns sync.Map
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			server, err := net.Dial("tcp", store.Endpoint.Host)
			if err != nil {
				client.Close()
				continue
			}
			conns.Store(client, nil)
			conns.Store(server, nil)
			running.Go(func() { b.carry(server, client, &b.up) })
			running.Go(func() { b.carry(client, server, &b.down) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		conns.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		running.Wait()
	})
	wired := *store
	wired.Endpoint = &url.URL{Scheme: "http", Host: l.Addr().String()}
	return &wired
}

// carry copies one direction. The end of what it has is kept back while a marker
// may begin in it.
func (b *badWire) carry(to, from net.Conn, left *atomic.Int64) {
	defer to.Close()
	defer from.Close()
	var kept []byte
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		kept = append(kept, buf[:n]...)
		if at := bytes.Index(kept, []byte(marker)); at >= 0 && at+len(marker) < len(kept) && left.Load() > 0 {
			kept[at+len(marker)] ^= 1
			left.Add(-1)
			b.changed.Add(1)
		}
		out := len(kept)
		if at := bytes.LastIndexByte(kept, marker[0]); err == nil && at >= 0 && len(kept)-at <= len(marker) {
			out = at
		}
		if _, failed := to.Write(kept[:out]); failed != nil {
			return
		}
		kept = append(kept[:0], kept[out:]...)
		if err != nil {
			return
		}
	}
}

// newWired is newWorld over a bad wire.
func newWired(t *testing.T, settings ...string) (*world, *badWire) {
	t.Helper()
	store, wire := testbed.Open(t), &badWire{}
	bucket := store.Bucket(t)
	w := newWorldOn(t, wire.open(t, store), bucket, append(append([]string(nil), open...), settings...)...)
	w.store = store
	return w, wire
}

// marked is a picture with a marker in it.
func marked(size int) []byte {
	body := png(size)
	copy(body[4500:], marker)
	return body
}

// A byte that changes between the gateway and the store is noticed, however the
// client sent it, and nothing is stored.
func TestAByteThatChangesOnTheWayToTheStoreIsNotStored(t *testing.T) {
	for _, way := range ways {
		if strings.Contains(way.name, "opy") || strings.Contains(way.name, "move") || strings.Contains(way.name, "new name") || strings.Contains(way.name, "resumable") {
			continue // bytes that a store copies pass no wire; resumable uploads are below
		}
		for _, size := range []int{20_000, 300_000} {
			t.Run(fmt.Sprintf("%s, %d bytes", way.name, size), func(t *testing.T) {
				w, wire := newWired(t)
				wire.up.Store(1)
				got := way.put(w, "picture.png", "image/png", marked(size))
				if wire.changed.Load() != 1 {
					t.Fatal("no byte was changed")
				}
				if got.status < 400 {
					t.Errorf("acknowledged: %+v", got)
				}
				if now := w.store.Snapshot(t, w.bucket); len(now) != 0 {
					t.Errorf("stored: %v", now)
				}
				if got.status != http.StatusServiceUnavailable && !strings.Contains(way.name, "signed hash") && way.name != "multipart upload" { // those hashes are the client's
					t.Errorf("the client is told %+v, which it did not cause", got)
				}
			})
		}
	}
}

// A part is proven too.
func TestAPartThatChangesOnTheWayToTheStoreIsNotStored(t *testing.T) {
	w, wire := newWired(t)
	made, err := w.s3().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("parts")})
	if err != nil {
		t.Fatal(err)
	}
	direct, err := w.store.Client(t).UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &w.bucket, Key: aws.String("parts"), UploadId: made.UploadId,
		PartNumber: aws.Int32(1), Body: bytes.NewReader(marked(300_000))}, func(o *s3.Options) {
		o.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
	})
	if err != nil {
		t.Fatal(err)
	}
	bare := aws.ToString(direct.ChecksumCRC64NVME) // what the store says of a part that came with no checksum
	path := "parts?partNumber=1&uploadId=" + *made.UploadId
	for name, request := range map[string]func() *http.Request{
		"unsigned": func() *http.Request {
			r := newRequest(t, "PUT", w.url+"/"+w.bucket+"/"+path, bytes.NewReader(marked(300_000)))
			sign(t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
			return r
		},
		"signed chunks": func() *http.Request { return w.chunkedPut(path, marked(300_000), chunking{}) },
		"a trailer": func() *http.Request {
			return w.chunkedPut(path, marked(300_000), chunking{trailer: true, unsigned: true})
		},
	} {
		wire.up.Store(1)
		if a := do(t, request()); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if a := do(t, request()); a.status != http.StatusOK || a.header.Get("X-Amz-Checksum-Crc64nvme") != bare {
			t.Errorf("%s, sent again: %d %v %s", name, a.status, a.header, a.body)
		}
	}
	parts, err := w.s3().ListParts(t.Context(), &s3.ListPartsInput{Bucket: &w.bucket, Key: aws.String("parts"), UploadId: made.UploadId})
	if err != nil || len(parts.Parts) != 1 {
		t.Fatalf("%v %v", parts, err)
	}
	if _, err = w.s3().CompleteMultipartUpload(t.Context(), &s3.CompleteMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("parts"), UploadId: made.UploadId,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: []types.CompletedPart{{PartNumber: aws.Int32(1), ETag: parts.Parts[0].ETag}}}}); err != nil {
		t.Errorf("complete: %v", err)
	}
}

// A resumable upload keeps only what the store has whole: the client asks for the
// offset and goes on.
func TestAResumableUploadSurvivesAByteThatChanges(t *testing.T) {
	for _, size := range []int{300_000, 6 << 20} {
		w, wire := newWired(t)
		body := marked(size)
		made := do(t, newRequest(t, "POST", w.rest("resumable"), nil, "Tus-Resumable", "1.0.0", "Upload-Length", strconv.Itoa(size), "Upload-Metadata", "filename YS5wbmc="))
		at := made.header.Get("Location")
		patch := func(from int) answer {
			return do(t, newRequest(t, "PATCH", at, bytes.NewReader(body[from:]), "Tus-Resumable", "1.0.0",
				"Upload-Offset", strconv.Itoa(from), "Content-Type", "application/offset+octet-stream"))
		}
		wire.up.Store(1)
		if a := patch(0); a.status < 400 || wire.changed.Load() != 1 {
			t.Fatalf("%d, %d changed: %s", a.status, wire.changed.Load(), a.body)
		}
		head := do(t, newRequest(t, "HEAD", at, nil, "Tus-Resumable", "1.0.0"))
		from, err := strconv.Atoi(head.header.Get("Upload-Offset"))
		if err != nil {
			t.Fatalf("%d %v", head.status, head.header)
		}
		last := head
		if from < size {
			last = patch(from)
		}
		id := last.header.Get("X-File-Id")
		got := do(t, newRequest(t, "GET", w.rest("download/"+id), nil))
		if id == "" || !bytes.Equal(got.body, body) {
			t.Errorf("%d bytes: %d %s, then %d bytes", size, last.status, last.body, len(got.body))
		}
	}
}

// A byte that changes on the way from the store cuts the answer, so that no client
// takes it for the file; it is logged and counted.
func TestAByteThatChangesOnTheWayFromTheStoreCutsTheAnswer(t *testing.T) {
	for _, size := range []int{20_000, 3_000_000} {
		w, wire := newWired(t)
		body := marked(size)
		if a := do(t, w.chunkedPut("a.png", body, chunking{})); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		id, _ := do(t, newRequest(t, "PUT", w.rest("direct?filename=a.png"), bytes.NewReader(body))).json(t)["file_id"].(string)
		link, _ := do(t, newRequest(t, "GET", w.rest("download/"+id+"/url"), nil)).json(t)["download_url"].(string)
		signed := newRequest(t, "GET", w.url+"/"+w.bucket+"/a.png", nil)
		sign(t, signed, hexSHA256(nil), testSecret, time.Now())
		for name, r := range map[string]*http.Request{
			"S3": signed, "link": newRequest(t, "GET", link, nil), "upload API": newRequest(t, "GET", w.rest("download/"+id), nil),
		} {
			before := wire.changed.Load()
			wire.down.Store(1)
			resp, err := transport().RoundTrip(r.Clone(t.Context()))
			if err == nil {
				var got []byte
				got, err = io.ReadAll(resp.Body)
				resp.Body.Close()
				if err == nil && resp.StatusCode == http.StatusOK && !bytes.Equal(got, body) { // a small one is a 503
					t.Errorf("%s, %d bytes: a whole answer of %d bytes, status %d", name, size, len(got), resp.StatusCode)
				}
				if h := resp.Header; name != "upload API" && (h.Get("X-Amz-Checksum-Crc64nvme") != "" || h.Get("X-Amz-Checksum-Type") != "") {
					t.Errorf("%s: a checksum that was not asked for: %v", name, h)
				}
			}
			if wire.changed.Load() != before+1 {
				t.Fatalf("%s: no byte was changed", name)
			}
			if a := do(t, r.Clone(t.Context())); a.status != 200 || !bytes.Equal(a.body, body) {
				t.Errorf("%s, without a fault: %d, %d bytes", name, a.status, len(a.body))
			}
		}
		if n := strings.Count(w.log.String(), `"message":"the bytes of an object differ from its checksum`); n != 3 {
			t.Errorf("logged %d times", n)
		}
		if n := w.app.client.Mismatches(); n != 3 {
			t.Errorf("counted %d", n)
		}
	}
}
