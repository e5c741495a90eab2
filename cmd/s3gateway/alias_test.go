package main

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// aliased are keys that some store takes for secret/a.png: MinIO drops slashes
// at the beginning, and cleans the keys of a batch delete. A store that keeps
// objects as files may clean them all.
var aliased = []string{"/secret/a.png", "secret//a.png", "in/../secret/a.png", "in//../secret/a.png", "./secret/a.png", "in/..//secret/a.png", "secret/./a.png"}

// TestAnAliasOfAKeyIsNoWayAroundADenial holds where the backend takes a key for
// another one: the caller of the request may do nothing with that one.
func TestAnAliasOfAKeyIsNoWayAroundADenial(t *testing.T) {
	w := newFiled(t, `
callers:
  - name: guest
    access_keys: [{id: GUEST, secret: the-secret-of-the-guest}]
    grants:
      - {bucket: BUCKET, actions: [list, read, write, delete]}
      - {bucket: BUCKET, prefix: secret/, actions: [list, read, write, delete], deny: true}
      - {bucket: BUCKET, prefix: in/, actions: [list, read, write, delete]}
`)
	guest := aws.Credentials{AccessKeyID: "GUEST", SecretAccessKey: "the-secret-of-the-guest"}
	if got := do(t, w.signedPut("secret/a.png", png(100))); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if got := do(t, w.signedPutBy(guest, "mine.png", png(200))); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	w.before = w.store.Snapshot(t, w.bucket)
	ask := func(method, path, body string, headers ...string) answer {
		r := newRequest(t, method, w.url+"/"+w.bucket+path, bytes.NewReader([]byte(body)), headers...)
		signAs(t, r, hexSHA256([]byte(body)), guest, time.Now())
		return do(t, r)
	}
	for _, key := range aliased {
		for what, got := range map[string]answer{
			"read":      ask(http.MethodGet, "/"+key, ""),
			"head":      ask(http.MethodHead, "/"+key, ""),
			"write":     ask(http.MethodPut, "/"+key, string(png(100))),
			"delete":    ask(http.MethodDelete, "/"+key, ""),
			"tags":      ask(http.MethodGet, "/"+key+"?tagging", ""),
			"multipart": ask(http.MethodPost, "/"+key+"?uploads", "", "Content-Type", "image/png"),
			"copy from": ask(http.MethodPut, "/copy.png", "", "X-Amz-Copy-Source", "/"+w.bucket+"/"+key),
			"copy to":   ask(http.MethodPut, "/"+key, "", "X-Amz-Copy-Source", "/"+w.bucket+"/mine.png"),
		} {
			// What is no alias on this store is simply not there.
			if refused := got.status == 403 || got.status == 400 || what != "write" && got.status == 404; !refused {
				t.Errorf("%s %s: %d %s", what, key, got.status, got.body)
			}
		}
		if got := ask(http.MethodGet, "?prefix=in/../"+key, ""); strings.Contains(string(got.body), "<Contents>") {
			t.Errorf("list %s: %d %s", key, got.status, got.body)
		}
		got := ask(http.MethodPost, "?delete", "<Delete><Object><Key>"+key+"</Key></Object></Delete>")
		if got.status != 200 || !strings.Contains(string(got.body), "<Error>") || strings.Contains(string(got.body), "<Deleted>") {
			t.Errorf("batch delete %s: %d %s", key, got.status, got.body)
		}
	}
	w.unchanged()
}

// TestAnAliasOfAKeyIsNoWayAroundALimit holds for limits by key.
func TestAnAliasOfAKeyIsNoWayAroundALimit(t *testing.T) {
	w := newWorld(t, "POLICY_SCOPE=uploads", "ALLOWED_FILE_TYPES=image/png")
	for _, key := range []string{"/uploads/a.html", "//uploads/a.html", "x/../uploads/a.html", "uploads//a.html", "uploads/./a.html", "./uploads/a.html"} {
		got := do(t, w.signedPut(key, page(100), "Content-Type", "text/html"))
		if got.status != 400 && got.status != 403 {
			t.Errorf("%s: %d %s", key, got.status, got.body)
		}
		r := newRequest(t, http.MethodPost, w.url+"/"+w.bucket+"/"+key+"?uploads", nil)
		sign(t, r, hexSHA256(nil), testSecret, time.Now())
		if got := do(t, r); got.status != 400 && got.status != 403 {
			t.Errorf("multipart %s: %d %s", key, got.status, got.body)
		}
		w.unchanged()
	}
}
