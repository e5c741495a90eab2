package api

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/signer"
)

// TestLinksPassTheS3Door verifies each link as the S3 door does.
func TestLinksPassTheS3Door(t *testing.T) {
	store := newFakeStore()
	store.add(`uploads/a b+(1)=é".txt`, "x")
	o := testOptions(t, store)
	o.PublicURL = &url.URL{Scheme: "https", Host: "files.example"}
	door := New(o)
	verifier := &signer.Verifier{Secrets: o.Callers, Regions: []string{o.Region}, PublicHost: "files.example", Now: o.Now}
	for _, c := range []struct{ name, method, path, body, member, use string }{
		{"upload", "POST", "/presigned", `{"filename":"a b.txt","content_type":"text/plain; charset=utf-8"}`, "upload_url", "PUT"},
		{"download", "GET", "/download/" + idPath(`uploads/a b+(1)=é".txt`) + "/url", "", "download_url", "GET"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := httptest.NewRequest(c.method, Root+c.path, strings.NewReader(c.body))
			r.Header = http.Header{"X-Api-Key": {testKey}, "Content-Type": {"application/json"}}
			w := httptest.NewRecorder()
			door.ServeHTTP(w, r)
			m := reply{w.Code, w.Header(), w.Body.String()}.json(t)
			link, _ := m[c.member].(string)
			if link == "" {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			use := httptest.NewRequest(c.use, link, nil)
			use.RequestURI = strings.TrimPrefix(link, "https://files.example")
			if headers, ok := m["headers"].(map[string]any); ok {
				for name, value := range headers {
					use.Header.Set(name, value.(string))
				}
			}
			target, err := signer.ParseTarget(use.RequestURI)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := verifier.Verify(use, target); err != nil {
				t.Errorf("the link is refused: %v\n%s", err, link)
			}
			if c.use == "PUT" {
				use.Header.Set("Content-Type", "text/html")
				if _, err := verifier.Verify(use, target); err == nil {
					t.Error("the link takes another type than it was signed for")
				}
			}
		})
	}
}

// shortStore gives a body that ends before its length.
type shortStore struct{ *fakeStore }

func (shortStore) Get(context.Context, string, string, http.Header) (*http.Response, error) {
	return &http.Response{
		StatusCode: 200, Header: http.Header{"Content-Length": {"10"}, "Content-Type": {"text/plain"}},
		Body: io.NopCloser(io.MultiReader(strings.NewReader("12345"), readerFunc(func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }))),
	}, nil
}

func TestADownloadThatBreaksOffIsNotTakenForWhole(t *testing.T) {
	b := newBench(t, func(o *Options) { o.Store = shortStore{newFakeStore()} })
	r, err := http.NewRequest("GET", b.srv.URL+Root+"/download/uploads/a", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Api-Key", testKey)
	resp, err := b.srv.Client().Do(r)
	if err != nil {
		return // cut off before the headers were flushed: also an error for the client
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("the client read %q and no error", body)
	}
	if b.lastRecord().Err == nil {
		t.Error("the record has no error")
	}
}

// raw sends bytes and reads one answer.
func (b *bench) raw(request string) *http.Response {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.srv.Listener.Addr().String())
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		b.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		b.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		b.t.Fatalf("no answer: %v", err)
	}
	return resp
}

func TestBrokenFramingStoresNothing(t *testing.T) {
	head := fmt.Sprintf("PUT %s/direct?filename=a.txt HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\n", Root, testKey)
	for name, c := range map[string]struct {
		rest   string
		status int
	}{
		"a chunk size that is none": {"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n", 400},
		"a chunk without its end":   {"Transfer-Encoding: chunked\r\n\r\n5\r\nhelloXX", 400},
		"aws-chunked":               {"Content-Encoding: aws-chunked\r\nContent-Length: 5\r\n\r\nhello", 415},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			resp := b.raw(head + c.rest)
			defer resp.Body.Close()
			if resp.StatusCode != c.status || b.store.puts != 0 {
				body, _ := io.ReadAll(resp.Body)
				t.Errorf("%d %s, %d stored", resp.StatusCode, body, b.store.puts)
			}
		})
	}
}

// TestASendThenReadClientReads413 is what Python requests does: the whole body
// first, then the answer.
func TestASendThenReadClientReads413(t *testing.T) {
	const size = 6 << 20
	b := newBench(t)
	resp := b.raw(fmt.Sprintf("PUT %s/direct?filename=a.txt HTTP/1.1\r\nHost: x\r\nX-Api-Key: %s\r\nContent-Length: %d\r\n\r\n", Root, testKey, size) +
		strings.Repeat("a", size))
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if resp.StatusCode != 413 || err != nil || !strings.Contains(string(body), "File too large. Maximum size: 100000 bytes") || !resp.Close {
		t.Errorf("%d %q %v", resp.StatusCode, body, err)
	}
}

func TestALoanedBufferIsNotReadAfterItsEnd(t *testing.T) {
	l := &loan{bytes: []byte("secret of another upload")}
	r := l.reader()
	if n, err := r.Read(make([]byte, 6)); n != 6 || err != nil {
		t.Fatalf("%d %v", n, err)
	}
	l.end()
	if n, err := r.Read(make([]byte, 6)); n != 0 || err != errLoanOver {
		t.Errorf("after the end: %d bytes, %v", n, err)
	}
}
