package api

import (
	"context"
	"errors"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// settleTime is how old a replaced version is before it is removed here; whoever
// replaced it does so at once.
const settleTime = 10 * time.Minute

// SweepUploads removes what is left of resumable uploads that nobody goes on with:
// states past their expiry and their parts, and old versions of states. It gives
// how many uploads those were. What fails for one does not keep it from the
// others. Several replicas may sweep at once.
func (s *Store) SweepUploads(ctx context.Context, now time.Time) (removed int, err error) {
	var failed []error
	visit := func(r oldRecord) error {
		gone, err := s.sweepOne(ctx, r, now)
		if gone {
			removed++
		}
		if err != nil {
			failed = append(failed, err)
		}
		return ctx.Err()
	}
	for _, prefix := range []string{uploadRecords, probeRecords} {
		failed = append(failed, s.eachRecord(ctx, prefix, visit))
	}
	return removed, errors.Join(failed...)
}

// sweepOne looks at one state. A save moves the expiry on by uploadLife, so a
// young record needs no reading.
func (s *Store) sweepOne(ctx context.Context, r oldRecord, now time.Time) (gone bool, err error) {
	id, isUpload := strings.CutPrefix(r.key, uploadRecords)
	age := now.Sub(r.modified)
	switch {
	case !r.current || !isUpload:
		if age >= settleTime {
			return false, s.deleteRecord(ctx, r.key, r.state)
		}
		return false, nil
	case age < uploadLife:
		return false, nil
	}
	u := &upload{id: id}
	tail, err := s.loadState(ctx, u)
	if gateway.CodeOf(err) == gateway.NoSuchKey {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	tail.Close()
	if now.Before(u.state.Expires) {
		return false, nil
	}
	return true, s.endUpload(ctx, u)
}
