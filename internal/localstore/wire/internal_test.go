package wire

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"
)

// FuzzAFramedBodyIsItsDeclaredLengthOrAnError reads bodies whole and byte by byte.
func FuzzAFramedBodyIsItsDeclaredLengthOrAnError(f *testing.F) {
	for _, body := range []string{
		"5\r\nhello\r\n0\r\n\r\n", "5;chunk-signature=ab\r\nhello\r\n0;chunk-signature=cd\r\n\r\n", "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
		"2\r\nhe\r\n3\r\nllo\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\n", "0\r\n\r\n", "5\r\nhel", "ffffffffffffffff\r\n", "-1\r\n", "5\nhello\n0\n\n",
	} {
		f.Add(body, int64(5))
	}
	f.Fuzz(func(t *testing.T, body string, length int64) {
		if length < 0 {
			return
		}
		c, _ := findChecksum("crc32")
		read := func(src io.Reader) (string, string, error) {
			r := newChunkReader(src, length, "x-amz-checksum-crc32")
			r.checksum = c
			got, err := io.ReadAll(r)
			return string(got), r.value, err
		}
		got, value, err := read(strings.NewReader(body))
		slow, _, slowErr := read(iotest.OneByteReader(strings.NewReader(body)))
		if got != slow || (err == nil) != (slowErr == nil) {
			t.Errorf("%q, %v; byte by byte %q, %v", got, err, slow, slowErr)
		}
		if int64(len(got)) > length || err == nil && (int64(len(got)) != length || !c.valid(value)) {
			t.Errorf("%d of %d bytes, trailer %q, %v", len(got), length, value, err)
		}
	})
}

// FuzzTextComesBack decodes what was written, where XML can hold it.
func FuzzTextComesBack(f *testing.F) {
	for _, s := range []string{"", "a", "<&>\"'", "\r\n\t ", "ä\U0001F600", "]]>", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		raw := marshal(leaf("Key", s))
		if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && !strings.ContainsRune("\r\n\t", r) || r == 0xFFFE || r == 0xFFFF }) {
			if !utf8.Valid(raw) || bytes.Count(raw, []byte("<")) != 3 {
				t.Errorf("%q is written as %q", s, raw)
			}
			return
		}
		var got struct {
			XMLName xml.Name `xml:"Key"`
			Text    string   `xml:",chardata"`
		}
		if err := xml.Unmarshal(raw, &got); err != nil || got.Text != s {
			t.Errorf("%q comes back as %q, %v", s, got.Text, err)
		}
	})
}

// FuzzARangeIsWithinTheObject parses what a client may send.
func FuzzARangeIsWithinTheObject(f *testing.F) {
	for _, s := range []string{"bytes=0-1", "bytes=-1", "bytes=5-", "bytes=9-1", "bytes=99999999999999999999-", "bytes=0-99999999999999999999", "items=0-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		first, last, ok := parseRange(value)
		if ok && (first < -1 || last < -1 || first < 0 && last < 0 || first >= 0 && last >= 0 && first > last) {
			t.Errorf("%q is %d to %d", value, first, last)
		}
	})
}

// A lifecycle configuration that is kept reads the same as it was written.
func FuzzLifecycle(f *testing.F) {
	for _, s := range []string{
		"<LifecycleConfiguration><Rule><ID>a</ID><Status>Enabled</Status><Filter><Prefix>p/</Prefix></Filter><Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>",
		"<LifecycleConfiguration><Rule><Status>Enabled</Status><Filter><And><Prefix>a</Prefix><Tag><Key>k</Key><Value>v</Value></Tag></And></Filter><NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration></Rule></LifecycleConfiguration>",
		"<LifecycleConfiguration><Rule><Status>On</Status></Rule></LifecycleConfiguration>", "<LifecycleConfiguration/>",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		first, err := ParseLifecycle(raw)
		if err != nil {
			return
		}
		for i := range first.Rules {
			if first.Rules[i].check() != nil {
				return // it is refused
			}
		}
		first.Xmlns, first.XMLName.Space = namespace, ""
		written, err := marshalSetting(first)
		if err != nil {
			t.Fatal(err)
		}
		second, err := ParseLifecycle(written)
		if err != nil || len(second.Rules) != len(first.Rules) {
			t.Fatalf("%q written as %q: %v", raw, written, err)
		}
		for i := range second.Rules {
			if err := second.Rules[i].check(); err != nil {
				t.Fatalf("%q written as %q: %v", raw, written, err)
			}
			if a, b := first.Rules[i].Conditions(), second.Rules[i].Conditions(); a.count() != b.count() {
				t.Fatalf("%q written as %q: %+v, then %+v", raw, written, a, b)
			}
		}
	})
}
