package main

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/internal/testlog"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == gatewayProcess {
		os.Args = os.Args[:1]
		main()
	}
	os.Exit(testbed.Main(m))
}

const (
	testKeyID  = "TESTACCESSKEY"
	testSecret = "test-secret-of-forty-characters-or-so-000"
)

// world is a gateway over a bucket of the test store.
type world struct {
	t      *testing.T
	url    string
	store  *testbed.Store
	bucket string
	clock  *clock
	log    *testlog.Buffer
	before map[string]testbed.ObjectInfo
	app    *app
	// load reads the configuration again.
	load func() (*config.Config, []config.Warning, error)
}

// clock stands still until a test moves it, and begins at the real time: the
// SDK signs with that.
type clock struct {
	mu   sync.Mutex
	now  time.Time
	live bool // it runs as time does
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.live {
		return time.Now()
	}
	return c.now
}

func (c *clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// open are settings without any limit.
var open = []string{"MAX_FILE_SIZE=0", "ALLOWED_FILE_TYPES=*/*"}

// newWorld starts a gateway with the given settings, as the command would, over
// a new bucket of the test store.
func newWorld(t *testing.T, settings ...string) *world {
	t.Helper()
	store := testbed.Open(t)
	return newWorldOn(t, store, store.Bucket(t), settings...)
}

// newFiled is newWorld with a YAML file, in which BUCKET stands for the bucket.
func newFiled(t *testing.T, file string, settings ...string) *world {
	t.Helper()
	store := testbed.Open(t)
	bucket := store.Bucket(t)
	return newWorldOn(t, store, bucket, append(slices.Clone(open), append(settings, yamlFile(t, strings.ReplaceAll(file, "BUCKET", bucket)))...)...)
}

// yamlFile is the setting that names a YAML file with this content.
func yamlFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s3gateway.yaml")
	write(t, path, content)
	return "CONFIG_FILE=" + path
}

// redisPatience is one that a busy machine does not use up.
const redisPatience = 10 * time.Second

// newWorldOn is newWorld over a bucket that there is.
func newWorldOn(t *testing.T, store *testbed.Store, bucket string, settings ...string) *world {
	t.Helper()
	if slices.Contains(settings, "PRESIGN_VIA=backend") {
		store = store.Signed(t) // links lead straight to it
	}
	w := &world{t: t, store: store, bucket: bucket, clock: &clock{now: time.Now()}, log: &testlog.Buffer{}}
	options := config.Options{Dir: t.TempDir(), Environ: append([]string{
		"LISTEN_ADDR=127.0.0.1:0", "ADMIN_ADDR=off", "S3_ENABLED=true", "S3_BUCKET_NAME=" + w.bucket, "S3_REGION=us-east-1", "LOG_LEVEL=DEBUG",
		"GATEWAY_ACCESS_KEY_ID=" + testKeyID, "GATEWAY_SECRET_ACCESS_KEY=" + testSecret,
	}, settings...)}
	w.load = func() (*config.Config, []config.Warning, error) { return config.Load(options) }
	cfg, _, err := w.load()
	if err != nil {
		t.Fatal(err)
	}
	log := zerolog.New(w.log).Level(zerolog.DebugLevel)
	stall, _ := time.ParseDuration(os.Getenv("S3GATEWAY_TEST_STALL")) // of a test of stalls
	a := &app{patience: redisPatience, stall: stall, client: backend.New(endpointOf(store, stall), log, time.Now)}
	a.monitor = &backend.Monitor{Log: log, Now: time.Now, Probe: func(ctx context.Context) error {
		return a.client.HeadBucket(ctx, w.bucket)
	}}
	w.app = a
	if err := a.assemble(t.Context(), cfg, log, w.clock.Now); err != nil {
		t.Fatal(err)
	}
	if err := a.monitor.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.app = a
	counting, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { a.quotas.Run(counting) })
	t.Cleanup(func() {
		stop()
		running.Wait()
		a.close()
	})
	w.serve(cfg, log, a.handler)
	w.before = store.Snapshot(t, w.bucket)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the gateway:\n%s", w.log)
		}
		if strings.Contains(w.log.String(), testSecret) || strings.Contains(w.log.String(), store.SecretAccessKey) {
			t.Error("the log holds a secret")
		}
	})
	return w
}

// endpointOf returns what the command would make of a store.
func endpointOf(store *testbed.Store, stall time.Duration) backend.Endpoint {
	e := backend.Endpoint{
		Name: store.Name, URL: store.Endpoint, Region: store.Region, PathStyle: true, Trailers: true, SignedChunks: true,
		Credentials: credentials.NewStaticCredentialsProvider(store.AccessKeyID, store.SecretAccessKey, ""),
	}
	if store.Transport != nil {
		e = storeEndpoint(store.Transport)
	}
	e.Stall = stall
	return e
}

// serve listens as the command would.
func (w *world) serve(cfg *config.Config, log zerolog.Logger, h http.Handler) {
	w.t.Helper()
	secure, err := tlsConfig(cfg, log)
	if err != nil {
		w.t.Fatal(err)
	}
	listeners, err := bind(cfg, log)
	if err != nil {
		w.t.Fatal(err)
	}
	server, done := newServer(h, secure, log), make(chan error, 1)
	go func() { done <- serveOn(listeners[0], server) }()
	scheme := "http://"
	if secure != nil {
		scheme = "https://"
	}
	w.url = scheme + listeners[0].Addr().String()
	w.t.Cleanup(func() {
		transport().CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := errors.Join(server.Shutdown(ctx), <-done); err != nil {
			w.t.Error(err)
		}
	})
}

// s3 is an SDK client of the gateway's S3 door.
func (w *world) s3(change ...func(*s3.Options)) *s3.Client {
	o := s3.Options{
		BaseEndpoint: aws.String(w.url), UsePathStyle: true, Region: "us-east-1", RetryMaxAttempts: 1, HTTPClient: &http.Client{Transport: transport()},
		Credentials: credentials.NewStaticCredentialsProvider(testKeyID, testSecret, ""),
	}
	for _, f := range change {
		f(&o)
	}
	return s3.New(o)
}

// unchanged fails the test unless the bucket is as it was at the start and no
// multipart upload is left in it.
func (w *world) unchanged() {
	w.t.Helper()
	w.store.Unchanged(w.t, w.bucket, w.before)
	if left := w.store.Uploads(w.t, w.bucket); len(left) > 0 {
		w.t.Errorf("multipart uploads left: %v", left)
	}
}

// eventually waits for a condition that the gateway brings about by itself.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-ctx.Done():
			t.Fatal("never came true: " + what)
		case <-tick.C:
		}
	}
}

// answer is a response, read whole.
type answer struct {
	proto  string
	status int
	header http.Header
	body   []byte
}

func do(t *testing.T, r *http.Request) answer {
	t.Helper()
	return doBy(t, transport(), r)
}

func doBy(t *testing.T, client http.RoundTripper, r *http.Request) answer {
	t.Helper()
	resp, err := client.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{resp.Proto, resp.StatusCode, resp.Header, body}
}

func newRequest(t *testing.T, method, url string, body io.Reader, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

// json reads the answer as an object.
func (a answer) json(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(a.body, &m); err != nil {
		t.Fatalf("status %d, not JSON: %s", a.status, a.body)
	}
	return m
}

// isProblem checks a refusal of the REST door.
func (a answer) isProblem(t *testing.T, status int, detail string) {
	t.Helper()
	if a.status != status || a.header.Get("Content-Type") != "application/problem+json" {
		t.Fatalf("want problem %d, got %d %s: %s", status, a.status, a.header.Get("Content-Type"), a.body)
	}
	if got := a.json(t)["detail"]; !strings.Contains(got.(string), detail) {
		t.Errorf("detail %q does not say %q", got, detail)
	}
}

// isS3Error checks a refusal of the S3 door.
func (a answer) isS3Error(t *testing.T, status int, code string) {
	t.Helper()
	var doc struct{ Code, Message, RequestId string }
	if err := xml.Unmarshal(a.body, &doc); err != nil || a.status != status || doc.Code != code || doc.Message == "" || doc.RequestId == "" {
		t.Fatalf("want %d %s, got %d %+v (%v): %s", status, code, a.status, doc, err, a.body)
	}
}
