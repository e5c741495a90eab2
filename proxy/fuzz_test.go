package proxy

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

// typed fails when an error is not one that a client may be told.
func typed(t *testing.T, err error) {
	t.Helper()
	if !errors.As(err, new(*gateway.Error)) {
		t.Fatalf("an error without a code: %v", err)
	}
}

// What was read of a copy source is what is asked for: written and read again
// it is the same object.
func FuzzCopySource(f *testing.F) {
	for _, s := range []string{"/b/k", "b/k?versionId=v", "b%2Fk", "/b//k", "/b/a+b%3F", "arn:aws:s3:::b/k", "?versionId=", "/b/%zz", "/b/k?versionId=a&b", "%2Fb/%2e%2e/x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, value string) {
		a, version, err := readSource(value)
		if err != nil {
			typed(t, err)
			return
		}
		if a.Bucket == "" || a.Key == "" || strings.Contains(a.Bucket, "/") {
			t.Fatalf("%q gives %+v", value, a)
		}
		if checkNames(a) != nil {
			return
		}
		s := source{addr: a, at: Location{Bucket: a.Bucket, Key: a.Key}, version: version}
		b, again, err := readSource(s.header())
		if err != nil || a != b || again != version {
			t.Fatalf("%q gives %+v %q, written as %q it gives %+v %q, %v", value, a, version, s.header(), b, again, err)
		}
	})
}

// A document that passed comes out the same when it is written anew, and holds
// nothing that was not judged.
func FuzzDeleteDocument(f *testing.F) {
	for _, s := range []string{
		deleteBody("a", "b&c"), "<Delete><Quiet>true</Quiet><Object><Key>a</Key><VersionId>v</VersionId></Object></Delete>", "\xef\xbb\xbf<Delete/>",
		"<!DOCTYPE x><Delete/>", "<Delete><Object><Key>a</Key><Key>b</Key></Object></Delete>", "<Delete>&#13;&#x1F600;</Delete>", "<Delete xmlns='x'/><Delete/>", "<Delete><![CDATA[x]]></Delete>",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := checkXML(raw); err != nil {
			typed(t, err)
			return
		}
		var first, second deleteDocument
		if err := (document{raw: raw}).parse(&first); err != nil {
			typed(t, err)
			return
		}
		first.Xmlns, first.XMLName.Space = "", ""
		written := marshal(first)
		if bytes.Contains(written, []byte("<!DOCTYPE")) {
			t.Fatalf("a document type came out: %s", written)
		}
		if err := xml.Unmarshal(written, &second); err != nil || len(first.Objects) != len(second.Objects) || first.Quiet != second.Quiet {
			t.Fatalf("%q written as %q: %v", raw, written, err)
		}
		for i := range first.Objects {
			if a, b := first.Objects[i], second.Objects[i]; a.Key != b.Key || (a.VersionID == nil) != (b.VersionID == nil) || a.version() != b.version() || a.ETag != b.ETag {
				t.Fatalf("%q: object %d is %+v, then %+v", raw, i, a, b)
			}
		}
	})
}

// A host names a bucket only below one of the domains, and the bucket is in it.
func FuzzBucketOfHost(f *testing.F) {
	for _, s := range []string{"s3.example.com", "b.s3.example.com:8000", "B.S3.EXAMPLE.COM.", "xs3.example.com", ".s3.example.com", "a.b.s3.example.com", "[::1]:8000", "", "b.s3.example.com.evil.org"} {
		f.Add(s, "/b/k")
	}
	domains := []string{"s3.example.com", "Storage.local"}
	f.Fuzz(func(t *testing.T, host, path string) {
		bucket := BucketOf(domains, host)
		if bucket != "" && (!UnderDomain(domains, host) || !strings.Contains(strings.ToLower(host), bucket+".s")) {
			t.Fatalf("host %q names %q", host, bucket)
		}
		a := resolve(domains, host, path)
		if bucket != "" && (a.Bucket != bucket || a.Key != strings.TrimPrefix(path, "/")) {
			t.Fatalf("host %q, path %q: %+v", host, path, a)
		}
		if bucket == "" && a.Key != "" && !strings.HasSuffix(path, "/"+a.Key) {
			t.Fatalf("path %q: key %q", path, a.Key)
		}
		if err := checkNames(a); err != nil {
			typed(t, err)
		}
	})
}

// Whatever a client asks, the table gives a row that knows all of it, or a
// refusal with a code.
func FuzzFind(f *testing.F) {
	for _, s := range []string{"", "acl", "uploadId=u&partNumber=1", "list-type=2&list-type=1", "x-id=a&x-id=b", "delete&versions", "id=1&analytics"} {
		f.Add(uint8(2), "PUT", s, true)
	}
	table := NewTable()
	f.Fuzz(func(t *testing.T, level uint8, method, query string, copies bool) {
		target, err := signer.ParseTarget("/?" + query)
		if err != nil {
			return
		}
		header := http.Header{}
		if copies {
			header.Set("X-Amz-Copy-Source", "/b/k")
		}
		op, err := table.Find(Level(level%3), method, target.Query, header)
		var known []signer.Param
		if err == nil {
			known, err = table.Params(op, target.Query)
		}
		if err != nil {
			typed(t, err)
			return
		}
		if op.Method != method || op.Level != Level(level%3) || op.TellingHeader != "" && !copies {
			t.Fatalf("%s ?%s gives %s", method, query, op.Name)
		}
		keys := map[string]bool{}
		for _, p := range known {
			if keys[p.Key] && p.Key != "x-id" {
				t.Fatalf("?%s passed with %q twice", query, p.Key)
			}
			keys[p.Key] = true
		}
	})
}

// A listing that names nothing of the gateway's stays as it is, and none ever
// shows such a key.
func FuzzListing(f *testing.F) {
	f.Add([]byte(`<R><KeyCount>1</KeyCount><Contents><Key>.s3gateway/a</Key></Contents><Contents><Key>b</Key></Contents></R>`))
	f.Add([]byte(`<R><CommonPrefixes><Prefix>.s3gateway/</Prefix></CommonPrefixes><Contents><Key>.s3gateway&#47;a</Key></Contents></R>`))
	f.Add([]byte(`<R><Contents><Key>&lt;.s3gateway/x</Key></Contents><KeyCount>2</KeyCount>.s3gateway</R>`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if bytes.Contains(raw, []byte("<!")) || bytes.Contains(raw, []byte("<?")) || bytes.Contains(raw, []byte("&#")) {
			return // no store cuts a key in pieces or hides its letters
		}
		out, err := (names{bucket: "bucket", at: Location{Bucket: "bucket"}}).apply(raw)
		if err != nil {
			return
		}
		var page struct {
			Contents       []struct{ Key string }
			CommonPrefixes []struct{ Prefix string }
		}
		if xml.Unmarshal(out, &page) != nil {
			return
		}
		for _, c := range page.Contents {
			if strings.HasPrefix(c.Key, gateway.ReservedPrefix) {
				t.Fatalf("%q shows %q in %q", raw, c.Key, out)
			}
		}
	})
}

// The policy of a form is refused with a code, or each of its conditions is one
// that is checked.
func FuzzPostPolicy(f *testing.F) {
	for _, s := range []string{
		`{"expiration":"2030-01-01T00:00:00Z","conditions":[{"bucket":"b"},["eq","$key","k"],["starts-with","$Content-Type",""],["content-length-range",1,10]]}`,
		`{"expiration":"2030-01-01T00:00:00Z","conditions":[["content-length-range","1","1e3"]]}`, `{"expiration":"","conditions":null}`,
		`{"expiration":"2030-01-01T00:00:00Z","conditions":[["eq","key","k"]]}`, `[]`, `{"conditions":[{"a":1}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		expires, all, err := parsePostPolicy(base64.StdEncoding.EncodeToString(raw))
		if err != nil {
			typed(t, err)
			return
		}
		if expires.IsZero() {
			t.Fatalf("%q never ends", raw)
		}
		for _, c := range all {
			switch c.operator {
			case "eq", "starts-with":
				if c.field != strings.ToLower(c.field) || strings.HasPrefix(c.field, "$") && c.operator != "eq" {
					t.Fatalf("%q: %+v", raw, c)
				}
			case "content-length-range":
				if c.least < 0 || c.most < 0 {
					t.Fatalf("%q: %+v", raw, c)
				}
			default:
				t.Fatalf("%q: nobody checks %+v", raw, c)
			}
		}
	})
}

// A bucket policy that passed is one value that every reader takes for the same.
func FuzzBucketPolicy(f *testing.F) {
	for _, s := range []string{`{"Version":"2012-10-17","Statement":[]}`, `{"a":1,"a":2}`, `{"a":{"b":1,"b":2}}`, `{} {}`, `[1]`, `{"a":[{"b":[[[]]]}]}`, `{"a":"\ud800"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := checkJSON(raw); err != nil {
			typed(t, err)
			return
		}
		var value map[string]any
		if err := json.Unmarshal(raw, &value); err != nil {
			t.Fatalf("%q: %v", raw, err)
		}
		again, err := json.Marshal(value)
		if err != nil || checkJSON(again) != nil {
			t.Fatalf("%q written as %q: %v, %v", raw, again, err, checkJSON(again))
		}
	})
}
