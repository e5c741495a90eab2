package policy

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway"
	"github.com/gabriel-vasile/mimetype"
)

// Beginnings of files.
var (
	pngHead   = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
	apngHead  = pngHead + "\x1f\x15\xc4\x89\x00\x00\x00\x08acTL\x00\x00\x00\x01"
	jpegHead  = "\xff\xd8\xff\xe0\x00\x10JFIF\x00"
	gifHead   = "GIF89a\x01\x00\x01\x00"
	zipHead   = "PK\x03\x04\x14\x00\x00\x00\x08\x00" + strings.Repeat("\x00", 16) + "\x05\x00\x00\x00a.txthello"
	htmlHead  = "<!DOCTYPE html><script>alert(1)</script>"
	svgHead   = `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
	xhtmlHead = `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"></html>`
	noise     = "\x00\x01\x02\x03\x80\x81"
	bigJSON   = `{"list":[` + strings.Repeat("1234567,\n", 1000) + "1]}"
)

var seedDefaults = []string{"image/jpeg", "image/png", "image/gif", "application/pdf"}

func parseTypes(t testing.TB, list ...string) Types {
	t.Helper()
	types, err := ParseTypes(list)
	if err != nil {
		t.Fatal(err)
	}
	return types
}

func head(body string) []byte { return []byte(body[:min(len(body), SniffLen)]) }

func TestCheck(t *testing.T) {
	for _, tt := range []struct {
		name     string
		allowed  string // comma-separated; "" means the seed's defaults
		declared string
		key      string
		body     string
		pass     bool
	}{
		{"all three agree", "", "image/png", "a.png", pngHead, true},
		{"all three say the same not allowed type", "", "text/html", "a.html", htmlHead, false},

		{"declaration in upper case with spaces", "", " IMAGE/PNG ", "a.png", pngHead, true},
		{"declaration with parameters", "text/plain", "text/plain; charset=utf-8", "a.txt", "hello", true},
		{"declaration with a lone semicolon", "", "image/png;", "a.png", pngHead, true},
		{"declaration with a second type after a comma, which browsers take", "", "image/png,text/html", "a.png", pngHead, false},
		{"the comma inside quotes", "", `image/png; x="a,text/html"`, "a.png", pngHead, false},
		{"a second type after a semicolon", "", "image/png;text/html", "a.png", pngHead, false},
		{"declaration without a slash", "", "png", "a.png", pngHead, false},
		{"declaration without a subtype", "image/*", "image/", "a.png", pngHead, false},
		{"wildcard as declaration", "image/*", "image/*", "a.png", pngHead, false},
		{"everything as declaration", "image/*", "*/*", "a.png", pngHead, false},
		{"a space inside the type", "", "image/png text/html", "a.png", pngHead, false},
		{"a line break inside the type", "", "image/png\r\nX: y", "a.png", pngHead, false},
		{"a parameter given twice", "text/plain", "text/plain; charset=a; charset=b", "", "hello", false},
		{"another allowed type behind a bad parameter", "image/png,text/html", "image/png; text/html", "", pngHead, false},

		{"no declaration", "", "", "a.png", pngHead, true},
		{"declaration application/octet-stream", "", "application/octet-stream", "a.png", pngHead, true},
		{"declaration binary/octet-stream in mixed case", "", "Binary/Octet-Stream", "a.png", pngHead, true},
		{"declaration application/octet-stream with a parameter", "", "application/octet-stream; x=y", "a.png", pngHead, true},
		{"no declaration and no extension, allowed bytes", "", "", "a", pngHead, true},
		{"no declaration and no extension, other bytes", "", "", "a", htmlHead, false},
		{"no declaration and an extension nobody knows", "", "", "a.xyz", gifHead, true},
		{"no declaration, another allowed extension than the bytes", "", "", "a.png", jpegHead, true},

		{"extension in upper case", "", "image/png", "A.PNG", pngHead, true},
		{"not allowed extension in upper case", "", "image/png", "A.HTML", pngHead, false},
		{"double extension, the last is allowed, the bytes are too", "", "image/png", "x.html.png", pngHead, true},
		{"double extension over HTML", "", "image/png", "x.html.png", htmlHead, false},
		{"double extension, the last is not allowed", "", "image/png", "x.png.html", pngHead, false},
		{"name that is nothing but a not allowed extension", "", "image/png", "d/.html", pngHead, false},
		{"extension of a folder does not count", "", "image/png", "x.html/a", pngHead, true},
		{"key that ends in a slash has no extension", "", "image/png", "x.html/", pngHead, true},
		{"PHP under an image's declaration and bytes", "", "image/gif", "x.php", gifHead, false},

		{"PNG declared, JPEG bytes, both allowed", "", "image/png", "", jpegHead, false},
		{"PNG declared, JPEG bytes, extension of the bytes", "", "image/png", "a.jpg", jpegHead, false},
		{"PNG declared, JPEG extension, PNG bytes", "", "image/png", "a.jpg", pngHead, true},
		{"PNG declared, text bytes, CSV extension", "image/png,text/csv", "image/png", "a.csv", "hello", false},
		{"unknown bytes", "", "image/png", "a.png", noise, false},
		{"unknown bytes, octet-stream listed", "image/png,application/octet-stream", "image/png", "", noise, true},
		{"unknown bytes, binary/octet-stream listed", "binary/octet-stream", "", "", noise, true},
		{"unknown bytes under application/*", "application/*", "application/x-own", "", noise, true},
		{"octet-stream listed lets no HTML in", "application/octet-stream", "", "", htmlHead, false},

		{"HTML under text/plain", "text/plain", "text/plain", "a.txt", htmlHead, false},
		{"HTML behind a UTF-8 byte order mark", "text/plain", "text/plain", "a.txt", "\xef\xbb\xbf \n" + htmlHead, false},
		{"HTML under text/plain though text/html is allowed", "text/*", "text/plain", "a.txt", htmlHead, false},
		{"SVG under text/plain", "text/plain", "text/plain", "a.txt", svgHead, false},
		{"SVG behind an XML declaration under text/plain", "text/plain", "text/plain", "", `<?xml version="1.0"?>` + svgHead, false},
		{"SVG under text/xml", "text/xml", "text/xml", "", svgHead, false},
		{"XHTML under application/xml", "application/xml", "application/xml", "", xhtmlHead, false},
		{"SVG under image/png", "image/png", "image/png", "a.png", svgHead, false},
		{"HTML whose own charset does not parse", "text/plain", "text/plain", "", `<html><meta charset="; x"></html>`, false},
		{"the same HTML, allowed", "text/html", "text/html", "", `<html><meta charset="; x"></html>`, true},
		{"SVG where SVG is allowed", "image/svg+xml", "image/svg+xml", "a.svg", svgHead, true},
		{"UTF-16 text", "text/plain", "text/plain; charset=utf-16", "a.txt", "\xff\xfeh\x00i\x00", true},
		{"UTF-16 text as PNG", "", "image/png", "a.png", "\xff\xfeh\x00i\x00", false},
		{"shell script as text", "text/plain", "text/plain", "", "#!/bin/sh\nrm -rf /\n", false},
		{"program under a PDF's names", "", "application/pdf", "a.pdf", "MZ\x90\x00" + strings.Repeat("\x00", 80), false},
		{"GIF that is JavaScript too stays a GIF", "", "image/gif", "a.gif", "GIF89a/*" + htmlHead + "*/=1;", true},
		{"the same polyglot as JavaScript", "text/javascript", "text/javascript", "a.js", "GIF89a/*\n*/=1;", false},

		{"image/jpg for image/jpeg", "", "image/jpg", "a.jpg", jpegHead, true},
		{"image/jpg in the list", "image/jpg", "image/jpeg", "a.jpeg", jpegHead, true},
		{"gzip by its older name", "application/gzip", "application/x-gzip", "a.tgz", "\x1f\x8b\x08\x00", true},
		{"gzip, the older name in the list", "application/x-gzip", "", "a.gz", "\x1f\x8b\x08\x00", true},
		{"JavaScript by its older name", "text/javascript", "application/javascript", "a.js", "hello", true},
		{"JavaScript, the older name in the list", "application/x-javascript", "text/javascript", "a.mjs", "hello", true},
		{"WAVE by its older name", "audio/wav", "audio/x-wav", "a.wav", "RIFF\x24\x00\x00\x00WAVEfmt \x10", true},
		{"WAVE under audio/*", "audio/*", "audio/vnd.wave", "a.wav", "RIFF\x24\x00\x00\x00WAVEfmt \x10", true},
		{"audio in WebM under audio/*, whose bytes are video/webm", "audio/*", "audio/webm", "a.weba",
			"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\xf7\x81\x01\x42\xf2\x81\x04\x42\xf3\x81\x08\x42\x82\x84webm", true},
		{"icon by its registered name", "image/vnd.microsoft.icon", "image/x-icon", "a.ico", "\x00\x00\x01\x00\x01\x00\x10\x10", true},
		{"XML by either name", "application/xml", "text/xml", "a.xml", `<?xml version="1.0"?><a/>`, true},
		{"M4A by either name", "audio/mp4", "audio/x-m4a", "a.m4a", "\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00", true},

		{"docx whose bytes are ZIP", docx, docx, "a.docx", zipHead, true},
		{"docx by its extension alone", docx, "", "a.docx", zipHead, true},
		{"ZIP where only docx is allowed", docx, "", "a", zipHead, false},
		{"ZIP named docx but declared PDF", docx + ",application/pdf", "application/pdf", "a.docx", zipHead, false},
		{"docx under application/zip", zipArchive, zipArchive, "", "PK\x03\x04" + strings.Repeat("\x00", 22) +
			"\x13\x00\x00\x00[Content_Types].xml" + "PK\x03\x04" + strings.Repeat("\x00", 22) + "\x11\x00\x00\x00word/document.xml", false},
		{"xlsm whose bytes are ZIP", "application/vnd.ms-excel.sheet.macroEnabled.12", "", "a.xlsm", zipHead, true},
		{"CSV whose bytes are text", "text/csv", "text/csv", "a.csv", "one column\n", true},
		{"CSV by its bytes", "text/csv", "text/csv", "a.csv", "a,b\n1,2\n3,4\n", true},
		{"CSV bytes as text", "text/plain", "text/plain", "", "a,b\n1,2\n3,4\n", false},
		{"text where only CSV is allowed", "text/csv", "", "a", "hello", false},
		{"CSS, which has no marks", "text/css", "text/css", "a.css", "body { color: red }\n", true},
		{"HTML under text/css", "text/css", "text/css", "a.css", htmlHead, false},
		{"Markdown by its older name", "text/markdown", "text/x-markdown", "a.md", "# Title\n", true},
		{"YAML", "application/yaml", "text/yaml", "a.yml", "a: 1\n", true},
		{"JSON longer than what is looked at", "application/json", "application/json", "a.json", bigJSON, true},
		{"the same JSON without names", "application/json", "", "a", bigJSON, true},
		{"JSON-LD, whose bytes are JSON", "application/ld+json", "application/ld+json", "", `{"@context":"x"}`, true},
		{"GeoJSON as JSON", "application/json", "application/json", "a.json", `{"type":"Feature","geometry":null}`, true},
		{"JSON as GeoJSON", "application/geo+json", "", "a.geojson", `{"a":1}`, true},
		{"animated PNG as PNG", "image/png", "image/png", "a.png", apngHead, true},
		{"animated PNG as JPEG", "image/png,image/jpeg", "image/jpeg", "", apngHead, false},
		{"HEIC whose major brand is HEIF's", "image/heic", "image/heic", "a.heic", "\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00heic", true},
		{"MP4 as an image", "image/*", "image/png", "", "\x00\x00\x00\x18ftypisom\x00\x00\x00\x00", false},
		{"type that nobody knows, with bytes that nobody knows", "application/x-own", "application/x-own", "", noise, false},

		{"everything allowed: garbage declaration", "*/*", "image/png,text/html", "a.exe", htmlHead, true},
		{"everything allowed among others", "image/png,*/*", "text/html", "", htmlHead, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			types := parseTypes(t, seedDefaults...)
			if tt.allowed != "" {
				types = parseTypes(t, strings.Split(tt.allowed, ",")...)
			}
			err := types.Check(Content{Declared: tt.declared, Key: tt.key, Head: head(tt.body), HeadKnown: true})
			if tt.pass && err != nil {
				t.Fatalf("refused: %v %v", err, gateway.AsError(err).Details)
			}
			if !tt.pass && gateway.CodeOf(err) != gateway.TypeNotAllowed {
				t.Fatalf("got %v, want TypeNotAllowed", err)
			}
		})
	}
}

func TestCheckOfAZeroByteBodyGoesByItsNames(t *testing.T) {
	types := parseTypes(t, seedDefaults...)
	for _, tt := range []struct {
		name, declared, key string
		pass                bool
	}{
		{"allowed names", "image/png", "a.png", true},
		{"declared HTML", "text/html", "a", false},
		{"named HTML", "", "a.html", false},
		{"folder marker", "", "photos/", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := types.Check(Content{Declared: tt.declared, Key: tt.key, Empty: true, HeadKnown: true})
			if (err == nil) != tt.pass {
				t.Fatalf("got %v, want pass %v", err, tt.pass)
			}
		})
	}
}

func TestCheckOfPartOneDoesNotKnowTheDeclaration(t *testing.T) {
	for _, tt := range []struct {
		name, allowed, key, body string
		pass                     bool
	}{
		{"allowed bytes", "image/png", "a.png", pngHead, true},
		{"ancestor of an allowed type, key without extension", docx, "a", zipHead, true},
		{"text for an allowed CSV", "text/csv", "a", "hello", true},
		{"HTML for an allowed CSV", "text/csv", "a", htmlHead, false},
		{"ancestor of a type behind a wildcard", "image/*", "a", "\x00\x00\x00\x18ftypisom\x00\x00\x00\x00", true},
		{"ZIP where nothing allowed is one", "image/*", "a", zipHead, false},
		{"unknown bytes are nobody's", docx, "a", noise, false},
		{"extension that is not allowed", "image/png", "a.html", pngHead, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			types := parseTypes(t, strings.Split(tt.allowed, ",")...)
			err := types.Check(Content{Declared: "text/html", Key: tt.key, Head: head(tt.body), HeadKnown: true, DeclaredUnknown: true})
			if (err == nil) != tt.pass {
				t.Fatalf("got %v, want pass %v", err, tt.pass)
			}
		})
	}
}

func TestRefusalOfATypeSaysWhatAndWhichSetting(t *testing.T) {
	types := parseTypes(t, seedDefaults...)
	err := types.Check(Content{Declared: "image/png", Key: "a.png", Head: []byte(htmlHead), HeadKnown: true})
	var e *gateway.Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v", err)
	}
	if e.Code != gateway.TypeNotAllowed || e.Message != "File type not allowed" {
		t.Errorf("got %s %q", e.Code, e.Message)
	}
	want := []gateway.Detail{{Name: "FoundType", Value: "text/html"}, {Name: "FoundBy", Value: "first bytes"},
		{Name: "DeclaredType", Value: "image/png"}, {Name: "Setting", Value: "ALLOWED_FILE_TYPES"}}
	for i, d := range want {
		if i >= len(e.Details) || e.Details[i] != d {
			t.Fatalf("details %v, want %v", e.Details, want)
		}
	}
	long := gateway.AsError(types.CheckDeclared(strings.Repeat("é", 5000), ""))
	for _, d := range long.Details {
		if len(d.Value) > 140 {
			t.Errorf("detail %s repeats %d bytes of the client's", d.Name, len(d.Value))
		}
	}
}

func TestTypesThatWereNotMadeAllowNothing(t *testing.T) {
	var none Types
	if err := none.Check(Content{Declared: "image/png", Key: "a.png", Head: []byte(pngHead), HeadKnown: true}); err == nil {
		t.Error("the zero value lets a PNG in")
	}
	if !none.NeedsBytes() || none.Any() {
		t.Error("the zero value looks like */*")
	}
}

func TestParseTypes(t *testing.T) {
	for _, tt := range []struct {
		list string
		ok   bool
	}{
		{"image/jpeg", true}, {" IMAGE/JPEG , , image/* ", true}, {"*/*", true},
		{"application/vnd.ms-excel.sheet.macroEnabled.12", true},
		{"", false}, {" , ", false}, {"image", false}, {"image/", false}, {"/png", false}, {"*", false},
		{"*/png", false}, {"image/p*", false}, {"image/*/*", false}, {".jpg", false}, {"image/jpeg; q=1", false},
		{"image/jpeg;", false}, {"image jpeg", false}, {"image/jpeg image/png", false},
	} {
		if _, err := ParseTypes(strings.Split(tt.list, ",")); (err == nil) != tt.ok {
			t.Errorf("%q: got %v, want ok %v", tt.list, err, tt.ok)
		}
	}
	_, err := ParseTypes([]string{"one", "image/png", "two"})
	if err == nil || !strings.Contains(err.Error(), `"one"`) || !strings.Contains(err.Error(), `"two"`) {
		t.Errorf("not every problem is reported: %v", err)
	}
}

func TestTypeByExtension(t *testing.T) {
	for name, want := range map[string]string{
		"a.jpg": "image/jpeg", "A.JPeG": "image/jpeg", "d/x.tar.gz": "application/gzip", ".png": "image/png",
		"": "", "a": "", "a.": "", "d.png/": "", "d.png/a": "", "a.png ": "", "a.xyz": "", "a.html.": "",
	} {
		if got, ok := TypeByExtension(name); got != want || ok != (want != "") {
			t.Errorf("%q: got %q %v, want %q", name, got, ok, want)
		}
	}
}

func TestTablesAreWellFormed(t *testing.T) {
	for ext, name := range extensions {
		if ext != strings.ToLower(ext) || !wellFormedType(name) || name != strings.ToLower(name) {
			t.Errorf("extension %q: %q", ext, name)
		}
	}
	for name, to := range aliases {
		if CanonicalType(name) != CanonicalType(to) {
			t.Errorf("alias %q: %q and %q are compared as two", name, CanonicalType(name), CanonicalType(to))
		}
		if node := mimetype.Lookup(to); node != nil && node.String() != to {
			t.Errorf("alias %q leads to %q, which is itself an alias of %q", name, to, node)
		}
	}
	for name, of := range generic {
		if CanonicalType(name) != name || CanonicalType(of) != of {
			t.Errorf("generic %q → %q is not canonical", name, of)
		}
	}
	for name, list := range parents {
		for _, p := range list {
			if CanonicalType(name) != name || CanonicalType(p) != p {
				t.Errorf("parent %q → %q is not canonical", name, p)
			}
		}
	}
}

func TestDetectType(t *testing.T) {
	for _, tt := range []struct{ name, declared, file, body, want string }{
		{"declared with its parameters", "text/plain; charset=utf-8", "a.png", pngHead, "text/plain; charset=utf-8"},
		{"octet-stream declared", "application/octet-stream", "a.PNG", jpegHead, "image/png"},
		{"nothing but bytes", "", "a", jpegHead, "image/jpeg"},
		{"text without its guessed charset", "", "a", "hello", "text/plain"},
		{"charset out of the document", "", "a", `<html><meta charset="x; y">`, "text/html"},
		{"no bytes", "", "a", "", "application/octet-stream"},
		{"unknown bytes", "", "a", noise, "application/octet-stream"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := DetectType(tt.declared, tt.file, []byte(tt.body)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func FuzzCheck(f *testing.F) {
	f.Add("image/png,text/html", "a.png", []byte(pngHead))
	f.Add("text/plain; charset=x", "a/.html", []byte(svgHead))
	f.Fuzz(func(t *testing.T, declared, key string, body []byte) {
		types := parseTypes(t, "text/plain", "image/*")
		c := Content{Declared: declared, Key: key, Head: body, HeadKnown: true}
		err := types.Check(c)
		if err != nil && gateway.CodeOf(err) != gateway.TypeNotAllowed {
			t.Fatalf("an error of another kind: %v", err)
		}
		if bytes.HasPrefix(body, []byte("<!DOCTYPE html>")) && !bytes.Contains(body, []byte("%PDF-")) && err == nil {
			t.Fatalf("HTML passed as %q %q", declared, key)
		}
		if err == nil && types.CheckDeclared(declared, key) != nil {
			t.Fatal("bytes made up for refused names")
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	types := parseTypes(b, seedDefaults...)
	for name, c := range map[string]Content{
		"png":  {Declared: "image/png", Key: "a.png", Head: []byte(pngHead + strings.Repeat("\x80", SniffLen-len(pngHead)))},
		"html": {Declared: "image/png", Key: "a.png", Head: []byte(strings.Repeat("plain text ", SniffLen/11))},
	} {
		c.HeadKnown = true
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = types.Check(c)
			}
		})
	}
}
