package model

import "strings"

// PlainKeys are keys that every store takes. They sort differently by UTF-8 and
// by UTF-16, composed and decomposed, encoded and not.
var PlainKeys = []string{
	"b", "d/e", "d/f", "d/g/h", "d/g/i", "ä", "a\u0308", "😀", "～", "%41", "A", "+", "x y", "&<>\"'", "q?r#s=t", "é/ü",
	strings.Repeat("k", 200) + "/" + strings.Repeat("l", 200),
}

// NastyKeys are keys that S3 takes and that a store with paths does not: it has
// no bucket for names that are folders, empty, or too long.
var NastyKeys = append([]string{
	"a", "a/", "a/b", "a//b", "a/b/c", "/", "//", "/a", ".", "..", "./a", "a/../b", "a/.", "..a", "\x01", "a\x1f", "\x7f", "a\tb", "a\nb", "a\rb", "\\", "C:\\x", "a ", " a", "\u00a0",
	"CON", "a.", "A/b", "d", "d/", "d/e/", "%2F", "%", "%zz", "a%00", "null", ".s3", "\U0010FFFD", "\ufffd", "ﬀ", "ff", "ſ", "K",
	strings.Repeat("k", 1024), strings.Repeat("ä", 512), strings.Repeat("k/", 512), strings.Repeat("😀", 256),
}, PlainKeys...)

// tooLong is a key of 1,025 bytes.
var tooLong = strings.Repeat("x/", 512) + "x"

var prefixes = []string{"", "", "", "d/", "d", "a", "a/", "/", "ä", "d/g/", "k", "é/", "zzz", "\U0001F600", "%", "a//"}

var delimiters = []string{"", "", "/", "/", "/", "e", "//", "g/", "a", "ä"}
