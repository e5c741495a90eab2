package wire

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// namespace is the XML namespace of S3's documents.
const namespace = "http://s3.amazonaws.com/doc/2006-03-01/"

// node is an element of a document that is written: with other elements or with
// text. The zero value is no element.
type node struct {
	name, attributes, text string
	kids                   []node
	exact                  bool // text is written as escape does with exact
}

func tree(name string, kids ...node) node { return node{name: name, kids: kids} }
func leaf(name, text string) node         { return node{name: name, text: text} }
func number(name string, n int64) node    { return leaf(name, strconv.FormatInt(n, 10)) }
func boolean(name string, b bool) node    { return leaf(name, strconv.FormatBool(b)) }

// optional is leaf, or no element without text.
func optional(name, text string) node { return when(text != "", leaf(name, text)) }

// when returns n, or no element.
func when(wanted bool, n node) node {
	if wanted {
		return n
	}
	return node{}
}

// marshal returns a document.
func marshal(root node) []byte {
	var b bytes.Buffer
	b.WriteString(xml.Header)
	root.write(&b)
	return b.Bytes()
}

func (n *node) write(b *bytes.Buffer) {
	if n.name == "" {
		return
	}
	n.begin(b)
	n.end(b)
}

// begin writes all but the end of the element.
func (n *node) begin(b *bytes.Buffer) {
	b.WriteByte('<')
	b.WriteString(n.name)
	b.WriteString(n.attributes)
	b.WriteByte('>')
	escape(b, n.text, n.exact)
	for i := range n.kids {
		n.kids[i].write(b)
	}
}

func (n *node) end(b *bytes.Buffer) {
	b.WriteString("</")
	b.WriteString(n.name)
	b.WriteByte('>')
}

// escape writes text. With exact, characters that XML 1.0 cannot hold become
// references, as S3 writes them in the keys of a listing: otherwise another key
// would be listed. Elsewhere they are U+FFFD, because most parsers refuse a
// document with such a reference, and the caller knows the key.
func escape(b *bytes.Buffer, s string, exact bool) {
	for {
		i := strings.IndexFunc(s, special)
		if i < 0 {
			b.WriteString(s)
			return
		}
		b.WriteString(s[:i])
		r, size := utf8.DecodeRuneInString(s[i:])
		s = s[i+size:]
		if r == utf8.RuneError || !exact && beyondXML(r) {
			b.WriteRune(utf8.RuneError)
			continue
		}
		switch r {
		case '&':
			b.WriteString("&amp;")
		case '<':
			b.WriteString("&lt;")
		case '>':
			b.WriteString("&gt;")
		case '"':
			b.WriteString("&quot;")
		default:
			b.WriteString("&#x" + strconv.FormatInt(int64(r), 16) + ";")
		}
	}
}

// special reports a character that cannot stand for itself.
func special(r rune) bool {
	return r < ' ' || r == '<' || r == '>' || r == '&' || r == '"' || r == '\'' || r >= 0xFFFD && r <= 0xFFFF
}

// beyondXML reports a character outside of XML 1.0 (section 2.2).
func beyondXML(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xFFFE || r == 0xFFFF
}

// document returns an answer with a document in S3's namespace.
func document(root node) *answer { return documentOf(marshal(inS3(root))) }

func inS3(root node) node {
	root.attributes = ` xmlns="` + namespace + `"`
	return root
}

func documentOf(raw []byte) *answer {
	return &answer{
		header: http.Header{"Content-Type": {"application/xml"}},
		body:   memoryBody{bytes.NewReader(raw)}, length: int64(len(raw)),
	}
}

// memoryBody is a body that needs no closing.
type memoryBody struct{ *bytes.Reader }

// Close does nothing.
func (memoryBody) Close() error { return nil }

// checksumNode returns the element of a checksum, none without one.
func checksumNode(c localstore.Checksum) node { return optional("Checksum"+c.Algorithm, c.Value) }

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
