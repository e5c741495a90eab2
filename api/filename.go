package api

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	// maxFilename bounds an original name, in bytes: percent-encoded it goes
	// into the 2 KiB that S3 has for user metadata. File systems stop at 255.
	maxFilename = 512
	// maxSafeName bounds the name in an id, whose segment must fit a file
	// system's 255 bytes with the UUID before it.
	maxSafeName = 120
	// maxExtension is the longest extension that survives the cutting.
	maxExtension = 16
)

// cleanFilename gives the name of an uploaded file without the folders that some
// clients send along with it (RFC 7578 section 4.2), or says what is wrong.
func cleanFilename(sent string) (string, error) {
	name := strings.ToValidUTF8(sent, "\uFFFD")
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	refuse := func(why string) error {
		err := gateway.Errorf(gateway.UnprocessableValue, "filename %s.", why)
		err.Field = "filename"
		return err
	}
	switch {
	case strings.ContainsFunc(sent, unicode.IsControl):
		return "", refuse("has a control character")
	case strings.Trim(name, " .") == "":
		return "", refuse("is empty: the file needs a name")
	case len(name) > maxFilename:
		return "", refuse(fmt.Sprintf("is longer than %d bytes", maxFilename))
	}
	return name, nil
}

// safeName is the part of a name that goes into an id: A-Za-z0-9._- with one _
// for a run of anything else within it, no dot at either end, bounded, with its
// extension, and no other key's alias. The original name is kept beside the object.
func safeName(name string) string {
	safe := bounded(plainName(name))
	if gateway.IsFolderAlias(safe) {
		safe += "_"
	}
	return safe
}

// plainName keeps the characters that are safe.
func plainName(name string) string {
	var b strings.Builder
	gap := false
	for _, c := range name {
		if !safeRune(c) {
			gap = true
			continue
		}
		switch {
		case gap && b.Len() == 0 && c == '.': // nothing is left of the name but its extension
			b.WriteString("file")
		case gap && b.Len() > 0 && c != '.':
			b.WriteByte('_')
		}
		gap = false
		b.WriteRune(c)
	}
	if safe := strings.Trim(b.String(), "."); safe != "" {
		return safe
	}
	return "file"
}

// bounded cuts a name, but not its extension.
func bounded(safe string) string {
	if len(safe) <= maxSafeName {
		return safe
	}
	ext := safe[strings.LastIndexByte(safe, '.')+1:]
	if len(ext) == len(safe) || len(ext) > maxExtension {
		return strings.TrimRight(safe[:maxSafeName], ".")
	}
	return strings.TrimRight(safe[:maxSafeName-len(ext)-1], ".") + "." + ext
}

func safeRune(c rune) bool {
	return c < utf8.RuneSelf && (unicode.IsLetter(c) || unicode.IsDigit(c) || c == '.' || c == '-' || c == '_')
}

// escapeName percent-encodes everything but the attr-chars of RFC 5987 section
// 3.2.1 that are letters, digits, '.', '-' and '_': the form in which the
// original name is kept as user metadata and goes out as filename*.
func escapeName(name string) string {
	var b strings.Builder
	for i := range len(name) {
		if c := name[i]; safeRune(rune(c)) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// contentDisposition is RFC 6266: a plain name for old clients, where a quote or
// a non-ASCII byte cannot end the parameter early, and the true one as
// filename*.
func contentDisposition(mode, name string) string {
	plain := strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' || c == '"' || c == '\\' || c == '%' {
			return '_'
		}
		return c
	}, name)
	value := mode + `; filename="` + plain + `"`
	if plain != name {
		value += "; filename*=UTF-8''" + escapeName(name)
	}
	return value
}
