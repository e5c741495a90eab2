package signer

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

func TestParseTarget(t *testing.T) {
	for _, c := range []struct {
		uri, rawPath, path, signed string
		query                      []Param
	}{
		{"/", "/", "/", "/", nil},
		{"//b///k/../.", "//b///k/../.", "//b///k/../.", "//b///k/../.", nil},
		{"/b/a%2fb%2Fc", "/b/a%2fb%2Fc", "/b/a/b/c", "/b/a%2Fb%2Fc", nil},
		{"/b/%41+%7e=é", "/b/%41+%7e=é", "/b/A+~=é", "/b/A%2B~%3D%C3%A9", nil},
		{"/b/%00%0a#x", "/b/%00%0a#x", "/b/\x00\n#x", "/b/%00%0A%23x", nil},
		{"http://h:8000/b/k?acl", "/b/k", "/b/k", "/b/k", []Param{{Key: "acl"}}},
		{"HTTPS://h", "/", "/", "/", nil},
		{"https://h?a=b", "/", "/", "/", []Param{{Key: "a", Value: "b", HasEquals: true}}},
		{"/b?a=1;2&a=x+y&&=v&b=&a=%26?", "/b", "/b", "/b", []Param{
			{Key: "a", Value: "1;2", HasEquals: true}, {Key: "a", Value: "x+y", HasEquals: true},
			{Value: "v", HasEquals: true}, {Key: "b", HasEquals: true}, {Key: "a", Value: "&?", HasEquals: true},
		}},
	} {
		t.Run(c.uri, func(t *testing.T) {
			got, err := ParseTarget(c.uri)
			if err != nil {
				t.Fatal(err)
			}
			if got.RawPath != c.rawPath || got.Path != c.path || got.signedPath != c.signed {
				t.Errorf("paths %q %q %q", got.RawPath, got.Path, got.signedPath)
			}
			if !slices.EqualFunc(got.Query, c.query, func(a, b Param) bool {
				return a.Key == b.Key && a.Value == b.Value && a.HasEquals == b.HasEquals
			}) {
				t.Errorf("query %+v", got.Query)
			}
		})
	}
	for _, uri := range []string{"", "*", "b/k", "h:443", "ftp://h/b", "/%", "/%4", "/%4g", "/b?%", "/b?a=%2", "/b?a=1&%zz=1"} {
		_, err := ParseTarget(uri)
		wantCode(t, err, gateway.InvalidURI)
	}
}

func TestTargetHelpers(t *testing.T) {
	target, err := ParseTarget("/b/k?uploads&x-amz-acl=private&X-Amz-Date=d&prefix=a%2Bb+c&x-amz-meta-a=1")
	if err != nil {
		t.Fatal(err)
	}
	if v, ok := target.Get("prefix"); v != "a+b+c" || !ok || !target.Has("uploads") || target.Has("Uploads") {
		t.Errorf("Get and Has: %q %v", v, ok)
	}
	if h := target.Promoted(); len(h) != 2 || h.Get("x-amz-acl") != "private" || h.Get("x-amz-meta-a") != "1" {
		t.Errorf("Promoted = %v", h)
	}
	link, err := ParseTarget("/b/k?x-amz-checksum-crc32=AAAAAA%3D%3D&x-amz-sdk-checksum-algorithm=CRC32&x-amz-checksum-sha1=abc")
	if h := link.Promoted(); err != nil || len(h) != 1 || h.Get("x-amz-checksum-sha1") != "abc" {
		t.Errorf("Promoted of a link with the checksum of no bytes, as the JavaScript SDK makes it = %v, %v", h, err)
	}
	if got, want := BuildQuery(target.Forward()), "uploads=&prefix=a%2Bb%2Bc"; got != want {
		t.Errorf("Forward = %q, want %q", got, want)
	}
	if d := target.Duplicate(); d != "" {
		t.Errorf("Duplicate = %q", d)
	}
	many := "/?"
	for i := range 100 {
		many += "x-amz-meta-" + strconv.Itoa(i) + "=1&"
	}
	if target, _ := ParseTarget(many); target.Duplicate() != "" {
		t.Error("a duplicate among a hundred names")
	}
	if target, _ := ParseTarget(many + "x-amz-META-7=2"); target.Duplicate() != "x-amz-META-7" {
		t.Error("no duplicate found among a hundred names")
	}
	twice, _ := ParseTarget("/?x-amz-a=1&b=1&b=2&X-AMZ-A=2")
	if d := twice.Duplicate(); d != "X-AMZ-A" {
		t.Errorf("Duplicate = %q", d)
	}
}

func TestEncode(t *testing.T) {
	if got, want := EncodePath("/b/ a=é%2F~(1)"), "/b/%20a%3D%C3%A9%252F~%281%29"; got != want {
		t.Errorf("EncodePath = %q, want %q", got, want)
	}
	if got, want := EncodeQuery("a/b c+;"), "a%2Fb%20c%2B%3B"; got != want {
		t.Errorf("EncodeQuery = %q, want %q", got, want)
	}
}

func FuzzTarget(f *testing.F) {
	for _, uri := range []string{"/b/k?a=b", "//%2F?&&=", "/%e4?x;y=%00+", "http://h/a?b#c", "/" + strings.Repeat("é", 10)} {
		f.Add(uri)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		target, err := ParseTarget(uri)
		if err != nil {
			wantCode(t, err, gateway.InvalidURI)
			return
		}
		again, err := ParseTarget(EncodePath(target.Path) + "?" + BuildQuery(target.Query))
		if err != nil || again.Path != target.Path || len(again.Query) > len(target.Query) {
			t.Fatalf("%q came back as %q, %v", target.Path, again.Path, err)
		}
		for i, p := range again.Query {
			if p.Key != target.Query[i].Key || p.Value != target.Query[i].Value {
				t.Fatalf("pair %d: %+v and %+v", i, p, target.Query[i])
			}
		}
		if !isStrict(target.signedPath, true) || !isStrict(EncodePath(target.Path), true) {
			t.Fatalf("%q is signed as %q", uri, target.signedPath)
		}
		if decoded, _ := decode(target.signedPath); decoded != target.Path {
			t.Fatalf("%q is signed as another path, %q", uri, target.signedPath)
		}
	})
}

func FuzzChunks(f *testing.F) {
	for _, wire := range []string{
		signedChunks("hello"), signedTrailer(checksumLine("crc32", "hello"), "hello"),
		unsignedTrailer(checksumLine("crc32", "hello"), "hello"), "5\r\nhello\r\n0\r\n\r\n", "ffffffffffffffff\r\n",
	} {
		for mode := range uint8(3) {
			f.Add(wire, mode, uint16(5), true)
			f.Add(wire, mode, uint16(5), false)
		}
	}
	modes := []string{StreamingSigned, StreamingSignedTrailer, StreamingUnsignedTrailer}
	f.Fuzz(func(t *testing.T, wire string, mode uint8, length uint16, trailer bool) {
		c := bodyCase{hash: modes[mode%3], wire: wire, length: int(length)}
		if trailer {
			c.header = crc32Hello
		}
		b, err := c.open(strings.NewReader(wire))
		if err != nil {
			assertOurs(t, err)
			return
		}
		assertBounded(t, b, len(wire))
	})
}

func FuzzVerify(f *testing.F) {
	signed, presigned := message{}.signed(f), message{}.presigned(f, time.Minute)
	f.Add(signed.RequestURI, signed.Header.Get("Authorization"), "20260314T150926Z", "X-Amz-Acl", "private")
	f.Add(presigned.RequestURI, "", "", "Range", "bytes=0-1")
	f.Add("/?x-amz-acl=a", "AWS4-HMAC-SHA256 Credential=a/b/c/d/e,SignedHeaders=;;,Signature=", "", "Date", "x")
	v := newVerifier()
	f.Fuzz(func(t *testing.T, uri, authorization, date, name, value string) {
		target, err := ParseTarget(uri)
		if err != nil {
			return
		}
		r := &http.Request{Method: "GET", RequestURI: uri, Host: testHost, Header: http.Header{"X-Amz-Content-Sha256": {EmptyHash}}}
		for name, value := range map[string]string{"Authorization": authorization, "X-Amz-Date": date, name: value} {
			if value != "" {
				r.Header.Set(name, value)
			}
		}
		a, err := v.Verify(r, target)
		if err != nil {
			assertOurs(t, err)
			return
		}
		if a.Anonymous {
			return
		}
		// Only the seeds are validly signed: another spelling of one may pass,
		// another path or query never.
		seed, _ := ParseTarget(signed.RequestURI)
		if a.Presigned {
			seed, _ = ParseTarget(presigned.RequestURI)
		}
		got, want := appendQuery(nil, sortedQuery(target.Query)), appendQuery(nil, sortedQuery(seed.Query))
		if target.Path != seed.Path || string(got) != string(want) {
			t.Fatalf("accepted %q with %q", uri, authorization)
		}
	})
}
