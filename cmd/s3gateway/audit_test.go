package main

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

const (
	partnerID     = "PARTNERKEY"
	partnerSecret = "partner-secret-of-forty-characters-000000"
	partnerAPI    = "partner-api-key-of-forty-characters-00000"
	auditedFile   = `
callers:
  - name: partner
    access_keys: [{id: PARTNERKEY, secret: partner-secret-of-forty-characters-000000}]
    api_keys: [{key: partner-api-key-of-forty-characters-00000}]
    max_file_size: 1000
    allowed_file_types: [image/png]
    grants:
      - {bucket: BUCKET, prefix: in/, actions: [list, read, write, delete]}
      - {bucket: BUCKET, prefix: uploads/, actions: [list, read, write, delete]}
      - {deny: true, bucket: BUCKET, prefix: in/kept/, actions: [delete]}
  - name: slow
    access_keys: [{id: SLOWKEY, secret: slow-secret-of-forty-characters-000000000}]
    rate: 1/h
    grants: [{bucket: BUCKET, actions: [read]}]
`
)

// audited is one record of the audit log.
type audited struct {
	Log, ID, Outcome, Door, Caller, Client, Operation, Action, Bucket, Key, Rule, Code string
	Status                                                                             int
	// Count and Keys are those of a record that sums up many refusals.
	Count int
	Keys  []string
}

// audit sends a request and gives the records that it left, when it is over.
func (w *world) audit(r *http.Request) (got answer, records []audited) {
	w.t.Helper()
	records = w.auditOf(func() { got = do(w.t, r) })
	return got, records
}

// auditOf gives the records that one request leaves, when it is over.
func (w *world) auditOf(send func()) (records []audited) {
	w.t.Helper()
	before := len(w.log.String())
	send()
	eventually(w.t, "the request is in the log", func() bool { return strings.Contains(w.log.String()[before:], `"message":"request"`) })
	for line := range strings.Lines(w.log.String()[before:]) {
		var a audited
		if strings.Contains(line, `"log":"audit"`) {
			if err := json.Unmarshal([]byte(line), &a); err != nil {
				w.t.Fatal(err)
			}
			records = append(records, a)
		}
	}
	return records
}

// Each decision that refuses leaves one record, and so does each change; what
// only reads leaves none.
func TestTheAuditLog(t *testing.T) {
	w := newFiled(t, auditedFile)
	partner := aws.Credentials{AccessKeyID: partnerID, SecretAccessKey: partnerSecret}
	slow := aws.Credentials{AccessKeyID: "SLOWKEY", SecretAccessKey: "slow-secret-of-forty-characters-000000000"}
	by := func(keys aws.Credentials, method, path, body string, headers ...string) func() *http.Request {
		return func() *http.Request {
			r := newRequest(t, method, w.url+"/"+w.bucket+"/"+path, strings.NewReader(body), headers...)
			if strings.HasPrefix(body, "<") {
				sum := md5.Sum([]byte(body))
				r.Header.Set("Content-Md5", base64.StdEncoding.EncodeToString(sum[:]))
			}
			signAs(t, r, hexSHA256([]byte(body)), keys, time.Now())
			return r
		}
	}
	rest := func(method, path, body string, headers ...string) func() *http.Request {
		return func() *http.Request {
			return newRequest(t, method, w.rest(path), strings.NewReader(body), append([]string{"X-Api-Key", partnerAPI}, headers...)...)
		}
	}
	small, large := string(png(500)), string(png(1001))
	for _, c := range []struct {
		name    string
		request func() *http.Request
		status  int
		want    []audited // of caller partner unless it says another
	}{
		{"an upload", by(partner, "PUT", "in/a.png", small, "Content-Type", "image/png"), 200,
			[]audited{{Outcome: "changed", Operation: "PutObject", Action: "write", Key: "in/a.png"}}},
		{"a download", by(partner, "GET", "in/a.png", ""), 200, nil},
		{"a listing", by(partner, "GET", "?prefix=in/", ""), 200, nil},
		{"nothing there", by(partner, "GET", "in/none", ""), 404, nil},
		{"a precondition that fails", by(partner, "PUT", "in/a.png", small, "Content-Type", "image/png", "If-None-Match", "*"), 412, nil},
		{"a malformed request", by(partner, "PUT", "in/a.png?partNumber=x&uploadId=y", small), 400, nil},
		{"a key that is not granted", by(partner, "PUT", "other/a.png", small), 403,
			[]audited{{Outcome: "refused", Operation: "PutObject", Action: "write", Key: "other/a.png", Code: "AccessDenied", Rule: "no grant"}}},
		{"a key that is denied", by(partner, "DELETE", "in/kept/a.png", ""), 403,
			[]audited{{Outcome: "refused", Operation: "DeleteObject", Action: "delete", Key: "in/kept/a.png", Code: "AccessDenied", Rule: "grant 3 of caller partner"}}},
		{"a reserved key", by(partner, "GET", ".s3gateway/x", ""), 403,
			[]audited{{Outcome: "refused", Key: ".s3gateway/x", Code: "AccessDenied", Rule: "belong to the gateway", Caller: "-"}}},
		{"too large", by(partner, "PUT", "in/b.png", large, "Content-Type", "image/png"), 400,
			[]audited{{Outcome: "refused", Action: "write", Key: "in/b.png", Code: "EntityTooLarge", Rule: "max_file_size of caller partner"}}},
		{"another type", by(partner, "PUT", "in/b.txt", "text", "Content-Type", "text/plain"), 403,
			[]audited{{Outcome: "refused", Action: "write", Key: "in/b.txt", Code: "TypeNotAllowed", Rule: "allowed_file_types of caller partner"}}},
		{"a wrong secret", by(aws.Credentials{AccessKeyID: partnerID, SecretAccessKey: "another-secret-of-forty-characters-00"}, "GET", "in/a.png", ""), 403,
			[]audited{{Outcome: "refused", Key: "in/a.png", Code: "SignatureDoesNotMatch", Caller: "-"}}},
		{"an unknown key", by(aws.Credentials{AccessKeyID: "STRANGER", SecretAccessKey: "s"}, "GET", "in/a.png", ""), 403,
			[]audited{{Outcome: "refused", Key: "in/a.png", Code: "InvalidAccessKeyId", Caller: "-"}}},
		{"nobody", func() *http.Request { return newRequest(t, "GET", w.url+"/"+w.bucket+"/in/a.png", nil) }, 403,
			[]audited{{Outcome: "refused", Action: "read", Key: "in/a.png", Code: "AccessDenied", Rule: "no authenticated caller", Caller: "-"}}},
		{"the first of an hour", by(slow, "HEAD", "in/a.png", ""), 200, nil},
		{"the second", by(slow, "HEAD", "in/a.png", ""), 503,
			[]audited{{Outcome: "refused", Key: "in/a.png", Code: "SlowDown", Rule: "rate of caller slow", Caller: "slow"}}},
		{"a batch", by(partner, "POST", "?delete", `<Delete><Quiet>true</Quiet><Object><Key>in/a.png</Key></Object><Object><Key>in/kept/x</Key></Object></Delete>`), 200,
			[]audited{{Outcome: "refused", Action: "delete", Key: "in/kept/x", Code: "AccessDenied", Rule: "grant 3"}, {Outcome: "changed", Operation: "DeleteObjects", Action: "delete", Key: "in/a.png"}}},
		{"upload API: a file", rest("PUT", "direct?filename=a.png", small, "Content-Type", "image/png"), 201,
			[]audited{{Outcome: "changed", Door: "rest", Operation: "DirectUpload", Action: "write", Key: "uploads/"}}},
		{"upload API: too large", rest("PUT", "direct?filename=a.png", large, "Content-Type", "image/png"), 413,
			[]audited{{Outcome: "refused", Door: "rest", Action: "write", Key: "uploads/", Code: "EntityTooLarge", Rule: "max_file_size of caller partner"}}},
		{"upload API: another type", rest("PUT", "direct?filename=a.txt", "text", "Content-Type", "text/plain"), 415,
			[]audited{{Outcome: "refused", Door: "rest", Action: "write", Key: "uploads/", Code: "TypeNotAllowed"}}},
		{"upload API: a link", rest("POST", "presigned", `{"filename":"a.png","content_type":"image/png"}`, "Content-Type", "application/json"), 200, nil},
		{"upload API: a list", rest("GET", "list", ""), 200, nil},
		{"upload API: a wrong key", func() *http.Request {
			return newRequest(t, "GET", w.rest("list"), nil, "X-Api-Key", "another-api-key-of-forty-characters-000")
		}, 401,
			[]audited{{Outcome: "refused", Door: "rest", Code: "Unauthenticated", Rule: "API_KEYS", Caller: "-"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, records := w.audit(c.request())
			if got.status != c.status {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if len(records) != len(c.want) {
				t.Fatalf("%+v", records)
			}
			for i, want := range c.want {
				checkAudited(t, records[i], want, got)
			}
		})
	}
	for _, secret := range []string{partnerSecret, partnerAPI, "Signature="} {
		if strings.Contains(w.log.String(), secret) {
			t.Errorf("the log holds %s", secret)
		}
	}
}

func checkAudited(t *testing.T, got, want audited, a answer) {
	t.Helper()
	caller := "partner"
	switch want.Caller {
	case "":
	case "-":
		caller = ""
	default:
		caller = want.Caller
	}
	door := "s3"
	if want.Door != "" {
		door = want.Door
	}
	if got.Outcome != want.Outcome || got.Caller != caller || got.Door != door || got.Action != want.Action || got.Code != want.Code || got.Status != a.status {
		t.Errorf("%+v, want %+v", got, want)
	}
	if !strings.HasPrefix(got.Key, want.Key) || !strings.Contains(got.Rule, want.Rule) || want.Operation != "" && got.Operation != want.Operation {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got.ID == "" || got.Client != "127.0.0.1" || (got.Rule == "") != (want.Outcome == "changed") {
		t.Errorf("%+v", got)
	}
	if id := a.header.Get("X-Amz-Request-Id"); id != "" && id != got.ID {
		t.Errorf("id %s, the answer's %s", got.ID, id)
	}
}
