package main

import (
	"net/http"
	"strconv"
	"strings"
	"testing"
)

// Where everything but HTML is allowed, no page comes in behind another format's
// magic, whichever way it comes and in whatever order the two stand.
func TestADeniedPageIsRefusedBehindAnotherMagic(t *testing.T) {
	w := newFiled(t, "buckets:\n  - name: BUCKET\n    denied_file_types: [text/html]\n")
	w.before = w.store.Snapshot(t, w.bucket)
	for i, body := range []string{
		"<html><!--%PDF---><script>x</script></html>",
		"<html><script>x</script></html>\n%PDF-1.4\n",
		"\n <!DOCTYPE html><body onload=x>" + strings.Repeat(" ", 100) + "%PDF-1.7",
		"<script>x</script>" + strings.Repeat("\x00", 110) + "DICM",
		"<html><body>" + strings.Repeat("\x00", 245) + "ustar\x0000",
		"<html>\x00\x01\xff\xfb\x90\x64<script>x</script>",
	} {
		direct := do(t, newRequest(t, http.MethodPut, w.rest("direct?filename=page"), strings.NewReader(body), "Content-Type", "text/plain"))
		direct.isProblem(t, http.StatusUnsupportedMediaType, "")
		if code := direct.json(t)["found_type"]; code != "text/html" {
			t.Errorf("%d: found %v: %s", i, code, direct.body)
		}
		put := do(t, w.signedPut("page"+strconv.Itoa(i), []byte(body), "Content-Type", "text/plain"))
		put.isS3Error(t, http.StatusForbidden, "AccessDenied")
		if !strings.Contains(string(put.body), "text/html") {
			t.Errorf("%d: %s", i, put.body)
		}
	}
	w.unchanged()
	if a := do(t, w.signedPut("a.pdf", []byte("%PDF-1.4\n<html>"), "Content-Type", "application/pdf")); a.status != 200 {
		t.Errorf("a PDF: %d %s", a.status, a.body)
	}
}
