package wire_test

import (
	"testing"
)

func TestAnObjectComesBackAsItWasPut(t *testing.T) {
	r := newRig(t)
	r.bucket("things")
	a := r.must("PUT", "/things/a%20b/c", "hello world", "Content-Type", "text/plain", "X-Amz-Meta-Color", "red", "Cache-Control", "no-cache",
		"X-Amz-Storage-Class", "STANDARD_IA", "X-Amz-Tagging", "k=v&l=w")
	a.headers(t, "Etag", `"5eb63bbbe01eeed093cb22bb8f5acdc3"`, "X-Amz-Version-Id", "", "X-Amz-Checksum-Crc64nvme", "jSnVw/bqjr4=", "X-Amz-Checksum-Type", "FULL_OBJECT")
	for _, method := range []string{"GET", "HEAD"} {
		a = r.must(method, "/things/a%20b/c", "")
		a.headers(t, "Etag", `"5eb63bbbe01eeed093cb22bb8f5acdc3"`, "Content-Type", "text/plain", "X-Amz-Meta-Color", "red", "Cache-Control", "no-cache",
			"X-Amz-Storage-Class", "STANDARD_IA", "X-Amz-Tagging-Count", "2", "Last-Modified", "Mon, 06 May 2030 07:08:09 GMT", "Content-Length", "11",
			"Accept-Ranges", "bytes", "X-Amz-Version-Id", "", "X-Amz-Checksum-Crc64nvme", "")
	}
	if a = r.must("GET", "/things/a%20b/c", ""); a.body != "hello world" {
		t.Errorf("body %q", a.body)
	}
	r.must("DELETE", "/things/a%20b/c", "")
	r.refused(404, "NoSuchKey", "GET", "/things/a%20b/c", "")
	r.refused(404, "NoSuchKey", "HEAD", "/things/a%20b/c", "")
}
