package model

import (
	"net/http"
	"os"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/internal/localstore/wire"
)

// storeDepartures are what the embedded store refuses by name.
var storeDepartures = []Departure{}

func TestTheEmbeddedStoreFollowsTheRulesOfS3(t *testing.T) {
	store, err := localstore.Open(t.Context(), localstore.Options{Dir: t.TempDir(), NoSync: true, Log: zerolog.New(os.Stderr).Level(zerolog.WarnLevel)})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	t.Cleanup(func() { once.Do(func() { store.Close() }) })
	target := &Target{Name: "localstore", Keys: NastyKeys, MinPart: 5 << 20, Departures: storeDepartures,
		Client: newClient("http://localstore", http.RoundTripper(wire.New(store, wire.Options{Log: zerolog.New(os.Stderr)})), aws.AnonymousCredentials{})}
	runPrograms(t, target, setting(t, programsVariable, 500))
}
