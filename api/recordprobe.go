package api

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"

	gateway "github.com/codeguardians/s3gateway"
)

// probeRecords is where conditional writes are tried out.
const probeRecords = gateway.ReservedPrefix + "probe/"

// probed remembers that the backend takes conditions.
type probed struct{ conditions atomic.Bool }

// tryConditions refuses a backend that ignores conditions: on it two
// requests could both believe that they own a record. It is tried out once.
func (s *Store) tryConditions(ctx context.Context) error {
	if s.conditions.Load() {
		return nil
	}
	key := probeRecords + strings.ToLower(rand.Text())
	refusal := gateway.Errorf(gateway.NotImplemented,
		"The storage has no conditional writes (If-Match, If-None-Match), without which this cannot be done safely.")
	first, err := s.putRecord(ctx, key, nil, []byte("probe"))
	if e := gateway.AsError(err); err != nil && (e.Status == http.StatusNotImplemented || e.Status == http.StatusBadRequest) {
		return refusal.Because(err)
	}
	if err != nil {
		return fmt.Errorf("trying out conditional writes: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
		defer cancel()
		if err := s.DeleteRecord(ctx, key, first); err != nil {
			s.Log.Warn().Err(err).Str("key", key).Msg("a probe could not be deleted; a sweep will")
		}
	}()
	for _, old := range []*RecordState{nil, {ETag: `"00000000000000000000000000000000"`}} {
		again, err := s.putRecord(ctx, key, old, []byte("again"))
		if err == nil {
			first = again
			return refusal
		}
		if !errors.Is(err, errRecordChanged) {
			return fmt.Errorf("trying out conditional writes: %w", err)
		}
	}
	s.conditions.Store(true)
	return nil
}
