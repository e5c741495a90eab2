package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"slices"
	"strings"
	"sync/atomic"

	gateway "github.com/codeguardians/s3gateway"
)

// Limits of a browser's form. S3 allows 20 KB before the file.
const (
	maxFormFields = 20 << 10 // bytes of all fields together, names too
	maxFormCount  = 100
	maxFormLine   = 8 << 10 // bytes of one line of a part's header
)

// form is a browser's POST form up to its file, which S3 wants last
// (https://docs.aws.amazon.com/AmazonS3/latest/API/RESTObjectPOST.html).
type form struct {
	fields   []formField
	filename string
	file     *formFile
}

// formField is one field before the file. Name is in lower case.
type formField struct{ name, value string }

// value gives a field by its lower-case name, "" for none.
func (f *form) value(name string) string {
	for _, field := range f.fields {
		if field.name == name {
			return field.value
		}
	}
	return ""
}

// isForm reports whether a request is a browser's form upload: it is the only
// request whose signature is in its body.
func isForm(r *http.Request, a address, query int) bool {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mediaType == "multipart/form-data" && r.Method == http.MethodPost &&
		a.level() == BucketLevel && query == 0
}

// openForm reads the fields of a form and stops before the first byte of its
// file. The file's length follows from the request's: all that comes after it
// is the closing delimiter.
func openForm(r *http.Request) (*form, error) {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || params["boundary"] == "" || len(params["boundary"]) > 70 {
		return nil, malformedForm("the Content-Type has no boundary")
	}
	if r.ContentLength < 0 {
		return nil, gateway.Errorf(gateway.MissingContentLength, "")
	}
	s := &formScanner{count: &countingReader{src: r.Body}, delimiter: "--" + params["boundary"]}
	s.lines = bufio.NewReaderSize(s.count, maxFormLine)
	if err := s.open(); err != nil {
		return nil, err
	}
	f := &form{}
	for range maxFormCount {
		header, err := s.header()
		if err != nil {
			return nil, err
		}
		name, filename, err := dispositionOf(header)
		if err != nil {
			return nil, err
		}
		if name == "file" {
			f.filename = filename
			f.file = s.file(r.ContentLength)
			if f.file.left < 0 {
				return nil, malformedForm("it ends before its file does")
			}
			return f, nil
		}
		value, err := s.value()
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(f.fields, func(have formField) bool { return have.name == name }) {
			return nil, malformedForm("the field " + name + " is there twice")
		}
		f.fields = append(f.fields, formField{name, value})
	}
	return nil, malformedForm("it has too many fields")
}

func malformedForm(why string) *gateway.Error {
	return gateway.Errorf(gateway.MalformedPOSTRequest, "The body of your POST request is not well-formed multipart/form-data: %s.", why)
}

func dispositionOf(h textproto.MIMEHeader) (name, filename string, err error) {
	kind, params, e := mime.ParseMediaType(h.Get("Content-Disposition"))
	if e != nil || kind != "form-data" || params["name"] == "" {
		return "", "", malformedForm("a part has no field name")
	}
	return strings.ToLower(params["name"]), params["filename"], nil
}

// formScanner reads a form line by line and knows how far it is: net's own
// multipart reader reads ahead and does not tell.
type formScanner struct {
	count     *countingReader
	lines     *bufio.Reader
	delimiter string
	spent     int
}

type countingReader struct {
	src io.Reader
	n   int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.src.Read(p)
	c.n += int64(n)
	return n, err
}

// line gives one line without its CRLF; all lines together are bounded.
func (s *formScanner) line() (string, error) {
	raw, err := s.lines.ReadSlice('\n')
	s.spent += len(raw)
	if errors.Is(err, bufio.ErrBufferFull) || s.spent > maxFormFields {
		return "", gateway.Errorf(gateway.MaxPostPreDataLengthExceeded, "Your POST request fields preceding the upload file were too large.")
	}
	if err != nil {
		return "", gateway.Errorf(gateway.IncompleteBody, "").Because(err)
	}
	return strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r"), nil
}

// open skips what may stand before the first delimiter.
func (s *formScanner) open() error {
	for {
		line, err := s.line()
		if err != nil || line == s.delimiter {
			return err
		}
	}
}

func (s *formScanner) header() (textproto.MIMEHeader, error) {
	h := textproto.MIMEHeader{}
	for {
		line, err := s.line()
		if err != nil || line == "" {
			return h, err
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return nil, malformedForm("a part's header has no colon")
		}
		h.Add(name, strings.TrimSpace(value))
	}
}

// value reads a field up to its delimiter.
func (s *formScanner) value() (string, error) {
	var lines []string
	for {
		line, err := s.line()
		if err != nil {
			return "", err
		}
		switch line {
		case s.delimiter:
			return strings.Join(lines, "\r\n"), nil
		case s.delimiter + "--":
			return "", malformedForm("it has no field file; it must be the last one")
		}
		lines = append(lines, line)
	}
}

// file is the rest of the body up to its closing delimiter.
func (s *formScanner) file(length int64) *formFile {
	read := s.count.n - int64(s.lines.Buffered())
	tail := "\r\n" + s.delimiter + "--\r\n"
	size := length - read - int64(len(tail))
	return &formFile{src: s.lines, tail: tail, size: size, left: size}
}

// formFile is a form's file: it keeps its last byte back until the delimiter
// that must follow was seen.
type formFile struct {
	src        io.Reader
	tail       string
	size, left int64
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
			return 0, f.fail(gateway.Errorf(gateway.IncompleteBody, "").Because(err))
		}
		return n, nil
	}
	var last [1]byte
	if _, err := io.ReadFull(f.src, last[:]); err != nil {
		return 0, f.fail(gateway.Errorf(gateway.IncompleteBody, "").Because(err))
	}
	if err := f.finish(); err != nil {
		return 0, err
	}
	p[0], f.left = last[0], 0
	return 1, nil
}

// finish compares what follows the file with the closing delimiter.
func (f *formFile) finish() error {
	if f.ended {
		return nil
	}
	tail := make([]byte, len(f.tail))
	if _, err := io.ReadFull(f.src, tail); err != nil {
		return f.fail(gateway.Errorf(gateway.IncompleteBody, "").Because(err))
	}
	if !bytes.Equal(tail, []byte(f.tail)) {
		return f.fail(malformedForm("the file is not its last field"))
	}
	f.ended = true
	return nil
}

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
