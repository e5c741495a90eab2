package proxy

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// stand is a character for private use that stands, with the one behind it, for
// what XML 1.0 cannot hold.
const stand = '\U000F0000'

// references are those to characters, and stand itself.
var references = regexp.MustCompile(string(stand) + `|&#(?:x[0-9A-Fa-f]+|[0-9]+);`)

// legible gives a document that encoding/xml can read for one in which a store
// refers to control characters, as S3 and MinIO do for keys that have them
// although XML 1.0 cannot (section 4.1). restore puts the references back into
// what was made of it.
func legible(raw []byte) (text []byte, restore func([]byte) []byte) {
	text = references.ReplaceAllFunc(raw, func(ref []byte) []byte {
		c := referred(ref)
		switch {
		case c == stand:
			return utf8.AppendRune(utf8.AppendRune(nil, stand), '~')
		case c < ' ' && notInXML(c):
			return utf8.AppendRune(utf8.AppendRune(nil, stand), '@'+c)
		}
		return ref
	})
	back := []string{string(stand) + "~", string(stand)}
	for c := range ' ' {
		back = append(back, string(stand)+string('@'+c), fmt.Sprintf("&#x%X;", c))
	}
	replacer := strings.NewReplacer(back...)
	return text, func(doc []byte) []byte { return []byte(replacer.Replace(string(doc))) }
}

// referred is the character that a reference names, or is.
func referred(ref []byte) rune {
	digits, isReference := bytes.CutPrefix(ref, []byte("&#"))
	if !isReference {
		return stand
	}
	base, digits := 10, bytes.TrimSuffix(digits, []byte(";"))
	if hex, ok := bytes.CutPrefix(digits, []byte("x")); ok {
		base, digits = 16, hex
	}
	c, err := strconv.ParseUint(string(digits), base, 21)
	if err != nil {
		return utf8.RuneError
	}
	return rune(c)
}

// notInXML reports characters that XML 1.0 cannot hold, section 2.2.
func notInXML(c rune) bool {
	return c < ' ' && c != '\t' && c != '\n' && c != '\r' || c == 0xFFFE || c == 0xFFFF
}
