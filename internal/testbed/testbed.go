package testbed

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/internal/localstore/wire"
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
	// Endpoint is the base URL. With a Transport its host is only a name.
	Endpoint *url.URL
	// Transport answers requests in the process; nil for a server on TCP.
	Transport http.RoundTripper
	// Region, AccessKeyID and SecretAccessKey sign requests of its root user.
	Region, AccessKeyID, SecretAccessKey string

	wire  http.RoundTripper
	close func()
	// blobs is the folder of the files that hold objects, "" for another server's.
	blobs string
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

// Main runs the tests and ends the store after them.
func Main(m *testing.M) int {
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
	store, err := localstore.Open(context.Background(), localstore.Options{Dir: dir, NoSync: true})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	bed := newStore("embedded", wire.New(store, wire.Options{}))
	bed.Transport = bed.wire
	bed.Endpoint = &url.URL{Scheme: "http", Host: "embedded"}
	bed.Region, bed.AccessKeyID, bed.SecretAccessKey = localstore.Region, "embedded", "without-signatures"
	bed.blobs = filepath.Join(dir, "store", "blobs")
	bed.close = func() {
		if err := store.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "testbed:", err)
		}
		os.RemoveAll(dir)
	}
	return bed, nil
}

func newStore(name string, wire http.RoundTripper) *Store {
	return &Store{Name: name, wire: wire}
}

func (s *Store) shutdown() {
	if t, ok := s.wire.(*http.Transport); ok {
		t.CloseIdleConnections()
	}
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
		HTTPClient:       &http.Client{Transport: s.wire},
		RetryMaxAttempts: 1,
	})
}

func transport() *http.Transport { return &http.Transport{MaxIdleConnsPerHost: 32} }
