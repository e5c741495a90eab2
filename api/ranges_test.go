package api

import (
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"testing"
)

func TestSeveralRanges(t *testing.T) {
	b := newReal(t, 0)
	id := b.do("PUT", Root+"/direct?filename=a.txt", nil, strings.NewReader("0123456789")).json(t)["file_id"].(string)
	etag := b.do("HEAD", Root+"/download/"+id, nil, nil).header.Get("Etag")
	for _, c := range []struct {
		name   string
		header http.Header
		parts  []string // Content-Range, then bytes
	}{
		{"two", http.Header{"Range": {"bytes=0-1, 4-5"}}, []string{"bytes 0-1/10", "01", "bytes 4-5/10", "45"}},
		{"in the order asked for", http.Header{"Range": {"bytes=-2,0-0"}}, []string{"bytes 8-9/10", "89", "bytes 0-0/10", "0"}},
		{"one behind the end", http.Header{"Range": {"bytes=3-3,8-,20-30"}}, []string{"bytes 3-3/10", "3", "bytes 8-9/10", "89"}},
		{"all but one behind the end", http.Header{"Range": {"bytes=20-30,2-3"}}, []string{"bytes 2-3/10", "23"}},
		{"with a condition that holds", http.Header{"Range": {"bytes=0-0,2-2"}, "If-Match": {etag}, "If-Range": {etag}}, []string{"bytes 0-0/10", "0", "bytes 2-2/10", "2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := b.do("GET", Root+"/download/"+id, c.header, nil)
			kind, params, _ := mime.ParseMediaType(got.header.Get("Content-Type"))
			if got.status != 206 || kind != "multipart/byteranges" || got.header.Get("Content-Length") != strconv.Itoa(len(got.body)) {
				t.Fatalf("%d %v %q", got.status, got.header, got.body)
			}
			r := multipart.NewReader(strings.NewReader(got.body), params["boundary"])
			for i := 0; i < len(c.parts); i += 2 {
				part, err := r.NextPart()
				if err != nil {
					t.Fatal(err)
				}
				body, _ := io.ReadAll(part)
				if part.Header.Get("Content-Range") != c.parts[i] || string(body) != c.parts[i+1] || part.Header.Get("Content-Type") == "" {
					t.Errorf("%v %q, want %s", part.Header, body, c.parts[i])
				}
			}
			if _, err := r.NextPart(); err != io.EOF {
				t.Errorf("and then: %v", err)
			}
			if got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Content-Disposition") != `attachment; filename="a.txt"` {
				t.Errorf("%v", got.header)
			}
		})
	}
	got := b.do("GET", Root+"/download/"+id, http.Header{"Range": {"bytes=10-11,20-"}}, nil)
	b.wantRefusal(got, refusal{416, "InvalidRange", "", "10 bytes"})
	if got.header.Get("Content-Range") != "bytes */10" {
		t.Errorf("%v", got.header)
	}
	got = b.do("GET", Root+"/download/"+id, http.Header{"Range": {"bytes=0-0,2-2"}, "If-Match": {`"x"`}}, nil)
	b.wantRefusal(got, refusal{412, "PreconditionFailed", "", ""})
	if got := b.do("GET", Root+"/download/"+id, http.Header{"Range": {"bytes=0-0,2-2"}, "If-None-Match": {etag}}, nil); got.status != 304 || got.body != "" {
		t.Errorf("%d %q", got.status, got.body)
	}
}
