package proxy

import (
	"bytes"
	"errors"
	"io"
	"sync/atomic"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// maxLooseFile bounds the rest of a form that is read ahead, in bytes, to find
// where its file ends.
const maxLooseFile = 64 << 10

// file is the rest of the body up to its closing delimiter. Of a small form, what
// comes after the file is passed over, as S3 does; of a large one the file's
// length must be known before its end, so that only the delimiter may follow.
func (s *formScanner) file(length int64) (*formFile, error) {
	rest := length - (s.count.n - int64(s.lines.Buffered()))
	if rest <= maxLooseFile {
		return s.looseFile(rest)
	}
	return s.strictFile(rest)
}

// strictFile counts on the file being all but the closing delimiter.
func (s *formScanner) strictFile(rest int64) (*formFile, error) {
	tail := "\r\n" + s.delimiter + "--\r\n"
	size := rest - int64(len(tail))
	if size < 0 {
		return nil, malformedForm("it ends before its file does")
	}
	// The line break that ends the part's header begins a delimiter, too.
	scan := delimiterScan{delimiter: []byte("\r\n" + s.delimiter), last: []byte("\r\n")}
	return &formFile{src: s.lines, scan: scan, tail: tail, size: size, left: size}, nil
}

// looseFile reads a small form to its end and takes its file up to the first
// delimiter. A form that nothing closes was cut off.
func (s *formScanner) looseFile(rest int64) (*formFile, error) {
	// The line break that ends the part's header begins a delimiter, too.
	raw := append(make([]byte, 0, max(rest, 0)+2), "\r\n"...)[:max(rest, 0)+2]
	if _, err := io.ReadFull(s.lines, raw[2:]); err != nil {
		return nil, cutOff(err)
	}
	delimiter := []byte("\r\n" + s.delimiter)
	end := bytes.Index(raw, delimiter)
	if end < 0 || !bytes.Contains(raw[end:], append(delimiter, "--"...)) {
		return nil, malformedForm("it ends before its file does")
	}
	size := int64(max(end-2, 0))
	// A delimiter that nothing precedes cannot come again.
	scan := delimiterScan{delimiter: delimiter}
	return &formFile{src: bytes.NewReader(raw[2 : 2+size]), scan: scan, size: size, left: size}, nil
}

// formFile is a form's file: it keeps its last byte back until the delimiter
// that must follow was seen. Its length was counted on the file being the last
// field, so a delimiter within it means that it was not: what follows would
// become a part of the object.
type formFile struct {
	src        io.Reader
	scan       delimiterScan
	tail       string
	size, left int64
	proofs     []signer.Proof
	failure    atomic.Pointer[gateway.Error]
	ended      bool
}

// Read gives the file's bytes; errors are *gateway.Error and stay.
func (f *formFile) Read(p []byte) (int, error) {
	if e := f.failure.Load(); e != nil {
		return 0, e
	}
	if f.left == 0 {
		if err := f.finish(); err != nil {
			return 0, err
		}
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	if f.left > 1 {
		n, err := f.src.Read(p[:min(int64(len(p)), f.left-1)])
		f.left -= int64(n)
		if err != nil && n == 0 {
			return 0, f.fail(cutOff(err))
		}
		if bad := f.pass(p[:n]); bad != nil {
			return 0, bad
		}
		return n, nil
	}
	var last [1]byte
	if _, err := io.ReadFull(f.src, last[:]); err != nil {
		return 0, f.fail(cutOff(err))
	}
	if err := f.pass(last[:]); err != nil {
		return 0, err
	}
	if err := f.finish(); err != nil {
		return 0, err
	}
	p[0], f.left = last[0], 0
	return 1, nil
}

// pass lets bytes of the file into what is proven of it.
func (f *formFile) pass(p []byte) error {
	for _, proof := range f.proofs {
		proof.Write(p)
	}
	if f.scan.finds(p) {
		return f.fail(errFileNotLast())
	}
	return nil
}

// finish compares what follows the file with the closing delimiter, and the file
// with the checksums that its form declares.
func (f *formFile) finish() error {
	if f.ended {
		return nil
	}
	tail := make([]byte, len(f.tail))
	if _, err := io.ReadFull(f.src, tail); err != nil {
		return f.fail(cutOff(err))
	}
	if !bytes.Equal(tail, []byte(f.tail)) {
		return f.fail(errFileNotLast())
	}
	for _, proof := range f.proofs {
		if err := proof.Check(); err != nil {
			return f.fail(gateway.AsError(err))
		}
	}
	f.ended = true
	return nil
}

// cutOff is the refusal for a body that ended early, unless it says why.
func cutOff(err error) *gateway.Error {
	if own := (*gateway.Error)(nil); errors.As(err, &own) {
		return own
	}
	return gateway.Errorf(gateway.IncompleteBody, "").Because(err)
}

func errFileNotLast() *gateway.Error { return malformedForm("the file is not its last field") }

func (f *formFile) fail(e *gateway.Error) error {
	f.failure.CompareAndSwap(nil, e)
	return f.failure.Load()
}

// Close does nothing: the body is the server's.
func (f *formFile) Close() error { return nil }

// Err is the failure that ended the file, nil if none did. It is safe beside
// Read.
func (f *formFile) Err() error {
	if e := f.failure.Load(); e != nil {
		return e
	}
	return nil
}

// delimiterScan looks for a delimiter in bytes that come in pieces. As RFC 2046
// section 5.1.1 has it, a line that only begins with it is one too.
type delimiterScan struct {
	delimiter []byte
	last      []byte // the end of what came before, shorter than the delimiter
}

// finds reports whether p, with what came before it, holds the delimiter.
func (d *delimiterScan) finds(p []byte) bool {
	keep := len(d.delimiter) - 1
	seam := append(d.last, p[:min(len(p), keep)]...)
	if bytes.Contains(seam, d.delimiter) || bytes.Contains(p, d.delimiter) {
		return true
	}
	if len(p) >= keep {
		seam = append(seam[:0], p[len(p)-keep:]...)
	}
	d.last = append(d.last[:0], seam[max(0, len(seam)-keep):]...)
	return false
}
