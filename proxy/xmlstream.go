package proxy

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxElements bounds the elements of a document: ten thousand parts have not so
// many. A document of a byte or two for each element would cost many times its
// size.
const maxElements = 200_000

// maxSettingElements bounds those of a document that is forwarded as it was sent.
const maxSettingElements = 20_000

// soundXML yields the tokens of a document and refuses what no S3 document has: a
// document type (entities are how small documents grow large), text outside of the
// root, a second root, deep nesting, too many elements.
type soundXML struct {
	raw             *xml.Decoder
	depth, elements int
	most            int
	rooted          bool
}

// newSoundXML returns a decoder of tokens over a document of at most most
// elements.
func newSoundXML(doc []byte, most int) *xml.Decoder {
	return xml.NewTokenDecoder(&soundXML{raw: xml.NewDecoder(bytes.NewReader(doc)), most: most})
}

// Token returns the next token. The decoder around it matches the elements.
func (s *soundXML) Token() (xml.Token, error) {
	token, err := s.raw.RawToken()
	if err != nil {
		return token, err
	}
	switch t := token.(type) {
	case xml.Directive:
		return nil, errors.New("a document type is not allowed")
	case xml.StartElement:
		if err := s.open(); err != nil {
			return nil, err
		}
	case xml.EndElement:
		s.depth--
	case xml.CharData:
		if s.depth == 0 && len(bytes.TrimSpace(bytes.TrimPrefix(t, byteOrderMark))) > 0 {
			return nil, errors.New("text outside the document")
		}
	}
	return token, nil
}

func (s *soundXML) open() error {
	if s.depth == 0 && s.rooted {
		return errors.New("not one document")
	}
	s.rooted = true
	if s.depth++; s.depth > maxDepth {
		return errors.New("nested too deeply")
	}
	if s.elements++; s.elements > s.most {
		return errors.New("it has too many elements")
	}
	return nil
}

// checkXML reads a document to its end.
func checkXML(raw []byte) error {
	return checkElements(raw, maxElements)
}

func checkElements(raw []byte, most int) error {
	decoder := newSoundXML(raw, most)
	for rooted := false; ; {
		token, err := decoder.Token()
		switch {
		case errors.Is(err, io.EOF) && rooted:
			return nil
		case errors.Is(err, io.EOF):
			return malformed(errors.New("not one document"))
		case err != nil:
			return malformed(err)
		}
		if _, ok := token.(xml.StartElement); ok {
			rooted = true
		}
	}
}

// xmlList is a document whose root holds a list of entries, and a few members
// beside them.
type xmlList struct {
	root, entry string
	// most is how many entries there may be. The document is not read beyond.
	most int
	// add takes the members of one entry, other one that is beside the entries.
	add   func(members) error
	other func(name, value string) error
}

// members are the texts of an entry by the names of its elements.
type members map[string]string

// decode reads the document once, from beginning to end, and keeps none of it.
func (l xmlList) decode(raw []byte) error {
	decoder := newSoundXML(raw, maxElements)
	root, err := nextElement(decoder)
	if err != nil || root == "" {
		return malformed(cmpErr(err, "it is empty"))
	}
	if root != l.root {
		return malformed(fmt.Errorf("the document is %.64q, not %s", root, l.root))
	}
	entries, seen := 0, members{}
	for {
		name, err := nextElement(decoder)
		switch {
		case err != nil:
			return malformed(err)
		case name == "":
			return l.end(decoder)
		case name == l.entry:
			if entries++; entries > l.most {
				return malformed(fmt.Errorf("it has more than %d of %s", l.most, l.entry))
			}
			if err := l.one(decoder); err != nil {
				return err
			}
		default:
			if err := seen.read(decoder, name); err != nil {
				return malformed(err)
			}
			if err := l.other(name, seen[name]); err != nil {
				return err
			}
		}
	}
}

// one reads the members of one entry.
func (l xmlList) one(decoder *xml.Decoder) error {
	entry := members{}
	for {
		name, err := nextElement(decoder)
		if err == nil && name != "" {
			err = entry.read(decoder, name)
		}
		if err != nil {
			return malformed(err)
		}
		if name == "" {
			return l.add(entry)
		}
	}
}

// end reads what may follow the root.
func (l xmlList) end(decoder *xml.Decoder) error {
	for {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return malformed(err)
		}
	}
}

// maxMembers bounds the members of one entry.
const maxMembers = 32

// read reads the text of one member, which must be there once.
func (m members) read(decoder *xml.Decoder, name string) error {
	if _, twice := m[name]; twice {
		return fmt.Errorf("%.64q is there twice", name)
	}
	if len(m) >= maxMembers {
		return errors.New("an entry has too many members")
	}
	var text strings.Builder
	for {
		token, err := decoder.Token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			return fmt.Errorf("%.64q is not text", name)
		case xml.EndElement:
			m[name] = text.String()
			return nil
		}
	}
}

// nextElement returns the name of the next element, "" at the end of the one that
// is open. Text between elements is passed over.
func nextElement(decoder *xml.Decoder) (string, error) {
	for {
		token, err := decoder.Token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.StartElement:
			return t.Name.Local, nil
		case xml.EndElement:
			return "", nil
		}
	}
}

func cmpErr(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}
