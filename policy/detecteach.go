package policy

import (
	"bytes"
	"net/http"
	"slices"
	"strings"
	"unicode/utf16"
)

// floating are magics that identify a format wherever they are in the first
// bytes, or at an offset that leaves the beginning to another format. A file of
// such a format may begin as any other one.
var floating = []struct {
	magic      string
	from, upTo int // where the magic may begin
	format     string
}{
	{"%PDF-", 0, 1024, "application/pdf"}, // ISO 32000-1, annex H, implementation note 13
	{"%FDF-", 0, 1024, "application/vnd.fdf"},
	{"DICM", 128, 128, "application/dicom"},
	{"ustar", 257, 257, "application/x-tar"},
	{"<?php", 0, SniffLen, "text/x-php"},
	{"META-INF/MANIFEST.MF", 0, SniffLen, "application/java-archive"},
	{"AndroidManifest.xml", 0, SniffLen, "application/vnd.android.package-archive"},
}

// active are formats that a browser or an interpreter runs from the beginning of
// a file, whatever follows.
var active = []string{
	"text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "text/x-php", "text/javascript", "text/x-shellscript",
	"text/x-perl", "text/x-python", "text/x-ruby", "text/x-lua", "text/x-tcl",
}

// detectEach returns the canonical types of all formats that the first bytes are
// of. detect returns the first of them alone, so that a file of two formats hides
// one behind the other.
func detectEach(head []byte) []string {
	head = head[:min(len(head), SniffLen)]
	all := []string{detect(head)}
	add := func(names ...string) {
		for _, name := range names {
			if name != octetStream && name != textPlain && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	hidden := slices.Clone(head)
	for _, f := range floating {
		if at := indexWithin(hidden, f.magic, f.from, f.upTo); at >= 0 {
			add(f.format)
			for ; at >= 0; at = indexWithin(hidden, f.magic, f.from, f.upTo) {
				copy(hidden[at:], strings.Repeat(" ", len(f.magic)))
			}
		}
	}
	if len(head) > 4 && bytes.HasPrefix(head[4:], []byte("ftyp")) {
		add(detect(append([]byte{0, 0, 0, 0x18}, head[4:]...)))
	}
	for _, beginning := range [][]byte{hidden, textPrefix(hidden), textPrefix(fromUTF16(hidden)), textPrefix(head)} {
		if found := detect(beginning); slices.Contains(active, found) {
			add(found)
		}
		// The algorithm of browsers (WHATWG MIME Sniffing) as net/http has it.
		essence, _, _ := strings.Cut(http.DetectContentType(beginning), ";")
		if found := CanonicalType(essence); slices.Contains(active, found) {
			add(found)
		}
	}
	return all
}

// indexWithin finds a magic that begins within bounds, in any letter case.
func indexWithin(head []byte, magic string, from, upTo int) int {
	upTo = min(upTo+len(magic), len(head))
	if from >= upTo {
		return -1
	}
	at := bytes.Index(bytes.ToLower(head[from:upTo]), []byte(strings.ToLower(magic)))
	if at < 0 {
		return -1
	}
	return from + at
}

// textPrefix cuts bytes at the first one that text does not have (WHATWG MIME
// Sniffing, "binary data byte"): what precedes it is still markup to a reader.
func textPrefix(head []byte) []byte {
	end := bytes.IndexFunc(head, func(c rune) bool {
		return c < 0x20 && c != '\t' && c != '\n' && c != '\r' && c != '\f' && c != 0x1b
	})
	if end < 0 {
		return head
	}
	return head[:end]
}

// fromUTF16 decodes bytes that begin with a byte order mark of UTF-16, and returns
// others as they are.
func fromUTF16(head []byte) []byte {
	if len(head) < 2 || !(head[0] == 0xff && head[1] == 0xfe || head[0] == 0xfe && head[1] == 0xff) {
		return head
	}
	low, high := 0, 1
	if head[0] == 0xfe {
		low, high = 1, 0
	}
	units := make([]uint16, 0, len(head)/2)
	for i := 2; i+1 < len(head); i += 2 {
		units = append(units, uint16(head[i+low])|uint16(head[i+high])<<8)
	}
	return []byte(string(utf16.Decode(units)))
}
