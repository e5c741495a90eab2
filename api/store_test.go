package api

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/cache"
	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/policy"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// real is a door over a bucket of a real store.
type real struct {
	*bench
	bed    *testbed.Store
	bucket string
	busy   *atomic.Int64 // requests being served
}

func newReal(t *testing.T, maxSize int64, change ...func(*Store)) *real {
	t.Helper()
	bed := testbed.Open(t)
	bucket := bed.Bucket(t)
	client := backend.New(backend.Endpoint{
		Name: bed.Name, URL: bed.Endpoint, Transport: bed.Transport, Region: bed.Region, PathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(bed.AccessKeyID, bed.SecretAccessKey, ""), Trailers: true,
	}, zerolog.Nop(), time.Now)
	t.Cleanup(client.Close)
	store := NewStore(client, bucket, cache.New(cache.Options{Entries: 100, TTL: time.Minute, Now: time.Now}))
	store.Log = zerolog.New(zerolog.NewTestWriter(t))
	for _, c := range change {
		c(store)
	}
	busy := &atomic.Int64{}
	b := newBench(t, func(o *Options) {
		o.Store, o.Bucket, o.Now, o.Budget = store, bucket, time.Now, NewBudget(64<<20)
		o.Resumable = store
		o.Policy = &policy.Policy{MaxFileSize: maxSize, Types: policy.AnyType(), UploadPrefix: "uploads"}
	})
	inner := b.srv.Config.Handler
	b.srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		busy.Add(1)
		defer busy.Add(-1)
		inner.ServeHTTP(w, r)
	})
	return &real{bench: b, bed: bed, bucket: bucket, busy: busy}
}

// randomBytes are the same in every run.
func randomBytes(n int) []byte {
	b := make([]byte, n)
	if _, err := rand.NewChaCha8([32]byte{1}).Read(b); err != nil {
		panic(err)
	}
	return b
}

func TestAFileThereAndBack(t *testing.T) {
	b := newReal(t, 0)
	header, body := formOf(t, filePart("écran (1).png", "image/png", png))
	up := b.do("POST", Root+"/direct", header, strings.NewReader(body))
	if up.status != 201 {
		t.Fatalf("%d %s", up.status, up.body)
	}
	file := up.json(t)
	id := file["file_id"].(string)

	for i, cached := range []string{"miss", "hit"} {
		got := b.do("GET", Root+"/metadata/"+id, nil, nil)
		meta := got.json(t)
		for _, name := range []string{"file_id", "filename", "file_url", "file_size", "content_type", "etag", "sha256"} {
			if meta[name] != file[name] {
				t.Errorf("metadata %d: %s = %v, direct said %v", i, name, meta[name], file[name])
			}
		}
		if m, ok := meta["metadata"].(map[string]any); !ok || len(m) != 0 {
			t.Errorf("metadata shows the gateway's own: %v", meta["metadata"])
		}
		if got.header.Get("X-Cache") != cached || b.lastRecord().Cache != cached {
			t.Errorf("X-Cache %q, want %s", got.header.Get("X-Cache"), cached)
		}
	}

	get := b.do("GET", Root+"/download/"+id, nil, nil)
	head := b.do("HEAD", Root+"/download/"+id, nil, nil)
	if get.status != 200 || get.body != png || head.status != 200 || head.body != "" {
		t.Errorf("GET %d %q, HEAD %d %q", get.status, get.body, head.status, head.body)
	}
	for _, name := range []string{"Content-Type", "Content-Length", "Etag", "Last-Modified", "Content-Disposition", "Accept-Ranges"} {
		if get.header.Get(name) == "" || get.header.Get(name) != head.header.Get(name) {
			t.Errorf("%s: GET %q, HEAD %q", name, get.header.Get(name), head.header.Get(name))
		}
	}
	etag := get.header.Get("Etag")
	if bareETag(etag) != file["etag"] || !strings.Contains(get.header.Get("Content-Disposition"), "filename*=UTF-8''%C3%A9cran%20%281%29.png") {
		t.Errorf("headers %v", get.header)
	}
	for _, method := range []string{"GET", "HEAD"} {
		if got := b.do(method, Root+"/download/"+id, http.Header{"If-None-Match": {etag}}, nil); got.status != 304 || got.body != "" || got.header.Get("Etag") != etag {
			t.Errorf("%s If-None-Match: %d %q %v", method, got.status, got.body, got.header)
		}
		if got := b.do(method, Root+"/download/"+id, http.Header{"If-Match": {`"other"`}}, nil); got.status != 412 {
			t.Errorf("%s If-Match: %d", method, got.status)
		}
	}
	if got := b.do("GET", Root+"/download/"+id, http.Header{"Range": {"bytes=1-3"}}, nil); got.status != 206 || got.body != "PNG" || got.header.Get("Content-Range") != fmt.Sprintf("bytes 1-3/%d", len(png)) {
		t.Errorf("Range: %d %q %v", got.status, got.body, got.header)
	}
	got := b.do("GET", Root+"/download/"+id, http.Header{"Range": {"bytes=999-"}}, nil)
	b.wantRefusal(got, refusal{416, "InvalidRange", "", ""})

	list := b.do("GET", Root+"/list?prefix=uploads&limit=100", nil, nil).json(t)
	if list["count"] != float64(1) || list["files"].([]any)[0].(map[string]any)["file_id"] != id {
		t.Errorf("list %v", list)
	}
	if got := b.do("DELETE", Root+"/"+id, nil, nil); got.status != 204 {
		t.Errorf("delete: %d %s", got.status, got.body)
	}
	for _, at := range []string{"GET /metadata/", "GET /download/", "HEAD /download/", "DELETE /"} {
		method, path, _ := strings.Cut(at, " ")
		if got := b.do(method, Root+path+id, nil, nil); got.status != 404 {
			t.Errorf("%s after the deletion: %d %s", at, got.status, got.body)
		}
	}
	b.bed.Unchanged(t, b.bucket, map[string]testbed.ObjectInfo{})
}

func TestAFileLargerThanABuffer(t *testing.T) {
	for _, full := range []bool{true, false} {
		for _, size := range []int{firstPart, firstPart + 1, 21 << 20} {
			t.Run(fmt.Sprintf("full object checksum %v, %d bytes", full, size), func(t *testing.T) {
				b := newReal(t, 0, func(s *Store) { s.FullObjectChecksum = full })
				data := randomBytes(size)
				up := b.do("PUT", Root+"/direct?filename=big.bin", nil, struct{ io.Reader }{bytes.NewReader(data)})
				if up.status != 201 {
					t.Fatalf("%d %s", up.status, up.body)
				}
				file := up.json(t)
				id := file["file_id"].(string)
				meta := b.do("GET", Root+"/metadata/"+id, nil, nil).json(t)
				want := hexOf(sha256Of(data))
				if file["sha256"] != want || meta["sha256"] != want || meta["etag"] != file["etag"] || meta["file_size"] != float64(size) || meta["filename"] != "big.bin" {
					t.Errorf("direct %v\nmetadata %v", file, meta)
				}
				get := b.do("GET", Root+"/download/"+id, nil, nil)
				if hexOf(sha256Of([]byte(get.body))) != want {
					t.Errorf("%d bytes came back, another file", len(get.body))
				}
				if left := b.bed.Uploads(t, b.bucket); len(left) != 0 {
					t.Errorf("unfinished uploads: %v", left)
				}
				checkFullObject(t, b, id, full && size > firstPart)
			})
		}
	}
}

func checkFullObject(t *testing.T, b *real, id string, want bool) {
	t.Helper()
	if !want {
		return
	}
	out, err := b.bed.Client(t).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &b.bucket, Key: &id, ChecksumMode: "ENABLED"})
	if err != nil || aws.ToString(out.ChecksumCRC64NVME) == "" || out.ChecksumType != "FULL_OBJECT" {
		t.Errorf("no full object checksum: %+v, %v", out, err)
	}
}

func TestALargeUploadThatIsRefusedLeavesNothing(t *testing.T) {
	const limit = 20 << 20
	data := randomBytes(limit + 1)
	for _, c := range []struct {
		name   string
		header http.Header
		body   func() (http.Header, io.Reader)
		want   refusal
	}{
		{"over the limit by count", nil, func() (http.Header, io.Reader) { return nil, struct{ io.Reader }{bytes.NewReader(data)} },
			refusal{413, "EntityTooLarge", "", "File too large. Maximum size: 20971520 bytes"}},
		{"a second file behind it", nil, func() (http.Header, io.Reader) {
			h, s := formOf(t, filePart("a", "", string(data[:17<<20])), filePart("b", "", "x"))
			return h, strings.NewReader(s)
		}, refusal{400, "InvalidRequest", "file", "second part"}},
		{"a wrong checksum", nil, func() (http.Header, io.Reader) {
			return http.Header{"Content-Md5": {"XUFAKrxLKna5cZ2REBfFkg=="}}, bytes.NewReader(data[:17<<20])
		}, refusal{400, "BadDigest", "Content-Md5", ""}},
		{"a form without its end", nil, func() (http.Header, io.Reader) {
			h, s := formOf(t, filePart("a", "", string(data[:17<<20])))
			return h, strings.NewReader(s[:len(s)-6])
		}, refusal{400, "InvalidRequest", "file", "broken"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newReal(t, limit)
			before := b.bed.Snapshot(t, b.bucket)
			header, body := c.body()
			got := b.do("POST", Root+"/direct?filename=a", header, body)
			b.wantRefusal(got, c.want)
			b.bed.Unchanged(t, b.bucket, before)
		})
	}
}

func TestAClientThatLeavesLeavesNothing(t *testing.T) {
	for _, c := range []struct {
		name string
		head string
		sent int
	}{
		{"in the middle of a small file", "PUT %s/direct?filename=a HTTP/1.1\r\nContent-Length: 1000000\r\n", 500_000},
		{"in the third part of a large one", "PUT %s/direct?filename=a HTTP/1.1\r\nContent-Length: 50000000\r\n", 20_000_000},
		{"in the middle of a chunk", "PUT %s/direct?filename=a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", -17_000_000},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newReal(t, 0)
			conn, err := net.Dial("tcp", b.srv.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, c.head+"Host: x\r\nX-Api-Key: %s\r\n\r\n", Root, testKey)
			if c.sent < 0 {
				c.sent = -c.sent
				fmt.Fprintf(conn, "%x\r\n", 2*c.sent)
			}
			if _, err := conn.Write(make([]byte, c.sent)); err != nil {
				t.Fatal(err)
			}
			conn.Close()
			b.waitIdle(t)
			b.bed.Unchanged(t, b.bucket, map[string]testbed.ObjectInfo{})
			if err := b.lastRecord().Err; err == nil || !strings.Contains(err.Error(), errClientGone.Error()) {
				t.Errorf("the record says %v", err)
			}
		})
	}
}

// waitIdle waits until a request came and none is served any more.
func (b *real) waitIdle(t *testing.T) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for {
		b.mu.Lock()
		came := len(b.rec) > 0
		b.mu.Unlock()
		if came && b.busy.Load() == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("the request did not end")
		}
	}
}

func TestABackendThatIsAwayAnswers503(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	at, err := url.Parse(gone.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := backend.New(backend.Endpoint{URL: at, Region: "us-east-1", PathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", "")}, zerolog.Nop(), time.Now)
	b := newBench(t, func(o *Options) { o.Store = NewStore(client, "files", nil) })
	for _, target := range []string{"GET /list", "GET /download/uploads/a", "GET /metadata/uploads/a", "DELETE /uploads/a", "PUT /direct?filename=a.txt"} {
		method, path, _ := strings.Cut(target, " ")
		got := b.do(method, Root+path, nil, strings.NewReader("hello"))
		if got.status != 503 || got.header.Get("Retry-After") == "" || strings.Contains(got.body, at.Host) {
			t.Errorf("%s: %d %s", target, got.status, got.body)
		}
	}
}
