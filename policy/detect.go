package policy

import (
	"strings"

	"github.com/gabriel-vasile/mimetype"
)

// SniffLen is how many decoded bytes at the beginning of an object the type
// rule looks at. Fewer are given only when the object is shorter.
const SniffLen = 3072

// detect gives the canonical type of an object by its first bytes, and
// application/octet-stream when they say nothing.
func detect(head []byte) string {
	// The limit is the library's own global. It tells it that a head of this
	// length may be cut: otherwise every JSON document longer than the head
	// counts as broken, and so as plain text.
	mimetype.SetLimit(SniffLen)
	found := mimetype.Detect(head[:min(len(head), SniffLen)]).String()
	// Cut by hand: the charset comes out of the document itself and need not
	// parse as a parameter.
	essence, _, _ := strings.Cut(found, ";")
	if name, ok := aliases[essence]; ok {
		return name
	}
	return essence
}

// DetectType gives the Content-Type that the REST door stores: what was
// declared, unless that is absent or application/octet-stream; otherwise what
// the extension of name stands for; otherwise what the first bytes say. An
// empty head says application/octet-stream.
func DetectType(declared, name string, head []byte) string {
	if _, counts, _ := declaration(declared); counts {
		return strings.TrimSpace(declared)
	}
	if t, ok := TypeByExtension(name); ok {
		return t
	}
	if len(head) == 0 {
		return octetStream
	}
	return detect(head)
}
