package proxy

import (
	"crypto/md5"
	"encoding/base64"
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

// MinIO keeps "/secret/a" and "/x/../secret/a" as "secret/a": whoever may not
// touch that object may not touch it under another spelling.
func TestAnotherSpellingOfAKeyOpensNothing(t *testing.T) {
	rules, err := policy.NewRules([]policy.CallerRules{{Name: "tester", Grants: []policy.Grant{
		{Buckets: []string{"bucket"}, Actions: []gateway.Action{gateway.List, gateway.Read, gateway.Write, gateway.Delete}},
		{Buckets: []string{"bucket"}, Actions: []gateway.Action{gateway.List, gateway.Read, gateway.Write, gateway.Delete}, Prefix: "secret/", Deny: true},
	}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(r *rig) { r.policy.Rules = rules })
	for _, key := range []string{"secret/a", "/secret/a", "//secret/a", "/./secret/a", "/x/../secret/a", "/secret//a"} {
		for _, c := range []call{
			{method: "GET"}, {method: "HEAD"}, {method: "DELETE"}, {method: "PUT", body: "x"},
			{method: "POST", query: "uploads"}, {method: "GET", query: "tagging"},
		} {
			c.path = "/bucket/" + key
			if a := r.do(c); a.status != 403 {
				t.Errorf("%s of %q: %d %s", c.method, key, a.status, a.body)
			}
		}
		r.refused(r.do(call{method: "PUT", path: "/bucket/copy", header: map[string]string{"X-Amz-Copy-Source": "/bucket/" + key}}), 403, "AccessDenied", "")
		document := "<Delete><Object><Key>" + key + "</Key></Object></Delete>"
		sum := md5.Sum([]byte(document))
		if a := r.do(call{method: "POST", path: "/bucket", query: "delete", body: document,
			header: map[string]string{"Content-Md5": base64.StdEncoding.EncodeToString(sum[:])}}); !strings.Contains(a.body, "<Code>AccessDenied</Code>") {
			t.Errorf("batch delete of %q: %d %s", key, a.status, a.body)
		}
	}
	r.refused(r.do(call{path: "/bucket", query: "list-type=2&prefix=/secret/"}), 403, "AccessDenied", "")
	r.untouched()
	if a := r.do(call{method: "PUT", path: "/bucket//open/a", body: "x"}); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestAnotherSpellingOfAKeyIsJudgedAsTheObjectThatItMakes(t *testing.T) {
	r := newRig(t, limits(4, "image/png"), func(r *rig) {
		r.policy.Scope, r.policy.UploadPrefix = policy.ScopeUploads, "uploads"
	})
	r.refused(r.do(call{method: "PUT", path: "/bucket//uploads/a.png", body: "larger"}), 400, "EntityTooLarge", "")
	r.refused(r.do(call{method: "PUT", path: "/bucket//uploads/a.html", body: "x"}), 403, "AccessDenied", "")
	r.refused(r.do(call{method: "POST", path: "/bucket//x/../uploads/a.html", query: "uploads"}), 403, "AccessDenied", "")
	r.untouched()
	if a := r.do(call{method: "PUT", path: "/bucket//elsewhere/a.html", body: "larger"}); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Where no store cleans it, a key begins with what was sent: limits of that prefix
// hold beside those of the clean key, and neither is a way around the other.
func TestLimitsHoldForBothSpellingsOfAKey(t *testing.T) {
	small, large := int64(4), int64(8)
	pictures, err := policy.ParseTypes([]string{"image/png"})
	if err != nil {
		t.Fatal(err)
	}
	anything := policy.AnyType()
	rules, err := policy.NewRules([]policy.CallerRules{{Name: "tester", Everything: true}}, []policy.BucketRules{{Name: "bucket", Parts: []policy.OwnLimits{
		{Prefix: "pictures/", Types: &pictures},
		{Prefix: "small/", MaxSize: &small},
		{Prefix: "named/", DeniedExtensions: []string{"exe"}},
		{Prefix: "all/", Types: &anything, MaxSize: &large},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, limits(6, "*/*"), func(r *rig) { r.policy.Rules = rules })
	for _, c := range []struct {
		path, body string
		status     int
		code       string
	}{
		{"pictures/../all/a.html", "<html>", 403, "AccessDenied"},
		{"pictures/../all/a", "<html>", 403, "AccessDenied"},
		{"all/../pictures/a.html", "<html>", 403, "AccessDenied"},
		{"/pictures/a.html", "<html>", 403, "AccessDenied"},
		{"small/../all/a", "12345", 400, "EntityTooLarge"},
		{"/all/a", "1234567", 400, "EntityTooLarge"}, // its first bytes are not all/
		{"named/../all/a.exe", "1", 403, "AccessDenied"},
		{"all/../named/a.exe", "1", 403, "AccessDenied"},
	} {
		r.refused(r.do(call{method: "PUT", path: "/bucket/" + c.path, body: c.body}), c.status, c.code, "")
		if c.status == 403 && !strings.HasSuffix(c.path, "/a") {
			r.refused(r.do(call{method: "POST", path: "/bucket/" + c.path, query: "uploads", header: map[string]string{"Content-Type": "text/html"}}), c.status, c.code, "")
		}
	}
	r.untouched()
	for path, body := range map[string]string{"all/a": "12345678", "/all/a": "123456", "all//a": "12345678", "small/../all/a": "1234"} {
		if a := r.do(call{method: "PUT", path: "/bucket/" + path, body: body}); a.status != 200 {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
}

// A backend's words that tell where a renamed bucket is do not go to the client;
// those that do not are passed on.
func TestAMessageDoesNotTellWhereABucketIs(t *testing.T) {
	for _, c := range []struct {
		at   Location
		text string
		want string
	}{
		{Location{Bucket: "real", renamed: true}, "unsupported: POST at '/real/a b'", ""},
		{Location{Bucket: "real", Prefix: "team/x/", renamed: true}, "no such folder: team/x", ""},
		{Location{Bucket: "real", Prefix: "team/x/", renamed: true}, "The object is locked.", "The object is locked."},
		{Location{Bucket: "real"}, "unsupported: POST at '/real/a b'", "unsupported: POST at '/real/a b'"},
	} {
		if got := c.at.unnamed(c.text); got != c.want {
			t.Errorf("%q of %+v: %q, want %q", c.text, c.at, got, c.want)
		}
	}
}
