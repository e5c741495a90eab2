package proxy

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func copyCall() call {
	return call{method: "PUT", path: "/bucket/new", header: map[string]string{"X-Amz-Copy-Source": "/bucket/old"}}
}

// pieces answers 200 at once and then piece by piece, each when it is allowed.
func (r *rig) pieces(all ...string) chan<- bool {
	next := make(chan bool)
	r.backend.hasSources("/bucket/old")
	r.backend.answers(func(w http.ResponseWriter, _ *http.Request, _ seen) {
		w.Header().Set("Content-Type", "application/xml")
		w.Header().Set("X-Amz-Version-Id", "v9")
		for _, piece := range all {
			_, _ = io.WriteString(w, piece)
			_ = http.NewResponseController(w).Flush()
			if !<-next {
				panic(http.ErrAbortHandler)
			}
		}
	})
	return next
}

// The white space by which a backend keeps a connection alive keeps the
// client's alive too, while it comes and not at the end.
func TestWhiteSpacePassesWhileItComes(t *testing.T) {
	const result = "<CopyObjectResult><ETag>&quot;x&quot;</ETag></CopyObjectResult>"
	for name, pieces := range map[string][]string{
		"spaces, then a declaration": {" ", "\n", `<?xml version="1.0" encoding="UTF-8"?>` + result},
		"AWS: a declaration first":   {`<?xml version="1.0" encoding="UTF-8"?>` + "\n", " \n", result},
		"no declaration":             {" ", " ", result},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			next := r.pieces(pieces...)
			resp, err := r.send(copyCall()) // comes before the document does
			if err != nil {
				t.Fatal(err)
			}
			body := bufio.NewReader(resp.Body)
			if first, err := body.Peek(5); err != nil || string(first) != "<?xml" {
				t.Errorf("begins with %q, %v", first, err)
			}
			for range pieces {
				next <- true
			}
			resp.Body = io.NopCloser(body)
			a := readReply(resp)
			if a.status != 200 || strings.Count(a.body, "<?xml") != 1 || !strings.HasSuffix(a.body, result) || a.header.Get("X-Amz-Version-Id") != "v9" {
				t.Errorf("%d %q %v", a.status, a.body, a.header)
			}
		})
	}
}

func TestAnErrorThatComesLate(t *testing.T) {
	for _, c := range []struct {
		name       string
		pieces     []string
		whole      bool // the backend ends its answer
		status     int
		code, part string
	}{
		{"behind white space", []string{" ", "<Error><Code>InternalError</Code><Message>m</Message><HostId>secret</HostId></Error>"}, true, 200, "InternalError", requestID},
		{"behind white space, the gateway's own fault", []string{" ", "<Error><Code>ExpiredToken</Code><Message>secret</Message></Error>"}, true, 200, "ServiceUnavailable", "Access denied to S3 bucket"},
		{"at once", []string{"<Error><Code>InternalError</Code><Message>m</Message></Error>"}, true, 500, "InternalError", requestID},
		{"at once, of the client", []string{"<Error><Code>NoSuchKey</Code><Message>m</Message></Error>"}, true, 404, "NoSuchKey", ""},
		{"at once, by the condition that pins the source", []string{"<Error><Code>PreconditionFailed</Code><Message>m</Message></Error>"}, true, 503, "ServiceUnavailable", "replaced"},
		{"cut off", []string{"<CopyObjectResult><ETag>"}, false, 503, "ServiceUnavailable", ""},
		{"cut off behind white space", []string{" ", "<CopyObjectResult><ETag>"}, false, 200, "ServiceUnavailable", ""},
		{"half a document", []string{"<CopyObjectResult><ETag>"}, true, 503, "ServiceUnavailable", ""},
		{"a page of a proxy", []string{"<html><body>secret</body></html>"}, true, 503, "ServiceUnavailable", ""},
		{"a page behind white space", []string{" ", "<html><body>secret</body></html>"}, true, 200, "ServiceUnavailable", ""},
		{"the result of something else", []string{"<ListPartsResult></ListPartsResult>"}, true, 503, "ServiceUnavailable", ""},
		{"no document", []string{""}, true, 503, "ServiceUnavailable", ""},
		{"white space only", []string{" ", " "}, true, 200, "ServiceUnavailable", ""},
		{"without end", []string{"<a>" + strings.Repeat("x", maxDocument+1)}, true, 503, "ServiceUnavailable", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t)
			next := r.pieces(c.pieces...)
			feed := func() {
				for i := range c.pieces {
					select {
					case next <- c.whole || i < len(c.pieces)-1:
					case <-time.After(5 * time.Second): // the gateway had enough
					}
				}
			}
			if c.status != 200 {
				go feed()
			}
			resp, err := r.send(copyCall())
			if err != nil {
				t.Fatal(err)
			}
			if c.status == 200 {
				go feed() // the client has seen the status before the error is there
			}
			a := readReply(resp)
			r.refused(a, c.status, c.code, c.part)
			if strings.Contains(a.body, "secret") {
				t.Errorf("leaks: %s", a.body)
			}
		})
	}
}

// A change ends in the cache when its late answer does, not when its status
// came.
func TestALateAnswerEndsItsChangeAtItsEnd(t *testing.T) {
	r := newRig(t)
	head := call{method: "HEAD", path: "/bucket/new"}
	if a := r.do(head); a.header.Get("X-Cache") != "miss" {
		t.Fatalf("first: %v", a.header)
	}
	if a := r.do(head); a.header.Get("X-Cache") != "hit" {
		t.Fatalf("second: %v", a.header)
	}
	plain := func(w http.ResponseWriter, _ *http.Request, _ seen) { w.Header().Set("Etag", `"etag"`) }
	next := r.pieces(" ", "<CopyObjectResult></CopyObjectResult>")
	resp, err := r.send(copyCall())
	if err != nil {
		t.Fatal(err)
	}
	r.backend.answers(plain)
	for range 2 {
		if a := r.do(head); a.header.Get("X-Cache") != "miss" {
			t.Errorf("while the copy runs: %v", a.header)
		}
	}
	next <- true
	next <- true
	readReply(resp)
	r.do(head)
	if a := r.do(head); a.header.Get("X-Cache") != "hit" {
		t.Errorf("after it: %v", a.header)
	}
}
