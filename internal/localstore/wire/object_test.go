package wire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func TestAnObjectComesBackAsItWasPut(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	a := r.must("PUT", "/things/a%20b/c", "hello world", "Content-Type", "text/plain", "X-Amz-Meta-Color", "red", "Cache-Control", "no-cache",
		"X-Amz-Storage-Class", "STANDARD_IA", "X-Amz-Tagging", "k=v&l=w", "Expires", "never", "X-Amz-Website-Redirect-Location", "/there",
		"Content-Encoding", "aws-chunked, gzip", "Content-Language", "de", "Content-Disposition", `attachment; filename="x"`, "x-amz-acl", "private")
	a.headers(t, "Etag", `"5eb63bbbe01eeed093cb22bb8f5acdc3"`, "X-Amz-Version-Id", "", "X-Amz-Checksum-Crc64nvme", "jSnVw/bqjr4=", "X-Amz-Checksum-Type", "FULL_OBJECT")
	for _, method := range []string{"GET", "HEAD"} {
		a = r.must(method, "/things/a%20b/c", "")
		a.headers(t, "Etag", `"5eb63bbbe01eeed093cb22bb8f5acdc3"`, "Content-Type", "text/plain", "X-Amz-Meta-Color", "red", "Cache-Control", "no-cache",
			"X-Amz-Storage-Class", "STANDARD_IA", "X-Amz-Tagging-Count", "2", "Last-Modified", "Mon, 06 May 2030 07:08:09 GMT", "Content-Length", "11",
			"Expires", "never", "X-Amz-Website-Redirect-Location", "/there", "Content-Encoding", "gzip", "Content-Language", "de",
			"Content-Disposition", `attachment; filename="x"`, "Accept-Ranges", "bytes", "X-Amz-Version-Id", "", "X-Amz-Checksum-Crc64nvme", "")
	}
	if a = r.must("GET", "/things/a%20b/c", ""); a.body != "hello world" {
		t.Errorf("body %q", a.body)
	}
	r.must("HEAD", "/things/a%20b/c", "", "X-Amz-Checksum-Mode", "ENABLED").headers(t, "X-Amz-Checksum-Crc64nvme", "jSnVw/bqjr4=", "X-Amz-Checksum-Type", "FULL_OBJECT")
	if a = r.must("DELETE", "/things/a%20b/c", ""); a.status != 204 {
		t.Errorf("DELETE is %d", a.status)
	}
	r.must("DELETE", "/things/a%20b/c", "").headers(t, "X-Amz-Delete-Marker", "", "X-Amz-Version-Id", "")
	r.refused(404, "NoSuchKey", "GET", "/things/a%20b/c", "").contains(t, "<Key>a b/c</Key>", "<Resource>/things/a b/c</Resource>")
	r.refused(404, "NoSuchKey", "HEAD", "/things/a%20b/c", "")
	r.refused(404, "NoSuchBucket", "HEAD", "/nothing/a", "")
	r.refused(404, "NoSuchBucket", "PUT", "/nothing/a", "x").contains(t, "<BucketName>nothing</BucketName>")
	r.must("PUT", "/things/plain", "")
	r.must("GET", "/things/plain", "").headers(t, "Content-Type", "binary/octet-stream", "Content-Length", "0", "X-Amz-Storage-Class", "", "X-Amz-Tagging-Count", "")
}

func TestKeysAreBytes(t *testing.T) {
	r := newRig(t)
	r.bucket("keys")
	keys := []string{"a", "a/", "a//b", "a/./b", "a/../b", "/", "//", "a;b", "a+b", "a b", "a%2Fb", "a&b=c", "ä", "\x01", "?", "#", strings.Repeat("k", 1024)}
	for _, k := range keys {
		if _, err := r.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("keys"), Key: &k, Body: strings.NewReader(k)}); err != nil {
			t.Errorf("%q: %v", k, err)
		}
	}
	for _, k := range keys {
		got, err := r.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("keys"), Key: &k})
		if err != nil {
			t.Errorf("%q: %v", k, err)
			continue
		}
		if raw, err := io.ReadAll(got.Body); string(raw) != k || err != nil {
			t.Errorf("%q has %q, %v", k, raw, err)
		}
	}
	r.refused(400, "KeyTooLongError", "PUT", "/keys/"+strings.Repeat("k", 1025), "x")
}

func TestOverridesChangeTheAnswerOnly(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	r.must("PUT", "/things/k", "x", "Content-Type", "text/plain")
	query := "?response-content-type=a%2Fb&response-content-language=de&response-expires=x&response-cache-control=y&response-content-disposition=z&response-content-encoding=gzip"
	for _, method := range []string{"GET", "HEAD"} {
		r.must(method, "/things/k"+query, "").headers(t, "Content-Type", "a/b", "Content-Language", "de", "Expires", "x", "Cache-Control", "y", "Content-Disposition", "z", "Content-Encoding", "gzip")
	}
	r.must("GET", "/things/k", "").headers(t, "Content-Type", "text/plain", "Content-Language", "")
}

func TestRanges(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	r.must("PUT", "/things/k", "0123456789")
	r.must("PUT", "/things/empty", "")
	for _, c := range []struct {
		value, body, content string
		status               int
	}{
		{"bytes=0-0", "0", "bytes 0-0/10", 206},
		{"bytes=2-4", "234", "bytes 2-4/10", 206},
		{"bytes=7-", "789", "bytes 7-9/10", 206},
		{"bytes=7-99", "789", "bytes 7-9/10", 206},
		{"bytes=7-99999999999999999999", "789", "bytes 7-9/10", 206},
		{"bytes=-3", "789", "bytes 7-9/10", 206},
		{"bytes=-99", "0123456789", "bytes 0-9/10", 206},
		{"BYTES=0-0", "0", "bytes 0-0/10", 206},
		{"bytes=0-1,3-4", "0123456789", "", 200},
		{"bytes=4-2", "0123456789", "", 200},
		{"bytes=-", "0123456789", "", 200},
		{"bytes= -3", "0123456789", "", 200},
		{"bytes=0 -3", "0123456789", "", 200},
		{"bytes=+1-2", "0123456789", "", 200},
		{"bytes=a-b", "0123456789", "", 200},
		{"items=0-1", "0123456789", "", 200},
	} {
		a := r.must("GET", "/things/k", "", "Range", c.value)
		if a.status != c.status || a.body != c.body {
			t.Errorf("%s: %d %q", c.value, a.status, a.body)
		}
		a.headers(t, "Content-Range", c.content, "Content-Length", fmt.Sprint(len(c.body)))
		h := r.must("HEAD", "/things/k", "", "Range", c.value)
		h.headers(t, "Content-Range", c.content, "Content-Length", fmt.Sprint(len(c.body)))
	}
	for _, value := range []string{"bytes=10-", "bytes=10-20", "bytes=-0", "bytes=99999999999999999999-"} {
		a := r.refused(416, "InvalidRange", "GET", "/things/k", "", "Range", value)
		a.contains(t, "<ActualObjectSize>10</ActualObjectSize>", "<RangeRequested>"+value+"</RangeRequested>")
		a.headers(t, "Content-Range", "bytes */10")
	}
	r.refused(416, "InvalidRange", "GET", "/things/empty", "", "Range", "bytes=0-")
	r.refused(416, "InvalidRange", "GET", "/things/empty", "", "Range", "bytes=-0")
	if a := r.must("GET", "/things/empty", "", "Range", "bytes=-1"); a.status != 200 {
		t.Errorf("the last byte of none: %d", a.status)
	}
	r.must("GET", "/things/k", "", "Range", "bytes=0-9", "X-Amz-Checksum-Mode", "ENABLED").headers(t, "X-Amz-Checksum-Type", "FULL_OBJECT")
	r.must("GET", "/things/k", "", "Range", "bytes=0-8", "X-Amz-Checksum-Mode", "ENABLED").headers(t, "X-Amz-Checksum-Type", "", "X-Amz-Checksum-Crc64nvme", "")
}

func TestIfRange(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	etag := r.must("PUT", "/things/k", "0123456789").header.Get("Etag")
	for value, status := range map[string]int{
		etag: 206, "W/" + etag: 200, `"x"`: 200, "Mon, 06 May 2030 07:08:09 GMT": 206, "Mon, 06 May 2030 07:08:10 GMT": 200, "Mon, 06 May 2030 07:08:08 GMT": 200,
	} {
		if a := r.must("GET", "/things/k", "", "Range", "bytes=0-1", "If-Range", value); a.status != status {
			t.Errorf("If-Range %s: %d", value, a.status)
		}
	}
	if a := r.must("GET", "/things/k", "", "Range", "bytes=99-", "If-Range", `"x"`); a.status != 200 {
		t.Errorf("a range out of bounds that does not count: %d", a.status)
	}
}

func TestConditionsOfReads(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	etag := r.must("PUT", "/things/k", "x", "Cache-Control", "max-age=1", "Expires", "e").header.Get("Etag")
	bare := strings.Trim(etag, `"`)
	const before, at, after = "Mon, 06 May 2030 07:08:08 GMT", "Mon, 06 May 2030 07:08:09 GMT", "Mon, 06 May 2030 07:08:10 GMT"
	for _, c := range []struct {
		header []string
		status int
	}{
		{[]string{"If-Match", etag}, 200},
		{[]string{"If-Match", bare}, 200},
		{[]string{"If-Match", `"a", ` + etag}, 200},
		{[]string{"If-Match", "*"}, 200},
		{[]string{"If-Match", "W/" + etag}, 412},
		{[]string{"If-Match", `"a"`}, 412},
		{[]string{"If-None-Match", etag}, 304},
		{[]string{"If-None-Match", bare}, 304},
		{[]string{"If-None-Match", "W/" + etag}, 304},
		{[]string{"If-None-Match", `"a",` + etag}, 304},
		{[]string{"If-None-Match", "*"}, 304},
		{[]string{"If-None-Match", `"a"`}, 200},
		{[]string{"If-Modified-Since", before}, 200},
		{[]string{"If-Modified-Since", at}, 304},
		{[]string{"If-Modified-Since", after}, 304},
		{[]string{"If-Modified-Since", "yesterday"}, 200},
		{[]string{"If-Unmodified-Since", before}, 412},
		{[]string{"If-Unmodified-Since", at}, 200},
		{[]string{"If-Unmodified-Since", "yesterday"}, 200},
		{[]string{"If-Match", etag, "If-Unmodified-Since", before}, 200},
		{[]string{"If-None-Match", `"a"`, "If-Modified-Since", after}, 200},
		{[]string{"If-None-Match", etag, "If-Modified-Since", before}, 304},
		{[]string{"If-Match", `"a"`, "If-None-Match", etag}, 412},
		{[]string{"If-Match", etag, "If-None-Match", etag}, 304},
		{[]string{"If-Unmodified-Since", before, "If-None-Match", etag}, 412},
	} {
		for _, method := range []string{"GET", "HEAD"} {
			a := r.do(method, "/things/k", "", c.header...)
			if a.status != c.status {
				t.Errorf("%s %v: %d", method, c.header, a.status)
			}
			if a.status == 304 {
				a.headers(t, "Etag", etag, "Last-Modified", at, "Cache-Control", "max-age=1", "Expires", "e", "Content-Length", "", "Content-Type", "")
				if a.body != "" {
					t.Errorf("a body with 304: %s", a.body)
				}
			}
			if a.status == 412 && method == "GET" {
				a.contains(t, "<Code>PreconditionFailed</Code>", "<Condition>If-")
			}
		}
	}
}

func TestConditionsOfWrites(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	r.refused(404, "NoSuchKey", "PUT", "/things/k", "x", "If-Match", `"a"`)
	etag := r.must("PUT", "/things/k", "x", "If-None-Match", "*").header.Get("Etag")
	r.refused(412, "PreconditionFailed", "PUT", "/things/k", "y", "If-None-Match", "*").contains(t, "<Condition>If-None-Match</Condition>")
	r.refused(412, "PreconditionFailed", "PUT", "/things/k", "y", "If-Match", `"a"`).contains(t, "<Condition>If-Match</Condition>")
	r.refused(501, "NotImplemented", "PUT", "/things/k", "y", "If-None-Match", etag)
	r.refused(501, "NotImplemented", "PUT", "/things/k", "y", "If-Match", etag, "If-None-Match", "*")
	r.refused(412, "PreconditionFailed", "PUT", "/things/k", "", "X-Amz-Copy-Source", "/things/k", "X-Amz-Metadata-Directive", "REPLACE", "If-None-Match", "*")
	if a := r.must("GET", "/things/k", ""); a.body != "x" {
		t.Errorf("after refusals the body is %q", a.body)
	}
	r.must("PUT", "/things/k", "z", "If-Match", etag)
	r.refused(412, "PreconditionFailed", "DELETE", "/things/k", "", "If-Match", etag)
	r.refused(412, "PreconditionFailed", "DELETE", "/things/k", "", "X-Amz-If-Match-Size", "2")
	r.refused(412, "PreconditionFailed", "DELETE", "/things/k", "", "X-Amz-If-Match-Last-Modified-Time", "Mon, 06 May 2030 07:08:08 GMT")
	r.refused(400, "InvalidArgument", "DELETE", "/things/k", "", "X-Amz-If-Match-Size", "x")
	r.must("DELETE", "/things/k", "", "X-Amz-Mfa", "serial 123456", "If-Match", "*", "X-Amz-If-Match-Size", "1", "X-Amz-If-Match-Last-Modified-Time", "Mon, 06 May 2030 07:08:09 GMT")
	r.refused(404, "NoSuchKey", "GET", "/things/k", "")
}

func TestUserMetadata(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	for _, c := range []struct{ sent, answered string }{
		{"plain", "plain"},
		{"  trimmed\t", "trimmed"},
		{"", ""},
		{"grün", "=?UTF-8?B?Z3LDvG4=?="},
		{"=?UTF-8?B?Z3LDvG4=?=", "=?UTF-8?B?Z3LDvG4=?="},
		{"=?utf-8?q?gr=C3=BCn?=", "=?UTF-8?B?Z3LDvG4=?="},
		{"=?UTF-8?Q?plain?=", "plain"},
		{"=?UTF-8?Q?_x_?=", "=?UTF-8?B?IHgg?="},
		{"=?ISO-8859-1?Q?gr=FCn?=", "=?UTF-8?B?Z3LDvG4=?="},
		{"gr\xfcn", "=?UTF-8?B?Z3LDvG4=?="},
		{"=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?=", "=?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?="}, // an encoded word that spells an encoded word
		{"=?X-NONE?Q?a?=", "=?UTF-8?B?PT9YLU5PTkU/UT9hPz0=?="},
	} {
		r.must("PUT", "/things/k", "", "X-Amz-Meta-Name", c.sent)
		h := r.must("HEAD", "/things/k", "").header
		if got := h.Get("X-Amz-Meta-Name"); got != c.answered || h["X-Amz-Meta-Name"] == nil {
			t.Errorf("%q comes back as %q, want %q", c.sent, got, c.answered)
		}
		r.must("PUT", "/things/again", "", "X-Amz-Meta-Name", h.Get("X-Amz-Meta-Name"))
		if got := r.must("HEAD", "/things/again", "").header.Get("X-Amz-Meta-Name"); got != c.answered {
			t.Errorf("%q is %q after another round", c.answered, got)
		}
	}
	r.must("PUT", "/things/k", "", "X-Amz-Meta-A", "1", "X-Amz-Meta-A", "2")
	r.must("HEAD", "/things/k", "").headers(t, "X-Amz-Meta-A", "1,2")
	long := strings.Repeat("ä", 500)
	r.must("PUT", "/things/k", "", "X-Amz-Meta-Long", long)
	got, err := r.HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: aws.String("things"), Key: aws.String("k")})
	if err != nil || strings.ContainsAny(got.Metadata["long"], "\r\n") {
		t.Fatalf("%v, %v", got, err)
	}
	r.must("PUT", "/things/k", "", "X-Amz-Meta-Long", strings.Repeat("x", 2048-4))
	r.refused(400, "MetadataTooLarge", "PUT", "/things/k", "", "X-Amz-Meta-Long", strings.Repeat("x", 2048-3)).
		contains(t, "<Size>2049</Size>", "<MaxSizeAllowed>2048</MaxSizeAllowed>")
}

func TestHeadersThatAreRefused(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	r.must("PUT", "/things/k", "old")
	for _, c := range []struct {
		header []string
		status int
		code   string
	}{
		{[]string{"X-Amz-Server-Side-Encryption", "AES256"}, 501, "NotImplemented"},
		{[]string{"X-Amz-Server-Side-Encryption", "aws:kms"}, 501, "NotImplemented"},
		{[]string{"X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256"}, 501, "NotImplemented"},
		{[]string{"X-Amz-Write-Offset-Bytes", "3"}, 501, "NotImplemented"},
		{[]string{"X-Amz-Something-New", "3"}, 501, "NotImplemented"},
		{[]string{"X-Amz-Acl", "public-read"}, 400, "AccessControlListNotSupported"},
		{[]string{"X-Amz-Acl", "mine"}, 400, "InvalidArgument"},
		{[]string{"X-Amz-Grant-Read", "id=x"}, 400, "AccessControlListNotSupported"},
		{[]string{"X-Amz-Storage-Class", "COLD"}, 400, "InvalidStorageClass"},
		{[]string{"X-Amz-Website-Redirect-Location", "ftp://x"}, 400, "InvalidRedirectLocation"},
		{[]string{"X-Amz-Tagging", "a=1&a=2"}, 400, "InvalidArgument"},
		{[]string{"X-Amz-Tagging", "="}, 400, "InvalidArgument"},
		{[]string{"X-Amz-Checksum-Crc32", "", "X-Amz-Checksum-Sha1", ""}, 400, "InvalidRequest"},
		{[]string{"X-Amz-Tagging", "a=%zz"}, 400, "InvalidArgument"},
		{[]string{"X-Amz-Tagging", "a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1"}, 400, "BadRequest"},
		{[]string{"X-Amz-Tagging", "aws:x=1"}, 400, "InvalidTag"},
		{[]string{"X-Amz-Tagging", strings.Repeat("k", 129) + "=1"}, 400, "InvalidTag"},
		{[]string{"X-Amz-Tagging", "k=" + strings.Repeat("v", 257)}, 400, "InvalidTag"},
		{[]string{"X-Amz-Tagging", "k=%3C"}, 400, "InvalidTag"},
		{[]string{"X-Amz-Object-Lock-Mode", "GOVERNANCE"}, 400, "InvalidArgument"},
		{[]string{"X-Amz-Object-Lock-Legal-Hold", "MAYBE"}, 400, "InvalidArgument"},
		{[]string{"X-Amz-Object-Lock-Legal-Hold", "ON"}, 400, "InvalidRequest"},
		{[]string{"Content-Md5", "x"}, 400, "InvalidDigest"},
		{[]string{"X-Amz-Content-Sha256", "x"}, 400, "InvalidArgument"},
		{[]string{"X-Amz-Checksum-Crc32", "x"}, 400, "InvalidRequest"},
		{[]string{"X-Amz-Checksum-Crc32", ""}, 400, "InvalidRequest"},
		{[]string{"X-Amz-Trailer", "x-amz-checksum-crc32"}, 400, "InvalidRequest"},
	} {
		r.refused(c.status, c.code, "PUT", "/things/k", "new", c.header...)
	}
	a := r.refused(501, "NotImplemented", "PUT", "/things/k", "new", "X-Amz-Server-Side-Encryption", "AES256")
	a.contains(t, "x-amz-server-side-encryption")
	r.refused(501, "NotImplemented", "GET", "/things/k", "", "X-Amz-Server-Side-Encryption-Customer-Key", "x")
	r.refused(403, "AccessDenied", "PUT", "/things/k", "new", "X-Amz-Expected-Bucket-Owner", "123456789012")
	r.refused(403, "AccessDenied", "PUT", "/things/k", "", "X-Amz-Copy-Source", "things/k", "X-Amz-Source-Expected-Bucket-Owner", "123456789012")
	if a := r.must("GET", "/things/k", "", "X-Amz-Expected-Bucket-Owner", "s3gateway", "X-Amz-Request-Payer", "requester", "X-Amz-New", "1"); a.body != "old" {
		t.Errorf("after refusals the body is %q", a.body)
	}
}

func TestWhatTheTableDoesNotKnowIsRefusedByName(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	r.must("PUT", "/things/k", "x")
	for _, c := range []struct{ method, target, part string }{
		{"DELETE", "/things?foo", "foo"}, {"DELETE", "/things/k?foo", "foo"}, {"PUT", "/things/k?foo", "foo"}, {"POST", "/things/k?select&select-type=2", "select"},
		{"GET", "/things/k?torrent", "torrent"}, {"PUT", "/things?foo", "foo"}, {"PUT", "/things?policy", "policy"}, {"PUT", "/things?encryption", "encryption"},
		{"PUT", "/things?website", "website"}, {"PUT", "/things?replication", "replication"}, {"PUT", "/things?accelerate", "accelerate"},
		{"PUT", "/things?analytics&id=x", "analytics"}, {"PUT", "/things/k?versionId=null", "versionId"},
	} {
		a := r.do(c.method, c.target, "<x/>")
		if a.status != 501 || !strings.Contains(a.body, c.part) {
			t.Errorf("%s %s: %d %s", c.method, c.target, a.status, a.body)
		}
	}
	if a := r.must("GET", "/things/k?foo=1&x-id=GetObject&X-Amz-Signature=0", ""); a.body != "x" {
		t.Errorf("an unknown parameter of a read: %q", a.body)
	}
	r.refused(403, "InvalidObjectState", "POST", "/things/k?restore", "<RestoreRequest/>")
	r.refused(404, "NoSuchKey", "POST", "/things/none?restore", "<RestoreRequest/>")
	r.refused(405, "MethodNotAllowed", "POST", "/things/k", "x")
	r.refused(405, "MethodNotAllowed", "PATCH", "/things/k", "x")
	r.refused(405, "MethodNotAllowed", "POST", "/", "x")
	r.refused(400, "InvalidURI", "GET", "/things?prefix=%zz", "")
}

func TestChecksumsAreCompared(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	sums := map[string]string{
		"crc32": "0wiusg==", "crc32c": "M3m0yg==", "crc64nvme": "rsrzr5yYqFU=", "sha1": "9I3YU4IIYIFsddVND1hNyGMyenw=",
		"sha256": "kW8AJ6V1B0znKjMXd8NHjWUT94alkb2JLaGld78jNfk=", "md5": "63M6AMDJ0zbmVpGjerVCkw==",
		"sha512":   "Dh4h7PEF7IU9JNcohnrXBhPCFmOkaTB0sqNhnBvTnWa1iMM3I7tGbHJCToDjymPCSQeKs0e6uUKFAOfuQwWdDQ==",
		"xxhash64": "+lb36/ER8bo=", "xxhash3": "jw+pSh/pbMQ=", "xxhash128": "8BLDqqIWji+ITOsp/JjN/Q==",
	}
	for name, sum := range sums {
		header := "X-Amz-Checksum-" + name
		r.must("PUT", "/things/"+name, "test data", header, sum).headers(t, header, sum, "X-Amz-Checksum-Type", "FULL_OBJECT")
		r.must("HEAD", "/things/"+name, "", "X-Amz-Checksum-Mode", "ENABLED").headers(t, header, sum)
		r.refused(400, "BadDigest", "PUT", "/things/"+name, "other data", header, sum)
		if a := r.must("GET", "/things/"+name, ""); a.body != "test data" {
			t.Errorf("%s: %q is stored", name, a.body)
		}
		framed := "9\r\ntest data\r\n0\r\nx-amz-checksum-" + name + ":" + sum + "\r\n\r\n"
		r.must("PUT", "/things/"+name, framed, "X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length", "9",
			"X-Amz-Trailer", "x-amz-checksum-"+name, "Content-Encoding", "aws-chunked").headers(t, header, sum)
		r.must("GET", "/things/"+name, "").headers(t, "Content-Encoding", "")
	}
	r.refused(400, "InvalidRequest", "PUT", "/things/k", "test data", "X-Amz-Checksum-Crc32", sums["crc32"], "X-Amz-Checksum-Sha1", sums["sha1"])
	r.must("PUT", "/things/k", "test data", "Content-Md5", sums["md5"])
	r.refused(400, "BadDigest", "PUT", "/things/k", "other data", "Content-Md5", sums["md5"])
	const hex = "916f0027a575074ce72a331777c3478d6513f786a591bd892da1a577bf2335f9"
	r.must("PUT", "/things/k", "test data", "X-Amz-Content-Sha256", hex)
	r.refused(400, "XAmzContentSHA256Mismatch", "PUT", "/things/k", "other data", "X-Amz-Content-Sha256", hex)
	if a := r.must("GET", "/things/k", ""); a.body != "test data" {
		t.Errorf("%q is stored", a.body)
	}
}

func TestFramedBodies(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	const signed, signedTrailer, unsigned = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	for _, c := range []struct {
		name, mode, body, length, trailer string
		status                            int
		code                              string
	}{
		{"signed chunks", signed, "5;chunk-signature=ab\r\nhello\r\n0;chunk-signature=cd\r\n\r\n", "5", "", 200, ""},
		{"signed trailer", signedTrailer, "5;chunk-signature=ab\r\nhello\r\n0;chunk-signature=cd\r\nx-amz-checksum-crc32:NhCmhg==\r\nx-amz-trailer-signature:ef\r\n\r\n", "5", "x-amz-checksum-crc32", 200, ""},
		{"minio-go's trailer", unsigned, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\n\r\n\r\n", "5", "x-amz-checksum-crc32", 200, ""},
		{"many chunks", unsigned, "2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n", "5", "", 200, ""},
		{"no last line", unsigned, "5\r\nhello\r\n0\r\n", "5", "", 200, ""},
		{"nothing", unsigned, "0\r\n\r\n", "0", "", 200, ""},
		{"no length", unsigned, "0\r\n\r\n", "", "", 411, "MissingContentLength"},
		{"a wrong checksum", unsigned, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "5", "x-amz-checksum-crc32", 400, "BadDigest"},
		{"no checksum", unsigned, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:x\r\n\r\n", "5", "x-amz-checksum-crc32", 400, "InvalidRequest"},
		{"a trailer that did not come", unsigned, "5\r\nhello\r\n0\r\n\r\n", "5", "x-amz-checksum-crc32", 400, "MalformedTrailerError"},
		{"a trailer that was not declared", unsigned, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", "5", "", 400, "MalformedTrailerError"},
		{"an unknown trailer", unsigned, "5\r\nhello\r\n0\r\n\r\n", "5", "x-foo", 400, "InvalidRequest"},
		{"less than declared", unsigned, "5\r\nhello\r\n0\r\n\r\n", "6", "", 400, "IncompleteBody"},
		{"more than declared", unsigned, "5\r\nhello\r\n0\r\n\r\n", "4", "", 400, "IncompleteBody"},
		{"no final chunk", unsigned, "5\r\nhello\r\n", "5", "", 400, "IncompleteBody"},
		{"an end within a chunk", unsigned, "5\r\nhel", "5", "", 400, "IncompleteBody"},
		{"a negative size", unsigned, "-5\r\nhello\r\n0\r\n\r\n", "5", "", 400, "InvalidRequest"},
		{"a chunk longer than its size", unsigned, "4\r\nhello\r\n0\r\n\r\n", "5", "", 400, "InvalidRequest"},
		{"data after the end", unsigned, "5\r\nhello\r\n0\r\n\r\nmore", "5", "", 400, "IncompleteBody"},
		{"a line without end", unsigned, strings.Repeat("0", 5000) + "5\r\nhello\r\n0\r\n\r\n", "5", "", 400, "InvalidRequest"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r.must("PUT", "/things/k", "before")
			header := []string{"X-Amz-Content-Sha256", c.mode, "Content-Encoding", "aws-chunked,gzip"}
			if c.length != "" {
				header = append(header, "X-Amz-Decoded-Content-Length", c.length)
			}
			if c.trailer != "" {
				header = append(header, "X-Amz-Trailer", c.trailer)
			}
			a := r.do("PUT", "/things/k", c.body, header...)
			if a.status != c.status {
				t.Fatalf("%d %s", a.status, a.body)
			}
			got := r.must("GET", "/things/k", "")
			switch {
			case c.status != 200 && (a.code(t) != c.code || got.body != "before"):
				t.Errorf("%s, and %q is stored", a.code(t), got.body)
			case c.status == 200 && (got.body != "hello"[:len(got.body)] || fmt.Sprint(len(got.body)) != c.length):
				t.Errorf("%q is stored", got.body)
			case c.status == 200:
				got.headers(t, "Content-Encoding", "gzip")
			}
		})
	}
}

// failing is a body that ends with an error.
type failing struct {
	io.Reader
	err    error
	closed bool
}

func (f *failing) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

func (f *failing) Close() error {
	f.closed = true
	return nil
}

func TestABodyThatFailsStoresNothingAndItsErrorComesBack(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	r.must("PUT", "/things/k", "before")
	refusal := errors.New("refused at the end")
	for _, c := range []struct {
		method, target string
		header         []string
		size           int
	}{
		{"PUT", "/things/k", nil, 11},
		{"PUT", "/things/k", nil, 1 << 20},
		{"PUT", "/things/k", []string{"X-Amz-Content-Sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "X-Amz-Decoded-Content-Length", "99"}, 5},
		{"PUT", "/things?versioning", nil, 5},
		{"POST", "/things?delete", []string{"Content-Md5", "63M6AMDJ0zbmVpGjerVCkw=="}, 5},
	} {
		body := &failing{Reader: strings.NewReader(strings.Repeat(map[string]string{"PUT": "5", "POST": " "}[c.method], c.size)), err: refusal}
		req, _ := http.NewRequest(c.method, "http://store"+c.target, body)
		for i := 0; i < len(c.header); i += 2 {
			req.Header.Set(c.header[i], c.header[i+1])
		}
		req.ContentLength = int64(c.size)
		if resp, err := r.wire.RoundTrip(req); err != refusal {
			t.Errorf("%s %s: %v, %v", c.method, c.target, resp, err)
		}
		if !body.closed {
			t.Error("the body was not closed")
		}
	}
	req, _ := http.NewRequest("PUT", "http://store/things/k", strings.NewReader("short"))
	req.ContentLength = 6
	if a := r.send(req); a.status != 400 || a.code(t) != "IncompleteBody" {
		t.Errorf("a short body: %d %s", a.status, a.body)
	}
	req, _ = http.NewRequest("PUT", "http://store/things/k", strings.NewReader("long"))
	req.ContentLength = 3
	if a := r.send(req); a.status != 400 || a.code(t) != "IncompleteBody" {
		t.Errorf("a long body: %d %s", a.status, a.body)
	}
	req, _ = http.NewRequest("PUT", "http://store/things/k", strings.NewReader("x"))
	req.ContentLength = -1
	if a := r.send(req); a.status != 411 || a.code(t) != "MissingContentLength" {
		t.Errorf("a body without length: %d %s", a.status, a.body)
	}
	if a := r.must("GET", "/things/k", ""); a.body != "before" {
		t.Errorf("%d bytes are stored", len(a.body))
	}
}

func TestAContextThatEndsEndsTheRequest(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	r.must("PUT", "/things/k", strings.Repeat("x", 1<<20))
	ctx, cancel := context.WithCancelCause(context.Background())
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://store/things/k", nil)
	resp, err := r.wire.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	left := errors.New("the client left")
	cancel(left)
	if _, err := resp.Body.Read(make([]byte, 10)); !errors.Is(err, left) {
		t.Errorf("Read: %v", err)
	}
	if n, err := io.Copy(io.Discard, resp.Body); !errors.Is(err, left) || n > 1<<17 {
		t.Errorf("WriteTo: %d, %v", n, err)
	}
	if _, err := r.wire.RoundTrip(req); !errors.Is(err, left) {
		t.Errorf("a request that came too late: %v", err)
	}
	ctx, cancel = context.WithCancelCause(context.Background())
	req, _ = http.NewRequestWithContext(ctx, "PUT", "http://store/things/k", io.MultiReader(strings.NewReader("a"), readerFunc(func([]byte) (int, error) {
		cancel(left)
		return 0, io.EOF
	})))
	req.ContentLength = 1
	if resp, err := r.wire.RoundTrip(req); !errors.Is(err, left) {
		t.Errorf("PUT: %v, %v", resp, err)
	}
	if a := r.must("GET", "/things/k", ""); len(a.body) != 1<<20 {
		t.Errorf("%d bytes are stored", len(a.body))
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestAPanicIsAnInternalError(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	req, _ := http.NewRequest("PUT", "http://store/things/k", readerFunc(func([]byte) (int, error) { panic("of the test") }))
	req.ContentLength = 1
	if a := r.send(req); a.status != 500 || a.code(t) != "InternalError" || strings.Contains(a.body, "of the test") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if !strings.Contains(r.log.String(), "of the test") {
		t.Errorf("the log has %s", r.log)
	}
	r.must("PUT", "/things/k", "x")
}

func TestTheSDKPutsAndGetsWithItsDefaults(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	for _, size := range []int{0, 1, 100_000, 3 << 20} {
		text := strings.Repeat("x", size)
		put, err := r.PutObject(t.Context(), &s3.PutObjectInput{Bucket: aws.String("things"), Key: aws.String("k"), Body: strings.NewReader(text),
			Metadata: map[string]string{"a": "b"}, ChecksumAlgorithm: types.ChecksumAlgorithmSha256})
		if err != nil || put.ChecksumSHA256 == nil {
			t.Fatal(err, put)
		}
		got, err := r.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("things"), Key: aws.String("k"), ChecksumMode: types.ChecksumModeEnabled})
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(got.Body)
		if err != nil || string(raw) != text || got.Metadata["a"] != "b" || !got.LastModified.Equal(start) {
			t.Errorf("%d bytes: %d, %v, %v", size, len(raw), got.Metadata, err)
		}
		got.Body.Close()
	}
	_, err := r.GetObject(t.Context(), &s3.GetObjectInput{Bucket: aws.String("things"), Key: aws.String("none")})
	var missing *types.NoSuchKey
	if !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
}
