package signer

import (
	"flag"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// changesWanted is how many single changes to valid requests the property sees.
const changesWanted = 10000

func genMessage(t *rapid.T) message {
	segment := rapid.SampledFrom([]string{"a", "b=1", "c+d", "e%2F", "f g", "é", "", "..", "~", "(x)", "k;v"})
	m := message{
		method: rapid.SampledFrom([]string{"GET", "PUT", "HEAD", "DELETE", "POST"}).Draw(t, "method"),
		path:   "/bucket/" + strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "key"), "/"),
		header: http.Header{"X-Amz-Meta-A": {rapid.StringMatching(`[a-z0-9]{1,8}`).Draw(t, "meta")}, "Range": {"bytes=0-9"}},
		hash:   sha(rapid.String().Draw(t, "body")),
	}
	var query []Param
	for _, key := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"prefix", "versionId", "acl", "list-type", "é"}), 0, 4, rapid.ID[string]).Draw(t, "keys") {
		query = append(query, Param{Key: key, Value: segment.Draw(t, "value")})
	}
	m.query = BuildQuery(query)
	return m
}

// flipAt replaces the character at i by another letter, so that the request can
// still be read but is another one.
func flipAt(s string, i int) string {
	c := byte('x')
	if s[i] == c {
		c = 'y'
	}
	return s[:i] + string(c) + s[i+1:]
}

// flipIn changes one character that is not structure or part of an escape; text
// without any becomes longer.
func flipIn(t *rapid.T, s string) string {
	var letters []int
	for i := range len(s) {
		if isAlnum(s[i]) && !(i > 0 && s[i-1] == '%') && !(i > 1 && s[i-2] == '%') {
			letters = append(letters, i)
		}
	}
	if len(letters) == 0 {
		return s + "acl"
	}
	return flipAt(s, rapid.SampledFrom(letters).Draw(t, "at"))
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// changes are the single changes that must each make a valid request invalid.
var changes = map[string]func(t *rapid.T, r *http.Request){
	"method": func(t *rapid.T, r *http.Request) {
		r.Method = rapid.SampledFrom([]string{"GET", "PUT", "HEAD", "DELETE", "POST", "PATCH", "get"}).
			Filter(func(m string) bool { return m != r.Method }).Draw(t, "other method")
	},
	"path": func(t *rapid.T, r *http.Request) {
		path, query, found := strings.Cut(r.RequestURI, "?")
		path = flipIn(t, path)
		if found {
			path += "?" + query
		}
		r.RequestURI = path
	},
	"path longer": func(t *rapid.T, r *http.Request) {
		r.RequestURI = strings.Replace(r.RequestURI, "/bucket/", rapid.SampledFrom([]string{"/bucket//", "/bucket/./", "//bucket/", "/bucket%2F"}).Draw(t, "insert"), 1)
	},
	"query longer": func(t *rapid.T, r *http.Request) {
		addQuery(rapid.SampledFrom([]string{"tagging", "x-amz-acl=public-read", "response-content-type=text/html", "=", "prefix=z"}).Draw(t, "pair"))(r)
	},
	"query": func(t *rapid.T, r *http.Request) {
		path, query, _ := strings.Cut(r.RequestURI, "?")
		query = flipIn(t, query)
		r.RequestURI = path + "?" + query
	},
	"host":          func(t *rapid.T, r *http.Request) { r.Host = flipIn(t, r.Host) },
	"signed header": func(t *rapid.T, r *http.Request) { flipHeader(t, r, "X-Amz-Meta-A") },
	"range":         func(t *rapid.T, r *http.Request) { flipHeader(t, r, "Range") },
	"removed":       func(_ *rapid.T, r *http.Request) { r.Header.Del("Range") },
	"doubled":       func(_ *rapid.T, r *http.Request) { r.Header.Add("X-Amz-Meta-A", "more") },
	"new header": func(t *rapid.T, r *http.Request) {
		r.Header.Set(rapid.SampledFrom([]string{"X-Amz-Acl", "X-Amz-Meta-B", "X-Amz-Copy-Source", "X-Amz-Tagging"}).Draw(t, "name"), "v")
	},
	"payload hash": func(t *rapid.T, r *http.Request) {
		if r.Header.Get("X-Amz-Content-Sha256") == "" {
			r.Header.Set("X-Amz-Content-Sha256", EmptyHash)
			return
		}
		flipHash(t, r)
	},
	"date": func(_ *rapid.T, r *http.Request) {
		if r.Header.Get("X-Amz-Date") != "" {
			r.Header.Set("X-Amz-Date", testNow.Add(time.Second).Format(basicISO))
		} else {
			replace("X-Amz-Date="+testNow.Format(basicISO), "X-Amz-Date="+testNow.Add(time.Second).Format(basicISO))(r)
		}
	},
	"authorization": func(t *rapid.T, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			flipHeader(t, r, "Authorization")
			return
		}
		i := strings.Index(r.RequestURI, "X-Amz-Signature=") + len("X-Amz-Signature=")
		r.RequestURI = r.RequestURI[:i] + flipIn(t, r.RequestURI[i:])
	},
}

func flipHeader(t *rapid.T, r *http.Request, name string) {
	r.Header.Set(name, flipIn(t, r.Header.Get(name)))
}

// flipHash keeps 64 hexadecimal digits, so that only the signature can refuse.
func flipHash(t *rapid.T, r *http.Request) {
	hash := []byte(r.Header.Get("X-Amz-Content-Sha256"))
	i := rapid.IntRange(0, len(hash)-1).Draw(t, "digit")
	hash[i] = "123456789abcdef0"[strings.IndexByte("0123456789abcdef", hash[i])]
	r.Header.Set("X-Amz-Content-Sha256", string(hash))
}

func TestAnySingleChangeIsRefused(t *testing.T) {
	// rapid runs 100 cases a call by default; the property is about thousands.
	setFlag(t, "rapid.checks", strconv.Itoa(changesWanted/len(changes)+1))
	setFlag(t, "rapid.nofailfile", "true")
	v := newVerifier()
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) {
				m := genMessage(rt)
				presigned := rapid.Bool().Draw(rt, "presigned")
				r := m.signed(t)
				if presigned {
					m.header["X-Amz-Content-Sha256"] = []string{m.hash}
					r = m.presigned(t, time.Minute)
				}
				if _, err := verify(t, v, r); err != nil {
					rt.Fatalf("the valid request is refused: %v", err)
				}
				change(rt, r)
				if _, err := verify(t, v, r); err == nil {
					rt.Fatalf("%s %s %v is accepted", r.Method, r.RequestURI, r.Header)
				}
			})
		})
	}
}

// setFlag sets a test flag for the rest of the test.
func setFlag(t *testing.T, name, value string) {
	t.Helper()
	previous := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, previous) })
}

func TestAnyChangeOfASignedBodyIsRefused(t *testing.T) {
	wire := signedTrailer(checksumLine("crc32", "hello world"), "hello ", "world")
	c := bodyCase{hash: StreamingSignedTrailer, length: 11, header: crc32Hello}
	refused := 0
	for i := range wire {
		for _, b := range []byte{'0', 'f', 'x', '\r', '\n', ';', 0} {
			if wire[i] == b {
				continue
			}
			c.wire = wire[:i] + string(rune(b)) + wire[i+1:]
			body, err := c.open(strings.NewReader(c.wire))
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(body)
			if err == nil {
				t.Fatalf("byte %d changed to %q and accepted: %q", i, b, c.wire)
			}
			if len(got) >= 11 {
				t.Fatalf("byte %d changed to %q: the last byte was released", i, b)
			}
			assertOurs(t, err)
			refused++
		}
	}
	t.Logf("%d changes refused", refused)
}
