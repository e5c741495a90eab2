package proxy

import (
	"bufio"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/textproto"
	"slices"
	"strings"

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
	fields []formField
	tags   string // of the field tagging, as a header has them
	file   *formFile
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
		name, params, err := dispositionOf(header)
		if err != nil {
			return nil, err
		}
		if name == "file" {
			if filename, ok := params["filename"]; ok {
				f.nameKey(filename)
			}
			f.file, err = s.file(r.ContentLength)
			return f, err
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

func dispositionOf(h textproto.MIMEHeader) (name string, params map[string]string, err error) {
	kind, params, e := mime.ParseMediaType(h.Get("Content-Disposition"))
	if e != nil || kind != "form-data" || params["name"] == "" {
		return "", nil, malformedForm("a part has no field name")
	}
	return strings.ToLower(params["name"]), params, nil
}

// nameKey puts the file's name into the key, before the policy is applied to it:
// what a condition names is the key that is written. Of a path only the last part
// counts: what stands before it is the place on the sender's disk, or an attempt
// to leave the folder that the form's maker meant
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTForms.html).
func (f *form) nameKey(filename string) {
	filename = filename[strings.LastIndexAny(filename, `/\`)+1:]
	for i := range f.fields {
		if f.fields[i].name == "key" {
			f.fields[i].value = strings.ReplaceAll(f.fields[i].value, "${filename}", filename)
		}
	}
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
		return "", cutOff(err)
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
