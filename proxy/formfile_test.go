package proxy

import (
	"bufio"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	gateway "github.com/codeguardians/s3gateway"
)

// A small form is read ahead, and what follows its file is passed over.
func TestASmallFormsFileEndsAtItsDelimiter(t *testing.T) {
	for _, c := range []struct{ name, rest, file string }{
		{"no byte", "\r\n--B0unD--\r\n", ""},
		{"no byte and no line", "--B0unD--\r\n", ""},
		{"no last line break", "file\r\n--B0unD--", "file"},
		{"an epilogue", "file\r\n--B0unD--\r\nepilogue", "file"},
		{"a field behind it", "file\r\n--B0unD\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\ny\r\n--B0unD--\r\n", "file"},
		{"the boundary within a line", "x--B0unD--\r\n\r\n--B0unD--\r\n", "x--B0unD--\r\n"},
		{"nothing that closes it", "file\r\n--B0unD\r\n", "refused"},
		{"no delimiter", "file\r\n", "refused"},
		{"nothing", "", "refused"},
	} {
		s := &formScanner{count: &countingReader{}, lines: bufio.NewReader(strings.NewReader(c.rest)), delimiter: "--B0unD"}
		f, err := s.looseFile(int64(len(c.rest)))
		if c.file == "refused" {
			if gateway.CodeOf(err) != gateway.MalformedPOSTRequest {
				t.Errorf("%s: %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got, err := io.ReadAll(f); err != nil || string(got) != c.file || f.size != int64(len(c.file)) {
			t.Errorf("%s: %q of %d bytes, %v", c.name, got, f.size, err)
		}
	}
}

// A delimiter within the file is found wherever the pieces of the body end.
func TestADelimiterWithinAFileEndsIt(t *testing.T) {
	const tail = "\r\n--B0unD--\r\n"
	for _, c := range []struct {
		name, file string
		ok         bool
	}{
		{"no byte", "", true},
		{"one byte", "x", true},
		{"a file", strings.Repeat("0123456789", 50), true},
		{"line breaks and dashes", strings.Repeat("\r\n--B0un\r\n\r\n--", 20), true},
		{"the boundary within a line", "x--B0unD--\r\n", true},
		{"a delimiter in the middle", "x\r\n--B0unD\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\ny", false},
		{"a closing delimiter in the middle", "x\r\n--B0unD--\r\ny", false},
		{"a delimiter at the beginning", "--B0unD\r\n\r\nx", false},
		{"a delimiter at the end", "x\r\n--B0unD", false},
		{"a line that begins with the delimiter", "x\r\n--B0unDary\r\n", false},
	} {
		for pieces, src := range map[string]io.Reader{
			"whole":       strings.NewReader(c.file + tail),
			"half":        iotest.HalfReader(strings.NewReader(c.file + tail)),
			"single byte": iotest.OneByteReader(strings.NewReader(c.file + tail)),
		} {
			t.Run(c.name+" in pieces: "+pieces, func(t *testing.T) {
				count := &countingReader{src: src}
				s := &formScanner{count: count, lines: bufio.NewReaderSize(count, maxFormLine), delimiter: "--B0unD"}
				f, err := s.strictFile(int64(len(c.file + tail)))
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(f)
				if c.ok {
					if err != nil || string(got) != c.file {
						t.Errorf("%q, %v", got, err)
					}
					return
				}
				if gateway.CodeOf(err) != gateway.MalformedPOSTRequest || f.Err() == nil || len(got) >= len(c.file) {
					t.Errorf("%d of %d bytes, %v", len(got), len(c.file), err)
				}
			})
		}
	}
}
