package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

const (
	// streamFrom is the length from which a body of known length is streamed.
	// A smaller one is kept in memory: it can be sent again, and its hash goes
	// in front of it.
	streamFrom = 64 << 10
	// maxSinglePut is the longest body of one PutObject, in bytes
	// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
	maxSinglePut = 5 << 30
	// frameSize is the length of a chunk of the framing, in bytes.
	frameSize = 64 << 10
)

// streams reports whether an upload goes to the backend as it comes: its length
// is known, one request can hold it, and the backend takes its SHA-256 behind
// the last byte, which is what keeps a body that fails from being stored.
func (s *Store) streams(o PutOptions) bool {
	return o.Exact && o.AtMost > streamFrom && o.AtMost <= maxSinglePut && s.Client.Trailers
}

// putStream sends a body of exactly o.AtMost bytes as one PutObject framed as
// STREAMING-UNSIGNED-PAYLOAD-TRAILER
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html).
func (s *Store) putStream(ctx context.Context, key string, body io.Reader, o PutOptions) (Object, error) {
	header, err := s.objectHeader(key, o)
	if err != nil {
		return Object{}, err
	}
	header.Set("X-Amz-Trailer", "x-amz-checksum-sha256")
	header.Set("X-Amz-Decoded-Content-Length", strconv.FormatInt(o.AtMost, 10))
	if !s.Client.KeepsFraming {
		header.Set("Content-Encoding", "aws-chunked")
	}
	f := newFrames(body, o.AtMost)
	defer f.Close()
	resp, err := s.Client.Do(ctx, backend.Request{
		Method: http.MethodPut, Bucket: s.Bucket, Key: key, Header: header,
		Body: f, Length: f.length(), PayloadHash: signer.StreamingUnsignedTrailer, Proven: true,
	})
	if resp != nil {
		defer resp.Body.Close()
	}
	if cause := f.failure.Load(); cause != nil {
		return Object{}, *cause // it explains whatever the backend made of it
	}
	if err != nil {
		return Object{}, err
	}
	if resp.StatusCode >= 300 {
		return Object{}, backend.ReadError(resp)
	}
	sum := f.sum.Load()
	if sum == nil {
		return Object{}, backend.Broken("it took an upload before its end")
	}
	_, _ = io.CopyN(io.Discard, resp.Body, minBuffer)
	stored := s.storedAs(key, o.AtMost, o, resp.Header)
	stored.SHA256 = hexOf(*sum)
	return stored, nil
}

// frames writes the framing around a body. The final chunk and the trailer come
// only after the body gave io.EOF at its length: on any other end the request
// stays short, and the backend stores nothing. The transport may still hold it
// when the request is over; after Close it no longer touches the body.
type frames struct {
	src    io.Reader
	left   int64 // bytes of the body that no chunk has announced yet
	chunk  int64 // bytes left in the open chunk
	total  int64
	open   bool
	ended  bool
	out    []byte // framing not handed out yet
	hash   hash.Hash
	closed atomic.Bool

	failure atomic.Pointer[error]  // of the body
	sum     atomic.Pointer[[]byte] // of the whole body, once the trailer is out
}

func newFrames(src io.Reader, length int64) *frames {
	return &frames{src: src, left: length, total: length, hash: sha256.New()}
}

// length is that of the framed body.
func (f *frames) length() int64 {
	chunk := func(n int64) int64 { return int64(len(strconv.FormatInt(n, 16))) + 2 + n + 2 }
	n := f.total / frameSize * chunk(frameSize)
	if rest := f.total % frameSize; rest > 0 {
		n += chunk(rest)
	}
	return n + int64(len("0\r\nx-amz-checksum-sha256:\r\n\r\n")+base64.StdEncoding.EncodedLen(sha256.Size))
}

// Read gives framing and bytes.
func (f *frames) Read(p []byte) (int, error) {
	switch {
	case f.closed.Load():
		return 0, http.ErrBodyReadAfterClose
	case len(p) == 0:
		return 0, nil
	}
	if len(f.out) == 0 && f.chunk == 0 {
		if f.ended {
			return 0, io.EOF
		}
		if err := f.advance(); err != nil {
			return 0, f.fail(err)
		}
	}
	if len(f.out) > 0 {
		n := copy(p, f.out)
		f.out = f.out[n:]
		return n, nil
	}
	n, err := f.src.Read(p[:min(int64(len(p)), f.chunk)])
	f.hash.Write(p[:n])
	f.chunk -= int64(n)
	if err == io.EOF && f.chunk+f.left == 0 {
		err = nil // it will say so again at the end
	}
	if err != nil {
		return n, f.fail(early(err))
	}
	return n, nil
}

// advance closes the open chunk and announces the next one, or writes the end.
func (f *frames) advance() error {
	f.out = f.out[:0]
	if f.open {
		f.out, f.open = append(f.out, "\r\n"...), false
	}
	if f.left > 0 {
		f.chunk = min(f.left, frameSize)
		f.left -= f.chunk
		f.out, f.open = append(strconv.AppendInt(f.out, f.chunk, 16), "\r\n"...), true
		return nil
	}
	if err := atEnd(f.src); err != nil {
		return err
	}
	sum := f.hash.Sum(nil)
	f.out = append(f.out, "0\r\nx-amz-checksum-sha256:"+base64.StdEncoding.EncodeToString(sum)+"\r\n\r\n"...)
	f.sum.Store(&sum)
	f.ended = true
	return nil
}

// atEnd drives a body to its end, where its checks are.
func atEnd(src io.Reader) error {
	const patience = 100 // reads without a byte, as bufio has it
	var extra [1]byte
	for range patience {
		n, err := src.Read(extra[:])
		switch {
		case n > 0:
			return gateway.Errorf(gateway.IncompleteBody, "The request body is longer than was declared.")
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
	return io.ErrNoProgress
}

func early(err error) error {
	if err == io.EOF {
		return gateway.Errorf(gateway.IncompleteBody, "The request body ended early.").Because(io.ErrUnexpectedEOF)
	}
	return err
}

// fail keeps the first error, unless it only came because the request was over.
func (f *frames) fail(err error) error {
	if !f.closed.Load() {
		f.failure.CompareAndSwap(nil, &err)
	}
	return err
}

// Close ends reading.
func (f *frames) Close() error {
	f.closed.Store(true)
	return nil
}
