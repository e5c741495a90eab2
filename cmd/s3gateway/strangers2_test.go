package main

import (
	"bufio"
	"encoding/base32"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// What nginx sends by its defaults is not taken for the local user.
func TestAProxyWithoutAMarkIsNotTheLocalUser(t *testing.T) {
	w := newWorld(t, open...)
	if a := do(t, newRequest(t, "GET", w.rest("list"), nil)); a.status != 200 {
		t.Fatalf("the local user: %d %s", a.status, a.body)
	}
	address := strings.TrimPrefix(w.url, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("GET /api/v1/upload/list HTTP/1.0\r\nHost: " + address + "\r\nConnection: close\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("nginx's default request: %d", resp.StatusCode)
	}
}

// A stranger's link key gets one answer, whether it names a caller or not.
func TestALinkKeyShowsNoCaller(t *testing.T) {
	w := newFiled(t, "callers:\n  - name: studio\n    access_keys: [{id: STUDIOKEY, secret: secret-of-the-studio-caller}]\n    grants: [{bucket: BUCKET, actions: [read]}]\n")
	answers := map[string]string{}
	for _, name := range []string{"studio", "gateway", "nobody", ""} {
		id := "GWL" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(name))
		r := newRequest(t, "GET", w.url+"/"+w.bucket+"/a", nil)
		signAs(t, r, hexSHA256(nil), aws.Credentials{AccessKeyID: id, SecretAccessKey: "a guess"}, time.Now())
		a := do(t, r)
		answers[string(rune('0'+a.status/100))+w.s3Refusal(a).code] += name + " "
	}
	if len(answers) != 1 || answers["4InvalidAccessKeyId"] == "" {
		t.Errorf("answers differ: %v", answers)
	}
}

// A request without a signature gets one answer, whether the map has the bucket or
// not.
func TestAnUnsignedRequestShowsNoBucket(t *testing.T) {
	w := newFiled(t, "buckets:\n  - name: mapped\n    bucket: BUCKET\n", "S3_EXPOSE_BUCKETS=mapped")
	for _, c := range []struct{ method, target string }{
		{"GET", "/NAME"}, {"GET", "/NAME/"}, {"GET", "/NAME/key"}, {"HEAD", "/NAME/key"}, {"PUT", "/NAME/key"}, {"DELETE", "/NAME/key"},
		{"GET", "/NAME?list-type=2"}, {"GET", "/NAME/key?tagging"}, {"HEAD", "/NAME"}, {"GET", "/NAME?location"}, {"PUT", "/NAME"}, {"POST", "/NAME?delete"},
	} {
		var seen []string
		for _, name := range []string{"mapped", "absent"} {
			a := do(t, newRequest(t, c.method, w.url+strings.ReplaceAll(c.target, "NAME", name), nil))
			body := string(a.body)
			for _, part := range []string{name, a.header.Get("X-Amz-Request-Id")} {
				body = strings.ReplaceAll(body, part, "_")
			}
			seen = append(seen, http.StatusText(a.status)+" "+body)
		}
		if seen[0] != seen[1] {
			t.Errorf("%s %s:\n%s\n%s", c.method, c.target, seen[0], seen[1])
		}
	}
}

// The admin address answers to its own names only: a page that had its name
// rebound to 127.0.0.1 sends another one.
func TestTheAdminAddressAnswersToItsOwnNames(t *testing.T) {
	h := ownHosts("metrics.example.com:9090", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(200) }))
	for host, want := range map[string]int{
		"127.0.0.1:9090": 200, "localhost:9090": 200, "[::1]:9090": 200, "10.0.0.7:9090": 200, "gateway:9090": 200,
		"metrics.example.com": 200, "a.internal:9090": 200, "attacker.example:9090": 421, "127.0.0.1.attacker.example": 421, "": 421, "localhost.attacker.example.": 421,
	} {
		r := httptest.NewRequest("GET", "/metrics", nil)
		r.Host = host
		out := httptest.NewRecorder()
		h.ServeHTTP(out, r)
		if out.Code != want {
			t.Errorf("%q: %d, want %d", host, out.Code, want)
		}
	}
}
