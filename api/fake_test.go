package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/policy"
)

// fakeStore is a bucket in memory. It keeps the rule of ObjectStore: nothing is
// stored before the body's end.
type fakeStore struct {
	mu      sync.Mutex
	objects map[string]Object
	bodies  map[string][]byte
	asked   []string // calls, in order
	puts    int      // Put calls whose body ended well
}

func newFakeStore() *fakeStore {
	return &fakeStore{objects: map[string]Object{}, bodies: map[string][]byte{}}
}

func (f *fakeStore) note(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, call)
}

func (f *fakeStore) Put(ctx context.Context, key string, body io.Reader, o PutOptions) (Object, error) {
	f.note("Put")
	raw, err := io.ReadAll(body)
	if err != nil {
		return Object{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.puts++
	stored := Object{Key: key, Size: int64(len(raw)), ContentType: o.ContentType, Filename: o.Filename,
		ETag: "e", SHA256: hexOf(sha256Of(raw)), Modified: testTime}
	f.objects[key], f.bodies[key] = stored, raw
	return stored, nil
}

func (f *fakeStore) Head(_ context.Context, key string) (Object, bool, error) {
	f.note("Head")
	f.mu.Lock()
	defer f.mu.Unlock()
	o, ok := f.objects[key]
	if !ok {
		return Object{}, false, &gateway.Error{Code: gateway.NoSuchKey, Status: 404}
	}
	return o, false, nil
}

func (f *fakeStore) Get(_ context.Context, method, key string, header http.Header) (*http.Response, error) {
	f.note("Get")
	f.mu.Lock()
	defer f.mu.Unlock()
	w := httptest.NewRecorder()
	o, ok := f.objects[key]
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return w.Result(), nil
	}
	w.Header().Set("Content-Type", o.ContentType)
	w.Header().Set("Etag", `"`+o.ETag+`"`)
	r := httptest.NewRequest(method, "/", nil)
	r.Header = header
	http.ServeContent(w, r, "", o.Modified, bytes.NewReader(f.bodies[key]))
	return w.Result(), nil
}

func (f *fakeStore) Delete(_ context.Context, key, etag string) error {
	f.note("Delete")
	f.mu.Lock()
	defer f.mu.Unlock()
	if o, there := f.objects[key]; etag != "" && there && o.ETag != etag {
		return gateway.Errorf(gateway.PreconditionFailed, "")
	}
	delete(f.objects, key)
	return nil
}

func (f *fakeStore) DeleteAll(_ context.Context, keys []string) (map[string]error, error) {
	f.note("DeleteAll")
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, key := range keys {
		delete(f.objects, key)
	}
	return nil, nil
}

func (f *fakeStore) Copy(_ context.Context, from Object, key, filename string) error {
	f.note("Copy")
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bodies[key] = f.bodies[from.Key]
	from.Key, from.Filename = key, filename
	f.objects[key] = from
	return nil
}

func (f *fakeStore) SetTags(_ context.Context, key, etag string, tags map[string]string) error {
	f.note("SetTags")
	f.mu.Lock()
	defer f.mu.Unlock()
	o := f.objects[key]
	o.Tags = tags
	f.objects[key] = o
	return nil
}

func (f *fakeStore) List(_ context.Context, prefix, after string, limit int) (Page, error) {
	f.note("List")
	f.mu.Lock()
	defer f.mu.Unlock()
	var page Page
	keys := []string{}
	for key := range f.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	page.More = len(keys) > limit
	for _, key := range keys[:min(limit, len(keys))] {
		page.Objects = append(page.Objects, f.objects[key])
	}
	return page, nil
}

func (f *fakeStore) URL(key string) *url.URL {
	return &url.URL{Scheme: "https", Host: "b.s3.example", Path: "/" + key}
}

func (f *fakeStore) calls() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.asked)
}

func (f *fakeStore) add(key string, body string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.objects[key] = Object{Key: key, Size: int64(len(body)), ContentType: "text/plain", ETag: "e", Modified: testTime}
	f.bodies[key] = []byte(body)
}

var testTime = time.Date(2026, 1, 15, 10, 30, 0, 0, time.UTC)

const (
	testKey    = "k-alice"
	testLimit  = 100_000
	testBucket = "files"
)

// testOptions are a door with one caller, the default types and a small limit.
func testOptions(t *testing.T, store ObjectStore) Options {
	t.Helper()
	types, err := policy.ParseTypes([]string{"image/jpeg", "image/png", "image/gif", "application/pdf", "text/plain"})
	if err != nil {
		t.Fatal(err)
	}
	callers, err := policy.NewCallers(policy.CallersOptions{
		Master: "master", APIKeys: []policy.APIKey{{Caller: "alice", Key: testKey}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Store: store, Bucket: testBucket,
		Policy:       &policy.Policy{MaxFileSize: testLimit, Types: types, UploadPrefix: "uploads"},
		Auth:         &policy.RESTAuth{Mode: policy.AuthRequired, Callers: callers},
		Callers:      callers,
		S3Enabled:    true,
		UploadPrefix: "uploads",
		Region:       "us-east-1",
		CursorKey:    []byte("cursor key"),
		Now:          func() time.Time { return testTime },
		Log:          zerolog.Nop(),
	}
}

// bench is a door over a real connection.
type bench struct {
	t     *testing.T
	srv   *httptest.Server
	store *fakeStore
	mu    sync.Mutex
	rec   []*gateway.Record
	door  http.Handler

	options Options // of the door
}

// change makes the door anew, as another replica over the same store would be.
func (b *bench) change(f func(*Options)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(&b.options)
	b.door = New(b.options)
}

func newBench(t *testing.T, change ...func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, store: newFakeStore()}
	o := testOptions(t, b.store)
	for _, c := range change {
		c(&o)
	}
	b.door, b.options = New(o), o
	traffic := policy.NewTraffic(policy.TrafficOptions{Entries: 10, Now: func() time.Time { return testTime }, StreamNow: time.Now})
	b.srv = httptest.NewServer(traffic.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		record := &gateway.Record{}
		b.mu.Lock()
		b.rec = append(b.rec, record)
		door := b.door
		b.mu.Unlock()
		asDocumented(t, door).ServeHTTP(w, r.WithContext(gateway.WithRecord(r.Context(), record)))
	})))
	t.Cleanup(b.srv.Close)
	return b
}

// lastRecord is the record of the newest request.
func (b *bench) lastRecord() gateway.Fields {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rec[len(b.rec)-1].Snapshot()
}

// reply is an answer read whole.
type reply struct {
	status int
	header http.Header
	body   string
}

func (r reply) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(r.body), &m); err != nil {
		t.Fatalf("body %q: %v", r.body, err)
	}
	return m
}

// do sends a request whose target goes on the wire byte for byte.
func (b *bench) do(method, target string, header http.Header, body io.Reader) reply {
	b.t.Helper()
	r, err := http.NewRequest(method, b.srv.URL, body)
	if err != nil {
		b.t.Fatal(err)
	}
	path, query, _ := strings.Cut(target, "?")
	r.URL.Opaque, r.URL.RawQuery = path, query
	if header != nil {
		r.Header = header.Clone()
	}
	if r.Header.Get("X-Api-Key") == "" {
		r.Header.Set("X-Api-Key", testKey)
	}
	resp, err := b.srv.Client().Do(r)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, target, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
		b.t.Fatalf("%s %s: %v", method, target, err)
	}
	return reply{resp.StatusCode, resp.Header, string(raw)}
}

func (f *fakeStore) Check(context.Context, string) error { return nil }

func (f *fakeStore) Unverified(context.Context, []string) (map[string]bool, error) { return nil, nil }
