package model

import (
	"net/http"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/internal/localstore/wire"
)

func TestTheEmbeddedStoreFollowsTheRulesOfS3(t *testing.T) {
	open := func() (*Target, func()) { return openStore(t, time.Now, nil) }
	runPrograms(t, open, setting(t, programsVariable, 400))
}

// The clock is set forward, so that retentions end.
func TestTheEmbeddedStoreFollowsTheRulesOfS3AsTimePasses(t *testing.T) {
	open := func() (*Target, func()) {
		var forward atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(forward.Load())) }
		target, done := openStore(t, now, nil)
		target.Now, target.Wait = now, func(d time.Duration) { forward.Add(int64(d)) }
		return target, done
	}
	runPrograms(t, open, setting(t, programsVariable, 400)/4)
}

// openStore opens an embedded store that does not sync. Its answers are those of
// wrap, if that is not nil. done removes the store.
func openStore(t *testing.T, now func() time.Time, wrap func(http.RoundTripper) http.RoundTripper) (target *Target, done func()) {
	t.Helper()
	dir, err := os.MkdirTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	store, err := localstore.Open(t.Context(), localstore.Options{Dir: dir, NoSync: true, Log: log, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	transport := wire.New(store, wire.Options{Log: log, Now: now})
	if wrap != nil {
		transport = wrap(transport)
	}
	client := newClient("http://localstore", transport, aws.AnonymousCredentials{})
	return &Target{Name: "localstore", Keys: NastyKeys, MinPart: localstore.MinPartSize, Client: client}, func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	}
}
