package model

import (
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
	runPrograms(t, storeTarget(t, time.Now), setting(t, programsVariable, 400))
}

// The clock is set forward, so that retentions end.
func TestTheEmbeddedStoreFollowsTheRulesOfS3AsTimePasses(t *testing.T) {
	var forward atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(forward.Load())) }
	target := storeTarget(t, now)
	target.Now, target.Wait = now, func(d time.Duration) { forward.Add(int64(d)) }
	runPrograms(t, target, setting(t, programsVariable, 400)/4)
}

// storeTarget opens an embedded store that does not sync.
func storeTarget(t *testing.T, now func() time.Time) *Target {
	t.Helper()
	log := zerolog.New(os.Stderr).Level(zerolog.WarnLevel)
	store, err := localstore.Open(t.Context(), localstore.Options{Dir: t.TempDir(), NoSync: true, Log: log, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Target{Name: "localstore", Keys: NastyKeys, MinPart: localstore.MinPartSize,
		Client: newClient("http://localstore", wire.New(store, wire.Options{Log: log, Now: now}), aws.AnonymousCredentials{})}
}
