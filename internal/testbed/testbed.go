package testbed

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/backend/embedded"
)

// The variables that choose the store.
const (
	StoreVariable = "S3GATEWAY_TEST_STORE"
	MinIOVariable = "S3GATEWAY_TEST_MINIO"
)

// Store is a running S3 server. It is safe for concurrent use.
type Store struct {
	// Name is "embedded" or "minio".
	Name string
	// Endpoint is the base URL. With a Socket its host is only a name.
	Endpoint *url.URL
	// Socket is the unix socket that the server listens on, "" for TCP.
	Socket string
	// Region, AccessKeyID and SecretAccessKey sign requests of its root user.
	Region, AccessKeyID, SecretAccessKey string

	has   map[Capability]bool
	http  *http.Transport
	close func()
	// folder holds a folder for each bucket, "" where objects are no files.
	folder string
}

// shared is the one server of this test process.
type shared struct {
	mu    sync.Mutex
	tried bool
	store *Store
	err   error
}

// server is process-wide because a test process is: Main ends what the first
// Open started.
var server shared

// Main runs the tests and ends the store after them. When the test binary was
// started as the embedded store's child it is that child.
func Main(m *testing.M) int {
	if len(os.Args) > 1 && os.Args[1] == embedded.Subcommand {
		return embedded.ChildMain(os.Stdin, os.Stderr)
	}
	defer server.shutdown()
	return m.Run()
}

// Open gives the store of this test process and starts it at the first call. A
// store that cannot start fails the test, each time.
func Open(t testing.TB) *Store {
	t.Helper()
	store, err := server.open(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func (s *shared) open(getenv func(string) string) (*Store, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tried {
		return s.store, s.err
	}
	s.tried = true
	s.store, s.err = launch(getenv)
	return s.store, s.err
}

func (s *shared) shutdown() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.store != nil {
		s.store.shutdown()
	}
}

func launch(getenv func(string) string) (*Store, error) {
	switch name := getenv(StoreVariable); name {
	case "", "embedded":
		return launchEmbedded()
	case "minio":
		return launchMinIO(getenv(MinIOVariable))
	default:
		return nil, fmt.Errorf("%s=%q: it knows embedded and minio", StoreVariable, name)
	}
}

func launchEmbedded() (*Store, error) {
	dir, err := os.MkdirTemp("", "s3gateway-test-")
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	store, err := embedded.Start(ctx, embedded.Options{Dir: dir})
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	keys := store.Credentials()
	bed := newStore("embedded", store.Socket())
	bed.Endpoint = &url.URL{Scheme: "http", Host: "embedded"}
	bed.Region, bed.AccessKeyID, bed.SecretAccessKey = store.Region(), keys.AccessKeyID, keys.SecretAccessKey
	bed.folder = filepath.Join(dir, "buckets")
	bed.close = func() {
		if err := store.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "testbed:", err)
		}
		os.RemoveAll(dir)
	}
	return bed, nil
}

func newStore(name, socket string) *Store {
	return &Store{Name: name, Socket: socket, has: capabilities(name), http: transport(socket)}
}

func (s *Store) shutdown() {
	s.http.CloseIdleConnections()
	s.close()
}

// answers is nil when the store answers a signed request.
func (s *Store) answers(ctx context.Context) error {
	_, err := s.client().ListBuckets(ctx, &s3.ListBucketsInput{})
	return err
}

// Client talks to the store directly, past the gateway, without retries: for
// preparing objects and for looking at side effects.
func (s *Store) Client(t testing.TB) *s3.Client {
	t.Helper()
	return s.client()
}

func (s *Store) client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint:     aws.String(s.Endpoint.String()),
		UsePathStyle:     true,
		Region:           s.Region,
		Credentials:      credentials.NewStaticCredentialsProvider(s.AccessKeyID, s.SecretAccessKey, ""),
		HTTPClient:       &http.Client{Transport: s.http},
		RetryMaxAttempts: 1,
	})
}

func transport(socket string) *http.Transport {
	t := &http.Transport{MaxIdleConnsPerHost: 32}
	if socket != "" {
		var dialer net.Dialer
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return t
}
