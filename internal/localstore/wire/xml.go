package wire

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// namespace is the XML namespace of S3's documents.
const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// element is an XML element whose name is known only at run time.
type element struct {
	XMLName xml.Name
	Value   text
}

// text is the content of an element. Characters that XML 1.0 cannot hold become
// references, as S3 writes them in the keys of a listing: encoding/xml would
// replace them, and another key would be listed.
type text string

// MarshalXML writes the element.
func (t text) MarshalXML(e *xml.Encoder, start xml.StartElement) error {
	if !strings.ContainsFunc(string(t), beyondXML) {
		return e.EncodeElement(string(t), start)
	}
	var b bytes.Buffer
	for s := string(t); s != ""; {
		r, size := utf8.DecodeRuneInString(s)
		if beyondXML(r) {
			fmt.Fprintf(&b, "&#x%X;", r)
		} else if err := xml.EscapeText(&b, []byte(s[:size])); err != nil {
			return err
		}
		s = s[size:]
	}
	return e.EncodeElement(struct {
		Inner string `xml:",innerxml"`
	}{b.String()}, start)
}

// beyondXML reports a character outside of XML 1.0 (section 2.2).
func beyondXML(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

// MarshalXML writes the element under its own name.
func (e element) MarshalXML(enc *xml.Encoder, _ xml.StartElement) error {
	return e.Value.MarshalXML(enc, xml.StartElement{Name: e.XMLName})
}

// marshal returns a document with the XML declaration. The types of this package
// always marshal.
func marshal(v any) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	if err := xml.NewEncoder(&b).Encode(v); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// checksumElement returns the element of a checksum, nil without one.
func checksumElement(c localstore.Checksum) *element {
	if c.Value == "" {
		return nil
	}
	return &element{XMLName: xml.Name{Local: "Checksum" + c.Algorithm}, Value: text(c.Value)}
}

// owner is the owner or initiator of something.
type owner struct{ ID string }

// S3 knows no fractions of a second: all times are those of Last-Modified.
func xmlDate(t time.Time) string {
	return t.UTC().Truncate(time.Second).Format("2006-01-02T15:04:05.000Z")
}

func httpDate(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

func quoted(etag string) string { return `"` + etag + `"` }

// unquoted returns an entity tag without its quotes, which S3 takes either way.
func unquoted(etag string) string {
	etag = strings.TrimSpace(etag)
	if len(etag) >= 2 && etag[0] == '"' && etag[len(etag)-1] == '"' {
		return etag[1 : len(etag)-1]
	}
	return etag
}

// urlEncoded encodes a name as encoding-type=url does: a space becomes a plus
// sign and a slash stays.
func urlEncoded(name string) string {
	return strings.ReplaceAll(url.QueryEscape(name), "%2F", "/")
}
