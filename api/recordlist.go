package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	gateway "github.com/codeguardians/s3gateway"
)

// oldRecord is a listed state of a record.
type oldRecord struct {
	key      string
	state    RecordState
	current  bool // false for a replaced version and for a delete marker
	modified time.Time
}

// eachRecord lists what is stored below a prefix, versions and delete markers
// too, where the backend lists them.
func (s *Store) eachRecord(ctx context.Context, prefix string, visit func(oldRecord) error) error {
	in := &s3.ListObjectVersionsInput{Bucket: &s.Bucket, Prefix: &prefix}
	pages := s3.NewListObjectVersionsPaginator(s.Client.S3(), in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			if refused := gateway.AsError(fromSDK(err)).Status; refused >= 400 && refused < 500 || refused == http.StatusNotImplemented {
				return s.eachCurrent(ctx, prefix, visit)
			}
			return fromSDK(err)
		}
		var all []oldRecord
		for _, v := range page.Versions {
			all = append(all, oldRecord{aws.ToString(v.Key), RecordState{Version: aws.ToString(v.VersionId)}, aws.ToBool(v.IsLatest), aws.ToTime(v.LastModified)})
		}
		for _, m := range page.DeleteMarkers {
			all = append(all, oldRecord{aws.ToString(m.Key), RecordState{Version: aws.ToString(m.VersionId)}, false, aws.ToTime(m.LastModified)})
		}
		for _, r := range all {
			if err := visit(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// eachCurrent is eachRecord for a backend that lists no versions.
func (s *Store) eachCurrent(ctx context.Context, prefix string, visit func(oldRecord) error) error {
	pages := s3.NewListObjectsV2Paginator(s.Client.S3(), &s3.ListObjectsV2Input{Bucket: &s.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return fromSDK(err)
		}
		for _, o := range page.Contents {
			if err := visit(oldRecord{key: aws.ToString(o.Key), current: true, modified: aws.ToTime(o.LastModified)}); err != nil {
				return err
			}
		}
	}
	return nil
}

// settleTime is how old a replaced state is before a sweep removes it; whoever
// replaced it does so at once.
const settleTime = 10 * time.Minute

// SweepRecords removes the records of Idempotency-Key that nobody wrote for life,
// and gives their number; what is left of replaced ones goes too. A record that
// is renewed at the same moment may go; its key then counts as new.
func (s *Store) SweepRecords(ctx context.Context, now time.Time, life time.Duration) (removed int, err error) {
	var failed []error
	visit := func(r oldRecord) error {
		age := now.Sub(r.modified)
		if r.current && age < life || age < settleTime {
			return ctx.Err()
		}
		err := s.DeleteRecord(ctx, r.key, r.state)
		if err != nil {
			failed = append(failed, err)
		} else if r.current {
			removed++
		}
		return ctx.Err()
	}
	err = s.eachRecord(ctx, idempotencyPrefix, visit)
	return removed, errors.Join(append(failed, err)...)
}
