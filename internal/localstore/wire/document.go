package wire

import (
	"bytes"
	"crypto/md5" // Content-MD5 of S3, not a secret
	"crypto/sha256"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"hash"
	"io"
	"reflect"

	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/signer"
)

// Bounds of documents, in bytes.
const (
	maxDocument   = 1 << 20
	maxDeletes    = 2 << 20
	maxCompletion = 4 << 20 // 10,000 parts with a SHA-512 each have 2.2 MB
)

// strict is embedded in the types of documents. It collects the elements that the
// type does not know, for a setting that is not understood must not be dropped.
type strict struct {
	Unknown []unknownElement `xml:",any"`
}

type unknownElement struct{ XMLName xml.Name }

// field is an element with text whose name the type does not know.
type field struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// proven reads a document and checks at its end what was declared of it.
type proven struct {
	src    io.Reader
	expect localstore.Expect
	left   int64
	size   int64
	hashes [3]hash.Hash // of MD5, SHA-256 and the checksum; nil where not declared
}

// openDocument returns the request's document. With needed, a document without a
// digest is refused, as S3 does where it changes much.
func (x *exchange) openDocument(limit int64, needed bool) (*proven, error) {
	body, e, err := x.openBody()
	if err != nil {
		return nil, err
	}
	if needed && e.MD5 == nil && e.Algorithm == "" {
		return nil, invalidRequest("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	p := &proven{src: body, expect: e, left: limit}
	if e.MD5 != nil {
		p.hashes[0] = md5.New()
	}
	if e.SHA256 != nil {
		p.hashes[1] = sha256.New()
	}
	if e.Algorithm != "" {
		p.hashes[2], _ = signer.NewChecksum(e.Algorithm)
	}
	return p, nil
}

// Read reads from the document.
func (p *proven) Read(b []byte) (int, error) {
	n, err := p.src.Read(b)
	if p.left -= int64(n); p.left < 0 {
		return 0, malformed()
	}
	p.size += int64(n)
	for _, h := range p.hashes {
		if h != nil {
			h.Write(b[:n])
		}
	}
	if err == io.EOF {
		if bad := p.check(); bad != nil {
			return n, bad
		}
	}
	return n, err
}

func (p *proven) check() error {
	e := p.expect
	switch {
	case e.Length >= 0 && e.Length != p.size:
		return incomplete()
	case p.hashes[0] != nil && !bytes.Equal(p.hashes[0].Sum(nil), e.MD5):
		return refuse(localstore.BadDigest, "The Content-MD5 you specified did not match what we received.")
	case p.hashes[1] != nil && !bytes.Equal(p.hashes[1].Sum(nil), e.SHA256):
		return refuse(localstore.SHA256Mismatch, "The provided 'x-amz-content-sha256' header does not match what was computed.")
	case p.hashes[2] != nil && base64.StdEncoding.EncodeToString(p.hashes[2].Sum(nil)) != e.Checksum():
		return refuse(localstore.BadDigest, "The %s you specified did not match the calculated checksum.", e.Algorithm)
	}
	return nil
}

// each decodes a document with this root, handing each of its elements to fn, and
// reads it to its end. fn consumes the element.
func (p *proven) each(root string, fn func(d *xml.Decoder, start xml.StartElement) error) error {
	d := xml.NewDecoder(p)
	depth, done := 0, false
	for {
		token, err := d.Token()
		if err == io.EOF && done {
			return nil
		}
		if err != nil {
			return xmlError(err, p.size == 0 && root != "LegalHold" && root != "Retention")
		}
		switch t := token.(type) {
		case xml.Directive: // a DOCTYPE could define entities
			return malformed()
		case xml.CharData:
			if len(bytes.TrimSpace(t)) > 0 {
				return malformed()
			}
		case xml.EndElement:
			depth, done = 0, true
		case xml.StartElement:
			if depth == 0 && (done || t.Name.Local != root) {
				return malformed()
			}
			if depth == 0 {
				depth = 1
			} else if err := fn(d, t); err != nil {
				return xmlError(err, false)
			}
		}
	}
}

// xmlError keeps an error that has a code, and the body's own; every other is of
// the XML.
func xmlError(err error, empty bool) error {
	var f *failure
	var broken *sourceError
	switch {
	case errors.As(err, &f), errors.As(err, &broken):
		return err
	case empty:
		return refuse("MissingRequestBodyError", "Request Body is empty")
	}
	return malformed()
}

// readDocument decodes the request's document with this root into a pointer to a
// struct. Elements that its types do not know are MalformedXML.
func (x *exchange) readDocument(root string, into any) error {
	p, err := x.openDocument(maxDocument, false)
	if err != nil {
		return err
	}
	raw := bytes.Buffer{}
	if _, err := raw.ReadFrom(p); err != nil {
		return xmlError(err, false)
	}
	whole := &proven{src: &raw, expect: localstore.Expect{Length: -1}, left: maxDocument}
	start := bytes.Clone(raw.Bytes())
	// each checks the form of the whole document, Unmarshal then decodes it.
	if err := whole.each(root, func(d *xml.Decoder, _ xml.StartElement) error { return d.Skip() }); err != nil {
		return err
	}
	if err := xml.Unmarshal(start, into); err != nil || hasUnknown(reflect.ValueOf(into)) {
		return malformed()
	}
	return nil
}

// hasUnknown reports whether a decoded document had an element that its types do
// not know.
func hasUnknown(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer:
		return !v.IsNil() && hasUnknown(v.Elem())
	case reflect.Slice:
		for i := range v.Len() {
			if hasUnknown(v.Index(i)) {
				return true
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[strict]() {
			return v.Field(0).Len() > 0
		}
		for i := range v.NumField() {
			if hasUnknown(v.Field(i)) {
				return true
			}
		}
	}
	return false
}
