package main

import (
	"bytes"
	"encoding/base64"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

var idPattern = regexp.MustCompile(`uploads/\d{4}/\d\d/\d\d/[0-9a-f-]{36}-`)

// outcomes are what the records of a request say, a line each.
func outcomes(records []audited) []string {
	lines := []string{}
	for _, a := range records {
		key := idPattern.ReplaceAllString(a.Key, "…")
		line := strings.Join([]string{a.Outcome, a.Door, a.Caller, a.Operation, a.Action, key, a.Code}, " ")
		lines = append(lines, strings.Join(strings.Fields(line), " "))
	}
	return lines
}

// expectAudit sends a request and compares the records that it left.
func (w *world) expectAudit(name string, r *http.Request, status int, want ...string) answer {
	w.t.Helper()
	got, records := w.audit(r)
	if got.status != status {
		w.t.Fatalf("%s: %d %s", name, got.status, got.body)
	}
	if said := strings.Join(outcomes(records), "\n"); said != strings.Join(want, "\n") {
		w.t.Errorf("%s left\n%s\nwant\n%s", name, said, strings.Join(want, "\n"))
	}
	for _, a := range records {
		if a.ID == "" || a.Client != "127.0.0.1" || a.Outcome == outcomeRefused && a.Rule == "" {
			w.t.Errorf("%s: %+v", name, a)
		}
	}
	return got
}

// Every way of the upload API leaves a record of what it changed, and one that
// changes nothing yet leaves none.
func TestTheAuditLogOfTheUploadAPI(t *testing.T) {
	w := newFiled(t, auditedFile)
	rest := func(method, path, body string, headers ...string) *http.Request {
		return newRequest(t, method, w.rest(path), strings.NewReader(body), append([]string{"X-Api-Key", partnerAPI}, headers...)...)
	}
	asJSON := func(method, path, body string) *http.Request {
		return rest(method, path, body, "Content-Type", "application/json")
	}
	picture := string(png(500))
	upload := func() *http.Request {
		return rest("PUT", "direct?filename=a.png", picture, "Content-Type", "image/png", "Idempotency-Key", "k")
	}
	first := w.expectAudit("a file under a key", upload(), 201, "changed rest partner DirectUpload write …a.png")
	w.expectAudit("the same again", upload(), 201)
	id, _ := first.json(t)["file_id"].(string)

	w.expectAudit("a name", asJSON("PATCH", "metadata/"+id, `{"filename":"b.png"}`), 200, "changed rest partner ChangeFile write …a.png")
	w.expectAudit("a copy", asJSON("POST", "copy", `{"file_id":"`+id+`","filename":"c.png"}`), 201, "changed rest partner CopyFile write …c.png")
	moved := w.expectAudit("a move", asJSON("POST", "copy", `{"file_id":"`+id+`","filename":"d.png","move":true}`), 201,
		"changed rest partner CopyFile delete …a.png", "changed rest partner CopyFile write …d.png")
	id, _ = moved.json(t)["file_id"].(string)
	w.expectAudit("a batch", asJSON("POST", "delete", `{"file_ids":["`+id+`","other/x"]}`), 200,
		"changed rest partner DeleteFiles delete …d.png")

	link := w.expectAudit("a link", asJSON("POST", "presigned", `{"filename":"e.png","content_type":"image/png"}`), 200)
	url, _ := link.json(t)["upload_url"].(string)
	w.expectAudit("an upload by it", newRequest(t, "PUT", url, strings.NewReader(picture), "Content-Type", "image/png"), 200, "changed s3 partner PutObject write …e.png")
	fileID, _ := link.json(t)["file_id"].(string)
	w.expectAudit("whether it is there", rest("POST", "complete/"+fileID, ""), 201)
	w.expectAudit("another type by it", newRequest(t, "PUT", url, strings.NewReader(picture), "Content-Type", "text/html"), 403, "refused s3 …e.png SignatureDoesNotMatch")
	w.expectAudit("a deletion", rest("DELETE", fileID, ""), 204, "changed rest partner DeleteFile delete …e.png")
	w.expectAudit("a file of another", rest("DELETE", "other/x", ""), 403, "refused rest partner DeleteFile other/x AccessDenied")
	if strings.Contains(w.log.String(), "X-Amz-Signature") || strings.Contains(w.log.String(), partnerAPI) {
		t.Error("the log holds a signature or a key")
	}
}

// A resumable upload leaves a record for its creation, each chunk, its end, and
// each refusal.
func TestTheAuditLogOfResumableUploads(t *testing.T) {
	w := newFiled(t, auditedFile)
	encoded := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	tus := func(method, at string, body []byte, headers ...string) *http.Request {
		return newRequest(t, method, at, bytes.NewReader(body), append([]string{
			"X-Api-Key", partnerAPI, "Tus-Resumable", "1.0.0", "Content-Type", "application/offset+octet-stream",
		}, headers...)...)
	}
	create := func(name string, length string) *http.Request {
		r := tus("POST", w.rest("resumable"), nil, "Upload-Length", length, "Upload-Metadata", "filename "+encoded(name)+",filetype "+encoded("image/png"))
		r.Header.Del("Content-Type")
		return r
	}
	picture := png(500)
	made := w.expectAudit("a creation", create("a.png", "500"), 201, "changed rest partner CreateUpload write …a.png")
	at := w.url + made.header.Get("Location")[strings.Index(made.header.Get("Location"), "/api/"):]
	w.expectAudit("a first chunk", tus("PATCH", at, picture[:100], "Upload-Offset", "0"), 204, "changed rest partner ResumeUpload write …a.png")
	w.expectAudit("the last chunk", tus("PATCH", at, picture[100:], "Upload-Offset", "100"), 204, "changed rest partner ResumeUpload write …a.png")
	w.expectAudit("an end of the upload, not of the file", tus("DELETE", at, nil), 204, "changed rest partner TerminateUpload write …a.png")
	w.expectAudit("one that is too large", create("b.png", "1001"), 413, "refused rest partner CreateUpload write …b.png EntityTooLarge")

	made = w.expectAudit("another creation", create("c.png", "500"), 201, "changed rest partner CreateUpload write …c.png")
	at = w.url + made.header.Get("Location")[strings.Index(made.header.Get("Location"), "/api/"):]
	w.expectAudit("another type", tus("PATCH", at, page(500), "Upload-Offset", "0"), 415, "refused rest partner ResumeUpload write …c.png TypeNotAllowed")
}

// What a client names cannot make a record of its own, and what is refused before
// anybody is known leaves one too.
func TestTheAuditLogOfStrangers(t *testing.T) {
	w := newFiled(t, auditedFile, "RATE_LIMIT_ADDRESS=0.001/s:2")
	partner := aws.Credentials{AccessKeyID: partnerID, SecretAccessKey: partnerSecret}
	r := newRequest(t, "PUT", w.url+"/"+w.bucket+"/other/%22%7D%0A%7B%22log%22:%22audit%22%7D", nil)
	signAs(t, r, hexSHA256(nil), partner, time.Now())
	_, records := w.audit(r)
	if len(records) != 1 || records[0].Key != "other/\"}\n{\"log\":\"audit\"}" || records[0].Outcome != "refused" {
		t.Errorf("%+v", records)
	}
	w.audit(newRequest(t, "GET", w.rest("list"), nil))
	w.expectAudit("the third of an address", newRequest(t, "GET", w.rest("list"), nil), 429, "refused rest SlowDown")
	w.expectAudit("on the other door", newRequest(t, "GET", w.url+"/"+w.bucket+"/x", nil), 503, "refused s3 SlowDown")
}

// Whoever only reads the settings of a bucket changes nothing, though it needs the
// right to change them.
func TestTheAuditLogOfSettings(t *testing.T) {
	w := newWorld(t, open...)
	settings := func(method, query, body string) *http.Request {
		r := newRequest(t, method, w.url+"/"+w.bucket+query, strings.NewReader(body))
		sign(t, r, hexSHA256([]byte(body)), testSecret, time.Now())
		return r
	}
	answered := map[string]int{"embedded": 204, "minio": 200}[w.store.Name]
	w.expectAudit("a setting is read", settings("GET", "?versioning", ""), 200)
	w.expectAudit("a setting that is not there is read", settings("GET", "?tagging", ""), 404)
	w.expectAudit("a setting is written", settings("PUT", "?tagging", "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"), answered, "changed s3 gateway PutBucketTagging manage")
	w.expectAudit("it is read", settings("GET", "?tagging", ""), 200)
}
