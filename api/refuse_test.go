package api

import (
	"bytes"
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

const png = "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"

// part is one part of a form.
type part struct{ disposition, contentType, body string }

func filePart(name, contentType, body string) part {
	return part{`form-data; name="file"; filename="` + name + `"`, contentType, body}
}

// formOf writes a form, and its Content-Type.
func formOf(t *testing.T, list ...part) (http.Header, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, p := range list {
		h := textproto.MIMEHeader{"Content-Disposition": {p.disposition}}
		if p.contentType != "" {
			h.Set("Content-Type", p.contentType)
		}
		pw, err := w.CreatePart(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(pw, p.body); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return http.Header{"Content-Type": {w.FormDataContentType()}}, b.String()
}

// refusal is what a refused request must look like.
type refusal struct {
	status int
	code   string
	field  string
	detail string // a part of it
}

func (b *bench) wantRefusal(got reply, want refusal) {
	b.t.Helper()
	if got.status != want.status {
		b.t.Fatalf("status %d, want %d: %s", got.status, want.status, got.body)
	}
	m := got.json(b.t)
	if m["code"] != want.code {
		b.t.Errorf("code %v, want %s: %s", m["code"], want.code, got.body)
	}
	if field, _ := m["field"].(string); field != want.field {
		b.t.Errorf("field %q, want %q", field, want.field)
	}
	if detail, _ := m["detail"].(string); !strings.Contains(detail, want.detail) {
		b.t.Errorf("detail %q, want %q in it", detail, want.detail)
	}
	if ct := got.header.Get("Content-Type"); ct != "application/problem+json" {
		b.t.Errorf("Content-Type %q", ct)
	}
}

func TestUploadsThatAreRefusedStoreNothing(t *testing.T) {
	const boundary = "multipart/form-data; boundary=X"
	image := filePart("a.png", "image/png", png)
	big := strings.Repeat("a", testLimit+1)
	field := part{`form-data; name="note"`, "", "hello"}
	many := make([]part, 0, 200)
	for range 101 {
		many = append(many, field)
	}
	for _, c := range []struct {
		name   string
		parts  []part
		header http.Header
		body   string
		query  string
		want   refusal
	}{
		{name: "a form without a file", parts: []part{field}, want: refusal{400, "InvalidRequest", "file", "no part named file"}},
		{name: "a form without any part", header: http.Header{"Content-Type": {boundary}}, body: "--X--\r\n",
			want: refusal{400, "InvalidRequest", "file", "no part named file"}},
		{name: "no body at all", header: http.Header{"Content-Type": {boundary}}, want: refusal{400, "InvalidRequest", "file", "broken"}},
		{name: "a form without its end", header: http.Header{"Content-Type": {boundary}},
			body: "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello",
			want: refusal{400, "InvalidRequest", "file", "broken"}},
		{name: "a form cut off in the closing boundary", header: http.Header{"Content-Type": {boundary}},
			body: "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--X",
			want: refusal{400, "InvalidRequest", "file", "broken"}},
		{name: "garbage for a form", header: http.Header{"Content-Type": {boundary}}, body: "garbage",
			want: refusal{400, "InvalidRequest", "file", ""}},
		{name: "a form that names no boundary", header: http.Header{"Content-Type": {"multipart/form-data"}}, body: "x",
			want: refusal{400, "InvalidRequest", "file", "boundary"}},
		{name: "a second file", parts: []part{image, image}, want: refusal{400, "InvalidRequest", "file", "second part named file"}},
		{name: "an empty filename", parts: []part{filePart("", "image/png", png)}, want: refusal{422, "UnprocessableValue", "filename", "empty"}},
		{name: "no filename", parts: []part{{`form-data; name="file"`, "image/png", png}}, want: refusal{400, "InvalidRequest", "file", "has no filename"}},
		{name: "a filename of dots", parts: []part{filePart("../..", "image/png", png)}, want: refusal{422, "UnprocessableValue", "filename", "empty"}},
		{name: "a NUL in the filename", parts: []part{{"form-data; name=\"file\"; filename*=UTF-8''a%00.png", "image/png", png}},
			want: refusal{422, "UnprocessableValue", "filename", "control character"}},
		{name: "a filename that is too long", parts: []part{filePart(strings.Repeat("n", 513), "image/png", png)},
			want: refusal{422, "UnprocessableValue", "filename", "512"}},
		{name: "a disposition with two names", parts: []part{{`form-data; name="file"; name="other"; filename="a.png"`, "", png}},
			want: refusal{400, "InvalidRequest", "file", "Content-Disposition"}},
		{name: "a transfer encoding", header: http.Header{"Content-Type": {boundary}},
			body: "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n--X--\r\n",
			want: refusal{400, "InvalidRequest", "file", "Content-Transfer-Encoding"}},
		{name: "too many fields before the file", parts: append(many, image), want: refusal{400, "InvalidRequest", "file", "100 fields"}},
		{name: "too many fields behind the file", parts: append([]part{image}, many...), want: refusal{400, "InvalidRequest", "file", "100 fields"}},
		{name: "a large field before the file", parts: []part{{`form-data; name="note"`, "", strings.Repeat("n", formSlack)}, image},
			want: refusal{400, "InvalidRequest", "file", "65536 bytes besides the file"}},
		{name: "a large part header", header: http.Header{"Content-Type": {boundary}},
			body: "--X\r\nX-Junk: " + strings.Repeat("j", formSlack) + "\r\n\r\n", want: refusal{400, "InvalidRequest", "file", "65536 bytes"}},
		{name: "a large epilogue", parts: nil, header: http.Header{"Content-Type": {boundary}},
			body: "--X\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--X--\r\n" + strings.Repeat("e", 2*formSlack),
			want: refusal{400, "InvalidRequest", "file", "65536 bytes"}},
		{name: "a file over the limit by one byte", parts: []part{filePart("a.txt", "text/plain", big)},
			want: refusal{413, "EntityTooLarge", "", "File too large. Maximum size: 100000 bytes"}},
		{name: "a form far over the limit", parts: []part{filePart("a.txt", "text/plain", strings.Repeat("a", 3_000_000))},
			want: refusal{413, "EntityTooLarge", "", "File too large. Maximum size: 100000 bytes"}},
		{name: "a declared type that is not allowed", parts: []part{filePart("a.bin", "application/zip", "x")},
			want: refusal{415, "TypeNotAllowed", "Content-Type", "File type not allowed"}},
		{name: "an extension that is not allowed", parts: []part{filePart("a.html", "text/plain", "x")},
			want: refusal{415, "TypeNotAllowed", "Content-Type", "File type not allowed"}},
		{name: "bytes that are not what they are called", parts: []part{filePart("a.png", "image/png", "<html><script>x</script></html>")},
			want: refusal{415, "TypeNotAllowed", "Content-Type", "File type not allowed"}},
		{name: "an encoded body", header: http.Header{"Content-Type": {"text/plain"}, "Content-Encoding": {"gzip"}}, query: "?filename=a.txt", body: "x",
			want: refusal{415, "UnsupportedMediaType", "Content-Encoding", "gzip"}},
		{name: "a piece of a file", header: http.Header{"Content-Range": {"bytes 0-0/2"}}, query: "?filename=a.txt", body: "x",
			want: refusal{400, "InvalidRequest", "Content-Range", "whole file"}},
		{name: "neither a form nor a name", header: http.Header{"Content-Type": {"image/png"}}, body: png,
			want: refusal{415, "UnsupportedMediaType", "Content-Type", "multipart/form-data"}},
		{name: "a mixed multipart body", header: http.Header{"Content-Type": {"multipart/mixed; boundary=X"}}, query: "?filename=a.txt", body: "x",
			want: refusal{415, "UnsupportedMediaType", "Content-Type", "multipart/form-data"}},
		{name: "a raw body over the limit", query: "?filename=a.txt", body: big,
			want: refusal{413, "EntityTooLarge", "", "File too large. Maximum size: 100000 bytes"}},
		{name: "two names that differ", query: "?filename=a.txt", header: http.Header{"Content-Disposition": {`attachment; filename="b.txt"`}}, body: "x",
			want: refusal{400, "InvalidRequest", "filename", "differ"}},
		{name: "a wrong Content-MD5", query: "?filename=a.txt", header: http.Header{"Content-Md5": {"XUFAKrxLKna5cZ2REBfFkg=="}}, body: "other",
			want: refusal{400, "BadDigest", "Content-Md5", "Content-Md5"}},
		{name: "a Content-MD5 that is none", query: "?filename=a.txt", header: http.Header{"Content-Md5": {"zz"}}, body: "x",
			want: refusal{400, "InvalidDigest", "Content-Md5", ""}},
		{name: "a wrong Content-Digest", query: "?filename=a.txt", body: "other",
			header: http.Header{"Content-Digest": {"md5=:x:, sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"}},
			want:   refusal{400, "BadDigest", "Content-Digest", ""}},
		{name: "a checksum that nobody here knows", query: "?filename=a.txt", body: "x", header: http.Header{"X-Amz-Checksum-Xxhash3": {"AAAA"}},
			want: refusal{501, "NotImplemented", "X-Amz-Checksum-Xxhash3", ""}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			header, body := c.header, c.body
			if c.parts != nil {
				header, body = formOf(t, c.parts...)
			}
			got := b.do("POST", Root+"/direct"+c.query, header, strings.NewReader(body))
			b.wantRefusal(got, c.want)
			if b.store.puts != 0 || len(b.store.objects) != 0 {
				t.Errorf("something was stored: %v", b.store.objects)
			}
			if b.lastRecord().Err == nil {
				t.Error("the record has no error")
			}
		})
	}
}

func TestALyingLengthCannotPassTheLimit(t *testing.T) {
	b := newBench(t)
	// A reader without a length goes out chunked: only the count can stop it.
	got := b.do("PUT", Root+"/direct?filename=a.txt", nil, struct{ io.Reader }{strings.NewReader(strings.Repeat("a", testLimit+1))})
	b.wantRefusal(got, refusal{413, "EntityTooLarge", "", "File too large. Maximum size: 100000 bytes"})
	if got := b.do("PUT", Root+"/direct?filename=a.txt", nil, struct{ io.Reader }{strings.NewReader(strings.Repeat("a", testLimit))}); got.status != 201 {
		t.Errorf("exactly the limit: %d %s", got.status, got.body)
	}
}

func TestADeclaredLengthIsRefusedBeforeTheBodyIsAskedFor(t *testing.T) {
	b := newBench(t)
	asked := false
	body := readerFunc(func([]byte) (int, error) { asked = true; return 0, io.EOF })
	r, err := http.NewRequest("PUT", b.srv.URL+Root+"/direct?filename=a.txt", body)
	if err != nil {
		t.Fatal(err)
	}
	r.ContentLength = testLimit + 1
	r.Header = http.Header{"Expect": {"100-continue"}, "X-Api-Key": {testKey}}
	client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 413 || asked {
		t.Errorf("status %d, body asked for: %v", resp.StatusCode, asked)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// badIDs are ids that must reach no store, as they stand in a URL.
var badIDs = []struct {
	name, id string
	want     refusal
}{
	{"empty", "", refusal{400, "InvalidArgument", "file_id", "is empty"}},
	{"dots up", "uploads/../secret", refusal{400, "InvalidArgument", "file_id", `".."`}},
	{"escaped dots up", "uploads/%2e%2e/secret", refusal{400, "InvalidArgument", "file_id", `".."`}},
	{"escaped slashes around dots", "uploads%2F..%2Fsecret", refusal{400, "InvalidArgument", "file_id", `".."`}},
	{"dots first", "../uploads/a", refusal{400, "InvalidArgument", "file_id", `".."`}},
	{"a dot", "uploads/./a", refusal{400, "InvalidArgument", "file_id", `"."`}},
	{"an empty segment", "uploads//a", refusal{400, "InvalidArgument", "file_id", "empty segment"}},
	{"a slash at the end", "uploads/a/", refusal{400, "InvalidArgument", "file_id", "empty segment"}},
	{"absolute", "/uploads/a", refusal{400, "InvalidArgument", "file_id", "begins with a slash"}},
	{"absolute, escaped", "%2Fuploads/a", refusal{400, "InvalidArgument", "file_id", "begins with a slash"}},
	{"a NUL", "uploads/a%00.png", refusal{400, "InvalidArgument", "file_id", "control character"}},
	{"a line break", "uploads/a%0d%0aX: y", refusal{400, "InvalidArgument", "file_id", "control character"}},
	{"not UTF-8", "uploads/%ff", refusal{400, "InvalidArgument", "file_id", "UTF-8"}},
	{"too long", "uploads/" + strings.Repeat("a", 1020), refusal{400, "KeyTooLongError", "file_id", "1024"}},
	{"outside", "secret/a", refusal{403, "AccessDenied", "file_id", "outside of uploads/"}},
	{"the prefix itself", "uploads", refusal{403, "AccessDenied", "file_id", "outside"}},
	{"a sibling of the prefix", "uploads2/a", refusal{403, "AccessDenied", "file_id", "outside"}},
	{"the gateway's own", ".s3gateway/x", refusal{403, "AccessDenied", "file_id", "outside"}},
	{"decoded once only", "uploads%252Fa", refusal{403, "AccessDenied", "file_id", "outside"}},
}

func TestBadIDsReachNoStore(t *testing.T) {
	for _, c := range badIDs {
		if strings.Contains(c.id, " ") {
			c.id = strings.ReplaceAll(c.id, " ", "%20")
		}
		for _, at := range []struct{ method, before, after string }{
			{"GET", "/download/", ""}, {"GET", "/download/", "/url"}, {"GET", "/metadata/", ""}, {"DELETE", "/", ""},
		} {
			t.Run(c.name+"/"+at.method+at.before+at.after, func(t *testing.T) {
				if c.id == "" && (at.method == "DELETE" || at.after != "") {
					return // a path of its own: tested with the routes
				}
				b := newBench(t)
				b.store.add("secret", "x")
				got := b.do(at.method, Root+at.before+c.id+at.after, nil, nil)
				b.wantRefusal(got, c.want)
				if calls := b.store.calls(); len(calls) != 0 {
					t.Errorf("the store was asked: %v", calls)
				}
			})
		}
	}
}

func TestRefusalsOfParametersAndDocuments(t *testing.T) {
	js := http.Header{"Content-Type": {"application/json"}}
	for _, c := range []struct {
		name, method, target string
		header               http.Header
		body                 string
		want                 refusal
	}{
		{"an unknown id", "GET", "/download/uploads/none", nil, "", refusal{404, "NoSuchKey", "", "no file with this id"}},
		{"metadata of an unknown id", "GET", "/metadata/uploads/none", nil, "", refusal{404, "NoSuchKey", "", "no file with this id"}},
		{"a link to an unknown id", "GET", "/download/uploads/none/url", nil, "", refusal{404, "NoSuchKey", "", "no file with this id"}},
		{"deleting an unknown id", "DELETE", "/uploads/none", nil, "", refusal{404, "NoSuchKey", "", "no file with this id"}},
		{"missing_ok that is no answer", "DELETE", "/uploads/none?missing_ok=maybe", nil, "", refusal{400, "InvalidArgument", "missing_ok", ""}},
		{"expires_in of zero", "GET", "/download/uploads/a/url?expires_in=0", nil, "", refusal{422, "UnprocessableValue", "expires_in", "1 to 604800"}},
		{"expires_in over seven days", "GET", "/download/uploads/a/url?expires_in=604801", nil, "", refusal{422, "UnprocessableValue", "expires_in", "1 to 604800"}},
		{"expires_in over an int", "GET", "/download/uploads/a/url?expires_in=99999999999999999999", nil, "", refusal{422, "UnprocessableValue", "expires_in", ""}},
		{"expires_in that is no number", "GET", "/download/uploads/a/url?expires_in=1h", nil, "", refusal{400, "InvalidArgument", "expires_in", "whole number"}},
		{"a disposition that is none", "GET", "/download/uploads/a?disposition=x", nil, "", refusal{422, "UnprocessableValue", "disposition", ""}},
		{"a limit that is no number", "GET", "/list?limit=ten", nil, "", refusal{400, "InvalidArgument", "limit", "whole number"}},
		{"a limit of zero", "GET", "/list?limit=0", nil, "", refusal{422, "UnprocessableValue", "limit", "1 to 1000"}},
		{"a limit too high", "GET", "/list?limit=1001", nil, "", refusal{422, "UnprocessableValue", "limit", "1 to 1000"}},
		{"two limits", "GET", "/list?limit=1&limit=2", nil, "", refusal{400, "InvalidArgument", "limit", "more than once"}},
		{"a query that is none", "GET", "/list?limit=%zz", nil, "", refusal{400, "InvalidArgument", "prefix", "malformed"}},
		{"a prefix outside", "GET", "/list?prefix=secret", nil, "", refusal{403, "AccessDenied", "prefix", "outside of uploads/"}},
		{"a sibling prefix", "GET", "/list?prefix=uploadsX/", nil, "", refusal{403, "AccessDenied", "prefix", "outside"}},
		{"a prefix with dots", "GET", "/list?prefix=uploads/../", nil, "", refusal{400, "InvalidArgument", "prefix", `".."`}},
		{"a prefix of slashes", "GET", "/list?prefix=uploads//", nil, "", refusal{400, "InvalidArgument", "prefix", "empty segment"}},
		{"a broken cursor", "GET", "/list?cursor=AAAA", nil, "", refusal{400, "InvalidArgument", "cursor", "next_cursor"}},
		{"a made-up cursor", "GET", "/list?cursor=AAAAAAAAAAAAAAAAAAAAAHVwbG9hZHMv", nil, "", refusal{400, "InvalidArgument", "cursor", "next_cursor"}},
		{"broken JSON", "POST", "/presigned", js, `{"filename":`, refusal{400, "InvalidRequest", "", "not a JSON object"}},
		{"JSON with something behind", "POST", "/presigned", js, `{"filename":"a.png"} x`, refusal{400, "InvalidRequest", "", "not a JSON object"}},
		{"a JSON list", "POST", "/presigned", js, `[]`, refusal{400, "InvalidRequest", "", "not a JSON object"}},
		{"no JSON at all", "POST", "/presigned", js, ``, refusal{400, "InvalidRequest", "", "not a JSON object"}},
		{"JSON null", "POST", "/presigned", js, `null`, refusal{400, "InvalidRequest", "", "not a JSON object"}},
		{"a form for JSON", "POST", "/presigned", http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}, `{}`, refusal{415, "UnsupportedMediaType", "Content-Type", "application/json"}},
		{"JSON that is too long", "POST", "/presigned", js, `{"filename":"` + strings.Repeat("a", maxJSON) + `"}`, refusal{413, "EntityTooLarge", "", "65536"}},
		{"a misspelt field", "POST", "/presigned", js, `{"filename":"a.png","expires":5}`, refusal{422, "UnprocessableValue", "expires", "expires_in"}},
		{"no filename", "POST", "/presigned", js, `{}`, refusal{422, "UnprocessableValue", "filename", "empty"}},
		{"a filename that is no text", "POST", "/presigned", js, `{"filename":5}`, refusal{400, "InvalidArgument", "filename", "text"}},
		{"expires_in as text", "POST", "/presigned", js, `{"filename":"a.png","expires_in":"60"}`, refusal{400, "InvalidArgument", "expires_in", "whole number"}},
		{"a fraction of a second", "POST", "/presigned", js, `{"filename":"a.png","expires_in":1.5}`, refusal{400, "InvalidArgument", "expires_in", "whole number"}},
		{"a link for no time", "POST", "/presigned", js, `{"filename":"a.png","expires_in":0}`, refusal{422, "UnprocessableValue", "expires_in", "1 to 604800"}},
		{"a link for ever", "POST", "/presigned", js, `{"filename":"a.png","expires_in":604801}`, refusal{422, "UnprocessableValue", "expires_in", "1 to 604800"}},
		{"a link for a file too large", "POST", "/presigned", js, `{"filename":"a.png","size":100001}`, refusal{413, "EntityTooLarge", "", "File too large. Maximum size: 100000 bytes"}},
		{"a link for a negative size", "POST", "/presigned", js, `{"filename":"a.png","size":-1}`, refusal{422, "UnprocessableValue", "size", "negative"}},
		{"a link for a type not allowed", "POST", "/presigned", js, `{"filename":"a.bin","content_type":"application/zip"}`, refusal{415, "TypeNotAllowed", "Content-Type", "File type not allowed"}},
		{"a link for an extension not allowed", "POST", "/presigned", js, `{"filename":"a.svg","content_type":"image/png"}`, refusal{415, "TypeNotAllowed", "Content-Type", "File type not allowed"}},
		{"a link for no type", "POST", "/presigned", js, `{"filename":"a"}`, refusal{422, "UnprocessableValue", "content_type", "extension"}},
		{"a type that breaks the header", "POST", "/presigned", js, `{"filename":"a.png","content_type":"image/png\r\nX-Amz-Acl: public"}`, refusal{422, "UnprocessableValue", "content_type", ""}},
		{"an answer that the client cannot read", "GET", "/list", http.Header{"Accept": {"text/html, application/json;q=0"}}, "", refusal{406, "NotAcceptable", "Accept", "application/json"}},
		{"an unknown path", "GET", "/nothing", nil, "", refusal{404, "NoSuchRoute", "", "nothing at this path"}},
		{"the root", "GET", "", nil, "", refusal{404, "NoSuchRoute", "", "nothing at this path"}},
		{"deleting nothing", "DELETE", "/", nil, "", refusal{400, "InvalidArgument", "file_id", "is empty"}},
		{"deleting the list", "DELETE", "/list", nil, "", refusal{405, "MethodNotAllowed", "", "DELETE is not allowed here. Allowed: GET, HEAD, OPTIONS."}},
		{"deleting health", "DELETE", "/health", nil, "", refusal{405, "MethodNotAllowed", "", ""}},
		{"deleting a download", "DELETE", "/download/uploads/a", nil, "", refusal{405, "MethodNotAllowed", "", ""}},
		{"getting an upload", "GET", "/direct", nil, "", refusal{405, "MethodNotAllowed", "", "POST, PUT"}},
		{"getting a file by its id alone", "GET", "/uploads/a", nil, "", refusal{405, "MethodNotAllowed", "", "DELETE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			b.store.add("uploads/a", "kept")
			got := b.do(c.method, Root+c.target, c.header, strings.NewReader(c.body))
			b.wantRefusal(got, c.want)
			if c.want.status == 405 && got.header.Get("Allow") == "" {
				t.Error("405 without Allow")
			}
			if len(b.store.objects) != 1 || string(b.store.bodies["uploads/a"]) != "kept" {
				t.Errorf("the bucket changed: %v", b.store.objects)
			}
		})
	}
}

func TestNoOneIsServedWithoutAKey(t *testing.T) {
	b := newBench(t)
	b.store.add("uploads/a", "x")
	for _, target := range []string{"GET /list", "GET /download/uploads/a", "GET /download/uploads/a/url", "GET /metadata/uploads/a",
		"DELETE /uploads/a", "POST /direct", "PUT /direct?filename=a.txt", "POST /presigned", "GET /download/../x"} {
		method, path, _ := strings.Cut(target, " ")
		got := b.do(method, Root+path, http.Header{"X-Api-Key": {"wrong"}}, nil)
		b.wantRefusal(got, refusal{401, "Unauthenticated", "", "API_KEYS"})
		if got.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: 401 without WWW-Authenticate", target)
		}
	}
	if calls := b.store.calls(); len(calls) != 0 {
		t.Errorf("the store was asked: %v", calls)
	}
}

func TestRateAndReadinessComeBeforeTheStore(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Policy.Rate = policy.Rate{PerSecond: 0.1, Burst: 1} })
	first := b.do("GET", Root+"/list", nil, nil)
	if first.status != 200 || first.header.Get("RateLimit") != `"caller";r=0;t=10` || first.header.Get("RateLimit-Policy") != `"caller";q=1;w=10` {
		t.Fatalf("first: %d %v", first.status, first.header)
	}
	got := b.do("GET", Root+"/list", nil, nil)
	b.wantRefusal(got, refusal{429, "SlowDown", "", "RATE_LIMIT"})
	if got.header.Get("Retry-After") != "10" || got.header.Get("RateLimit") != `"caller";r=0;t=10` {
		t.Errorf("Retry-After %q, want 10; RateLimit %q", got.header.Get("Retry-After"), got.header.Get("RateLimit"))
	}

	gone := &gateway.Error{Code: gateway.ServiceUnavailable, Message: "S3 file storage is not enabled or not properly configured"}
	b = newBench(t, func(o *Options) {
		o.Ready = func() error { return gone }
		o.Health = func(context.Context) error { return errors.New("dial 10.0.0.7") }
	})
	got = b.do("GET", Root+"/list", nil, nil)
	b.wantRefusal(got, refusal{503, "ServiceUnavailable", "", "S3 file storage is not enabled or not properly configured"})
	if got.header.Get("Retry-After") == "" {
		t.Error("503 without Retry-After")
	}
	if got := b.do("GET", Root+"/health", nil, nil); got.status != 503 || !strings.Contains(got.body, `"unhealthy"`) {
		t.Errorf("health: %d %s", got.status, got.body)
	}
	if calls := b.store.calls(); len(calls) != 0 {
		t.Errorf("the store was asked: %v", calls)
	}
}

func TestAFullBudgetAnswers503(t *testing.T) {
	budget := NewBudget(firstPart)
	budget.wait = time.Millisecond
	held, err := budget.take(t.Context(), firstPart)
	if err != nil {
		t.Fatal(err)
	}
	_, err = budget.take(t.Context(), 1)
	e := gateway.AsError(err)
	if e.Code != gateway.ServiceUnavailable || e.RetryAfter <= 0 || !strings.Contains(e.Message, "UPLOAD_BUFFER_BYTES") {
		t.Errorf("refusal %+v", e)
	}
	held.release()
	held.release()
	again, err := budget.take(t.Context(), firstPart)
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	again.release()
}

func TestPartsGrowTo5TiB(t *testing.T) {
	var b *Budget
	total := int64(0)
	for n := 1; n <= maxParts; n++ {
		total += b.partSize(n)
	}
	if total < 5<<40 {
		t.Errorf("10,000 parts hold %d bytes", total)
	}
	if got := NewBudget(256 << 20).partSize(maxParts); got != 128<<20 {
		t.Errorf("the last part takes %d of a budget of 256 MiB", got)
	}
	for n := int64(1); n <= 16<<20; n = n*3 + 1 {
		got, err := NewBudget(64<<20).take(t.Context(), n)
		if err != nil || int64(len(got.bytes)) < n {
			t.Fatalf("take(%d): %d bytes, %v", n, len(got.bytes), err)
		}
		got.release()
	}
}
