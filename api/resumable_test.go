package api

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/policy"
)

// tusHeader are headers of the protocol, with its version.
func tusHeader(pairs ...string) http.Header {
	h := http.Header{"Tus-Resumable": {tusVersion}}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

// metadataOf writes Upload-Metadata.
func metadataOf(pairs ...string) string {
	var list []string
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, pairs[i]+" "+base64.StdEncoding.EncodeToString([]byte(pairs[i+1])))
	}
	return strings.Join(list, ",")
}

// begin makes an upload of size bytes (-1: deferred) and gives its path.
func (b *bench) begin(size int, pairs ...string) string {
	b.t.Helper()
	h := tusHeader("Upload-Metadata", metadataOf(append([]string{"filename", "data.bin"}, pairs...)...))
	if size < 0 {
		h.Set("Upload-Defer-Length", "1")
	} else {
		h.Set("Upload-Length", strconv.Itoa(size))
	}
	got := b.do("POST", Root+"/resumable", h, nil)
	if got.status != 201 || got.header.Get("Upload-Expires") == "" || got.header.Get("Tus-Resumable") != tusVersion {
		b.t.Fatalf("creation: %d %s %v", got.status, got.body, got.header)
	}
	return pathOf(b.t, got)
}

func pathOf(t *testing.T, got reply) string {
	t.Helper()
	at := strings.Index(got.header.Get("Location"), Root+"/resumable/")
	if at < 0 {
		t.Fatalf("Location %q", got.header.Get("Location"))
	}
	return got.header.Get("Location")[at:]
}

// chunk sends bytes at an offset.
func (b *bench) chunk(path string, offset int, body []byte, pairs ...string) reply {
	b.t.Helper()
	h := tusHeader(append([]string{"Upload-Offset", strconv.Itoa(offset), "Content-Type", tusChunk}, pairs...)...)
	return b.do("PATCH", path, h, bytes.NewReader(body))
}

// wantOffset asks how far an upload is.
func (b *bench) wantOffset(path string, offset int) {
	b.t.Helper()
	got := b.do("HEAD", path, tusHeader(), nil)
	if got.status != 200 || got.header.Get("Upload-Offset") != strconv.Itoa(offset) || got.header.Get("Cache-Control") != "no-store" {
		b.t.Fatalf("HEAD: %d %v, want offset %d", got.status, got.header, offset)
	}
}

// wantFile compares a finished upload's file with what was sent.
func (b *bench) wantFile(path string, body []byte) map[string]any {
	b.t.Helper()
	got := b.do("GET", path, nil, nil)
	if got.status != 200 {
		b.t.Fatalf("GET: %d %s", got.status, got.body)
	}
	file := got.json(b.t)
	if file["file_size"] != float64(len(body)) || file["sha256"] != hexOf(sha256Of(body)) {
		b.t.Errorf("file %v, want %d bytes with sha256 %s", file, len(body), hexOf(sha256Of(body)))
	}
	down := b.do("GET", Root+"/download/"+file["file_id"].(string), nil, nil)
	if down.status != 200 || down.body != string(body) {
		b.t.Errorf("download: %d, %d bytes", down.status, len(down.body))
	}
	return file
}

func TestAResumableUploadOfAnyChunks(t *testing.T) {
	for _, c := range []struct {
		name   string
		size   int
		chunks []int // the last one is repeated
	}{
		{"no byte", 0, nil},
		{"one chunk", 1000, []int{1000}},
		{"single bytes", 7, []int{1}},
		{"exactly a part", statePart, []int{statePart}},
		{"a byte over a part", statePart + 1, []int{statePart, 1}},
		{"one chunk of several parts", 2*statePart + 77, []int{2*statePart + 77}},
		{"chunks that fit no part", 2*statePart + 77, []int{1, 3071, 3 << 20}},
		{"parts in chunks of parts", 2 * statePart, []int{statePart}},
	} {
		for _, deferred := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, deferred length %v", c.name, deferred), func(t *testing.T) {
				b := newReal(t, 0)
				body, declared := randomBytes(c.size), c.size
				if deferred {
					declared = -1
				}
				path := b.begin(declared)
				at := 0
				for i := 0; at < c.size; i++ {
					n := min(c.chunks[min(i, len(c.chunks)-1)], c.size-at)
					got := b.chunk(path, at, body[at:at+n])
					at += n
					if got.status != 204 || got.header.Get("Upload-Offset") != strconv.Itoa(at) {
						t.Fatalf("chunk to %d: %d %s %v", at, got.status, got.body, got.header)
					}
					if done := got.header.Get("X-File-Id") != ""; done != (at == c.size && !deferred) {
						t.Errorf("at %d of %d: X-File-Id %q", at, c.size, got.header.Get("X-File-Id"))
					}
				}
				b.wantOffset(path, c.size)
				if deferred {
					got := b.chunk(path, at, nil, "Upload-Length", strconv.Itoa(c.size))
					if got.status != 204 || got.header.Get("X-File-Id") == "" {
						t.Fatalf("the length: %d %s %v", got.status, got.body, got.header)
					}
				}
				file := b.wantFile(path, body)
				if file["filename"] != "data.bin" || !strings.HasPrefix(file["file_id"].(string), "uploads/") {
					t.Errorf("file %v", file)
				}
				if again := b.chunk(path, at, nil); again.status != 204 {
					t.Errorf("an empty chunk behind the end: %d %s", again.status, again.body)
				}
				if got := b.do("DELETE", path, tusHeader(), nil); got.status != 204 {
					t.Errorf("termination: %d %s", got.status, got.body)
				}
				objects := b.bed.Snapshot(t, b.bucket)
				if _, ok := objects[file["file_id"].(string)]; len(objects) != 1 || !ok || len(b.bed.Uploads(t, b.bucket)) != 0 {
					t.Errorf("left in the bucket: %v, uploads %v", objects, b.bed.Uploads(t, b.bucket))
				}
			})
		}
	}
}

func TestACreationWithBytes(t *testing.T) {
	b := newReal(t, 0)
	body := randomBytes(5000)
	h := tusHeader("Upload-Length", "5000", "Content-Type", tusChunk, "Upload-Metadata", metadataOf("filename", "a.bin", "sha256", hexOf(sha256Of(body))))
	got := b.do("POST", Root+"/resumable", h, bytes.NewReader(body))
	if got.status != 201 || got.header.Get("Upload-Offset") != "5000" || got.header.Get("X-File-Id") == "" {
		t.Fatalf("%d %s %v", got.status, got.body, got.header)
	}
	b.wantFile(pathOf(t, got), body)
	got = b.do("POST", Root+"/resumable/", h, bytes.NewReader(body[:2000]))
	if got.status != 201 || got.header.Get("Upload-Offset") != "2000" {
		t.Fatalf("%d %s %v", got.status, got.body, got.header)
	}
	if got := b.chunk(pathOf(t, got), 2000, body[2000:]); got.status != 204 || got.header.Get("Repr-Digest") == "" || got.header.Get("Etag") == "" {
		t.Errorf("%d %s %v", got.status, got.body, got.header)
	}
}

func TestOptionsTellWhatIsOffered(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{"/resumable", "/resumable/", "/resumable/abc"} {
		got := b.do("OPTIONS", Root+path, http.Header{"X-Api-Key": {"none"}}, nil)
		if got.status != 204 || got.header.Get("Tus-Version") != "1.0.0" || got.header.Get("Tus-Extension") != tusExtensions ||
			got.header.Get("Tus-Max-Size") != strconv.Itoa(testLimit) || got.header.Get("Tus-Checksum-Algorithm") != "crc32,md5,sha1,sha256" {
			t.Errorf("%s: %d %v", path, got.status, got.header)
		}
	}
}

// what a resumable upload is refused for, with the upload left as it was.
func TestRefusedRequestsOfResumableUploads(t *testing.T) {
	b := newReal(t, 0)
	path := b.begin(10)
	if got := b.chunk(path, 0, []byte("abc")); got.status != 204 {
		t.Fatal(got.body)
	}
	patch := func(pairs ...string) http.Header {
		h := tusHeader("Upload-Offset", "3", "Content-Type", tusChunk)
		for i := 0; i < len(pairs); i += 2 {
			if h.Set(pairs[i], pairs[i+1]); pairs[i+1] == "" {
				h.Del(pairs[i])
			}
		}
		return h
	}
	other := strings.Repeat("a", uploadIDLength)
	for _, c := range []struct {
		name, method, path string
		header             http.Header
		body               string
		want               refusal
	}{
		{"no version", "PATCH", path, patch("Tus-Resumable", ""), "d", refusal{412, "PreconditionFailed", "Tus-Resumable", "must be 1.0.0"}},
		{"another version", "HEAD", path, patch("Tus-Resumable", "0.2.2"), "", refusal{412, "", "", ""}},
		{"another content type", "PATCH", path, patch("Content-Type", "text/plain"), "d", refusal{415, "UnsupportedMediaType", "Content-Type", tusChunk}},
		{"no offset", "PATCH", path, patch("Upload-Offset", ""), "d", refusal{400, "InvalidArgument", "Upload-Offset", "whole number"}},
		{"a negative offset", "PATCH", path, patch("Upload-Offset", "-1"), "d", refusal{400, "InvalidArgument", "Upload-Offset", "whole number"}},
		{"an offset behind", "PATCH", path, patch("Upload-Offset", "2"), "c", refusal{409, "UploadOffsetMismatch", "Upload-Offset", "the upload is at 3"}},
		{"an offset ahead", "PATCH", path, patch("Upload-Offset", "4"), "e", refusal{409, "UploadOffsetMismatch", "Upload-Offset", "the upload is at 3"}},
		{"a chunk beyond the length", "PATCH", path, patch(), "defghijkl", refusal{413, "EntityTooLarge", "Content-Length", "goes beyond Upload-Length"}},
		{"another length", "PATCH", path, patch("Upload-Length", "11"), "d", refusal{400, "InvalidArgument", "Upload-Length", "declared before"}},
		{"an unknown algorithm", "PATCH", path, patch("Upload-Checksum", "sha3 AAAA"), "d", refusal{400, "InvalidArgument", "Upload-Checksum", "crc32, md5, sha1, sha256"}},
		{"a checksum that is none", "PATCH", path, patch("Upload-Checksum", "sha1 !"), "d", refusal{400, "InvalidDigest", "Upload-Checksum", ""}},
		{"another checksum", "PATCH", path, patch("Upload-Checksum", "sha1 "+base64.StdEncoding.EncodeToString(make([]byte, 20))), "d", refusal{460, "ChunkChecksumMismatch", "Upload-Checksum", "Nothing of the chunk was kept"}},
		{"another Content-MD5", "PATCH", path, patch("Content-Md5", base64.StdEncoding.EncodeToString(make([]byte, 16))), "d", refusal{400, "BadDigest", "Content-Md5", ""}},
		{"a digest of the whole", "PATCH", path, patch("Repr-Digest", "sha-256=:x:"), "d", refusal{400, "InvalidRequest", "Repr-Digest", "sha256 in Upload-Metadata"}},
		{"a coded chunk", "PATCH", path, patch("Content-Encoding", "gzip"), "d", refusal{415, "UnsupportedMediaType", "Content-Encoding", ""}},
		{"the file before the end", "GET", path, nil, "", refusal{409, "UploadNotFinished", "", "the offset is 3"}},
		{"an upload that is none", "PATCH", Root + "/resumable/" + other, patch(), "d", refusal{404, "NoSuchUpload", "", "no such upload"}},
		{"an id that is none", "PATCH", Root + "/resumable/..%2Fx", patch(), "d", refusal{404, "NoSuchUpload", "", "no such upload"}},
		{"a POST without the method it stands for", "POST", path, patch(), "d", refusal{405, "MethodNotAllowed", "", "X-HTTP-Method-Override"}},
		{"PUT", "PUT", path, patch(), "d", refusal{405, "MethodNotAllowed", "", "Allowed: DELETE, GET, HEAD, PATCH, POST, OPTIONS"}},
		{"a creation without a length", "POST", Root + "/resumable", tusHeader(), "", refusal{400, "InvalidArgument", "Upload-Length", "Upload-Defer-Length"}},
		{"a creation with both lengths", "POST", Root + "/resumable", tusHeader("Upload-Length", "1", "Upload-Defer-Length", "1"), "", refusal{400, "InvalidArgument", "Upload-Defer-Length", ""}},
		{"a creation with a body of another type", "POST", Root + "/resumable", tusHeader("Upload-Length", "1"), "d", refusal{415, "UnsupportedMediaType", "Content-Type", tusChunk}},
		{"a concatenation", "POST", Root + "/resumable", tusHeader("Upload-Length", "1", "Upload-Concat", "partial"), "", refusal{501, "NotImplemented", "Upload-Concat", ""}},
		{"a creation with an Idempotency-Key", "POST", Root + "/resumable", tusHeader("Upload-Length", "1", "Idempotency-Key", "k"), "", refusal{501, "NotImplemented", "Idempotency-Key", "without it"}},
		{"metadata that is not base64", "POST", Root + "/resumable", tusHeader("Upload-Length", "1", "Upload-Metadata", "filename !"), "", refusal{400, "InvalidArgument", "Upload-Metadata", "base64"}},
		{"metadata twice", "POST", Root + "/resumable", tusHeader("Upload-Length", "1", "Upload-Metadata", "a YQ==,a YQ=="), "", refusal{400, "InvalidArgument", "Upload-Metadata", "each name once"}},
		{"a sha256 that is none", "POST", Root + "/resumable", tusHeader("Upload-Length", "1", "Upload-Metadata", metadataOf("sha256", "abc")), "", refusal{400, "InvalidArgument", "Upload-Metadata", "64 hex digits"}},
		{"a name with a control character", "POST", Root + "/resumable", tusHeader("Upload-Length", "1", "Upload-Metadata", metadataOf("filename", "a\nb")), "", refusal{422, "UnprocessableValue", "filename", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			before := b.bed.Snapshot(t, b.bucket)
			got := b.do(c.method, c.path, c.header, strings.NewReader(c.body))
			if c.method == "HEAD" {
				if got.status != c.want.status || got.header.Get("Tus-Version") != tusVersion {
					t.Errorf("%d %v", got.status, got.header)
				}
			} else {
				b.wantRefusal(got, c.want)
			}
			b.bed.Unchanged(t, b.bucket, before)
		})
	}
	b.t = t
	b.wantOffset(path, 3)
	if got := b.do("POST", path, patch("X-HTTP-Method-Override", "PATCH"), strings.NewReader("defghij")); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
	b.wantFile(path, []byte("abcdefghij"))
}

// A refusal by the policy ends the upload: nothing of it is left.
func TestThePolicyEndsAResumableUpload(t *testing.T) {
	pdf := "%PDF-1.7\n"
	big := append([]byte(png), bytes.Repeat([]byte{0}, 3*statePart)...)
	for _, c := range []struct {
		name     string
		size     int // -1: deferred
		filename string
		filetype string
		chunks   []string
		length   string // sent with the last chunk
		meta     []string
		want     refusal
	}{
		{"declared too large", 4*statePart + 1, "a.png", "", nil, "", nil, refusal{413, "EntityTooLarge", "", "Maximum size: 20971520 bytes"}},
		{"a declared type", 10, "a", "text/html", nil, "", nil, refusal{415, "TypeNotAllowed", "Content-Type", "File type not allowed"}},
		{"an extension", 10, "a.html", "", nil, "", nil, refusal{415, "TypeNotAllowed", "Content-Type", "File type not allowed"}},
		{"counted too large", -1, "a.png", "image/png", []string{string(big), string(make([]byte, statePart))}, "", nil, refusal{413, "EntityTooLarge", "", "Maximum size"}},
		{"a deferred length too large", -1, "a.png", "image/png", []string{png, "x"}, "20971521", nil, refusal{413, "EntityTooLarge", "", "Maximum size"}},
		{"bytes of another type", 4000, "a.png", "image/png", []string{strings.Repeat("x", 4000)}, "", nil, refusal{415, "TypeNotAllowed", "Content-Type", ""}},
		{"bytes of another type, one by one", 4, "a.png", "image/png", []string{"<", "h", "t", "m"}, "", nil, refusal{415, "TypeNotAllowed", "Content-Type", ""}},
		{"bytes that show in the second chunk", 4000, "a.png", "image/png", []string{"<html>", strings.Repeat("x", 3100)}, "", nil, refusal{415, "TypeNotAllowed", "Content-Type", ""}},
		{"another allowed type", 4000, "a.png", "image/png", []string{pdf + strings.Repeat("x", 3991)}, "", nil, refusal{415, "TypeNotAllowed", "Content-Type", ""}},
		{"another sha256, small", 5, "a.txt", "", []string{"hello"}, "", []string{"sha256", strings.Repeat("0", 64)}, refusal{400, "XAmzContentSHA256Mismatch", "sha256", ""}},
		{"another sha256, in parts", len(big), "a.png", "", []string{string(big[:9000000]), string(big[9000000:])}, "", []string{"sha256", strings.Repeat("0", 64)}, refusal{400, "XAmzContentSHA256Mismatch", "sha256", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBoth(t, 4*statePart, []string{"image/png", "application/pdf", "text/plain"})
			h := tusHeader("Upload-Metadata", metadataOf(append([]string{"filename", c.filename, "filetype", c.filetype}, c.meta...)...), "Upload-Length", strconv.Itoa(c.size))
			if c.size < 0 {
				h.Del("Upload-Length")
				h.Set("Upload-Defer-Length", "1")
			}
			got := b.do("POST", Root+"/resumable", h, nil)
			path, at := "", 0
			if len(c.chunks) > 0 {
				path = pathOf(t, got)
			}
			for i, body := range c.chunks {
				var more []string
				if i == len(c.chunks)-1 && c.length != "" {
					more = []string{"Upload-Length", c.length}
				}
				if got = b.chunk(path, at, []byte(body), more...); i < len(c.chunks)-1 && got.status != 204 {
					t.Fatalf("chunk %d: %d %s", i, got.status, got.body)
				}
				at += len(body)
			}
			b.wantRefusal(got, c.want)
			if size := got.header.Get("Tus-Max-Size"); (got.status == 413) != (size == strconv.Itoa(4*statePart)) {
				t.Errorf("%d with Tus-Max-Size %q", got.status, size)
			}
			b.empty()
			if path != "" {
				b.wantRefusal(b.chunk(path, 0, []byte("x")), refusal{404, "NoSuchUpload", "", ""})
			}
		})
	}
}

func TestAChunkCountsWhenItsChecksumIsRight(t *testing.T) {
	b := newReal(t, 0)
	body := randomBytes(3*statePart + 5)
	sum := func(algorithm string, p []byte) string {
		raw := map[string]func() []byte{
			"sha1":   func() []byte { s := sha1.Sum(p); return s[:] },
			"md5":    func() []byte { s := md5.Sum(p); return s[:] },
			"sha256": func() []byte { return sha256Of(p) },
			"crc32":  func() []byte { return binary.BigEndian.AppendUint32(nil, crc32.ChecksumIEEE(p)) },
		}[algorithm]()
		return algorithm + " " + base64.StdEncoding.EncodeToString(raw)
	}
	path := b.begin(len(body))
	at := 0
	for i, algorithm := range chunkAlgorithms() {
		end := []int{100, 200, 2*statePart + 300, len(body)}[i]
		good := body[at:end]
		broken := bytes.Clone(good)
		broken[len(broken)-1] ^= 1
		if got := b.chunk(path, at, broken, "Upload-Checksum", sum(algorithm, good)); got.status != 460 {
			t.Fatalf("%s: %d %s", algorithm, got.status, got.body)
		}
		b.wantOffset(path, at)
		if got := b.chunk(path, at, good, "Upload-Checksum", sum(algorithm, good)); got.status != 204 {
			t.Fatalf("%s: %d %s", algorithm, got.status, got.body)
		}
		at = end
		b.wantOffset(path, at)
	}
	b.wantFile(path, body)
	if left := b.bed.Uploads(t, b.bucket); len(left) > 0 {
		t.Errorf("uploads left: %v", left)
	}
}

func TestAnotherCallersUploadDoesNotExist(t *testing.T) {
	b := newReal(t, 0)
	callers, err := policy.NewCallers(policy.CallersOptions{Master: "master", APIKeys: []policy.APIKey{{Caller: "alice", Key: testKey}, {Caller: "bob", Key: "k-bob"}}})
	if err != nil {
		t.Fatal(err)
	}
	b.change(func(o *Options) { o.Auth = &policy.RESTAuth{Mode: policy.AuthRequired, Callers: callers} })
	path := b.begin(5)
	for _, method := range []string{"HEAD", "GET", "PATCH", "DELETE"} {
		h := tusHeader("X-Api-Key", "k-bob", "Upload-Offset", "0", "Content-Type", tusChunk)
		if got := b.do(method, path, h, nil); got.status != 404 {
			t.Errorf("%s: %d %s", method, got.status, got.body)
		}
	}
	if got := b.chunk(path, 0, []byte("hello")); got.status != 204 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestAnExpiredUploadIsGoneAndSwept(t *testing.T) {
	b := newReal(t, 0)
	now := time.Now()
	b.change(func(o *Options) { o.Now = func() time.Time { return now } })
	store := b.options.Resumable
	body := randomBytes(statePart + 10)
	young := b.begin(5)
	old := b.begin(len(body) + 1)
	if got := b.chunk(old, 0, body); got.status != 204 {
		t.Fatal(got.body)
	}
	finished := b.begin(5)
	if got := b.chunk(finished, 0, []byte("hello")); got.status != 204 {
		t.Fatal(got.body)
	}
	id := b.wantFile(finished, []byte("hello"))["file_id"].(string)
	now = now.Add(uploadLife - time.Minute)
	if n, err := store.SweepUploads(t.Context(), now); n != 0 || err != nil {
		t.Errorf("swept %d, %v before the expiry", n, err)
	}
	if got := b.chunk(young, 0, []byte("a")); got.status != 204 {
		t.Errorf("just before the expiry: %d %s", got.status, got.body)
	}
	now = now.Add(2 * time.Minute)
	b.wantRefusal(b.chunk(old, len(body), []byte("a")), refusal{410, "UploadExpired", "", "expired at"})
	if n, err := store.SweepUploads(t.Context(), now); n != 2 || err != nil {
		t.Errorf("swept %d, %v, want 2", n, err)
	}
	b.wantRefusal(b.chunk(old, len(body), []byte("a")), refusal{404, "NoSuchUpload", "", ""})
	b.wantOffset(young, 1)
	objects := b.bed.Snapshot(t, b.bucket)
	if _, ok := objects[id]; !ok || len(objects) != 2 || len(b.bed.Uploads(t, b.bucket)) != 0 {
		t.Errorf("left: %v, uploads %v", objects, b.bed.Uploads(t, b.bucket))
	}
}

func TestABucketWithVersionsKeepsNoState(t *testing.T) {
	b := newReal(t, 0)
	keepVersions(t, b.bed, b.bucket)
	body := randomBytes(statePart + 1000)
	path := b.begin(len(body))
	for at := 0; at < len(body); at += 2 << 20 {
		if got := b.chunk(path, at, body[at:min(at+2<<20, len(body))]); got.status != 204 {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	b.wantFile(path, body)
	stopped := b.begin(10)
	if got := b.chunk(stopped, 0, []byte("abc")); got.status != 204 {
		t.Fatal(got.body)
	}
	for _, p := range []string{path, stopped} {
		if got := b.do("DELETE", p, tusHeader(), nil); got.status != 204 {
			t.Fatal(got.body)
		}
	}
	wantRecords(t, b.options.Resumable, 0)
}

// clientAt speaks to a server that checks no signature.
func clientAt(t *testing.T, at string) *backend.Client {
	t.Helper()
	u, err := url.Parse(at)
	if err != nil {
		t.Fatal(err)
	}
	client := backend.New(backend.Endpoint{Name: "s3", URL: u, Region: "us-east-1", PathStyle: true, Trailers: true,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}, zerolog.Nop(), time.Now)
	t.Cleanup(client.Close)
	return client
}

// a store that takes every write, whatever its conditions.
func TestABackendWithoutConditionsIsRefused(t *testing.T) {
	b := newReal(t, 0)
	ignoring := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Etag", `"e"`)
	}))
	defer ignoring.Close()
	b.change(func(o *Options) { o.Resumable = NewStore(clientAt(t, ignoring.URL), b.bucket, nil) })
	got := b.do("POST", Root+"/resumable", tusHeader("Upload-Length", "5"), nil)
	b.wantRefusal(got, refusal{501, "NotImplemented", "", "no conditional writes"})
}
