package policy

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/codeguardians/s3gateway"
)

// Types is a list of allowed media types. It is immutable and may be copied and
// used concurrently. The zero value allows nothing.
type Types struct {
	any   bool
	exact map[string]bool // canonical names
	major map[string]bool // "image" for image/*
	// above are the ancestors of all allowed types, for bytes whose
	// declaration is not known any more.
	above map[string]bool
	// also is a second list that must allow a type as well; nil for none. It
	// has no further one.
	also *Types
	// setting is what made the list; "" for ALLOWED_FILE_TYPES.
	setting string
}

// AnyType allows every type, as the list */* does.
func AnyType() Types { return Types{any: true} }

// ParseTypes reads a list of types, each "image/jpeg", "image/*" or "*/*".
// Upper case and space around are taken, empty entries are skipped. It reports
// every entry that is none of these, and a list without any entry.
func ParseTypes(list []string) (Types, error) {
	t := Types{exact: map[string]bool{}, major: map[string]bool{}, above: map[string]bool{}}
	var problems []error
	entries := 0
	for _, entry := range list {
		entry = strings.ToLower(strings.TrimSpace(entry))
		if entry == "" {
			continue
		}
		entries++
		if err := t.add(entry); err != nil {
			problems = append(problems, err)
		}
	}
	if entries == 0 {
		problems = append(problems, errors.New("no type in the list: name some, or */* for every type"))
	}
	if err := errors.Join(problems...); err != nil {
		return Types{}, err
	}
	t.fillAbove()
	return t, nil
}

func (t *Types) add(entry string) error {
	if entry == "*/*" {
		t.any = true
		return nil
	}
	if major, ok := strings.CutSuffix(entry, "/*"); ok && wellFormedType(major+"/x") {
		t.major[major] = true
		return nil
	}
	if !wellFormedType(entry) {
		return fmt.Errorf("%q is not a media type: write image/jpeg, image/* or */*", entry)
	}
	t.exact[CanonicalType(entry)] = true
	return nil
}

func wellFormedType(s string) bool {
	_, _, ok := declaration(s)
	return ok && !strings.ContainsAny(s, "; ")
}

// fillAbove collects the ancestors of every allowed type. Of those behind a
// wildcard, these are the types that the table of extensions knows.
func (t *Types) fillAbove() {
	for name := range t.exact {
		t.addAbove(name)
	}
	for _, name := range extensions {
		if m := newMediaType(name); t.allows(m) {
			t.addAbove(m.canon)
		}
	}
}

func (t *Types) addAbove(canon string) {
	for _, name := range ancestors(canon) {
		t.above[name] = true
	}
}

// Any reports whether every type is allowed.
func (t Types) Any() bool { return t.any && t.also == nil }

// NeedsBytes reports whether Check looks at the first bytes: not under */*.
func (t Types) NeedsBytes() bool { return !t.Any() }

// allows reports whether a type is in the list, under the name it was given or
// under its canonical one: audio/webm is allowed by audio/* and by video/webm.
func (t Types) allows(m mediaType) bool {
	return t.any || t.exact[m.canon] || t.major[majorOf(m.name)] || t.major[majorOf(m.canon)]
}

func majorOf(name string) string {
	major, _, _ := strings.Cut(name, "/")
	return major
}

// Content is what is known of an upload's type.
type Content struct {
	// Declared is the Content-Type as sent, "" when there is none.
	Declared string
	// Key is the object key or the filename: its extension counts.
	Key string
	// Head is the first SniffLen decoded bytes, or all of a shorter body.
	Head []byte
	// HeadKnown says that Head was read. Without it only the declaration and
	// the extension are judged.
	HeadKnown bool
	// Empty says that the body has no byte: nothing to judge but its names.
	Empty bool
	// DeclaredUnknown marks part 1 of a multipart upload, whose declaration
	// was judged when the upload was created and is not known now. Declared is
	// ignored, and the bytes may also be an ancestor of any allowed type.
	DeclaredUnknown bool
	// Verify says when the bytes must agree with the declaration.
	Verify Verify
}

// Verify says when the bytes must agree with the declared type (with the
// extension's, if none is declared).
type Verify int

const (
	// VerifyAllowed: where the list does not allow every type.
	VerifyAllowed Verify = iota
	// VerifyAlways: also where every type is allowed.
	VerifyAlways
	// VerifyNever: a declared type is believed. Bytes without any declaration
	// must still be of an allowed type, or leaving it out would let all in.
	VerifyNever
)

// Check judges an upload. The declaration counts unless it is absent or
// application/octet-stream, the extension counts if the table knows it, and the
// bytes count if there are any; each that counts must be allowed. Bytes also
// pass as an ancestor of the allowed declaration (of the allowed extension, if
// nothing was declared): text/plain for text/csv, application/zip for docx.
// They never pass as a descendant, or as another type than the declared one:
// HTML under text/plain, JPEG under image/png. The error is a *gateway.Error
// with code TypeNotAllowed.
func (t Types) Check(c Content) error {
	if t.also != nil {
		if err := t.also.Check(c); err != nil {
			return err
		}
	}
	if t.any && c.Verify != VerifyAlways {
		return nil
	}
	if c.DeclaredUnknown {
		c.Declared = ""
	}
	if err := t.checkDeclared(c.Declared, c.Key); err != nil {
		return err
	}
	if !c.HeadKnown || c.Empty || len(c.Head) == 0 {
		return nil
	}
	found := detect(c.Head)
	if t.passes(found, c) {
		return nil
	}
	if as, ok := generic[found]; ok && t.passes(as, c) {
		return nil
	}
	return t.notAllowed(found, "first bytes", c.Declared)
}

// passes judges one reading of the bytes of a body whose declaration and
// extension are allowed as far as they count.
func (t Types) passes(found string, c Content) bool {
	m, counts, _ := declaration(c.Declared)
	byName, named := TypeByExtension(c.Key)
	if c.Verify == VerifyNever && (counts || named) {
		return true
	}
	if found == octetStream {
		return t.allows(newMediaType(octetStream)) // not a type that contradicts: none was found
	}
	if counts {
		return looksLike(m.canon, found)
	}
	if named && looksLike(CanonicalType(byName), found) {
		return true
	}
	if t.allows(newMediaType(found)) {
		return !named || c.Verify != VerifyAlways
	}
	return c.DeclaredUnknown && t.above[found]
}

// checkDenied refuses what the list names, by declaration, extension or bytes. A
// declaration that readers may read in several ways could be any of them.
func (t Types) checkDenied(c Content) error {
	if m, counts, wellFormed := declaration(c.Declared); !wellFormed || counts && t.allows(m) {
		return t.notAllowed(m.name, "declaration", c.Declared)
	}
	if name, ok := TypeByExtension(c.Key); ok && t.allows(newMediaType(name)) {
		return t.notAllowed(name, "extension", c.Declared)
	}
	if !c.HeadKnown || c.Empty || len(c.Head) == 0 {
		return nil
	}
	for _, found := range detectEach(c.Head) {
		if as, ok := generic[found]; t.allows(newMediaType(found)) || ok && t.allows(newMediaType(as)) {
			return t.notAllowed(found, "first bytes", c.Declared)
		}
	}
	return nil
}

// CheckDeclared is the part of Check that needs no bytes: the declaration and
// the extension of key.
func (t Types) CheckDeclared(declared, key string) error {
	if t.also != nil {
		if err := t.also.checkDeclared(declared, key); err != nil {
			return err
		}
	}
	return t.checkDeclared(declared, key)
}

// checkDeclared judges by this list alone.
func (t Types) checkDeclared(declared, key string) error {
	if t.any {
		return nil
	}
	m, counts, wellFormed := declaration(declared)
	if !wellFormed || counts && !t.allows(m) {
		return t.notAllowed(m.name, "declaration", declared)
	}
	if name, ok := TypeByExtension(key); ok && !t.allows(newMediaType(name)) {
		return t.notAllowed(name, "extension", declared)
	}
	return nil
}

// notAllowed is the refusal. found is what was judged and by what it was found.
func (t Types) notAllowed(found, by, declared string) error {
	err := gateway.Errorf(gateway.TypeNotAllowed, "File type not allowed")
	err.Field = "Content-Type"
	return err.With("FoundType", clip(found)).With("FoundBy", by).
		With("DeclaredType", clip(declared)).With("Setting", cmp.Or(t.setting, "ALLOWED_FILE_TYPES"))
}

// clip bounds what a refusal repeats of a client's own words.
func clip(s string) string { return gateway.Clip(s, 128) }
