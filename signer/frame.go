package signer

import (
	"encoding/base64"
	"hash"
	"io"
	"strconv"
	"strings"
)

// frameChunk is the size of every chunk but the last of the gateway's own
// framing, in bytes.
const frameChunk = 64 << 10

// FrameTrailer frames b as STREAMING-UNSIGNED-PAYLOAD-TRAILER for a backend that
// checks the trailing checksum itself, and gives the exact length of the frame,
// for Content-Length. The bytes of b are read through src, which stands in front
// of it (a policy may have looked at the first ones); nil means b itself. The
// final chunk and the trailer come only after src ended and b was proven. The
// request that carries the frame needs Content-Encoding aws-chunked,
// x-amz-decoded-content-length (b.Length) and x-amz-trailer (b.TrailerName). A
// body without trailer is given back as it is, with its own length.
func FrameTrailer(src io.Reader, b *Body) (body io.ReadCloser, length int64) {
	if src == nil {
		src = b
	}
	if b.TrailerName() == "" {
		return struct {
			io.Reader
			io.Closer
		}{src, b}, b.Length()
	}
	return &frameReader{src: src, body: b, left: b.Length()}, frameLength(b.Length(), b.TrailerName(), trailerSize(b))
}

func trailerSize(b *Body) int {
	h, _ := NewChecksum(strings.TrimPrefix(b.TrailerName(), checksumPrefix))
	return h.Size()
}

// frameLength is the length of a framed body with a trailer whose value has size
// bytes before it is encoded.
func frameLength(payload int64, trailer string, size int) int64 {
	chunk := func(n int64) int64 { return int64(len(strconv.FormatInt(n, 16))) + 2 + n + 2 }
	length := payload / frameChunk * chunk(frameChunk)
	if rest := payload % frameChunk; rest > 0 {
		length += chunk(rest)
	}
	return length + int64(len("0\r\n")+len(trailer)+len(":")+base64.StdEncoding.EncodedLen(size)+len("\r\n\r\n"))
}

// ProvenTrailer is the checksum that the gateway adds where a client declared none.
const ProvenTrailer = checksumPrefix + "crc64nvme"

// FrameChecksum frames a body of length bytes, which src yields, like FrameTrailer
// with a trailer of the gateway's own, ProvenTrailer. body is closed with the
// frame.
func FrameChecksum(src io.Reader, length int64, body io.Closer) (framed io.ReadCloser, framedLength int64) {
	h, _ := NewChecksum("crc64nvme")
	c := &checksummed{Reader: src, Closer: body, hash: h}
	return &frameReader{src: c, body: c, left: length}, frameLength(length, ProvenTrailer, h.Size())
}

// checksummed computes the trailer of what passes.
type checksummed struct {
	io.Reader
	io.Closer
	hash  hash.Hash
	ended bool // the reader gave its end together with bytes
}

func (c *checksummed) Read(p []byte) (int, error) {
	if c.ended {
		return 0, io.EOF
	}
	n, err := c.Reader.Read(p)
	c.hash.Write(p[:n])
	if err == io.EOF && n > 0 {
		c.ended, err = true, nil
	}
	return n, err
}

// TrailerName is the trailer's name.
func (c *checksummed) TrailerName() string { return ProvenTrailer }

// TrailerValue is its value, once all bytes have passed.
func (c *checksummed) TrailerValue() string {
	return base64.StdEncoding.EncodeToString(c.hash.Sum(nil))
}

func (c *checksummed) prove() error { return nil } // src ended, and it proves itself

func (c *checksummed) fail(err error) error { return typed(err) }

// trailed is a body with a trailer.
type trailed interface {
	io.Closer
	TrailerName() string
	TrailerValue() string
	prove() error
	fail(error) error
}

// frameReader writes chunk headers and the end around the bytes of body.
type frameReader struct {
	src   io.Reader
	body  trailed
	frame []byte // framing not yet handed out
	left  int64  // payload bytes that no chunk header announced yet
	chunk int64  // payload bytes left in the open chunk
	open  bool   // a chunk was announced and not closed
	ended bool
}

func (f *frameReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(f.frame) == 0 && f.chunk == 0 {
		if f.ended {
			return 0, io.EOF
		}
		if err := f.advance(); err != nil {
			return 0, err
		}
	}
	if len(f.frame) > 0 {
		n := copy(p, f.frame)
		f.frame = f.frame[n:]
		return n, nil
	}
	n, err := f.src.Read(p[:min(int64(len(p)), f.chunk)])
	f.chunk -= int64(n)
	if err == io.EOF {
		err = io.ErrUnexpectedEOF // a Body gives Length bytes or its own error
	}
	return n, err
}

// advance closes the open chunk and announces the next one, or writes the end.
func (f *frameReader) advance() error {
	f.frame = f.frame[:0]
	if f.open {
		f.frame, f.open = append(f.frame, "\r\n"...), false
	}
	if f.left > 0 {
		f.chunk = min(f.left, frameChunk)
		f.left -= f.chunk
		f.frame = append(strconv.AppendInt(f.frame, f.chunk, 16), "\r\n"...)
		f.open = true
		return nil
	}
	if err := f.end(); err != nil {
		return err
	}
	f.frame = append(f.frame, "0\r\n"+f.body.TrailerName()+":"+f.body.TrailerValue()+"\r\n\r\n"...)
	f.ended = true
	return nil
}

// end drives src to its own end, so that what stands in front of the body can
// still refuse, and then makes sure of the body.
func (f *frameReader) end() error {
	var extra [1]byte
	for {
		n, err := f.src.Read(extra[:])
		switch {
		case n > 0:
			return f.body.fail(incomplete("The request body is longer than was declared."))
		case err == io.EOF:
			return f.body.prove()
		case err != nil:
			return err
		}
	}
}

// Close closes the body.
func (f *frameReader) Close() error { return f.body.Close() }
