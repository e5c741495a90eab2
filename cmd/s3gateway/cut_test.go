package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// cutWays are all ways to send bytes, each with a request that would store some.
func (w *world) cutWays(part string) map[string]func(body []byte, n int) *http.Request {
	form := func(body []byte) *bytes.Buffer {
		var b bytes.Buffer
		b.WriteString("--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n")
		b.Write(body)
		b.WriteString("\r\n--B--\r\n")
		return &b
	}
	rest := func(method, path, contentType string, body io.Reader) *http.Request {
		return newRequest(w.t, method, w.rest(path), body, "Content-Type", contentType)
	}
	key := func(n int) string { return fmt.Sprintf("cut-%d.png", n) }
	putLink := w.presign(`{"filename":"a.png","content_type":"image/png"}`)
	formLink := w.presign(`{"filename":"a.png","content_type":"image/png","method":"POST"}`)
	return map[string]func(body []byte, n int) *http.Request{
		"PUT": func(body []byte, n int) *http.Request { return w.signedPut(key(n), body) },
		"PUT with an unsigned payload": func(body []byte, n int) *http.Request {
			r := newRequest(w.t, http.MethodPut, w.url+"/"+w.bucket+"/"+key(n), bytes.NewReader(body))
			sign(w.t, r, "UNSIGNED-PAYLOAD", testSecret, time.Now())
			return r
		},
		"signed chunks": func(body []byte, n int) *http.Request { return w.chunkedPut(key(n), body, chunking{}) },
		"chunks with a trailer": func(body []byte, n int) *http.Request {
			return w.chunkedPut(key(n), body, chunking{trailer: true, unsigned: true})
		},
		"part": func(body []byte, n int) *http.Request { return w.signedPut("parts.png?partNumber=1&"+part, body) },
		"form of the S3 door": func(body []byte, n int) *http.Request {
			return w.postForm(`,["starts-with","$key",""],["eq","$Content-Type","image/png"]`, body, map[string]string{"key": key(n), "Content-Type": "image/png"}, nil)
		},
		"link to PUT": func(body []byte, _ int) *http.Request {
			return newRequest(w.t, http.MethodPut, putLink.URL, bytes.NewReader(body), "Content-Type", "image/png")
		},
		"link of a form": func(body []byte, _ int) *http.Request { return w.filledForm(formLink, body) },
		"form": func(body []byte, _ int) *http.Request {
			return rest(http.MethodPost, "direct", "multipart/form-data; boundary=B", form(body))
		},
		"raw": func(body []byte, _ int) *http.Request {
			return rest(http.MethodPut, "direct?filename=a.png", "image/png", bytes.NewReader(body))
		},
		"raw of unknown length": func(body []byte, _ int) *http.Request {
			return rest(http.MethodPut, "direct?filename=a.png", "image/png", io.NopCloser(bytes.NewReader(body)))
		},
		"form of unknown length": func(body []byte, _ int) *http.Request {
			return rest(http.MethodPost, "direct", "multipart/form-data; boundary=B", io.NopCloser(form(body)))
		},
	}
}

// sendCut sends a request up to a random byte of its body and leaves in one of
// the ways in which clients leave.
func (w *world) sendCut(r *http.Request, random *rand.Rand) {
	w.t.Helper()
	if r.ContentLength == 0 {
		r.ContentLength = -1
	}
	var raw bytes.Buffer
	if err := r.Write(&raw); err != nil {
		w.t.Fatal(err)
	}
	head := bytes.Index(raw.Bytes(), []byte("\r\n\r\n")) + 4
	length := raw.Len() - head
	cut := head + random.IntN(length)
	if random.IntN(3) == 0 { // near the end, where only the last bytes are missing
		cut = raw.Len() - 1 - random.IntN(min(80, length))
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(w.url, "http://"))
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write(raw.Bytes()[:cut]) // the gateway may have refused it already
	tcp := conn.(*net.TCPConn)
	switch random.IntN(3) {
	case 0:
		_ = tcp.SetLinger(0) // a reset
	case 1:
		_ = tcp.CloseWrite()
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.Copy(io.Discard, conn); errors.Is(err, os.ErrDeadlineExceeded) {
			w.t.Error("a client that sends no more gets no end of the answer")
		}
	}
}

// TestAnUploadThatIsCutLeavesNothing cuts uploads of every kind at random bytes:
// no object, no upload, no part, no file is left.
func TestAnUploadThatIsCutLeavesNothing(t *testing.T) {
	w := newWorld(t, "MAX_FILE_SIZE=20MB", "ALLOWED_FILE_TYPES=image/png")
	files := w.store.Files(t)
	created, err := w.s3().CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("parts.png"), ContentType: aws.String("image/png")})
	if err != nil {
		t.Fatal(err)
	}
	const each, seed = 20, 1
	ways := w.cutWays("uploadId=" + *created.UploadId)
	random, sent := rand.New(rand.NewPCG(seed, seed)), strings.Count(w.log.String(), `"message":"request"`)
	for name, request := range ways {
		for n := range each {
			size := 4000 + random.IntN(300_000)
			if strings.HasSuffix(name, "unknown length") && n < 3 {
				size += 9 << 20 // over the first part buffer
			}
			w.sendCut(request(png(size), n), random)
			sent++
		}
	}
	eventually(t, "every request is over", func() bool {
		return strings.Count(w.log.String(), `"message":"request"`) >= sent
	})
	parts, err := w.s3().ListParts(t.Context(), &s3.ListPartsInput{Bucket: &w.bucket, Key: created.Key, UploadId: created.UploadId})
	if err != nil || len(parts.Parts) != 0 {
		t.Errorf("parts %v, %v", parts, err)
	}
	if _, err := w.s3().AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: &w.bucket, Key: created.Key, UploadId: created.UploadId}); err != nil {
		t.Error(err)
	}
	eventually(t, "no upload and no file is left", func() bool {
		return len(w.store.Uploads(t, w.bucket)) == 0 && len(w.store.Files(t)) == len(files)
	})
	w.unchanged()
	if strings.Contains(w.log.String(), `"level":"error"`) {
		t.Error("a client that left was logged as an error of the gateway")
	}
}

// TestResumableUploadsThatAreCutLeaveNothing cuts the chunks of many resumable
// uploads at random bytes and lets nobody come back: what they hold is gone when
// they have expired.
func TestResumableUploadsThatAreCutLeaveNothing(t *testing.T) {
	w := newWorld(t, "MAX_FILE_SIZE=20MB", "ALLOWED_FILE_TYPES=image/png")
	files := w.store.Files(t)
	const uploads, seed = 200, 2
	random, sent := rand.New(rand.NewPCG(seed, seed)), strings.Count(w.log.String(), `"message":"request"`)
	for n := range uploads {
		size := 4000 + random.IntN(300_000)
		if n%20 == 0 {
			size += 6 << 20 // over a part
		}
		created := do(t, newRequest(t, "POST", w.rest("resumable"), nil, "Tus-Resumable", "1.0.0", "Upload-Length", fmt.Sprint(size), "Upload-Metadata", "filename YS5wbmc="))
		if created.status != 201 {
			t.Fatalf("%d %s", created.status, created.body)
		}
		w.sendCut(newRequest(t, "PATCH", created.header.Get("Location"), bytes.NewReader(png(size)),
			"Tus-Resumable", "1.0.0", "Upload-Offset", "0", "Content-Type", "application/offset+octet-stream"), random)
		sent += 2
	}
	eventually(t, "every request is over", func() bool {
		return strings.Count(w.log.String(), `"message":"request"`) >= sent
	})
	if len(w.store.Snapshot(t, w.bucket)) != uploads {
		t.Errorf("%d states of %d uploads", len(w.store.Snapshot(t, w.bucket)), uploads)
	}
	w.clock.Advance(25 * time.Hour)
	w.app.sweepOnce(t.Context())
	eventually(t, "no upload and no file is left", func() bool {
		return len(w.store.Uploads(t, w.bucket)) == 0 && len(w.store.Files(t)) == len(files)
	})
	w.unchanged()
}
