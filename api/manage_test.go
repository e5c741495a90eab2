package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

var jsonHeader = http.Header{"Content-Type": {"application/json"}}

// ask sends a JSON document.
func (b *bench) ask(method, path string, document any) reply {
	b.t.Helper()
	raw, ok := document.(string)
	if !ok {
		encoded, err := json.Marshal(document)
		if err != nil {
			b.t.Fatal(err)
		}
		raw = string(encoded)
	}
	return b.do(method, Root+path, jsonHeader, strings.NewReader(raw))
}

func (b *real) upload(name, body string) string {
	b.t.Helper()
	got := b.do("PUT", Root+"/direct?filename="+name, nil, strings.NewReader(body))
	if got.status != 201 {
		b.t.Fatalf("%d %s", got.status, got.body)
	}
	return got.json(b.t)["file_id"].(string)
}

func TestNameAndTagsCanBeChanged(t *testing.T) {
	b := newReal(t, 0)
	id := b.upload("a.txt", "hello")
	before := b.do("GET", Root+"/metadata/"+id, nil, nil).json(t)
	for _, c := range []struct{ patch, filename, tags string }{
		{`{"tags":{"project":"x","owner":"Zoe"}}`, "a.txt", `{"owner":"Zoe","project":"x"}`},
		{`{"tags":{"project":null,"a/b":"1"}}`, "a.txt", `{"a/b":"1","owner":"Zoe"}`},
		{`{"filename":"écran.txt"}`, "écran.txt", `{"a/b":"1","owner":"Zoe"}`},
		{`{"filename":"b.txt","tags":{"owner":null,"a/b":null}}`, "b.txt", `{}`},
		{`{}`, "b.txt", `{}`},
	} {
		got := b.ask("PATCH", "/metadata/"+id, c.patch)
		if got.status != 200 {
			t.Fatalf("%s: %d %s", c.patch, got.status, got.body)
		}
		m := got.json(t)
		tags, _ := json.Marshal(m["tags"])
		if m["filename"] != c.filename || string(tags) != c.tags || m["sha256"] != before["sha256"] || m["etag"] != before["etag"] || m["content_type"] != before["content_type"] {
			t.Errorf("%s: %s", c.patch, got.body)
		}
	}
	read := b.do("GET", Root+"/download/"+id, nil, nil)
	if read.body != "hello" || read.header.Get("Content-Disposition") != `attachment; filename="b.txt"` {
		t.Errorf("%q %v", read.body, read.header)
	}
	many := map[string]any{}
	for i := range 11 {
		many[fmt.Sprint("t", i)] = "x"
	}
	for name, document := range map[string]any{
		"tags": map[string]any{"tags": many}, "tags ": `{"tags":{"sha256":"x"}}`, "tags  ": `{"tags":{"":"x"}}`,
		"tags   ": `{"tags":{"a":"` + strings.Repeat("x", 257) + `"}}`, "tags    ": `{"tags":{"a?":"x"}}`, "filename": `{"filename":"a\u0000"}`,
	} {
		b.wantRefusal(b.ask("PATCH", "/metadata/"+id, document), refusal{422, "UnprocessableValue", strings.TrimSpace(name), ""})
	}
	header := jsonHeader.Clone()
	header.Set("If-Match", `"other"`)
	b.wantRefusal(b.do("PATCH", Root+"/metadata/"+id, header, strings.NewReader(`{"filename":"c.txt"}`)), refusal{412, "PreconditionFailed", "If-Match", ""})
	b.wantRefusal(b.ask("PATCH", "/metadata/"+id+"x", `{"filename":"c.txt"}`), refusal{404, "NoSuchKey", "", ""})
	b.wantRefusal(b.ask("PATCH", "/metadata/"+id, `{"tags":["a"]}`), refusal{400, "InvalidArgument", "tags", ""})
}

func TestARenamedFileKeepsAllItHas(t *testing.T) {
	b := newReal(t, 0)
	_, err := b.bed.Client(t).PutObject(t.Context(), &s3.PutObjectInput{
		Bucket: &b.bucket, Key: aws.String("uploads/x+y z"), Body: strings.NewReader("hello"), ContentType: aws.String("text/css"),
		CacheControl: aws.String("max-age=5"), ContentLanguage: aws.String("de"), Metadata: map[string]string{"colour": "blue"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := b.ask("PATCH", "/metadata/"+idPath("uploads/x+y z"), `{"filename":"b.css"}`); got.status != 200 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	out, err := b.bed.Client(t).HeadObject(t.Context(), &s3.HeadObjectInput{Bucket: &b.bucket, Key: aws.String("uploads/x+y z")})
	if err != nil || aws.ToString(out.ContentType) != "text/css" || aws.ToString(out.CacheControl) != "max-age=5" || aws.ToString(out.ContentLanguage) != "de" || out.Metadata["colour"] != "blue" {
		t.Errorf("%+v %v", out, err)
	}
}

func TestCopyAndMove(t *testing.T) {
	b := newReal(t, 0)
	data := randomBytes(firstPart + 1) // in parts, so that its SHA-256 is a tag
	from := b.do("PUT", Root+"/direct?filename=a.bin", nil, struct{ io.Reader }{bytes.NewReader(data)}).json(t)["file_id"].(string)
	got := b.ask("POST", "/copy", map[string]any{"file_id": from})
	copied := got.json(t)
	if got.status != 201 || copied["file_id"] == from || copied["filename"] != "a.bin" || copied["sha256"] != hexOf(sha256Of(data)) || got.header.Get("Location") == "" {
		t.Fatalf("%d %s", got.status, got.body)
	}
	moved := b.ask("POST", "/copy", map[string]any{"file_id": from, "filename": "b.bin", "move": true})
	id, _ := moved.json(t)["file_id"].(string)
	if moved.status != 201 || moved.json(t)["filename"] != "b.bin" || !strings.HasSuffix(id, "-b.bin") {
		t.Fatalf("%d %s", moved.status, moved.body)
	}
	if got := b.do("GET", Root+"/download/"+from, nil, nil); got.status != 404 {
		t.Errorf("the moved file is still there: %d", got.status)
	}
	if got := b.do("GET", Root+"/download/"+id, nil, nil); hexOf(sha256Of([]byte(got.body))) != hexOf(sha256Of(data)) {
		t.Errorf("%d, %d bytes", got.status, len(got.body))
	}
	for document, want := range map[string]refusal{
		`{"file_id":"` + from + `"}`:              {404, "NoSuchKey", "", ""},
		`{"file_id":"other/a"}`:                   {403, "AccessDenied", "file_id", ""},
		`{"file_id":"uploads/../a"}`:              {400, "InvalidArgument", "file_id", ""},
		`{}`:                                      {400, "InvalidArgument", "file_id", "empty"},
		`{"file_id":"` + id + `","move":"yes"}`:   {400, "InvalidArgument", "move", ""},
		`{"file_id":"` + id + `","filename":"."}`: {422, "UnprocessableValue", "filename", ""},
	} {
		b.wantRefusal(b.ask("POST", "/copy", document), want)
	}
}

func TestACopyIsJudgedAsAnUpload(t *testing.T) {
	b := newBoth(t, 1000, []string{"text/plain"})
	put := func(key, contentType, body string) {
		if _, err := b.bed.Client(t).PutObject(t.Context(), &s3.PutObjectInput{Bucket: &b.bucket, Key: &key, ContentType: &contentType, Body: strings.NewReader(body)}); err != nil {
			t.Fatal(err)
		}
	}
	put("uploads/big", "text/plain", strings.Repeat("a", 1001))
	put("uploads/page", "text/plain", "<html><script>x</script></html>")
	put("uploads/fine", "text/plain", "hello")
	before := b.bed.Snapshot(t, b.bucket)
	for document, want := range map[string]refusal{
		`{"file_id":"uploads/big","filename":"a.txt"}`:   {413, "EntityTooLarge", "", "1000 bytes"},
		`{"file_id":"uploads/page","filename":"a.txt"}`:  {415, "TypeNotAllowed", "Content-Type", ""},
		`{"file_id":"uploads/fine","filename":"a.html"}`: {415, "TypeNotAllowed", "Content-Type", ""},
	} {
		b.wantRefusal(b.ask("POST", "/copy", document), want)
	}
	for _, name := range []string{"a.html", "a.html.", "a.html ", "a.html　", "x/a.html"} {
		b.wantRefusal(b.ask("PATCH", "/metadata/uploads/fine", `{"filename":"`+name+`"}`), refusal{415, "TypeNotAllowed", "Content-Type", ""})
	}
	b.bed.Unchanged(t, b.bucket, before)
	if got := b.ask("POST", "/copy", `{"file_id":"uploads/fine","filename":"a.txt"}`); got.status != 201 {
		t.Errorf("%d %s", got.status, got.body)
	}
}

func TestManyFilesAreDeletedAtOnce(t *testing.T) {
	b := newReal(t, 0)
	first, second := b.upload("a.txt", "a"), b.upload("b.txt", "b")
	b.do("GET", Root+"/metadata/"+first, nil, nil) // into the cache
	got := b.ask("POST", "/delete", map[string]any{"file_ids": []string{first, "uploads/none", "other/x", "uploads/../x", ".s3gateway/x", first}})
	m := got.json(t)
	if got.status != 200 || m["deleted"] != float64(3) || m["failed"] != float64(3) {
		t.Fatalf("%d %s", got.status, got.body)
	}
	var statuses []float64
	for _, r := range m["results"].([]any) {
		statuses = append(statuses, r.(map[string]any)["status"].(float64))
	}
	if fmt.Sprint(statuses) != "[204 204 403 400 403 204]" {
		t.Errorf("%v", statuses)
	}
	if got := b.do("GET", Root+"/metadata/"+first, nil, nil); got.status != 404 {
		t.Errorf("still there: %d", got.status)
	}
	var ids []string
	for range maxBatch {
		ids = append(ids, "uploads/"+strings.Repeat("x/", 500))
	}
	for i := range ids {
		ids[i] = strings.TrimSuffix(ids[i], "/") + fmt.Sprint(i)
	}
	ids[0] = second
	if got := b.ask("POST", "/delete", map[string]any{"file_ids": ids}); got.status != 200 || got.json(t)["deleted"] != float64(maxBatch) {
		t.Errorf("%d %.300s", got.status, got.body)
	}
	b.bed.Unchanged(t, b.bucket, map[string]testbed.ObjectInfo{})
	for _, bad := range []any{map[string]any{"file_ids": append(ids, "uploads/more")}, `{"file_ids":[]}`, `{}`} {
		b.wantRefusal(b.ask("POST", "/delete", bad), refusal{422, "UnprocessableValue", "file_ids", ""})
	}
	b.wantRefusal(b.ask("POST", "/delete", `{"file_ids":"x"}`), refusal{400, "InvalidArgument", "file_ids", ""})
	b.wantRefusal(b.ask("POST", "/delete", `{"file_ids":["`+strings.Repeat("x", maxBatchJSON)+`"]}`), refusal{413, "EntityTooLarge", "", ""})
}

func TestListingsByDate(t *testing.T) {
	b := newBench(t)
	for _, id := range []string{"uploads/2026/01/15/a", "uploads/2026/01/16/b", "uploads/2026/02/01/c", "uploads/2025/01/15/d"} {
		b.store.add(id, "x")
	}
	for query, want := range map[string]string{
		"date=2026-01-15": "[a]", "date=2026/01/15": "[a]", "date=2026-01": "[a b]", "date=2026/01/": "[a b]", "date=2026": "[a b c]",
		"date=2026&prefix=uploads": "[a b c]", "date=2024": "[]",
	} {
		var names []any
		for _, f := range b.do("GET", Root+"/list?"+query, nil, nil).json(t)["files"].([]any) {
			names = append(names, f.(map[string]any)["filename"])
		}
		if got := fmt.Sprint(names); got != want {
			t.Errorf("%s: %s, want %s", query, got, want)
		}
	}
	for _, query := range []string{"date=yesterday", "date=2026-13", "date=2026-01-15&prefix=uploads/2026", "date="} {
		b.wantRefusal(b.do("GET", Root+"/list?"+query, nil, nil), refusal{422, "UnprocessableValue", "date", ""})
	}
}
