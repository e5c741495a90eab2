package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	// fileField is the name of the form's part that is the file.
	fileField = "file"
	// sha256Field is the name of the part that says the file's SHA-256 in hex.
	sha256Field = "sha256"
	// formSlack is how much a form may have besides the file: fields, part
	// headers and boundaries before it, and as much again behind it.
	formSlack = 64 << 10
	// maxFields is how many parts besides the file are read on either side.
	maxFields = 100
)

// form reads a multipart/form-data body (RFC 7578) as it comes. Its Read gives
// the bytes of the file part; the end of the file is told only after the rest
// of the form was read and found in order, so that a second file, a missing end
// or a client that left stores nothing.
type form struct {
	gate  *gate
	parts *multipart.Reader
	file  *multipart.Part
	// filename and declared are what the file's part says of itself.
	filename, declared string
	// hash is of the file; want what the field sha256 says it is, in hex.
	hash hash.Hash
	want string
	err  error
}

// openForm reads up to the file.
func openForm(r *http.Request, body io.Reader) (*form, error) {
	f := &form{gate: &gate{src: body, left: formSlack}, hash: sha256.New()}
	r.Body = io.NopCloser(f.gate)
	parts, err := r.MultipartReader()
	if err != nil {
		return nil, formError(err)
	}
	f.parts = parts
	for range maxFields {
		part, name, err := f.next()
		if err == io.EOF {
			return nil, noFile()
		}
		if err != nil {
			return nil, err
		}
		if name == fileField {
			return f, f.begin(part)
		}
		if err := f.field(name, part); err != nil {
			return nil, err
		}
	}
	return nil, brokenForm(fmt.Sprintf("it has more than %d fields before the file", maxFields))
}

func noFile() error {
	err := gateway.Errorf(gateway.InvalidRequest, "The form has no part named %s.", fileField)
	err.Field = fileField
	return err
}

// next gives the next part with its field name. It is the raw part: net/http
// would undo quoted-printable, and the bytes stored were not those sent.
func (f *form) next() (*multipart.Part, string, error) {
	part, err := f.parts.NextRawPart()
	if err == io.EOF {
		return nil, "", io.EOF
	}
	if err != nil {
		return nil, "", formError(err)
	}
	said := part.Header.Values("Content-Disposition")
	if len(said) != 1 {
		return nil, "", brokenForm("a part has not one Content-Disposition")
	}
	kind, params, err := mime.ParseMediaType(said[0])
	if err != nil || kind != "form-data" {
		return nil, "", brokenForm("a part's Content-Disposition cannot be read")
	}
	return part, params["name"], nil
}

// begin opens the gate for the file's bytes.
func (f *form) begin(part *multipart.Part) error {
	switch encoding := strings.ToLower(part.Header.Get("Content-Transfer-Encoding")); encoding {
	case "", "binary", "8bit", "7bit":
	default: // RFC 7578 section 4.7: nobody sends it, so nobody means it well
		return brokenForm("the file has a Content-Transfer-Encoding: send its bytes as they are")
	}
	_, params, err := mime.ParseMediaType(part.Header.Get("Content-Disposition"))
	if err != nil {
		return brokenForm("the file's Content-Disposition cannot be read")
	}
	f.file, f.filename, f.declared = part, params["filename"], part.Header.Get("Content-Type")
	f.gate.open = true
	return nil
}

// Read gives the file.
func (f *form) Read(p []byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.file.Read(p)
	f.hash.Write(p[:n])
	if err == io.EOF {
		err = f.finish()
	} else if err != nil {
		err = formError(err)
	}
	f.err = err
	return n, err
}

// finish reads what stands behind the file; io.EOF says that all is well.
func (f *form) finish() error {
	f.gate.open, f.gate.left = false, formSlack
	for range maxFields {
		part, name, err := f.next()
		if err == io.EOF {
			// The rest is an epilogue, or what is missing of Content-Length.
			if _, err := io.Copy(io.Discard, f.gate); err != nil {
				return formError(err)
			}
			return f.verify()
		}
		if err != nil {
			return err
		}
		if name == fileField {
			return brokenForm("it has a second part named " + fileField + ": send one file at a time")
		}
		if err := f.field(name, part); err != nil {
			return err
		}
	}
	return brokenForm(fmt.Sprintf("it has more than %d fields behind the file", maxFields))
}

// field reads a part that is not the file. Only sha256 means something; what an
// app adds of its own is let go.
func (f *form) field(name string, part *multipart.Part) error {
	if name != sha256Field {
		_, err := io.Copy(io.Discard, part)
		if err != nil {
			return formError(err)
		}
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(part, 4*sha256.Size))
	if err != nil {
		return formError(err)
	}
	said := strings.ToLower(strings.TrimSpace(string(text)))
	if !isSHA256(said) || f.want != "" && f.want != said {
		return invalidDigest(sha256Field)
	}
	f.want = said
	return nil
}

// verify compares the file with what the form says of it; io.EOF says that all
// is well.
func (f *form) verify() error {
	if f.want == "" || f.want == hex.EncodeToString(f.hash.Sum(nil)) {
		return io.EOF
	}
	err := gateway.Errorf(gateway.BadDigest, "The file's SHA-256 is not the one in %s.", sha256Field)
	err.Field = sha256Field
	return err
}

// isSHA256 reports a SHA-256 in hex.
func isSHA256(s string) bool {
	raw, err := hex.DecodeString(s)
	return err == nil && len(raw) == sha256.Size
}

// formError keeps our own errors, which come from below the form's reader.
func formError(err error) error {
	if e := gateway.AsError(err); e.Code != gateway.Internal {
		return e
	}
	return brokenForm("its parts do not follow its boundary to the end").Because(err)
}

func brokenForm(why string) *gateway.Error {
	err := gateway.Errorf(gateway.InvalidRequest, "The multipart form is broken: %s.", why)
	err.Field = fileField
	return err
}

// gate bounds everything of a form but the file. mime/multipart alone takes
// part headers of up to 10 MiB into memory.
type gate struct {
	src  io.Reader
	left int64
	open bool
}

// Read gives at most left bytes while the gate is not open.
func (g *gate) Read(p []byte) (int, error) {
	if g.open || len(p) == 0 {
		return g.src.Read(p)
	}
	if g.left <= 0 {
		return 0, brokenForm(fmt.Sprintf("it has more than %d bytes besides the file", formSlack))
	}
	n, err := g.src.Read(p[:min(int64(len(p)), g.left)])
	g.left -= int64(n)
	return n, err
}
