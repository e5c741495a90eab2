package main

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/localstore"
)

// A full disk stops uploads, and health says so. The gateway stays ready: files can
// be read and deleted, which is how the disk gets space again.
func TestAFullDiskIsUnhealthyAndReady(t *testing.T) {
	free := uint64(1 << 40)
	store, err := localstore.Open(t.Context(), localstore.Options{Dir: t.TempDir(), NoSync: true, Log: zerolog.Nop(), Free: func() (uint64, error) { return free, nil }})
	if err != nil {
		t.Fatal(err)
	}
	a := &app{store: store, monitor: &backend.Monitor{Log: zerolog.Nop(), Now: time.Now, Probe: func(context.Context) error { return nil }}}
	defer a.close()
	if err := a.health(t.Context()); err != nil {
		t.Errorf("before: %v", err)
	}
	free = 1000
	e := gateway.AsError(a.health(t.Context()))
	if e.Code != gateway.ServiceUnavailable || e.Message != "The disk of the store is full. Delete objects, or give DATA_DIR more space." {
		t.Errorf("health: %v", e)
	}
	w := httptest.NewRecorder()
	adminHandler(a.monitor, a.storeErr, nil).ServeHTTP(w, httptest.NewRequest("GET", "/readyz", nil))
	if w.Code != 200 || !strings.Contains(w.Body.String(), "ok, but") || !strings.Contains(w.Body.String(), "full") {
		t.Errorf("/readyz: %d %s", w.Code, w.Body)
	}
}
