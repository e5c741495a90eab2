package policy

import (
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
)

const pageMarkup = "<html><script>x</script></html>"

// filled puts text at an offset of zeros, behind a beginning.
func filled(beginning string, offset int, text string) string {
	return beginning + strings.Repeat("\x00", offset-len(beginning)) + text + strings.Repeat("\x00", 600)
}

// Each file is of the denied type, and of another one that a detector finds
// first.
func TestADeniedTypeIsFoundBehindAnotherOne(t *testing.T) {
	utf16 := func(s string) string {
		var b strings.Builder
		b.WriteString("\xff\xfe")
		for _, c := range []byte(s) {
			b.WriteByte(c)
			b.WriteByte(0)
		}
		return b.String()
	}
	for name, c := range map[string]struct{ denied, head string }{
		"HTML with a PDF's magic in a comment": {"text/html", "<html><!--%PDF---><script>x</script></html>"},
		"HTML before a PDF":                    {"text/html", pageMarkup + "\n%PDF-1.4\n1 0 obj"},
		"a PDF behind HTML":                    {"application/pdf", pageMarkup + "\n%PDF-1.4\n1 0 obj"},
		"a PDF behind a GIF":                   {"application/pdf", "GIF89a\x01\x00\x01\x00" + strings.Repeat("\x00", 90) + "%PDF-1.4"},
		"a PDF in a ZIP":                       {"application/pdf", "PK\x03\x04\x14\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 40) + "%PDF-1.4"},
		"HTML with a tar's magic":              {"text/html", filled(pageMarkup, 257, "ustar\x0000")},
		"a tar behind HTML":                    {"application/x-tar", filled(pageMarkup, 257, "ustar\x0000")},
		"HTML with DICOM's magic":              {"text/html", filled(pageMarkup, 128, "DICM")},
		"a script with a PDF's magic":          {"text/x-shellscript", "#!/bin/sh\n# %PDF-1.4\nid"},
		"SVG with a PDF's magic":               {"image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"><!--%PDF---><script>x</script></svg>`},
		"SVG after an XML declaration":         {"image/svg+xml", `<?xml version="1.0"?><!--%PDF---><svg xmlns="http://www.w3.org/2000/svg"/>`},
		"SVG in front of binary bytes":         {"image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg"><script>x</script></svg>` + "\x00\x01\x02\xff\xfb\x90\x64"},
		"HTML in front of binary bytes":        {"text/html", pageMarkup + "\x00\x01\x02\xff\xfb\x90\x64"},
		"HTML behind a byte order mark":        {"text/html", "\xef\xbb\xbf \n" + pageMarkup + "%PDF-"},
		"HTML in UTF-16":                       {"text/html", utf16(pageMarkup)},
		"HTML that is also a comment":          {"text/html", `<!-- x --><svg xmlns="http://www.w3.org/2000/svg"></svg>`},
		"PHP within HTML":                      {"text/x-php", "<html><?php system('id'); ?></html>"},
		"a JAR that looks like a document":     {"application/java-archive", "PK\x03\x04\x14\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 16) + "\x11\x00\x00\x00word/document.xml" + "PK\x03\x04" + strings.Repeat("\x00", 26) + "META-INF/MANIFEST.MF"},
	} {
		denied, err := ParseTypes([]string{c.denied})
		if err != nil {
			t.Fatal(err)
		}
		err = denied.checkDenied(Content{Head: []byte(c.head), HeadKnown: true})
		if gateway.CodeOf(err) != gateway.TypeNotAllowed {
			t.Errorf("%s is not denied: %v; found %v", name, err, detectEach([]byte(c.head)))
		}
	}
}

// What is not of a denied type passes, whatever bytes it holds.
func TestAFileOfAnotherTypeIsNotDenied(t *testing.T) {
	for name, c := range map[string]struct{ denied, head string }{
		"a PDF that holds HTML":      {"text/html", "%PDF-1.4\n" + pageMarkup},
		"text that speaks of HTML":   {"text/html", "write " + pageMarkup},
		"a PNG under denied text":    {"text/plain", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"},
		"a PDF under denied text":    {"text/plain", "%PDF-1.4\n1 0 obj"},
		"text under denied PDF":      {"application/pdf", "a line about PDF\n"},
		"CSV under denied HTML":      {"text/html", "a,b\n1,2\n"},
		"a PDF's magic after a KiB":  {"application/pdf", "GIF89a" + strings.Repeat("\x00", 1100) + "%PDF-1.4"},
		"a ZIP under denied archive": {"application/java-archive", "PK\x03\x04\x14\x00\x00\x00\x00\x00" + strings.Repeat("\x00", 40)},
	} {
		denied, err := ParseTypes([]string{c.denied})
		if err != nil {
			t.Fatal(err)
		}
		if err := denied.checkDenied(Content{Head: []byte(c.head), HeadKnown: true}); err != nil {
			t.Errorf("%s: %v; found %v", name, err, detectEach([]byte(c.head)))
		}
	}
}
