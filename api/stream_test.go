package api

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

func digestOf(data []byte) string {
	return "sha-256=:" + base64.StdEncoding.EncodeToString(sha256Of(data)) + ":"
}

func TestABodyOfKnownLengthIsStreamed(t *testing.T) {
	for _, size := range []int{0, 1, streamFrom, streamFrom + 1, 2 * frameSize, 3*frameSize + 7, 17 << 20} {
		t.Run(fmt.Sprint(size, " bytes"), func(t *testing.T) {
			b := newReal(t, 0)
			data := randomBytes(size)
			got := b.do("PUT", Root+"/direct?filename=big.bin", http.Header{"Repr-Digest": {digestOf(data)}}, bytes.NewReader(data))
			if got.status != 201 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			file := got.json(t)
			id := file["file_id"].(string)
			if file["sha256"] != hexOf(sha256Of(data)) || got.header.Get("Repr-Digest") != digestOf(data) || bareETag(got.header.Get("Etag")) != file["etag"] {
				t.Errorf("%v %v", file, got.header)
			}
			if strings.Contains(file["etag"].(string), "-") {
				t.Errorf("etag %v: it was sent in parts", file["etag"])
			}
			meta := b.do("GET", Root+"/metadata/"+id, nil, nil).json(t)
			if meta["sha256"] != file["sha256"] || meta["etag"] != file["etag"] {
				t.Errorf("metadata %v, direct said %v", meta, file)
			}
			for _, method := range []string{"GET", "HEAD"} {
				read := b.do(method, Root+"/download/"+id, nil, nil)
				if method == "GET" && read.body != string(data) || read.header.Get("Repr-Digest") != digestOf(data) || read.header.Get("Content-Encoding") != "" {
					t.Errorf("%s: %d bytes %v", method, len(read.body), read.header)
				}
			}
		})
	}
}

func TestADownloadInPartsKnowsItsDigest(t *testing.T) {
	b := newReal(t, 0)
	data := randomBytes(firstPart + 1)
	id := b.do("PUT", Root+"/direct?filename=a", nil, struct{ io.Reader }{bytes.NewReader(data)}).json(t)["file_id"].(string)
	if got := b.do("GET", Root+"/download/"+id, nil, nil); got.header.Get("Repr-Digest") != digestOf(data) {
		t.Errorf("%v", got.header)
	}
	if got := b.do("GET", Root+"/download/"+id, http.Header{"Range": {"bytes=0-9"}}, nil); got.status != 206 || got.body != string(data[:10]) || got.header.Get("Repr-Digest") != "" {
		t.Errorf("%d %v", got.status, got.header)
	}
}

func TestAStreamedUploadThatIsRefusedLeavesNothing(t *testing.T) {
	const limit = 4 << 20
	data := randomBytes(limit)
	wrong := digestOf(data[1:])
	for _, c := range []struct {
		name   string
		header http.Header
		want   refusal
	}{
		{"a wrong Content-Digest", http.Header{"Content-Digest": {wrong}}, refusal{400, "BadDigest", "Content-Digest", ""}},
		{"a wrong Repr-Digest", http.Header{"Repr-Digest": {wrong}}, refusal{400, "BadDigest", "Repr-Digest", ""}},
		{"a wrong MD5", http.Header{"Content-Md5": {"XUFAKrxLKna5cZ2REBfFkg=="}}, refusal{400, "BadDigest", "Content-Md5", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newReal(t, limit)
			b.wantRefusal(b.do("PUT", Root+"/direct?filename=a", c.header, bytes.NewReader(data)), c.want)
			b.bed.Unchanged(t, b.bucket, map[string]testbed.ObjectInfo{})
		})
	}
}

func TestTheSHA256FieldOfAFormIsCompared(t *testing.T) {
	right, other := hexOf(sha256Of([]byte(png))), hexOf(sha256Of([]byte("x")))
	field := func(v string) part { return part{`form-data; name="sha256"`, "", v} }
	file := filePart("a.png", "image/png", png)
	for _, c := range []struct {
		name  string
		parts []part
		want  refusal
	}{
		{"right, before the file", []part{field(right), file}, refusal{}},
		{"right, behind the file", []part{file, field(strings.ToUpper(right))}, refusal{}},
		{"wrong, before the file", []part{field(other), file}, refusal{400, "BadDigest", "sha256", ""}},
		{"wrong, behind the file", []part{file, field(other)}, refusal{400, "BadDigest", "sha256", ""}},
		{"two that differ", []part{field(right), file, field(other)}, refusal{400, "InvalidDigest", "sha256", ""}},
		{"none at all", []part{field("abc"), file}, refusal{400, "InvalidDigest", "sha256", ""}},
		{"far too long", []part{file, field(strings.Repeat("a", 5000))}, refusal{400, "InvalidDigest", "sha256", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newReal(t, 0)
			header, body := formOf(t, c.parts...)
			got := b.do("POST", Root+"/direct", header, strings.NewReader(body))
			if c.want.status == 0 {
				if got.status != 201 || got.json(t)["sha256"] != right {
					t.Fatalf("%d %s", got.status, got.body)
				}
				return
			}
			b.wantRefusal(got, c.want)
			b.bed.Unchanged(t, b.bucket, map[string]testbed.ObjectInfo{})
		})
	}
}

func TestFramesHaveTheLengthTheySay(t *testing.T) {
	for _, size := range []int64{1, 15, 16, frameSize - 1, frameSize, frameSize + 1, 3 * frameSize} {
		data := randomBytes(int(size))
		for name, src := range map[string]io.Reader{
			"plain": bytes.NewReader(data), "with the end in the last read": iotest.DataErrReader(bytes.NewReader(data)), "byte by byte": iotest.OneByteReader(bytes.NewReader(data)),
		} {
			f := newFrames(src, size)
			out, err := io.ReadAll(f)
			if err != nil || int64(len(out)) != f.length() {
				t.Errorf("%d %s: %d bytes, said %d, %v", size, name, len(out), f.length(), err)
			}
		}
		boom := errors.New("boom")
		for name, src := range map[string]io.Reader{
			"ends early": bytes.NewReader(data[1:]), "goes on": io.MultiReader(bytes.NewReader(data), strings.NewReader("x")),
			"fails at its end": io.MultiReader(bytes.NewReader(data), iotest.ErrReader(boom)),
		} {
			f := newFrames(src, size)
			out, err := io.ReadAll(f)
			if err == nil || f.failure.Load() == nil || f.sum.Load() != nil || bytes.Contains(out, []byte("x-amz-checksum")) {
				t.Errorf("%d %s: the trailer went out", size, name)
			}
		}
	}
}
