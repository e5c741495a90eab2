package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	gateway "github.com/codeguardians/s3gateway"
)

// v2Mac signs as Signature Version 2 does.
func v2Mac(secret, text string) string {
	mac := hmac.New(sha1.New, []byte(secret))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// v2Link is a link of Signature Version 2, in which query is signed as it is.
func (w *world) v2Link(keys aws.Credentials, method, key, query string) string {
	resource := "/" + w.bucket
	if key != "" {
		resource += "/" + key
	}
	target, signed := w.url+resource, resource
	if query != "" {
		target, signed = target+"?"+query+"&", signed+"?"+query
	} else {
		target += "?"
	}
	expires := time.Now().Add(time.Hour).Unix()
	signature := v2Mac(keys.SecretAccessKey, fmt.Sprintf("%s\n\n\n%d\n%s", method, expires, signed))
	return fmt.Sprintf("%sAWSAccessKeyId=%s&Expires=%d&Signature=%s", target, keys.AccessKeyID, expires, url.QueryEscape(signature))
}

// Links and forms of Signature Version 2 do what those of Version 4 do, of a few
// operations and under the same policy, and nothing else.
func TestLinksAndFormsOfSignatureVersion2(t *testing.T) {
	owner := aws.Credentials{AccessKeyID: testKeyID, SecretAccessKey: testSecret}
	w := newWorld(t, "MAX_FILE_SIZE=100", "ALLOWED_FILE_TYPES=text/plain")
	send := func(method, target, body string) answer {
		return do(t, newRequest(t, method, target, strings.NewReader(body)))
	}
	if a := send("PUT", w.v2Link(owner, "PUT", "a.txt", ""), "hello"); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := send("GET", w.v2Link(owner, "GET", "a.txt", "")+"&utm_source=x", ""); a.status != http.StatusOK || string(a.body) != "hello" {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := send("HEAD", w.v2Link(owner, "HEAD", "a.txt", ""), ""); a.status != http.StatusOK {
		t.Errorf("%d", a.status)
	}
	w.before = w.store.Snapshot(t, w.bucket)
	send("PUT", w.v2Link(owner, "PUT", "b.txt", ""), strings.Repeat("x", 101)).isS3Error(t, 400, "EntityTooLarge")
	send("PUT", w.v2Link(owner, "PUT", "b.txt", ""), "<html><script>").isS3Error(t, 403, "AccessDenied")
	for name, c := range map[string]struct{ method, key, query, more string }{
		"a listing":           {"GET", "", "", ""},
		"a listing by prefix": {"GET", "", "", "&prefix=a"},
		"tags":                {"GET", "a.txt", "tagging", ""},
		"retention":           {"GET", "a.txt", "", "&retention"},
		"attributes":          {"GET", "a.txt", "", "&attributes"},
		"an ACL":              {"PUT", "a.txt", "acl", ""},
		"a batch":             {"POST", "", "delete", ""},
		"a multipart upload":  {"POST", "b.txt", "uploads", ""},
	} {
		a := send(c.method, w.v2Link(owner, c.method, c.key, c.query)+c.more, "")
		if a.status != http.StatusForbidden || !strings.Contains(string(a.body), "AccessDenied") || !strings.Contains(string(a.body), "Version 2") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	callers, err := newCallers(w.app.current.Load().config, w.app.keys, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	var own aws.Credentials
	own.AccessKeyID, own.SecretAccessKey = callers.LinkCredential(gateway.Caller{Name: "gateway"})
	send("GET", w.v2Link(own, "GET", "a.txt", ""), "").isS3Error(t, 403, "AccessDenied")
	w.unchanged()

	form := func(key string) answer {
		policy := base64.StdEncoding.EncodeToString(fmt.Appendf(nil, `{"expiration":%q,"conditions":[{"bucket":%q},{"key":%q}]}`,
			time.Now().Add(time.Minute).UTC().Format(time.RFC3339), w.bucket, "form.txt"))
		var b bytes.Buffer
		m := multipart.NewWriter(&b)
		for _, field := range [][2]string{{"key", key}, {"AWSAccessKeyId", testKeyID}, {"policy", policy}, {"signature", v2Mac(testSecret, policy)}} {
			if err := m.WriteField(field[0], field[1]); err != nil {
				t.Fatal(err)
			}
		}
		part, err := m.CreateFormFile("file", "a.txt")
		if err != nil {
			t.Fatal(err)
		}
		part.Write([]byte("form"))
		m.Close()
		return do(t, newRequest(t, "POST", w.url+"/"+w.bucket, &b, "Content-Type", m.FormDataContentType()))
	}
	form("other.txt").isS3Error(t, 403, "AccessDenied")
	w.unchanged()
	if a := form("form.txt"); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := send("DELETE", w.v2Link(owner, "DELETE", "form.txt", ""), ""); a.status != http.StatusNoContent {
		t.Errorf("%d %s", a.status, a.body)
	}
	w.unchanged()

	off := newWorldOn(t, w.store, w.bucket, append([]string{"SIGV2=off"}, open...)...)
	send("GET", off.v2Link(owner, "GET", "a.txt", ""), "").isS3Error(t, 400, "InvalidRequest")
}
