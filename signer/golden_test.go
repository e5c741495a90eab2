package signer

import (
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden cases in ../testdata/sigv4")

const goldenDir = "../testdata/sigv4"

// goldenCases are requests of our own, beside the official vectors: what S3
// clients really send and signers get wrong. presigned ones live for an hour.
var goldenCases = []struct {
	name      string
	presigned bool
	m         message
}{
	{name: "key-hive-partition", m: message{path: "/bucket/date=2026-03-14/part-0.parquet"}},
	{name: "key-plus", m: message{path: "/bucket/a+b c"}},
	{name: "key-sub-delims", m: message{path: "/bucket/!$&'()*+,;=:@"}},
	{name: "key-percent", m: message{path: "/bucket/100%/%2F/%41"}},
	{name: "key-hash-question", m: message{path: "/bucket/a#b?c"}},
	{name: "key-tilde-unreserved", m: message{path: "/bucket/~user/-._"}},
	{name: "key-double-slash", m: message{path: "/bucket//a//b"}},
	{name: "key-trailing-slash", m: message{path: "/bucket/dir/"}},
	{name: "key-dot-segments", m: message{path: "/bucket/a/./b/../c"}},
	{name: "key-unicode-nfc", m: message{path: "/bucket/caf\u00e9"}},
	{name: "key-unicode-nfd", m: message{path: "/bucket/cafe\u0301"}},
	{name: "key-not-utf8", m: message{path: "/bucket/\xff\xfe"}},
	{name: "query-odd-values", m: message{path: "/bucket", query: BuildQuery([]Param{{Key: "prefix", Value: "a+b/c;d=e&f ~é"}, {Key: "delimiter", Value: "/"}, {Key: "list-type", Value: "2"}})}},
	{name: "query-without-value", m: message{path: "/bucket/key", query: "uploads="}},
	{name: "query-sorted-by-encoding", m: message{path: "/bucket", query: BuildQuery([]Param{{Key: "a-", Value: "1"}, {Key: "a", Value: "2"}, {Key: "é", Value: "3"}, {Key: "A", Value: "4"}})}},
	{name: "query-duplicates", m: message{path: "/bucket", query: "k=2&k=1&k=10"}},
	{name: "header-inner-spaces", m: message{header: http.Header{"X-Amz-Meta-A": {"  a   b  c "}}}},
	{name: "header-values-in-order", m: message{header: http.Header{"X-Amz-Meta-A": {"z", "a", "m"}}}},
	{name: "put-payload-hash", m: message{method: "PUT", body: "hello", hash: "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}},
	{name: "put-unsigned-payload", m: message{method: "PUT", body: "hello", hash: UnsignedPayload}},
	{name: "presigned-get", presigned: true, m: message{path: "/bucket/a b+c=d/é"}},
	{name: "presigned-get-response-headers", presigned: true, m: message{query: BuildQuery([]Param{{Key: "response-content-disposition", Value: `attachment; filename="a b.txt"`}})}},
	{name: "presigned-put-type", presigned: true, m: message{method: "PUT", header: http.Header{"Content-Type": {"text/plain"}}}},
	{name: "presigned-put-payload-hash", presigned: true, m: message{method: "PUT", header: http.Header{"X-Amz-Content-Sha256": {EmptyHash}}}},
}

func TestGoldenCases(t *testing.T) {
	for _, c := range goldenCases {
		t.Run(c.name, func(t *testing.T) {
			wire := ""
			if c.presigned {
				wire = c.m.presignedWire(t, time.Hour)
			} else {
				wire = c.m.signedWire(t)
			}
			// The SDK's signer made the request, ours takes it apart.
			golden(t, c.name, "request.txt", wire)
			r := received(t, wire)
			a := mustVerify(t, newVerifier(), r)
			r.Method = strings.ToLower(r.Method) // any refusal shows its work
			_, err := verify(t, newVerifier(), r)
			canonicalRequest := strings.ToUpper(r.Method) + strings.TrimPrefix(detail(err, "CanonicalRequest"), r.Method)
			golden(t, c.name, "canonical-request.txt", canonicalRequest)
			golden(t, c.name, "signature.txt", a.chain.signature)
			golden(t, c.name, "string-to-sign.txt", string(appendStringToSign(nil, a.chain.date, a.chain.scope, []byte(canonicalRequest))))
		})
	}
}

func golden(t *testing.T, name, file, got string) {
	t.Helper()
	path := filepath.Join(goldenDir, name, file)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (run the tests with -update)", err)
	}
	if got != string(want) {
		t.Errorf("%s/%s is now\n%s\nwant\n%s", name, file, got, want)
	}
}
