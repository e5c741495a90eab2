package main

import (
	"bufio"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A link is a secret while it lives: the log does not hold it, not even where
// somebody encoded it into a path.
func TestTheLogHoldsNoLink(t *testing.T) {
	g := start(t, t.TempDir(), append([]string{"LOG_LEVEL=TRACE"}, open...))
	g.healthy(t)
	made := do(t, newRequest(t, "POST", g.url+"/api/v1/upload/presigned", strings.NewReader(`{"filename":"a.png","content_type":"image/png"}`), "Content-Type", "application/json"))
	link, _ := made.json(t)["upload_url"].(string)
	u, err := url.Parse(link)
	if err != nil || u.Query().Get("X-Amz-Signature") == "" {
		t.Fatalf("%d %s", made.status, made.body)
	}
	send := func(method, target, headers string) (status int) {
		c, err := net.Dial("tcp", u.Host)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := c.Write([]byte(method + " " + target + " HTTP/1.1\r\nHost: " + u.Host + "\r\n" + headers + "\r\n")); err != nil {
			t.Fatal(err)
		}
		answer, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	raw := u.RequestURI()
	for _, target := range []string{
		raw, strings.Replace(raw, "?", "%3F", 1), strings.Replace(raw, "?", "%3f", 1), strings.NewReplacer("?", "%3F", "&", "%26", "=", "%3D").Replace(raw),
		strings.Replace(raw, "?", "#", 1), "http://user:password-of-the-user@" + u.Host + raw, raw + "%zz",
	} {
		for _, headers := range []string{"", "Content-Length: 0\r\n", "No Header: x\r\n", "X-Amz-Meta-A: \x00\r\n"} {
			send("GET", target, headers)
			send("PUT", target, headers)
		}
	}
	eventually(t, "all are in the log", func() bool { return strings.Count(g.stderr.String(), `"message":"request"`) > 56 })
	for line := range strings.Lines(g.stderr.String()) {
		if strings.Contains(line, u.Query().Get("X-Amz-Signature")) || strings.Contains(line, "password-of-the-user") {
			t.Error(line)
		}
	}
	if !strings.Contains(g.stderr.String(), "X-Amz-Signature=[redacted]") {
		t.Error("nothing was there to be redacted")
	}
}
