package api

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

// A record is an object of the gateway's own, under gateway.ReservedPrefix,
// which both doors refuse to everyone. It is written only on the condition that
// it is still the one that was read, so that of several replicas one wins.

// probeRecords is where conditional writes are tried out.
const probeRecords = gateway.ReservedPrefix + "probe/"

// recordState identifies one state of a record.
type recordState struct {
	etag    string // with its quotes, as If-Match wants it
	version string // "" on a bucket without versions
}

// getRecord opens a record; the caller closes it. One that is not there is
// NoSuchKey.
func (s *Store) getRecord(ctx context.Context, key string) (io.ReadCloser, recordState, error) {
	resp, err := s.Client.Do(ctx, backend.Request{Method: http.MethodGet, Bucket: s.Bucket, Key: key})
	if err != nil {
		return nil, recordState{}, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, recordState{}, backend.ReadError(resp)
	}
	return resp.Body, recordOf(resp.Header), nil
}

// headRecord gives the state of a record without its body.
func (s *Store) headRecord(ctx context.Context, key string) (recordState, error) {
	resp, err := s.Client.Do(ctx, backend.Request{Method: http.MethodHead, Bucket: s.Bucket, Key: key})
	if err != nil {
		return recordState{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return recordState{}, backend.ReadError(resp)
	}
	return recordOf(resp.Header), nil
}

func recordOf(h http.Header) recordState {
	return recordState{etag: h.Get("Etag"), version: h.Get("X-Amz-Version-Id")}
}

// putRecord replaces old, or makes a new record when old is nil. The error is
// errRecordChanged when another request was first. Of a bucket with versions the
// replaced one is deleted: what a record held is not to be kept.
func (s *Store) putRecord(ctx context.Context, key string, old *recordState, pieces ...[]byte) (recordState, error) {
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	if old == nil {
		header.Set("If-None-Match", "*")
	} else {
		header.Set("If-Match", old.etag)
	}
	sum := sha256.New()
	for _, piece := range pieces {
		sum.Write(piece)
	}
	answer, err := s.send(ctx, backend.Request{
		Method: http.MethodPut, Bucket: s.Bucket, Key: key, Header: header, PayloadHash: hexOf(sum.Sum(nil)),
	}, pieces...)
	if err != nil {
		if conditionFailed(err) {
			return recordState{}, errors.Join(errRecordChanged, err)
		}
		return recordState{}, err
	}
	now := recordOf(answer)
	if old != nil && old.version != "" && old.version != now.version {
		if err := s.deleteRecord(ctx, key, *old); err != nil {
			s.Log.Warn().Err(err).Str("key", key).Msg("an old version of a record could not be deleted; a sweep will")
		}
	}
	return now, nil
}

// conditionFailed reports the answers to a condition that does not hold: of two
// writers at the same time one gets 409, and If-Match on what is gone 404
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
func conditionFailed(err error) bool {
	switch e := gateway.AsError(err); {
	case e == nil:
		return false
	case e.Status == http.StatusPreconditionFailed, e.Status == http.StatusConflict:
		return true
	default:
		return e.Status == http.StatusNotFound && e.Code == gateway.NoSuchKey
	}
}

// deleteRecord deletes one state of a record, by version where there are any,
// so that neither it nor a delete marker is left.
func (s *Store) deleteRecord(ctx context.Context, key string, r recordState) error {
	req := backend.Request{Method: http.MethodDelete, Bucket: s.Bucket, Key: key}
	if r.version != "" {
		req.Query = []signer.Param{{Key: "versionId", Value: r.version}}
	}
	resp, err := s.Client.Do(ctx, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode != http.StatusNotFound {
		return backend.ReadError(resp)
	}
	return nil
}

// oldRecord is a listed state of a record.
type oldRecord struct {
	key      string
	state    recordState
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
			all = append(all, oldRecord{aws.ToString(v.Key), recordState{version: aws.ToString(v.VersionId)}, aws.ToBool(v.IsLatest), aws.ToTime(v.LastModified)})
		}
		for _, m := range page.DeleteMarkers {
			all = append(all, oldRecord{aws.ToString(m.Key), recordState{version: aws.ToString(m.VersionId)}, false, aws.ToTime(m.LastModified)})
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

// conditionalWrites refuses a backend that ignores conditions: on it two
// requests could both believe that they own a record. It is tried out once.
func (s *Store) conditionalWrites(ctx context.Context) error {
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
		if err := s.deleteRecord(ctx, key, first); err != nil {
			s.Log.Warn().Err(err).Str("key", key).Msg("a probe could not be deleted; a sweep will")
		}
	}()
	for _, old := range []*recordState{nil, {etag: `"00000000000000000000000000000000"`}} {
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
