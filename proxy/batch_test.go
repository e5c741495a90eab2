package proxy

import (
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

func deletes(body string, header map[string]string) call {
	return call{method: "POST", path: "/bucket", query: "delete", body: body, header: header}
}

func deleteBody(keys ...string) string {
	var b strings.Builder
	b.WriteString("<Delete>")
	for _, k := range keys {
		b.WriteString("<Object><Key>" + escapeXML(k) + "</Key></Object>")
	}
	b.WriteString("</Delete>")
	return b.String()
}

func escapeXML(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", "\r", "&#13;").Replace(s)
}

// Each key of a batch is decided by itself: what may not be deleted is answered
// here, and only the rest goes on, in a document of the gateway's own.
func TestABatchIsJudgedKeyByKey(t *testing.T) {
	r := newRig(t)
	r.backend.says(`<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Deleted><Key>a &amp; b</Key></Deleted>` +
		`<Error><Code>AccessDenied</Code><Message>locked</Message><Key>x</Key></Error></DeleteResult>`)
	long := strings.Repeat("k", 1025)
	body := `<?xml version="1.0"?><Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a &amp; b</Key></Object><Object><Key>x</Key><VersionId>v1</VersionId></Object>` +
		`<Object><Key>.s3gateway/state</Key></Object><Object><Key>/.s3gateway/state</Key></Object><Object><Key>` + long + `</Key></Object><Object><Key></Key></Object><Object><Key> space&#13; </Key></Object></Delete>`
	a := r.do(deletes(body, nil))
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	sent := r.only().Body
	if want := `<Object><Key>a &amp; b</Key></Object><Object><Key>x</Key><VersionId>v1</VersionId></Object><Object><Key> space&#xD; </Key></Object></Delete>`; !strings.HasSuffix(sent, want) {
		t.Errorf("the backend got %s", sent)
	}
	for _, want := range []string{
		"<Deleted><Key>a &amp; b</Key></Deleted>", "<Error><Code>AccessDenied</Code><Key>x</Key><Message>locked</Message></Error>",
		"<Error><Code>AccessDenied</Code><Key>.s3gateway/state</Key>", "<Error><Code>AccessDenied</Code><Key>/.s3gateway/state</Key>",
		"<Error><Code>KeyTooLongError</Code>", "<Error><Code>InvalidArgument</Code><Key></Key>",
	} {
		if !strings.Contains(a.body, want) {
			t.Errorf("the answer lacks %s:\n%s", want, a.body)
		}
	}
}

func TestABatchOfRefusedKeysAsksNobody(t *testing.T) {
	r := newRig(t)
	a := r.do(deletes(deleteBody("a/../b", "./a", ".s3gateway/x", "a__XLDIR__", strings.Repeat("s", 1025)), nil))
	if a.status != 200 || strings.Count(a.body, "<Error>") != 5 || strings.Contains(a.body, "<Deleted>") {
		t.Errorf("%d %s", a.status, a.body)
	}
	r.untouched()
}

// MinIO cleans the keys of a batch: what it would delete in their place is
// judged too, and dot segments do not get that far.
func TestABatchDeletesNoOtherKey(t *testing.T) {
	all := policy.Grant{Buckets: []string{"bucket"}, Actions: []gateway.Action{gateway.Delete}}
	denied := all
	denied.Prefix, denied.Deny = "in/secret/", true
	rules, err := policy.NewRules([]policy.CallerRules{{Name: "tester", Grants: []policy.Grant{all, denied}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(r *rig) { r.policy.Rules = rules })
	r.backend.says("<DeleteResult></DeleteResult>")
	a := r.do(deletes(deleteBody("in/../a", "in/./a", "in/..", "..", ".", "in//secret/a", "/in/secret/a", "in/secret/a", "in//b", "c"), nil))
	if a.status != 200 || strings.Count(a.body, "<Code>InvalidArgument</Code>") != 5 || strings.Count(a.body, "<Code>AccessDenied</Code>") != 3 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if sent := r.only().Body; strings.Count(sent, "<Key>") != 2 || !strings.Contains(sent, "<Key>in//b</Key>") || !strings.Contains(sent, "<Key>c</Key>") {
		t.Errorf("the backend got %s", sent)
	}
}

func TestDocumentsAreProvenAndBounded(t *testing.T) {
	many := make([]string, 1001)
	for i := range many {
		many[i] = fmt.Sprint("key", i)
	}
	sum := md5.Sum([]byte(deleteBody("a")))
	good := base64Of(sum[:])
	for _, c := range []struct {
		name   string
		call   call
		status int
		code   string
	}{
		{"1,000 keys", deletes(deleteBody(many[:1000]...), nil), 200, ""},
		{"right Content-MD5", deletes(deleteBody("a"), map[string]string{"Content-Md5": good}), 200, ""},
		{"right CRC32", deletes(deleteBody("a"), map[string]string{"X-Amz-Checksum-Crc32": crc32Of(deleteBody("a")), "X-Amz-Sdk-Checksum-Algorithm": "CRC32"}), 200, ""},
		{"a byte order mark", deletes("\xef\xbb\xbf"+deleteBody("a"), nil), 200, ""},
		{"1,001 keys", deletes(deleteBody(many...), nil), 400, "MalformedXML"},
		{"no key", deletes("<Delete></Delete>", nil), 400, "MalformedXML"},
		{"no document", deletes("", nil), 400, "MalformedXML"},
		{"text", deletes("hello", nil), 400, "MalformedXML"},
		{"cut off", deletes("<Delete><Object><Key>a</Key>", nil), 400, "MalformedXML"},
		{"text behind it", deletes(deleteBody("a")+"x", nil), 400, "MalformedXML"},
		{"two documents", deletes(deleteBody("a")+deleteBody("b"), nil), 400, "MalformedXML"},
		{"JSON before it hides nothing", deletes("{"+deleteBody("a"), nil), 400, "MalformedXML"},
		{"a document type", deletes("<!DOCTYPE Delete>"+deleteBody("a"), nil), 400, "MalformedXML"},
		{"entities that grow", deletes(`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Delete><Object><Key>&b;</Key></Object></Delete>`, nil), 400, "MalformedXML"},
		{"an unknown entity", deletes("<Delete><Object><Key>&nbsp;</Key></Object></Delete>", nil), 400, "MalformedXML"},
		{"a foreign encoding", deletes(`<?xml version="1.0" encoding="utf-7"?>`+deleteBody("a"), nil), 400, "MalformedXML"},
		{"nested without end", deletes(strings.Repeat("<Delete>", 40)+strings.Repeat("</Delete>", 40), nil), 400, "MalformedXML"},
		{"over 2 MiB", deletes(strings.Repeat(" ", 2<<20)+deleteBody("a"), nil), 400, "EntityTooLarge"},
		{"another Content-MD5", deletes(deleteBody("b"), map[string]string{"Content-Md5": good}), 400, "BadDigest"},
		{"no Content-MD5", deletes(deleteBody("a"), map[string]string{"Content-Md5": "x"}), 400, "InvalidDigest"},
		{"another CRC32", deletes(deleteBody("b"), map[string]string{"X-Amz-Checksum-Crc32": crc32Of(deleteBody("a"))}), 400, "BadDigest"},
		{"no CRC32", deletes(deleteBody("a"), map[string]string{"X-Amz-Checksum-Crc32": "AAA"}), 400, "InvalidRequest"},
		{"a checksum nobody here can compare", deletes(deleteBody("a"), map[string]string{"X-Amz-Checksum-Crc16": "AAAA"}), 501, "NotImplemented"},
		{"another XXHASH3", deletes(deleteBody("a"), map[string]string{"X-Amz-Checksum-Xxhash3": "AAAAAAAAAAA="}), 400, "BadDigest"},
		{"another payload hash", call{method: "POST", path: "/bucket", query: "delete", body: deleteBody("a"), hash: strings.Repeat("0", 64)}, 400, "XAmzContentSHA256Mismatch"},
		{"nothing that proves it", call{method: "POST", path: "/bucket", query: "delete", body: deleteBody("a"), hash: "UNSIGNED-PAYLOAD"}, 400, "InvalidRequest"},
		{"tags with another payload hash", call{method: "PUT", path: "/bucket/key", query: "tagging", body: "<Tagging></Tagging>", hash: strings.Repeat("0", 64)}, 400, "XAmzContentSHA256Mismatch"},
		{"tags over 1 MiB", call{method: "PUT", path: "/bucket/key", query: "tagging", body: "<Tagging>" + strings.Repeat(" ", 1<<20) + "</Tagging>"}, 400, "EntityTooLarge"},
		{"tags with a document type", call{method: "PUT", path: "/bucket/key", query: "tagging", body: "<!DOCTYPE x><Tagging></Tagging>"}, 400, "MalformedXML"},
		{"results of a restore go nowhere else", call{method: "POST", path: "/bucket/key", query: "restore", body: "<RestoreRequest><OutputLocation><S3><BucketName>other</BucketName></S3></OutputLocation></RestoreRequest>"}, 501, "NotImplemented"},
		{"tags of a new bucket", call{method: "PUT", path: "/newbucket", body: "<CreateBucketConfiguration><Tags><Tag></Tag></Tags></CreateBucketConfiguration>"}, 501, "NotImplemented"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			r.backend.says("<DeleteResult></DeleteResult>")
			a := r.do(c.call)
			if a.status != c.status || a.code != c.code {
				t.Errorf("%d %s", a.status, a.body)
			}
			if c.status == 200 {
				if s := r.only(); s.Header.Get("Content-Md5") == "" || s.Header.Get("X-Amz-Sdk-Checksum-Algorithm") != "" || s.Header.Get("X-Amz-Checksum-Crc32") != "" {
					t.Errorf("the rewritten document carries %v", s.Header)
				}
			} else {
				r.untouched()
			}
		})
	}
}

// A document that goes on as it is keeps its bytes and gets digests.
func TestSmallDocumentsGoOnAsSent(t *testing.T) {
	r := newRig(t)
	body := "<?xml version='1.0'?>\n<Tagging><TagSet><Tag><Key>a</Key><Value>ü</Value></Tag></TagSet></Tagging>\n"
	if a := r.do(call{method: "PUT", path: "/bucket/key", query: "tagging&versionId=v", body: body, header: map[string]string{"X-Amz-Checksum-Crc32": crc32Of(body)}}); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if s := r.only(); s.Body != body || s.Header.Get("Content-Md5") == "" || s.Header.Get("X-Amz-Content-Sha256") == "UNSIGNED-PAYLOAD" || s.Header.Get("X-Amz-Checksum-Crc32") == "" {
		t.Errorf("%q %v", s.Body, s.Header)
	}
	r.backend.forget()
	policy := `{"Version":"2012-10-17","Statement":[]}`
	if a := r.do(call{method: "PUT", path: "/bucket", query: "policy", body: policy}); a.status != 200 || r.only().Body != policy {
		t.Errorf("policy: %d %s", a.status, a.body)
	}
}

func TestABatchThatTheBackendRefusesWhole(t *testing.T) {
	r := newRig(t)
	r.backend.refuses(403, "InvalidAccessKeyId", "")
	r.refused(r.do(deletes(deleteBody("a"), nil)), 503, "ServiceUnavailable", "Access denied to S3 bucket")
	r.backend.says("<Error><Code>SlowDown</Code><Message>m</Message></Error>") // under a 200
	r.refused(r.do(deletes(deleteBody("a"), nil)), 503, "SlowDown", "")
	r.backend.says("<DeleteResult><Deleted>") // cut off
	r.refused(r.do(deletes(deleteBody("a"), nil)), 503, "ServiceUnavailable", "")
	r.backend.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) {
		_, _ = io.WriteString(w, "<DeleteResult>"+strings.Repeat(" ", maxAnswer))
	})
	r.refused(r.do(deletes(deleteBody("a"), nil)), 503, "ServiceUnavailable", "")
}
