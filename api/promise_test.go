package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

func TestAPromisedFileIsTakenAndNoOther(t *testing.T) {
	text, other := []byte("hello, promised file"), []byte("HELLO, promised file")
	sum := hexOf(sha256Of(text))
	full := fmt.Sprintf(`{"filename":"a.txt","content_type":"text/plain","size":%d,"sha256":"%s"}`, len(text), sum)
	for _, c := range []struct {
		name, document string
		body           []byte
		change         func(*http.Request)
		status         int // of a refusal, 0 for none
	}{
		{"size and hash as promised", full, text, nil, 0},
		{"size alone, as promised", `{"filename":"a.txt","size":20}`, text, nil, 0},
		{"hash alone, as promised", `{"filename":"a.txt","sha256":"` + strings.ToUpper(sum) + `"}`, text, nil, 0},
		{"nothing but the type promised", `{"filename":"a.txt"}`, text, nil, 0},
		{"an empty file", `{"filename":"a.txt","size":0}`, nil, nil, 0},
		{"a longer body", `{"filename":"a.txt","size":20}`, append([]byte("x"), text...), nil, 403},
		{"a shorter body", `{"filename":"a.txt","size":20}`, text[1:], nil, 403},
		{"a body where none was promised", `{"filename":"a.txt","size":0}`, text, nil, 400},
		{"other bytes of the same size", full, other, nil, 400},
		{"other bytes with their own hash", full, other, func(r *http.Request) {
			r.Header.Set("X-Amz-Content-Sha256", hexOf(sha256Of(other)))
			r.Header.Set(checksumSHA, base64SHA256(hexOf(sha256Of(other))))
		}, 403},
		{"without the hash", full, other, func(r *http.Request) {
			r.Header.Del("X-Amz-Content-Sha256")
			r.Header.Del(checksumSHA)
		}, 403},
		{"another type", full, text, func(r *http.Request) { r.Header.Set("Content-Type", "application/pdf") }, 403},
		{"another key", full, text, func(r *http.Request) { r.URL.Path += "x" }, 403},
		{"bytes that are not of the promised type", `{"filename":"a.txt"}`, []byte("<html><script>x</script></html>"), nil, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBoth(t, 1000, []string{"text/plain", "application/pdf"})
			link := b.presign(c.document)
			id := link["file_id"].(string)
			early := b.do("POST", Root+"/complete/"+id, nil, nil)
			b.wantRefusal(early, refusal{404, "NoSuchKey", "", "no file"})
			got := b.use(link, c.body, c.change)
			if c.status != 0 {
				if got.status != c.status {
					t.Errorf("%d %s", got.status, got.body)
				}
				b.empty()
				return
			}
			if got.status != 200 {
				t.Fatalf("%d %s", got.status, got.body)
			}
			done := b.do("POST", Root+"/complete/"+id, nil, nil)
			file := done.json(t)
			if done.status != 201 || file["file_id"] != id || file["file_size"] != float64(len(c.body)) || file["content_type"] != "text/plain" {
				t.Errorf("complete: %d %s", done.status, done.body)
			}
			if strings.Contains(c.document, "sha256") && (file["sha256"] != sum || done.header.Get("Repr-Digest") != digestOf(text)) {
				t.Errorf("complete: the hash was not kept: %s", done.body)
			}
			if read := b.do("GET", Root+"/download/"+id, nil, nil); read.body != string(c.body) {
				t.Errorf("read %q", read.body)
			}
		})
	}
}

func TestAFormIsTakenAsItWasMade(t *testing.T) {
	text := []byte("hello, promised file")
	sum := hexOf(sha256Of(text))
	exact := fmt.Sprintf(`{"filename":"a.txt","method":"POST","size":%d,"sha256":"%s"}`, len(text), sum)
	for _, c := range []struct {
		name, document string
		file           []byte
		change         map[string]string
		status         int
	}{
		{"as promised", exact, text, nil, 204},
		{"any size that is allowed", `{"filename":"a.txt","method":"POST"}`, text, nil, 204},
		{"over the limit", `{"filename":"a.txt","method":"POST"}`, []byte(strings.Repeat("a", 1001)), nil, 400},
		{"another size", exact, text[1:], nil, 400},
		{"other bytes", exact, []byte(strings.ToUpper(string(text))), nil, 400},
		{"another key", exact, text, map[string]string{"key": "uploads/other"}, 403},
		{"another type", exact, text, map[string]string{"Content-Type": "application/pdf"}, 403},
		{"a policy of its own", exact, text, map[string]string{"policy": "e30="}, 403},
		{"bytes of another type", `{"filename":"a.txt","method":"POST"}`, []byte("<html><script>x</script></html>"), nil, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBoth(t, 1000, []string{"text/plain", "application/pdf"})
			link := b.presign(c.document)
			if link["method"] != "POST" || link["upload_url"] != b.srv.URL+"/"+b.bucket {
				t.Fatalf("%v", link)
			}
			got := b.post(link, c.file, c.change)
			if got.status != c.status {
				t.Fatalf("%d %s", got.status, got.body)
			}
			if c.status >= 400 {
				b.empty()
				return
			}
			done := b.do("POST", Root+"/complete/"+link["file_id"].(string), nil, nil)
			if done.status != 201 || done.json(t)["file_size"] != float64(len(c.file)) {
				t.Errorf("complete: %d %s", done.status, done.body)
			}
		})
	}
}

func TestPromisesThatCannotBeKept(t *testing.T) {
	b := newBench(t)
	for document, want := range map[string]refusal{
		`{"filename":"a.txt","size":-1}`:                                                {422, "UnprocessableValue", "size", ""},
		`{"filename":"a.txt","size":100001}`:                                            {413, "EntityTooLarge", "", "100000 bytes"},
		`{"filename":"a.txt","size":1.5}`:                                               {400, "InvalidArgument", "size", ""},
		`{"filename":"a.txt","size":6000000000}`:                                        {422, "UnprocessableValue", "size", ""},
		`{"filename":"a.txt","sha256":"abc"}`:                                           {422, "UnprocessableValue", "sha256", ""},
		`{"filename":"a.txt","size":0,"sha256":"` + hexOf(sha256Of([]byte("x"))) + `"}`: {422, "UnprocessableValue", "sha256", ""},
		`{"filename":"a.txt","method":"DELETE"}`:                                        {422, "UnprocessableValue", "method", ""},
		`{"filename":"a.txt","expires_in":0}`:                                           {422, "UnprocessableValue", "expires_in", ""},
		`{"filename":"a.txt","expires_in":604801}`:                                      {422, "UnprocessableValue", "expires_in", ""},
		`{"filename":"a.html"}`:                                                         {415, "TypeNotAllowed", "Content-Type", ""},
	} {
		b.wantRefusal(b.do("POST", Root+"/presigned", http.Header{"Content-Type": {"application/json"}}, strings.NewReader(document)), want)
	}
}
