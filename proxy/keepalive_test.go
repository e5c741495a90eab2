package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A backend that says nothing at all while it works leaves the client waiting no
// longer than the pause: S3 answers 200 and white space then.
func TestASilentBackendKeepsNoClientWaiting(t *testing.T) {
	complete := call{method: "POST", path: "/bucket/new", query: "uploadId=u",
		body: "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part></CompleteMultipartUpload>"}
	for _, c := range []struct {
		name     string
		call     call
		status   int // of the backend, in the end
		document string
		want     string
		code     string
	}{
		{"a copy that succeeds", copyCall(), 200, "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>", "<CopyObjectResult><ETag>x</ETag></CopyObjectResult>", ""},
		{"a complete that succeeds", complete, 200, "<CompleteMultipartUploadResult><Bucket>b</Bucket><Key>k</Key></CompleteMultipartUploadResult>", "<Bucket>bucket</Bucket><Key>new</Key>", ""},
		{"a complete that fails", complete, 400, "<Error><Code>InvalidPart</Code><Message>m</Message></Error>", "<Key>new</Key>", "InvalidPart"},
		{"a copy from nothing", copyCall(), 404, "<Error><Code>NoSuchKey</Code><Message>m</Message></Error>", "", "NoSuchKey"},
		{"a backend that refuses the gateway", copyCall(), 403, "<Error><Code>InvalidAccessKeyId</Code><Message>secret</Message></Error>", "", "ServiceUnavailable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, func(r *rig) { r.door.KeepAlive = 5 * time.Millisecond })
			r.backend.hasSources("/bucket/old")
			done := make(chan bool)
			r.backend.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) {
				<-done
				w.Header().Set("Content-Type", "application/xml")
				w.Header().Set("X-Amz-Version-Id", "v9")
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.document)
			})
			resp, err := r.send(c.call) // comes while the backend is still silent
			if err != nil {
				t.Fatal(err)
			}
			begin := make([]byte, 60)
			if _, err := io.ReadFull(resp.Body, begin); err != nil || !strings.HasPrefix(string(begin), "<?xml") {
				t.Errorf("%q, %v", begin, err)
			}
			close(done)
			a := readReply(resp)
			a.body = string(begin) + a.body
			if a.status != 200 || !strings.Contains(a.body, c.want) || strings.Count(a.body, "<?xml") != 1 || strings.Contains(a.body, "secret") {
				t.Errorf("%d %q", a.status, a.body)
			}
			if c.code != "" && !strings.Contains(a.body, "<Code>"+c.code+"</Code>") {
				t.Errorf("%q", a.body)
			}
		})
	}
}

// A client that leaves meanwhile ends the request at the backend.
func TestAClientThatLeavesWhileTheBackendIsSilent(t *testing.T) {
	r := newRig(t, func(r *rig) { r.door.KeepAlive = time.Millisecond })
	r.backend.hasSources("/bucket/old")
	asked, left := make(chan bool), make(chan bool)
	r.backend.answers(func(_ http.ResponseWriter, q *http.Request, _ seen) {
		close(asked)
		<-q.Context().Done()
		close(left)
	})
	resp, err := r.send(copyCall())
	if err != nil {
		t.Fatal(err)
	}
	<-asked // the answer may begin before the backend has the request
	resp.Body.Close()
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Error("the backend still works for it")
	}
}
