package api

import (
	"context"
	"crypto/tls"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

func TestUploadedNames(t *testing.T) {
	long := strings.Repeat("x", 200) + ".jpeg"
	for _, c := range []struct{ sent, filename, safe string }{
		{"example.png", "example.png", "example.png"},
		{"../../x.png", "x.png", "x.png"},
		{`C:\Users\me\x.png`, "x.png", "x.png"},
		{"Übersicht 2026 (1).png", "Übersicht 2026 (1).png", "bersicht_2026_1.png"},
		{"写真.png", "写真.png", "file.png"},
		{".htaccess", ".htaccess", "htaccess"},
		{"...png", "...png", "png"},
		{"a%2Fb.png", "a%2Fb.png", "a_2Fb.png"},
		{"写真", "写真", "file"},
		{"evil.html.", "evil.html.", "evil.html"},
		{long, long, strings.Repeat("x", maxSafeName-5) + ".jpeg"},
		{"x." + strings.Repeat("e", 200), "x." + strings.Repeat("e", 200), "x." + strings.Repeat("e", maxSafeName-2)},
	} {
		t.Run(c.sent, func(t *testing.T) {
			name, err := cleanFilename(c.sent)
			if err != nil || name != c.filename {
				t.Errorf("name %q, %v; want %q", name, err, c.filename)
			}
			if safe := safeName(name); safe != c.safe {
				t.Errorf("safe name %q, want %q", safe, c.safe)
			}
		})
	}
}

func TestADirectUploadAnswersWithTheFile(t *testing.T) {
	b := newBench(t)
	header, body := formOf(t,
		part{`form-data; name="note"`, "", "before"},
		filePart(`C:\holidays\écran \"1\".png`, "image/png", png),
		part{`form-data; name="note"`, "", "behind"})
	got := b.do("POST", Root+"/direct", header, strings.NewReader(body))
	if got.status != 201 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	m := got.json(t)
	id, _ := m["file_id"].(string)
	if !regexp.MustCompile(`^uploads/2026/01/15/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-[A-Za-z0-9._-]+\.png$`).MatchString(id) {
		t.Errorf("file_id %q", id)
	}
	sum := hexOf(sha256Of([]byte(png)))
	for name, want := range map[string]any{
		"file_url":  b.srv.URL + Root + "/download/" + id,
		"file_size": float64(len(png)), "content_type": "image/png", "upload_timestamp": "2026-01-15T10:30:00Z", "etag": "e", "sha256": sum,
		"filename": `écran "1".png`,
	} {
		if m[name] != want {
			t.Errorf("%s = %v, want %v", name, m[name], want)
		}
	}
	if _, has := m["version_id"]; has {
		t.Error("version_id on a bucket without versions")
	}
	if got.header.Get("Location") != Root+"/metadata/"+id {
		t.Errorf("Location %q", got.header.Get("Location"))
	}
	if string(b.store.bodies[id]) != png {
		t.Errorf("stored %q", b.store.bodies[id])
	}
	if f := b.lastRecord(); f.Operation != "DirectUpload" || f.Caller != "alice" || f.Bucket != testBucket || f.Key != id || f.Err != nil || f.Door != gateway.DoorREST {
		t.Errorf("record %+v", f)
	}
}

func TestRawUploads(t *testing.T) {
	for _, c := range []struct {
		name, method, query, body string
		header                    http.Header
		filename, contentType     string
	}{
		{"PUT with a name in the query", "PUT", "?filename=a%20b.txt", "hello", nil, "a b.txt", "text/plain"},
		{"POST with a name in Content-Disposition", "POST", "", "hello",
			http.Header{"Content-Disposition": {"attachment; filename*=UTF-8''%E5%86%99.txt"}, "Content-Type": {"text/plain; charset=utf-8"}}, "写.txt", "text/plain; charset=utf-8"},
		{"an empty file", "PUT", "?filename=a.txt", "", nil, "a.txt", "text/plain"},
		{"a type by its bytes", "PUT", "?filename=picture", png, http.Header{"Content-Type": {"application/octet-stream"}}, "picture", "image/png"},
		{"a right checksum", "PUT", "?filename=a.txt", "hello",
			http.Header{"Content-Md5": {"XUFAKrxLKna5cZ2REBfFkg=="}, "Content-Digest": {"sha-256=:LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=:"}}, "a.txt", "text/plain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			got := b.do(c.method, Root+"/direct"+c.query, c.header, strings.NewReader(c.body))
			if got.status != 201 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			m := got.json(t)
			if m["filename"] != c.filename || m["content_type"] != c.contentType || m["file_size"] != float64(len(c.body)) {
				t.Errorf("answer %v", m)
			}
		})
	}
}

func TestIDsAreReadInEverySpelling(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"uploads/a b+c", "uploads/x/url", "uploads/url", "uploads/é%2F", "uploads/..a/b..", "uploads/%2e%2e"} {
		b.store.add(id, "body of "+id)
		for name, target := range map[string]string{
			"as we write it": idPath(id), "as encodeURIComponent does": strings.ReplaceAll(url.QueryEscape(id), "+", "%20"),
		} {
			if got := b.do("GET", Root+"/download/"+target, nil, nil); got.status != 200 || got.body != "body of "+id {
				t.Errorf("%q %s (%s): %d %q", id, name, target, got.status, got.body)
			}
			if got := b.do("GET", Root+"/download/"+target+"/url", nil, nil); got.status != 200 || got.json(t)["file_id"] != id {
				t.Errorf("link of %q %s: %d %s", id, name, got.status, got.body)
			}
			if got := b.do("GET", Root+"/metadata/"+target, nil, nil); got.status != 200 || got.json(t)["file_id"] != id {
				t.Errorf("metadata of %q %s: %d %s", id, name, got.status, got.body)
			}
		}
	}
	// The literal suffix is always the link, never a file of that name.
	if got := b.do("GET", Root+"/download/uploads/x/url", nil, nil); got.status != 404 {
		t.Errorf("link of the missing uploads/x: %d %s", got.status, got.body)
	}
}

func TestDownloadsCannotActInTheGatewaysOrigin(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ contentType, query, want string }{
		{"text/html", "?disposition=inline", "attachment"},
		{"image/svg+xml", "?disposition=inline", "attachment"},
		{"IMAGE/PNG; x=y", "?disposition=inline", "inline"},
		{"image/png", "", "attachment"},
		{"", "?disposition=inline", "attachment"},
	} {
		b.store.add("uploads/a.x", "body")
		b.store.objects["uploads/a.x"] = Object{Key: "uploads/a.x", ContentType: c.contentType, ETag: "e", Size: 4, Modified: testTime}
		for _, method := range []string{"GET", "HEAD"} {
			got := b.do(method, Root+"/download/uploads/a.x"+c.query, nil, nil)
			if said := got.header.Get("Content-Disposition"); said != c.want+`; filename="a.x"` {
				t.Errorf("%s of %q%s: %q", method, c.contentType, c.query, said)
			}
			for name, want := range map[string]string{
				"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'", "Cache-Control": "private, no-cache", "Etag": `"e"`,
			} {
				if got.header.Get(name) != want {
					t.Errorf("%s of %q: %s %q", method, c.contentType, name, got.header.Get(name))
				}
			}
		}
	}
}

func TestContentDispositionCannotBeBrokenOutOf(t *testing.T) {
	for name, want := range map[string]string{
		"a.png":       `attachment; filename="a.png"`,
		`a".png`:      `attachment; filename="a_.png"; filename*=UTF-8''a%22.png`,
		"a\r\nX: y":   `attachment; filename="a__X: y"; filename*=UTF-8''a%0D%0AX%3A%20y`,
		"写.png":       `attachment; filename="_.png"; filename*=UTF-8''%E5%86%99.png`,
		"100%.png":    `attachment; filename="100_.png"; filename*=UTF-8''100%25.png`,
		`back\slash'`: `attachment; filename="back_slash'"; filename*=UTF-8''back%5Cslash%27`,
	} {
		if got := contentDisposition("attachment", name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

func TestRangesAndConditions(t *testing.T) {
	b := newBench(t)
	b.store.add("uploads/a", "0123456789")
	for _, c := range []struct {
		name   string
		header http.Header
		status int
		body   string
	}{
		{"a range", http.Header{"Range": {"bytes=2-4"}}, 206, "234"},
		{"the last bytes", http.Header{"Range": {"bytes=-3"}}, 206, "789"},
		{"ranges that overlap give the whole", http.Header{"Range": {"bytes=0-4,4-5"}}, 200, "0123456789"},
		{"too many ranges give the whole", http.Header{"Range": {"bytes=0-0" + strings.Repeat(",2-2", 16)}}, 200, "0123456789"},
		{"ranges that cannot be read give the whole", http.Header{"Range": {"bytes=0-1,x-5"}}, 200, "0123456789"},
		{"ranges of another version", http.Header{"Range": {"bytes=0-1,4-5"}, "If-Range": {`"old"`}}, 200, "0123456789"},
		{"another unit gives the whole", http.Header{"Range": {"lines=0-1"}}, 200, "0123456789"},
		{"a matching If-Range", http.Header{"Range": {"bytes=2-4"}, "If-Range": {`"e"`}}, 206, "234"},
		{"an If-Range of another version", http.Header{"Range": {"bytes=2-4"}, "If-Range": {`"old"`}}, 200, "0123456789"},
		{"a weak If-Range", http.Header{"Range": {"bytes=2-4"}, "If-Range": {`W/"e"`}}, 200, "0123456789"},
		{"a dated If-Range", http.Header{"Range": {"bytes=2-4"}, "If-Range": {testTime.Format(http.TimeFormat)}}, 206, "234"},
		{"not modified", http.Header{"If-None-Match": {`"e"`}}, 304, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := b.do("GET", Root+"/download/uploads/a", c.header, nil)
			if got.status != c.status || got.body != c.body {
				t.Errorf("%d %q, want %d %q", got.status, got.body, c.status, c.body)
			}
		})
	}
	got := b.do("GET", Root+"/download/uploads/a", http.Header{"If-Match": {`"x"`}}, nil)
	b.wantRefusal(got, refusal{412, "PreconditionFailed", "", ""})
	got = b.do("GET", Root+"/download/uploads/a", http.Header{"Range": {"bytes=99-"}}, nil)
	b.wantRefusal(got, refusal{416, "InvalidRange", "", ""})
	if got.header.Get("Content-Range") != "bytes */10" {
		t.Errorf("416 with Content-Range %q", got.header.Get("Content-Range"))
	}
}

func TestListingsGoOnWithACursor(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"uploads/a", "uploads/b", "uploads/c/", "uploads/c/x", "uploads/d//e", "uploads/f", "secret/z", "uploadsX/y"} {
		b.store.add(id, "x")
	}
	ids := []string{}
	query := "?prefix=uploads&limit=2"
	for range 5 {
		got := b.do("GET", Root+"/list"+query, nil, nil)
		if got.status != 200 {
			t.Fatalf("%d %s", got.status, got.body)
		}
		m := got.json(t)
		for _, f := range m["files"].([]any) {
			ids = append(ids, f.(map[string]any)["file_id"].(string))
		}
		if m["prefix"] != "uploads/" || m["limit"] != float64(2) {
			t.Errorf("answer %v", m)
		}
		next, more := m["next_cursor"].(string)
		if !more {
			break
		}
		query = "?limit=2&cursor=" + next
		other := b.do("GET", Root+"/list?prefix=uploads/c&cursor="+next, nil, nil)
		b.wantRefusal(other, refusal{400, "InvalidArgument", "cursor", ""})
	}
	if got := strings.Join(ids, " "); got != "uploads/a uploads/b uploads/c/x uploads/f" {
		t.Errorf("listed %s", got)
	}
	if got := b.do("GET", Root+"/list?prefix=uploads/none", nil, nil); !strings.Contains(got.body, `"files":[]`) || !strings.Contains(got.body, `"next_cursor":null`) {
		t.Errorf("an empty listing: %s", got.body)
	}
}

func TestDeleting(t *testing.T) {
	b := newBench(t)
	b.store.add("uploads/a", "x")
	for _, c := range []struct {
		target string
		status int
	}{{"/uploads/a", 204}, {"/uploads/a", 404}, {"/uploads/a?missing_ok=true", 204}, {"/uploads/a?missing_ok=false", 404}} {
		if got := b.do("DELETE", Root+c.target, nil, nil); got.status != c.status {
			t.Errorf("DELETE %s: %d %s", c.target, got.status, got.body)
		}
	}
}

func TestHealthShowsDetailsOnlyToThoseWhoMayUseIt(t *testing.T) {
	cause := &gateway.Error{Code: gateway.ServiceUnavailable, Message: "Access denied to S3 bucket", Err: errors.New("AKIA1234 refused")}
	for _, c := range []struct {
		name, key string
		err       error
		status    int
		want      string
	}{
		{"healthy, known", testKey, nil, 200, `{"status":"healthy","s3_enabled":true,"bucket":"files","detail":null}`},
		{"healthy, stranger", "wrong", nil, 200, `{"status":"healthy","s3_enabled":true,"bucket":null,"detail":null}`},
		{"unhealthy, known", testKey, cause, 503, `{"status":"unhealthy","s3_enabled":true,"bucket":"files","detail":"Access denied to S3 bucket"}`},
		{"unhealthy, stranger", "wrong", cause, 503, `{"status":"unhealthy","s3_enabled":true,"bucket":null,"detail":null}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t)
			o := testOptions(t, b.store)
			o.Health = func(context.Context) error { return c.err }
			w := httptest.NewRecorder()
			r := httptest.NewRequest("GET", Root+"/health", nil)
			r.Header.Set("X-Api-Key", c.key)
			New(o).ServeHTTP(w, r)
			if got := strings.TrimSpace(w.Body.String()); w.Code != c.status || got != c.want {
				t.Errorf("%d %s, want %d %s", w.Code, got, c.status, c.want)
			}
		})
	}
}

func TestWhereLinksLead(t *testing.T) {
	public := &url.URL{Scheme: "https", Host: "files.example", Path: "/gw/"}
	cdn := &url.URL{Scheme: "https", Host: "cdn.example"}
	store := newFakeStore()
	store.add("uploads/a b", "x")
	for _, c := range []struct {
		name, host string
		change     func(*Options)
		tls        bool
		fileURL    string
		link       string // its beginning; "" for 503
	}{
		{"PUBLIC_URL", "evil.example", func(o *Options) { o.PublicURL = public }, false, "https://files.example/gw" + Root + "/download/uploads/a%20b", "https://files.example/files/uploads/a%20b?"},
		{"a CDN", "localhost", func(o *Options) { o.CDNBaseURL = cdn }, false, "https://cdn.example/uploads/a%20b", "https://cdn.example/uploads/a%20b"},
		{"loopback", "127.0.0.1:8000", nil, false, "http://127.0.0.1:8000" + Root + "/download/uploads/a%20b", "http://127.0.0.1:8000/files/"},
		{"loopback, IPv6 and TLS", "[::1]:8000", nil, true, "https://[::1]:8000" + Root + "/download/uploads/a%20b", "https://[::1]:8000/files/"},
		{"a Host that anybody may send", "evil.example", nil, false, Root + "/download/uploads/a%20b", ""},
		{"a Host that looks like loopback", "127.0.0.1.evil.example", nil, false, Root + "/download/uploads/a%20b", ""},
		{"nobody to sign", "localhost", func(o *Options) { o.Callers = nil }, false, "http://localhost" + Root + "/download/uploads/a%20b", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := testOptions(t, store)
			if c.change != nil {
				c.change(&o)
			}
			door := New(o)
			ask := func(path string) reply {
				r := httptest.NewRequest("GET", Root+path, nil)
				r.Host = c.host
				r.Header.Set("X-Api-Key", testKey)
				if c.tls {
					r.TLS = &tls.ConnectionState{}
				}
				w := httptest.NewRecorder()
				door.ServeHTTP(w, r)
				return reply{w.Code, w.Header(), w.Body.String()}
			}
			if got := ask("/metadata/uploads/a%20b").json(t)["file_url"]; got != c.fileURL {
				t.Errorf("file_url %v, want %s", got, c.fileURL)
			}
			got := ask("/download/uploads/a%20b/url?expires_in=60")
			m := got.json(t)
			link, _ := m["download_url"].(string)
			switch {
			case c.link == "" && (got.status != 503 || !strings.Contains(m["detail"].(string), m["setting"].(string))):
				t.Errorf("%d %s, want 503 that names a setting", got.status, got.body)
			case c.link != "" && (!strings.HasPrefix(link, c.link) || m["expires_in"] != float64(60)):
				t.Errorf("%s, want %s…", got.body, c.link)
			}
		})
	}
}

func TestAPresignedUploadNamesAllThatTheClientMustSend(t *testing.T) {
	b := newBench(t)
	got := b.do("POST", Root+"/presigned", http.Header{"Content-Type": {"application/json; charset=utf-8"}},
		strings.NewReader(`{"filename":"example.jpg","expires_in":3600,"content_type":null}`))
	if got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	m := got.json(t)
	if m["method"] != "PUT" || m["expires_in"] != float64(3600) || m["expires_at"] != "2026-01-15T11:30:00Z" || m["filename"] != "example.jpg" {
		t.Errorf("answer %v", m)
	}
	if h, _ := m["headers"].(map[string]any); h["Content-Type"] != "image/jpeg" {
		t.Errorf("headers %v: the type is by extension", m["headers"])
	}
	link, err := url.Parse(m["upload_url"].(string))
	if err != nil {
		t.Fatal(err)
	}
	q := link.Query()
	if !strings.HasPrefix(q.Get("X-Amz-Credential"), "GWL") || q.Get("X-Amz-SignedHeaders") != "content-type;host" || q.Get("X-Amz-Expires") != "3600" {
		t.Errorf("query %v", q)
	}
	if link.Path != "/files/"+m["file_id"].(string) {
		t.Errorf("path %s", link.Path)
	}
	if calls := b.store.calls(); len(calls) != 0 {
		t.Errorf("the store was asked: %v", calls)
	}
}

func TestCORS(t *testing.T) {
	preflight := http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"PUT"},
		"Access-Control-Request-Headers": {"content-type,x-api-key"}, "X-Api-Key": {"wrong"}}
	b := newBench(t)
	got := b.do("OPTIONS", Root+"/direct", preflight, nil)
	if got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != "" || got.header.Get("Allow") != "POST, PUT, OPTIONS" {
		t.Errorf("without origins: %d %v", got.status, got.header)
	}
	b = newBench(t, func(o *Options) { o.CORSAllowedOrigins = []string{"https://app.example"} })
	got = b.do("OPTIONS", Root+"/direct", preflight, nil)
	if got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("an allowed origin: %d %v", got.status, got.header)
	}
	if got.header.Get("Access-Control-Allow-Credentials") != "true" {
		t.Errorf("a named origin may not use its client certificate: %v", got.header)
	}
	for _, pattern := range []string{"*", "https://*.example"} {
		many := newBench(t, func(o *Options) { o.CORSAllowedOrigins = []string{"https://app.example", pattern} })
		if got := many.do("OPTIONS", Root+"/direct", preflight, nil); got.header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("under %s: %v", pattern, got.header)
		}
	}
	preflight.Set("Origin", "https://evil.example")
	if got = b.do("OPTIONS", Root+"/direct", preflight, nil); got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("another origin: %v", got.header)
	}
	// A page must be able to read a refusal, too.
	got = b.do("GET", Root+"/list", http.Header{"Origin": {"https://app.example"}, "X-Api-Key": {"wrong"}}, nil)
	if got.status != 401 || got.header.Get("Access-Control-Allow-Origin") != "https://app.example" {
		t.Errorf("a refusal: %d %v", got.status, got.header)
	}
}

func TestTheBucketIsTheDoorsPrefixOnly(t *testing.T) {
	b := newBench(t, func(o *Options) {
		o.UploadPrefix = ""
		o.Policy = &policy.Policy{Types: policy.AnyType()}
	})
	b.store.add(gateway.ReservedPrefix+"tus", "x")
	b.store.add("free", "x")
	if got := b.do("GET", Root+"/list", nil, nil); strings.Contains(got.body, gateway.ReservedPrefix) || !strings.Contains(got.body, `"free"`) {
		t.Errorf("list: %s", got.body)
	}
	got := b.do("GET", Root+"/download/.s3gateway/tus", nil, nil)
	b.wantRefusal(got, refusal{403, "AccessDenied", "", "belong to the gateway"})
}
