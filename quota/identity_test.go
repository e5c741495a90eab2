package quota

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
)

// sizes is a store that knows the sizes of objects by their paths; clean makes
// it one that cleans keys. before, if set, is called before a PUT is stored.
type sizes struct {
	mu     sync.Mutex
	of     map[string]int64
	clean  bool
	before func(path string)
}

func (s *sizes) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/"); ok && s.clean {
		path = "/" + bucket + "/" + gateway.CleanKey(key)
	}
	if r.Method == http.MethodPut && s.before != nil {
		s.before(r.URL.Path)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch r.Method {
	case http.MethodPut:
		s.of[path] = r.ContentLength
	case http.MethodDelete:
		delete(s.of, path)
	case http.MethodHead:
		size, ok := s.of[path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
	}
}

func (s *sizes) sum() (all int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, size := range s.of {
		all += size
	}
	return all
}

// guarded is a client of a store under a quota of the whole bucket, whose book
// begins empty.
func guarded(t *testing.T, store *sizes, names backend.Names, most int64) (*backend.Client, *Keeper) {
	t.Helper()
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	client := backend.New(backend.Endpoint{
		Name: "s3", URL: at, Region: "us-east-1", PathStyle: true, Names: names,
		Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	}, zerolog.Nop(), time.Now)
	t.Cleanup(client.Close)
	keeper := NewKeeper(Options{Every: time.Hour, Wait: time.Second, Now: time.Now, Log: zerolog.Nop()})
	client.Guard = keeper.Guard(client)
	keeper.Use(NewRules([]Quota{{Name: "q", Most: Usage{Bytes: most}, Places: []Place{{Backend: "s3", Bucket: "b"}}}}))
	if err := keeper.local.Counted(t.Context(), "q", Usage{}, Usage{}); err != nil {
		t.Fatal(err)
	}
	return client, keeper
}

// put stores zeros and reports whether the quota had room.
func put(t *testing.T, c *backend.Client, key string, size int) bool {
	t.Helper()
	resp, err := c.Do(t.Context(), backend.Request{
		Method: http.MethodPut, Bucket: "b", Key: key,
		Body: io.NopCloser(bytes.NewReader(make([]byte, size))), Length: int64(size),
	})
	if gateway.CodeOf(err) == gateway.QuotaExceeded {
		return false
	}
	if err != nil {
		t.Error(err)
		return false
	}
	resp.Body.Close()
	return true
}

// While one spelling of a key is being written, what is written under another
// must not be settled by its measurement: on a store that keeps them apart both
// take room, on one that cleans keys there is one object. Nothing is left out of
// the book where it is not known which store it is.
func TestNoKeyIsSettledByTheMeasurementOfAnother(t *testing.T) {
	for name, tt := range map[string]struct {
		names backend.Names
		clean bool
		exact bool // the book says what is stored
	}{
		"a store that keeps keys apart":          {backend.Names{Keys: backend.KeysExact}, false, true},
		"a store that cleans keys":               {backend.Names{Keys: backend.KeysCleaned}, true, true},
		"an unknown store that keeps them apart": {backend.Names{}, false, false},
		"an unknown store that cleans keys":      {backend.Names{}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			reached, release := make(chan struct{}), make(chan struct{})
			var once sync.Once
			store := &sizes{of: map[string]int64{}, clean: tt.clean}
			store.before = func(path string) {
				if path == "/b/x/a" {
					once.Do(func() {
						close(reached)
						<-release
					})
				}
			}
			client, keeper := guarded(t, store, tt.names, 1000)
			done := make(chan struct{})
			go func() {
				defer close(done)
				put(t, client, "x/a", 10)
			}()
			<-reached
			put(t, client, "x//a", 900)
			close(release)
			<-done
			put(t, client, "other", 900)
			stored := store.sum()
			used, _, err := keeper.local.Used(t.Context(), "q")
			if err != nil || stored > 1000 || used.Bytes < stored || tt.exact && used.Bytes != stored {
				t.Errorf("stored %d bytes under a quota of 1000, the book says %+v (%v)", stored, used, err)
			}
		})
	}
}
