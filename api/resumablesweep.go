package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
)

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
	for _, prefix := range []string{uploadRecords, doneRecords, tailRecords, backend.ProbeKeys} {
		failed = append(failed, s.eachRecord(ctx, prefix, visit))
	}
	return removed, errors.Join(failed...)
}

// sweepOne looks at one state. A save moves the expiry on by uploadLife, so a
// young record needs no reading.
func (s *Store) sweepOne(ctx context.Context, r oldRecord, now time.Time) (gone bool, err error) {
	id, isUpload := strings.CutPrefix(r.key, uploadRecords)
	done, isDone := strings.CutPrefix(r.key, doneRecords)
	age := now.Sub(r.modified)
	switch {
	case strings.HasPrefix(r.key, tailRecords) && r.current:
		if age >= uploadLife {
			return false, s.sweepPiece(ctx, r)
		}
		return false, nil
	case !r.current || !isUpload && !isDone:
		if age >= settleTime {
			return false, s.DeleteRecord(ctx, r.key, r.state)
		}
		return false, nil
	case age < uploadLife:
		return false, nil
	}
	u := &upload{id: id}
	if isDone {
		u.id, u.atDone = done, true
	}
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

// endUpload leaves nothing of an upload: its parts first, so that a failure
// leaves the state for the sweep. Parts of an open one are looked for by key too: a
// gateway that died may not have come to note them. The key of a finished one is a
// file's, which others may be writing by now.
func (s *Store) endUpload(ctx context.Context, u *upload) error {
	ctx, cancel := context.WithTimeout(lasting(ctx), cleanupTime)
	defer cancel()
	if !u.state.Done {
		if err := s.abortAll(ctx, u.state.Key); err != nil {
			return err
		}
	}
	if u.saved == nil {
		return nil
	}
	s.deletePieces(ctx, u.id, u.state.Pieces)
	if u.state.Earlier.Name != "" {
		s.deletePieces(ctx, u.id, []savedPiece{u.state.Earlier})
	}
	u.ended = true
	return s.DeleteRecord(ctx, u.recordKey(), *u.saved)
}

// abortAll aborts every multipart upload of a key.
func (s *Store) abortAll(ctx context.Context, key string) error {
	pages := s3.NewListMultipartUploadsPaginator(s.Client.S3(), &s3.ListMultipartUploadsInput{Bucket: &s.Bucket, Prefix: &key})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fromSDK(err)
		}
		for _, found := range page.Uploads {
			if aws.ToString(found.Key) != key {
				continue
			}
			in := &s3.AbortMultipartUploadInput{Bucket: &s.Bucket, Key: &key, UploadId: found.UploadId}
			if _, err := s.Client.S3().AbortMultipartUpload(ctx, in); err != nil {
				if e := fromSDK(err); gateway.CodeOf(e) != gateway.NoSuchUpload {
					return e
				}
			}
		}
	}
	return nil
}
