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
	// unnamed is true after a part named file that is none.
	unnamed bool
	err     error
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
		part, err := f.next()
		if err == io.EOF {
			return nil, f.noFile()
		}
		if err != nil {
			return nil, err
		}
		if part.isFile() {
			return f, f.begin(part)
		}
		if err := f.field(part); err != nil {
			return nil, err
		}
	}
	return nil, brokenForm(fmt.Sprintf("it has more than %d fields before the file", maxFields))
}

func (f *form) noFile() error {
	err := gateway.Errorf(gateway.InvalidRequest, "The form has no part named %s.", fileField)
	if f.unnamed {
		err = gateway.Errorf(gateway.InvalidRequest, "The form's part named %s has no filename, so it is a field and no file.", fileField)
	}
	err.Field = fileField
	return err
}

// formPart is a part with what its Content-Disposition says.
type formPart struct {
	*multipart.Part
	params map[string]string
}

// isFile tells the file from a field of the same name, in which FilePond sends its
// metadata: a file has a filename.
func (p formPart) isFile() bool {
	_, named := p.params["filename"]
	return named && p.params["name"] == fileField
}

// next returns the next part. It is the raw part: net/http would undo
// quoted-printable, and the bytes stored were not those sent.
func (f *form) next() (formPart, error) {
	part, err := f.parts.NextRawPart()
	if err == io.EOF {
		return formPart{}, io.EOF
	}
	if err != nil {
		return formPart{}, formError(err)
	}
	said := part.Header.Values("Content-Disposition")
	if len(said) != 1 {
		return formPart{}, brokenForm("a part has not one Content-Disposition")
	}
	kind, params, err := mime.ParseMediaType(said[0])
	if err != nil || kind != "form-data" {
		return formPart{}, brokenForm("a part's Content-Disposition cannot be read")
	}
	return formPart{part, params}, nil
}

// formEscapes are the characters that browsers and fetch escape in a file's name,
// and no others
// (https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data).
var formEscapes = strings.NewReplacer("%22", `"`, "%0D", "\r", "%0A", "\n")

// begin opens the gate for the file's bytes.
func (f *form) begin(part formPart) error {
	switch encoding := strings.ToLower(part.Header.Get("Content-Transfer-Encoding")); encoding {
	case "", "binary", "8bit", "7bit":
	default: // RFC 7578 section 4.7: nobody sends it, so nobody means it well
		return brokenForm("the file has a Content-Transfer-Encoding: send its bytes as they are")
	}
	f.file, f.filename, f.declared = part.Part, formEscapes.Replace(part.params["filename"]), part.Header.Get("Content-Type")
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
		part, err := f.next()
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
		if part.isFile() {
			return brokenForm("it has a second part named " + fileField + ": send one file at a time")
		}
		if err := f.field(part); err != nil {
			return err
		}
	}
	return brokenForm(fmt.Sprintf("it has more than %d fields behind the file", maxFields))
}

// chunkFields are by what uploaders say that a form has a piece of a file, with the
// uploader's name: stored as it is, each piece would be a file.
var chunkFields = map[string]string{
	"dzchunkindex":         "Dropzone",
	"resumablechunknumber": "resumable.js",
	"flowchunknumber":      "flow.js",
	"qqpartindex":          "Fine Uploader",
	"chunk":                "plupload",
}

// field reads a part that is not the file. Only sha256 means something; what an
// app adds of its own is passed over.
func (f *form) field(part formPart) error {
	name := part.params["name"]
	f.unnamed = f.unnamed || name == fileField
	if uploader, chunked := chunkFields[strings.ToLower(name)]; chunked {
		return invalid(gateway.UnprocessableValue, name, "says that the form has a piece of a file, in the way of %s: switch its chunking off, or upload in pieces by tus, at %s/resumable", uploader, Root)
	}
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
