package api

import (
	"bytes"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/cache"
	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/policy"
	"github.com/codeguardians/s3gateway/proxy"
	"github.com/codeguardians/s3gateway/signer"
)

// both is a gateway with both doors over a bucket of a real store.
type both struct {
	*bench
	bed    *testbed.Store
	bucket string
}

// newBoth starts it with a limit and types as in the settings.
func newBoth(t *testing.T, maxSize int64, types []string, change ...func(*Options)) *both {
	t.Helper()
	bed := testbed.Open(t)
	bucket := bed.Bucket(t)
	client := backend.New(backend.Endpoint{
		Name: bed.Name, URL: bed.Endpoint, Transport: bed.Transport, Region: bed.Region, PathStyle: true, Trailers: true,
		Credentials: credentials.NewStaticCredentialsProvider(bed.AccessKeyID, bed.SecretAccessKey, ""),
	}, zerolog.Nop(), time.Now)
	t.Cleanup(client.Close)
	metadata := cache.New(cache.Options{Entries: 100, TTL: time.Minute, Now: time.Now})
	allowed, err := policy.ParseTypes(types)
	if err != nil {
		t.Fatal(err)
	}
	callers, err := policy.NewCallers(policy.CallersOptions{Master: "master", APIKeys: []policy.APIKey{{Caller: "alice", Key: testKey}}})
	if err != nil {
		t.Fatal(err)
	}
	rules := &policy.Policy{MaxFileSize: maxSize, Types: allowed, UploadPrefix: "uploads"}
	b := newBench(t, append([]func(*Options){func(o *Options) {
		store := NewStore(client, bucket, metadata)
		o.Store, o.Resumable, o.Records, o.IdempotencyKey = store, store, store, []byte("idempotency key")
		o.Bucket, o.Now, o.Budget = bucket, time.Now, NewBudget(64<<20)
		o.Policy, o.Callers, o.Auth = rules, callers, &policy.RESTAuth{Mode: policy.AuthRequired, Callers: callers}
	}}, change...)...)
	s3 := &proxy.Door{
		Table: proxy.NewTable(), Callers: callers, Policy: rules, Cache: metadata, Log: zerolog.Nop(),
		Verifier: &signer.Verifier{Secrets: callers, Regions: []string{"us-east-1"}, Now: time.Now,
			BucketOf: func(string) string { return "" }},
		Buckets: &proxy.Buckets{Client: client, Exposed: []string{bucket}},
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	rest := b.door
	b.door = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, Root) {
			rest.ServeHTTP(w, r)
			return
		}
		s3.ServeHTTP(w, r)
	})
	return &both{bench: b, bed: bed, bucket: bucket}
}

// presign asks for an upload link.
func (b *both) presign(document string) map[string]any {
	b.t.Helper()
	got := b.do("POST", Root+"/presigned", http.Header{"Content-Type": {"application/json"}}, strings.NewReader(document))
	if got.status != 200 {
		b.t.Fatalf("presigned: %d %s", got.status, got.body)
	}
	return got.json(b.t)
}

// use sends a body to a PUT link with the headers that it names, changed.
func (b *both) use(link map[string]any, body []byte, change func(*http.Request)) reply {
	b.t.Helper()
	r, err := http.NewRequest(http.MethodPut, link["upload_url"].(string), bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	for name, value := range link["headers"].(map[string]any) {
		if name != "Content-Length" { // every client sends the one of its body
			r.Header.Set(name, value.(string))
		}
	}
	if change != nil {
		change(r)
	}
	return b.send(r)
}

// post fills in a form link and sends it.
func (b *both) post(link map[string]any, file []byte, change map[string]string) reply {
	b.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, value := range link["fields"].(map[string]any) {
		said := value.(string)
		if other, ok := change[name]; ok {
			said = other
		}
		_ = form.WriteField(name, said)
	}
	w, _ := form.CreateFormFile("file", "x")
	_, _ = w.Write(file)
	form.Close()
	r, err := http.NewRequest(http.MethodPost, link["upload_url"].(string), &body)
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	return b.send(r)
}

func (b *both) send(r *http.Request) reply {
	b.t.Helper()
	resp, err := b.srv.Client().Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, _ := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(raw)}
}

func (b *both) empty() {
	b.t.Helper()
	b.bed.Unchanged(b.t, b.bucket, map[string]testbed.ObjectInfo{})
}
