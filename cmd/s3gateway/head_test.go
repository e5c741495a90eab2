package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
)

// manyHeaders are n fields of a request.
func manyHeaders(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%x:\r\n", i+0x1000)
	}
	return b.String()
}

// A head with many parameters or fields, or a long target, is refused on both doors,
// and what is refused is neither logged nor repeated at length.
func TestAHeadThatCostsManyTimesItsSizeIsRefused(t *testing.T) {
	w := newFiled(t, "buckets: [{name: BUCKET, public: read}]\n")
	if a := do(t, w.signedPut("k", []byte("hello"))); a.status != http.StatusOK {
		t.Fatal(a.status)
	}
	w.before = w.store.Snapshot(t, w.bucket)
	host := "Host: " + strings.TrimPrefix(w.url, "http://") + "\r\nConnection: close\r\n"
	for _, c := range []struct {
		name, line, headers string
		status              int
		code                gateway.Code
	}{
		{"parameters", "GET /" + w.bucket + "/k?" + strings.Repeat("&", 256), "", 400, gateway.InvalidURI},
		{"parameters that are known", "GET /" + w.bucket + "/k?" + strings.Repeat("versionId=v&", 300), "", 400, gateway.InvalidURI},
		{"a form with parameters", "POST /" + w.bucket + "?" + strings.Repeat("&", 300), "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 10\r\n", 400, gateway.InvalidURI},
		{"a long target", "GET /" + w.bucket + "/k?v=" + strings.Repeat("a", maxTarget), "", 414, gateway.URITooLong},
		{"a long path", "GET /" + w.bucket + "/" + strings.Repeat("\xff", 60000), "", 414, gateway.URITooLong},
		{"fields", "GET /" + w.bucket + "/k", manyHeaders(maxFields + 1), 431, gateway.HeadersTooLarge},
		{"a long target of the upload API", "GET /api/v1/upload/list?cursor=" + strings.Repeat("a", maxTarget), "", 414, gateway.URITooLong},
		{"fields on the upload API", "GET /api/v1/upload/list", manyHeaders(maxFields + 1), 431, gateway.HeadersTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(w.log.String())
			status, body := w.sendRaw([]byte(c.line + " HTTP/1.1\r\n" + host + c.headers + "\r\n"))
			if status != c.status || !strings.Contains(string(body), string(c.code)) {
				t.Errorf("%d %.300s", status, body)
			}
			if len(body) > 24<<10 {
				t.Errorf("an answer of %d bytes", len(body))
			}
			eventually(t, "it is logged", func() bool { return len(w.log.String()) > before })
			if grown := len(w.log.String()) - before; grown > 10<<10 {
				t.Errorf("%d bytes of log", grown)
			}
		})
	}
	w.unchanged()
	if a := do(t, newRequest(t, "GET", w.url+"/"+w.bucket+"/k?"+strings.Repeat("v=3&", 255), nil)); a.status != http.StatusOK {
		t.Errorf("255 parameters: %d %s", a.status, a.body)
	}
}

// A page's question costs little, however many headers it asks for and a bucket's
// rules name.
func TestAPreflightOfManyHeadersIsRefused(t *testing.T) {
	w := newWorld(t, open...)
	rules := func(n int) answer {
		var b strings.Builder
		b.WriteString("<CORSConfiguration><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>")
		for i := range n {
			fmt.Fprintf(&b, "<AllowedHeader>x%d</AllowedHeader>", i)
		}
		b.WriteString("</CORSRule></CORSConfiguration>")
		return w.document("PUT", "?cors", []byte(b.String()))
	}
	ask := func(names int) answer {
		return do(t, newRequest(t, "OPTIONS", w.url+"/"+w.bucket+"/a", nil, "Origin", "https://a.example", "Access-Control-Request-Method", "GET",
			"Access-Control-Request-Headers", strings.TrimSuffix(strings.Repeat("x1,", names), ",")))
	}
	ask(101).isS3Error(t, 400, "InvalidRequest")
	if w.store.Name != "embedded" {
		return // the rules of a bucket are the store's
	}
	rules(5000).isS3Error(t, 400, "InvalidRequest")
	if a := rules(100); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := ask(100); a.status != http.StatusOK || a.header.Get("Access-Control-Allow-Headers") != "x1" {
		t.Errorf("%d %v", a.status, a.header)
	}
}
