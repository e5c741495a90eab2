package api

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	gateway "github.com/codeguardians/s3gateway"
)

// orphanAge is how old a multipart upload is before it counts as left behind. No
// request writes that long; a resumable upload may, but has its state.
const orphanAge = 48 * time.Hour

// madeID is the form of the ids that newID makes, below the prefix. A client of
// the S3 door names its objects otherwise.
var madeID = regexp.MustCompile(`^\d{4}/\d\d/\d\d/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[^/]+$`)

// SweepParts aborts the multipart uploads that a gateway left behind which was
// killed: those of ids of its own making below a folder (UPLOAD_PREFIX) that are
// old, and that no resumable upload goes on with. It gives their number.
func (s *Store) SweepParts(ctx context.Context, folder string, now time.Time) (removed int, err error) {
	folder = strings.TrimSuffix(folder, "/")
	if folder != "" {
		folder += "/"
	}
	left, err := s.oldParts(ctx, folder, now.Add(-orphanAge))
	if err != nil || len(left) == 0 {
		return 0, err
	}
	live, err := s.uploadKeys(ctx)
	if err != nil {
		return 0, err
	}
	for _, key := range left {
		if live[key] {
			continue
		}
		if err := s.abortAll(ctx, key); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// oldParts are the keys of multipart uploads from before a time.
func (s *Store) oldParts(ctx context.Context, folder string, before time.Time) (keys []string, err error) {
	err = s.Client.EachUpload(ctx, s.Bucket, func(key string, u types.MultipartUpload) error {
		below, found := strings.CutPrefix(key, folder)
		if found && madeID.MatchString(below) && aws.ToTime(u.Initiated).Before(before) {
			keys = append(keys, key)
		}
		return nil
	})
	if err != nil {
		return nil, fromSDK(err)
	}
	return keys, nil
}

// uploadKeys are the files to be of all resumable uploads. A state that cannot be
// read is an error: nothing may be taken from it.
func (s *Store) uploadKeys(ctx context.Context) (map[string]bool, error) {
	keys := map[string]bool{}
	err := s.eachRecord(ctx, uploadRecords, func(r oldRecord) error {
		if !r.current {
			return ctx.Err()
		}
		u := &upload{id: strings.TrimPrefix(r.key, uploadRecords)}
		tail, err := s.loadState(ctx, u)
		if gateway.CodeOf(err) == gateway.NoSuchKey {
			return nil // it ended meanwhile
		}
		if err != nil {
			return err
		}
		keys[u.state.Key] = true
		return errors.Join(tail.Close(), ctx.Err())
	})
	return keys, err
}
