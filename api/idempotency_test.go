package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/cache"
	"github.com/codeguardians/s3gateway/policy"
)

func TestAnIdempotencyKeyIsRead(t *testing.T) {
	for _, c := range []struct {
		name string
		sent []string
		key  string // "" for a refusal
	}{
		{"in quotes", []string{`"8e03978e-40d5-43e8-bc93-6894a57f9324"`}, "8e03978e-40d5-43e8-bc93-6894a57f9324"},
		{"without quotes", []string{"8e03978e-40d5-43e8-bc93-6894a57f9324"}, "8e03978e-40d5-43e8-bc93-6894a57f9324"},
		{"escapes", []string{`"a\"b\\c d"`}, `a"b\c d`},
		{"the longest", []string{strings.Repeat("k", 255)}, strings.Repeat("k", 255)},
		{"too long", []string{strings.Repeat("k", 256)}, ""},
		{"empty", []string{""}, ""},
		{"empty in quotes", []string{`""`}, ""},
		{"no second quote", []string{`"abc`}, ""},
		{"an unknown escape", []string{`"a\n"`}, ""},
		{"an escape of nothing", []string{`"a\`}, ""},
		{"something behind it", []string{`"a";x=1`}, ""},
		{"a space without quotes", []string{"a b"}, ""},
		{"a list", []string{"a,b"}, ""},
		{"not ASCII", []string{`"é"`}, ""},
		{"twice", []string{"a", "a"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			key, err := idempotencyKey(http.Header{"Idempotency-Key": c.sent})
			if key != c.key || (err == nil) != (c.key != "") {
				t.Errorf("%q, %v; want %q", key, err, c.key)
			}
			if err != nil && gateway.CodeOf(err) != gateway.InvalidArgument {
				t.Errorf("%v", err)
			}
		})
	}
}

// onceWorld is a gateway whose clock the test moves, and whose stores can be
// made to fail.
type onceWorld struct {
	*both
	mu       sync.Mutex
	later    time.Duration
	dead     bool  // no record is written any more, as after a crash
	failPuts error // what becomes of uploads behind their last byte
}

func newOnce(t *testing.T, change ...func(*Options)) *onceWorld {
	w := &onceWorld{}
	w.both = newBoth(t, testLimit, []string{"text/plain", "image/png"}, append([]func(*Options){func(o *Options) {
		o.Now = w.now
		o.Records, o.Store = crashing{o.Records, w}, failing{o.Store, w}
	}}, change...)...)
	return w
}

func (w *onceWorld) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.later)
}

func (w *onceWorld) set(change func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	change()
}

func (w *onceWorld) wait(d time.Duration) { w.set(func() { w.later += d }) }

// crashing writes claims, but no last word while it is dead.
type crashing struct {
	RecordStore
	w *onceWorld
}

func (c crashing) WriteRecord(ctx context.Context, key string, old *RecordState, pieces ...[]byte) (RecordState, error) {
	c.w.mu.Lock()
	dead := c.w.dead
	c.w.mu.Unlock()
	if dead && !strings.Contains(string(pieces[0]), `"state":"under-way"`) {
		return RecordState{}, errors.New("crashed")
	}
	return c.RecordStore.WriteRecord(ctx, key, old, pieces...)
}

func (c crashing) DeleteRecord(ctx context.Context, key string, r RecordState) error {
	c.w.mu.Lock()
	dead := c.w.dead
	c.w.mu.Unlock()
	if dead {
		return errors.New("crashed")
	}
	return c.RecordStore.DeleteRecord(ctx, key, r)
}

type failing struct {
	ObjectStore
	w *onceWorld
}

func (f failing) Put(ctx context.Context, key string, body io.Reader, o PutOptions) (Object, error) {
	f.w.mu.Lock()
	err := f.w.failPuts
	f.w.mu.Unlock()
	if err != nil {
		_, _ = io.Copy(io.Discard, body)
		return Object{}, err
	}
	return f.ObjectStore.Put(ctx, key, body, o)
}

// send uploads a text under a key.
func (w *onceWorld) upload(key, query, body string, more ...string) reply {
	w.t.Helper()
	header := http.Header{"Content-Type": {"text/plain"}, "Idempotency-Key": {key}}
	for i := 0; i < len(more); i += 2 {
		header.Set(more[i], more[i+1])
	}
	return w.do("PUT", Root+"/direct?filename="+query, header, strings.NewReader(body))
}

// objects are the keys in the bucket under a prefix.
func (w *onceWorld) objects(prefix string) (keys []string) {
	w.t.Helper()
	for key := range w.bed.Snapshot(w.t, w.bucket) {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

func (w *onceWorld) has(files, records int) {
	w.t.Helper()
	if got := w.objects("uploads/"); len(got) != files {
		w.t.Errorf("%d files, want %d: %v", len(got), files, got)
	}
	if got := w.objects(idempotencyPrefix); len(got) != records {
		w.t.Errorf("%d records, want %d: %v", len(got), records, got)
	}
}

// isReplay checks that an answer is the first one, byte for byte.
func isReplay(t *testing.T, first, again reply) {
	t.Helper()
	if again.status != first.status || again.body != first.body || again.header.Get("Idempotency-Replayed") != "true" {
		t.Fatalf("%d %v %s\nwant a replay of %d %s", again.status, again.header, again.body, first.status, first.body)
	}
	for _, name := range append(answered, "Content-Length") {
		if first.header.Get(name) != again.header.Get(name) {
			t.Errorf("%s: %q, first %q", name, again.header.Get(name), first.header.Get(name))
		}
	}
}

func isProblem(t *testing.T, got reply, status int, text string) {
	t.Helper()
	if got.status != status || !strings.Contains(got.body, text) {
		t.Fatalf("%d %s, want %d with %q", got.status, got.body, status, text)
	}
}

func TestTheSameUploadTwiceIsOneFile(t *testing.T) {
	w := newOnce(t)
	first := w.upload("k1", "a.txt", "hello")
	if first.status != 201 || first.header.Get("Idempotency-Replayed") != "" {
		t.Fatalf("%d %v %s", first.status, first.header, first.body)
	}
	isReplay(t, first, w.upload("k1", "a.txt", "hello"))
	isReplay(t, first, w.upload(`"k1"`, "a.txt", "hello"))
	header, body := formOf(t, filePart("a.txt", "text/plain", "hello"))
	header.Set("Idempotency-Key", "k1")
	isReplay(t, first, w.do("POST", Root+"/direct", header, strings.NewReader(body)))
	isReplay(t, first, w.do("PUT", Root+"/direct?filename=a.txt", http.Header{"Content-Type": {"text/plain"}, "Idempotency-Key": {"k1"}},
		struct{ io.Reader }{strings.NewReader("hello")}))
	w.has(1, 1)
	if got := w.upload("k2", "a.txt", "hello"); got.status != 201 || got.body == first.body {
		t.Errorf("another key: %d %s", got.status, got.body)
	}
	w.has(2, 2)
}

func TestAKeyIsNotTakenForAnotherRequest(t *testing.T) {
	w := newOnce(t)
	if got := w.upload("k", "a.txt", "hello"); got.status != 201 {
		t.Fatal(got)
	}
	const text = "was used for another request"
	isProblem(t, w.upload("k", "a.txt", "HELLO"), 422, text)
	isProblem(t, w.upload("k", "a.txt", "hello, again"), 422, text)
	isProblem(t, w.upload("k", "b.txt", "hello"), 422, text)
	isProblem(t, w.upload("k", "a.txt", "hello", "Content-Type", "text/plain; charset=utf-8"), 422, text)
	isProblem(t, w.do("PUT", Root+"/direct?filename=a.txt", http.Header{"Content-Type": {"text/plain"}, "Idempotency-Key": {"k"}},
		struct{ io.Reader }{strings.NewReader("hello, without a length")}), 422, text)
	isProblem(t, w.do("POST", Root+"/presigned", http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {"k"}},
		strings.NewReader(`{"filename":"a.txt"}`)), 422, text)
	isProblem(t, w.upload("k", "a.txt", "hello", "Repr-Digest", digestOf([]byte("other"))), 400, "checksum")
	isProblem(t, w.do("POST", Root+"/copy", http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {"k"}},
		strings.NewReader(`{"file_id":"uploads/x"}`)), 501, "Idempotency-Key")
	isProblem(t, w.upload("a b", "a.txt", "hello"), 400, "Idempotency-Key")
	w.has(1, 1)
}

func TestAKeyBelongsToItsCaller(t *testing.T) {
	callers, err := policy.NewCallers(policy.CallersOptions{Master: "m", APIKeys: []policy.APIKey{{Caller: "alice", Key: testKey}, {Caller: "bob", Key: "k-bob"}}})
	if err != nil {
		t.Fatal(err)
	}
	w := newOnce(t, func(o *Options) {
		o.Callers, o.Auth = callers, &policy.RESTAuth{Mode: policy.AuthRequired, Callers: callers}
	})
	first, other := w.upload("k", "a.txt", "hello"), w.upload("k", "a.txt", "hello", "X-Api-Key", "k-bob")
	if first.status != 201 || other.status != 201 || other.header.Get("Idempotency-Replayed") != "" || first.body == other.body {
		t.Errorf("%d %s; %d %s", first.status, first.body, other.status, other.body)
	}
	w.has(2, 2)
}

func TestOfTwentyAtOnceOneStores(t *testing.T) {
	w := newOnce(t)
	answers := make([]reply, 20)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() { answers[i] = w.upload("k", "a.txt", "hello") })
	}
	all.Wait()
	stored := 0
	for _, a := range answers {
		switch {
		case a.status == 201 && a.header.Get("Idempotency-Replayed") == "":
			stored++
		case a.status == 201:
		case a.status != 409 || a.header.Get("Retry-After") != "5":
			t.Errorf("%d %v %s", a.status, a.header, a.body)
		}
	}
	if stored != 1 {
		t.Errorf("%d requests stored a file", stored)
	}
	w.has(1, 1)
}

func TestAKeyHoldsOnEveryReplica(t *testing.T) {
	var options Options
	w := newOnce(t, func(o *Options) { options = *o })
	first := w.upload("k", "a.txt", "hello")
	other := httptest.NewServer(New(options))
	defer other.Close()
	w.srv.URL, first.body = other.URL, strings.Clone(first.body)
	isReplay(t, first, w.upload("k", "a.txt", "hello"))
	w.has(1, 1)
}

// hanging begins an upload that goes on as the test writes. The function gives
// its answer.
func (w *onceWorld) hanging(key, begin string) (*io.PipeWriter, func() reply) {
	w.t.Helper()
	body, in := io.Pipe()
	answers := make(chan reply, 1)
	go func() {
		r, _ := http.NewRequest("PUT", w.srv.URL+Root+"/direct?filename=a.txt", body)
		r.Header = http.Header{"Content-Type": {"text/plain"}, "Idempotency-Key": {key}, "X-Api-Key": {testKey}}
		resp, err := w.srv.Client().Do(r)
		if err != nil {
			answers <- reply{body: err.Error()}
			return
		}
		defer resp.Body.Close()
		raw, _ := io.ReadAll(resp.Body)
		answers <- reply{resp.StatusCode, resp.Header, string(raw)}
	}()
	if _, err := io.WriteString(in, begin); err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { in.Close() })
	w.recordIsNot("")
	return in, func() reply { return <-answers }
}

// recordIsNot waits until the one record is there, in another state than the one
// of an ETag, and gives its ETag.
func (w *onceWorld) recordIsNot(etag string) string {
	w.t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); {
		for key, info := range w.bed.Snapshot(w.t, w.bucket) {
			if strings.HasPrefix(key, idempotencyPrefix) && info.ETag != etag {
				return info.ETag
			}
		}
	}
	w.t.Fatal("the record was not written")
	return ""
}

// head is more than the policy reads before an upload is admitted.
var head = strings.Repeat("a", policy.SniffLen+1000)

func TestARequestUnderWayKeepsItsKeyWhileItLives(t *testing.T) {
	w := newOnce(t)
	in, answer := w.hanging("k", head)
	busy := w.upload("k", "a.txt", head+"end")
	isProblem(t, busy, 409, "is under way")
	if busy.header.Get("Retry-After") != "5" {
		t.Errorf("%v", busy.header)
	}
	isProblem(t, w.upload("k", "b.txt", "x"), 422, "another request")
	claimed := w.recordIsNot("")
	w.wait(renewAfter)
	_, _ = io.WriteString(in, "en")
	w.recordIsNot(claimed) // it was renewed
	w.wait(takeOverAfter - time.Second)
	isProblem(t, w.upload("k", "a.txt", head+"end"), 409, "is under way")
	_, _ = io.WriteString(in, "d")
	in.Close()
	first := answer()
	if first.status != 201 {
		t.Fatal(first)
	}
	isReplay(t, first, w.upload("k", "a.txt", head+"end"))
	w.has(1, 1)
}

func TestARequestWithoutSignOfLifeLosesItsKey(t *testing.T) {
	w := newOnce(t)
	in, answer := w.hanging("k", head)
	second := reply{status: 409}
	for second.status == 409 { // until the first one has read all that came, and stands still
		w.wait(takeOverAfter)
		second = w.upload("k", "a.txt", head+"end")
	}
	if second.status != 201 {
		t.Fatal(second)
	}
	_, _ = io.WriteString(in, "end")
	in.Close()
	isProblem(t, answer(), 409, "is under way")
	isReplay(t, second, w.upload("k", "a.txt", head+"end"))
	w.has(1, 1)
}

func TestACrashLeavesOneFile(t *testing.T) {
	w := newOnce(t)
	w.set(func() { w.dead = true })
	first := w.upload("k", "a.txt", "hello") // stored, but nothing of it in the record
	w.set(func() { w.dead = false })
	isProblem(t, w.upload("k", "a.txt", "hello"), 409, "is under way")
	w.wait(takeOverAfter)
	isProblem(t, w.upload("k", "a.txt", "HELLO"), 422, "another request")
	again := w.upload("k", "a.txt", "hello")
	if again.status != 201 || again.json(t)["file_id"] != first.json(t)["file_id"] || again.header.Get("Idempotency-Replayed") != "true" {
		t.Fatalf("%d %v %s, first %s", again.status, again.header, again.body, first.body)
	}
	w.has(1, 1)
}

func TestACrashBeforeTheFileKeepsItsId(t *testing.T) {
	w := newOnce(t)
	w.set(func() {
		w.dead, w.failPuts = true, gateway.Errorf(gateway.ServiceUnavailable, "away")
	})
	isProblem(t, w.upload("k", "a.txt", "hello"), 503, "away")
	w.set(func() { w.dead, w.failPuts = false, nil })
	isProblem(t, w.upload("k", "a.txt", "hello"), 409, "is under way")
	w.wait(takeOverAfter)
	first := w.upload("k", "a.txt", "hello")
	if first.status != 201 || first.header.Get("Idempotency-Replayed") != "" {
		t.Fatal(first)
	}
	isReplay(t, first, w.upload("k", "a.txt", "hello"))
	w.has(1, 1)
}

func TestAFailureFreesTheKeyForTheSameRequest(t *testing.T) {
	w := newOnce(t)
	w.set(func() { w.failPuts = gateway.Errorf(gateway.ServiceUnavailable, "away") })
	isProblem(t, w.upload("k", "a.txt", "hello"), 503, "away")
	isProblem(t, w.upload("k", "b.txt", "hello"), 422, "another request")
	w.set(func() { w.failPuts = nil })
	if got := w.upload("k", "a.txt", "hello"); got.status != 201 {
		t.Error(got)
	}
	w.has(1, 1)
}

func TestARefusalFreesTheKey(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		more       []string
	}{
		{"a type that is not allowed", "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 60), 415, nil},
		{"too large", strings.Repeat("a", testLimit+1), 413, nil},
		{"another checksum", "hello", 400, []string{"Repr-Digest", digestOf([]byte("other"))}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newOnce(t)
			if got := w.upload("k", "a.txt", c.body, c.more...); got.status != c.status {
				t.Fatalf("%d %s", got.status, got.body)
			}
			w.has(0, 0)
			if got := w.upload("k", "b.txt", "corrected"); got.status != 201 {
				t.Error(got)
			}
			w.has(1, 1)
		})
	}
}

func TestAClientThatLeftMayComeAgainAtOnce(t *testing.T) {
	w := newOnce(t)
	in, answer := w.hanging("k", head)
	in.CloseWithError(errors.New("cut"))
	answer()
	deadline, got := time.Now().Add(20*time.Second), reply{status: 409}
	for got.status == 409 && time.Now().Before(deadline) { // until the gateway noticed
		got = w.upload("k", "a.txt", head+"end")
	}
	if got.status != 201 {
		t.Fatal(got)
	}
	w.has(1, 1)
}

func TestAnAnswerIsKeptForADay(t *testing.T) {
	w := newOnce(t)
	first := w.upload("k", "a.txt", "hello")
	w.wait(RecordLife - time.Minute)
	isReplay(t, first, w.upload("k", "a.txt", "hello"))
	w.wait(2 * time.Minute)
	if got := w.upload("k", "a.txt", "HELLO"); got.status != 201 || got.header.Get("Idempotency-Replayed") != "" {
		t.Fatal(got)
	}
	w.has(2, 1)
}

func TestOldRecordsAreSwept(t *testing.T) {
	var files *Store
	w := newOnce(t, func(o *Options) { files = o.Records.(crashing).RecordStore.(*Store) })
	w.upload("k1", "a.txt", "hello")
	w.upload("k2", "a.txt", "hello")
	if n, err := files.SweepRecords(t.Context(), time.Now(), time.Hour); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	w.has(2, 2)
	if n, err := files.SweepRecords(t.Context(), time.Now().Add(time.Hour), 30*time.Minute); n != 2 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	w.has(2, 0)
}

// waits fails the test when its bytes are asked for.
type waits struct{ t *testing.T }

func (w waits) Read([]byte) (int, error) {
	w.t.Error("the body was asked for")
	return 0, io.ErrUnexpectedEOF
}

func TestAClientThatSaysItsDigestSendsItsBodyOnce(t *testing.T) {
	w := newOnce(t)
	for name, digest := range map[string]string{"Repr-Digest": digestOf([]byte("hello")), "X-Amz-Checksum-Sha256": base64SHA256(hexOf(sha256Of([]byte("hello"))))} {
		first := w.upload("k", "a.txt", "hello", name, digest)
		client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
		r, _ := http.NewRequest("PUT", w.srv.URL+Root+"/direct?filename=a.txt", waits{t})
		r.ContentLength = 5
		r.Header = http.Header{"Content-Type": {"text/plain"}, "Idempotency-Key": {"k"}, "X-Api-Key": {testKey}, name: {digest}, "Expect": {"100-continue"}}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		isReplay(t, reply{first.status, first.header, first.body}, reply{resp.StatusCode, resp.Header, string(raw)})
	}
	w.has(1, 1)
}

func TestALinkIsGivenOnce(t *testing.T) {
	for _, document := range []string{`{"filename":"a.txt"}`, `{"filename":"a.txt","size":5,"sha256":"` + hexOf(sha256Of([]byte("hello"))) + `"}`, `{"filename":"a.txt","method":"POST"}`} {
		t.Run(document, func(t *testing.T) {
			w := newOnce(t)
			ask := func(document string) reply {
				return w.do("POST", Root+"/presigned", http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {"k"}}, strings.NewReader(document))
			}
			first := ask(document)
			if first.status != 200 {
				t.Fatal(first)
			}
			w.wait(time.Minute)
			isReplay(t, first, ask(document))
			isReplay(t, first, ask(strings.Replace(document, "{", "{ ", 1)))
			isProblem(t, ask(strings.Replace(document, "a.txt", "b.txt", 1)), 422, "another request")
			isProblem(t, w.upload("k", "a.txt", "hello"), 422, "another request")
			w.has(0, 1)
			w.holdsNoSignature(first)
			w.wait(time.Hour) // the link's life
			if again := ask(document); again.status != 200 || again.body == first.body || again.header.Get("Idempotency-Replayed") != "" {
				t.Errorf("%d %s", again.status, again.body)
			}
		})
	}
}

// holdsNoSignature looks into the record: whoever may read the bucket must not
// be able to upload by it.
func (w *onceWorld) holdsNoSignature(link reply) {
	w.t.Helper()
	key := w.objects(idempotencyPrefix)[0]
	got, err := w.bed.Client(w.t).GetObject(w.t.Context(), &s3.GetObjectInput{Bucket: aws.String(w.bucket), Key: &key})
	if err != nil {
		w.t.Fatal(err)
	}
	defer got.Body.Close()
	raw, _ := io.ReadAll(got.Body)
	u, _ := url.Parse(link.json(w.t)["upload_url"].(string))
	signature := u.Query().Get("X-Amz-Signature")
	if fields, ok := link.json(w.t)["fields"].(map[string]any); ok {
		signature = fields["x-amz-signature"].(string)
	}
	if signature == "" || strings.Contains(string(raw), signature) || strings.Contains(string(raw), "alice") {
		w.t.Errorf("signature %q, record %s", signature, raw)
	}
}

// A store that takes every write, whatever its conditions.
func TestAStoreWithoutConditionsIsSaidSo(t *testing.T) {
	var files []string
	var mu sync.Mutex
	lax := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.Method == http.MethodPut && !strings.Contains(r.URL.Path, backend.ProbeKeys) {
			files = append(files, r.URL.Path)
		}
		if r.Method == http.MethodGet {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	defer lax.Close()
	u, _ := url.Parse(lax.URL)
	client := backend.New(backend.Endpoint{Name: "lax", URL: u, Region: "us-east-1", PathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")}, zerolog.Nop(), time.Now)
	defer client.Close()
	b := newBench(t, func(o *Options) {
		store := NewStore(client, "b", cache.New(cache.Options{Now: time.Now}))
		o.Store, o.Records, o.IdempotencyKey = store, store, []byte("k")
	})
	header := http.Header{"Content-Type": {"text/plain"}, "Idempotency-Key": {"k"}}
	isProblem(t, b.do("PUT", Root+"/direct?filename=a.txt", header, strings.NewReader("hello")), 501, "conditional writes")
	if len(files) > 0 {
		t.Errorf("written: %v", files)
	}
}

func TestAKeyWithoutASharedSecretIsRefused(t *testing.T) {
	b := newBench(t)
	isProblem(t, b.do("PUT", Root+"/direct?filename=a.txt", http.Header{"Idempotency-Key": {"k"}}, strings.NewReader("hello")), 503, "GATEWAY_SECRET_ACCESS_KEY")
	if calls := b.store.calls(); len(calls) > 0 {
		t.Error(calls)
	}
}
