package api

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"maps"
	"net/http"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

// A record is an object of the gateway's own, under gateway.ReservedPrefix,
// which both doors refuse to everyone: the state of a resumable upload, the
// answer kept for an Idempotency-Key. Replicas agree by it, because it is written
// only on the condition that it is still the one that was read.

// errRecordChanged says that a record is not any more what a write expected.
var errRecordChanged = errors.New("the record was changed by another request")

// RecordState identifies one state of a record.
type RecordState struct {
	ETag    string // with its quotes, as If-Match wants it
	Version string // "" on a bucket without versions
}

// left is the version under which a state is still there after now took its place,
// "" where it is gone. A bucket whose versions are suspended replaces the null
// version and may name none in its answer: to delete that would be to delete now.
func (r RecordState) left(now RecordState) string {
	const null = "null"
	was, is := cmp.Or(r.Version, null), cmp.Or(now.Version, null)
	if was == is {
		return ""
	}
	return was
}

// RecordStore keeps records. It is safe for concurrent use.
type RecordStore interface {
	// OpenRecord gives a record, which the caller closes. One that is not there
	// is NoSuchKey.
	OpenRecord(ctx context.Context, key string) (io.ReadCloser, RecordState, error)
	// WriteRecord replaces old, or makes a record where there is none when old
	// is nil. The body is the pieces one after another. The error is
	// errRecordChanged where another request was first, and NotImplemented where
	// the store takes no conditions.
	WriteRecord(ctx context.Context, key string, old *RecordState, pieces ...[]byte) (RecordState, error)
	// DeleteRecord removes one state; one that is not there is no error.
	DeleteRecord(ctx context.Context, key string, r RecordState) error
}

var _ RecordStore = (*Store)(nil)

// OpenRecord asks the backend, never the cache.
func (s *Store) OpenRecord(ctx context.Context, key string) (io.ReadCloser, RecordState, error) {
	resp, err := s.Client.Do(ctx, backend.Request{Method: http.MethodGet, Bucket: s.Bucket, Key: key})
	if err != nil {
		return nil, RecordState{}, err
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, RecordState{}, backend.ReadError(resp)
	}
	return resp.Body, recordOf(resp.Header), nil
}

// statRecord gives the state of a record without its body.
func (s *Store) statRecord(ctx context.Context, key string) (RecordState, error) {
	resp, err := s.Client.Do(ctx, backend.Request{Method: http.MethodHead, Bucket: s.Bucket, Key: key})
	if err != nil {
		return RecordState{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return RecordState{}, backend.ReadError(resp)
	}
	return recordOf(resp.Header), nil
}

func recordOf(h http.Header) RecordState {
	return RecordState{ETag: h.Get("Etag"), Version: h.Get("X-Amz-Version-Id")}
}

// WriteRecord asks once per process whether the backend means conditions as they
// are: one that let them go unread would store every file twice.
func (s *Store) WriteRecord(ctx context.Context, key string, old *RecordState, pieces ...[]byte) (RecordState, error) {
	return s.writeRecordWith(ctx, key, old, nil, pieces...)
}

// writeRecordWith is WriteRecord with headers.
func (s *Store) writeRecordWith(ctx context.Context, key string, old *RecordState, with http.Header, pieces ...[]byte) (RecordState, error) {
	if err := s.needsConditions(ctx); err != nil {
		return RecordState{}, err
	}
	return s.putRecordWith(ctx, key, old, with, pieces...)
}

// putRecordWith is writeRecordWith on a backend whose conditions are known to
// hold. In a bucket with versions the replaced one is deleted: what a record held
// is not to be kept.
func (s *Store) putRecordWith(ctx context.Context, key string, old *RecordState, with http.Header, pieces ...[]byte) (RecordState, error) {
	header := http.Header{"Content-Type": {"application/octet-stream"}}
	maps.Copy(header, with)
	if old == nil {
		header.Set("If-None-Match", "*")
	} else {
		header.Set("If-Match", old.ETag)
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
			return RecordState{}, errors.Join(errRecordChanged, err)
		}
		return RecordState{}, err
	}
	now := recordOf(answer)
	if old == nil {
		return now, nil
	}
	if version := old.left(now); version != "" {
		if err := s.DeleteRecord(ctx, key, RecordState{Version: version}); err != nil {
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

// DeleteRecord deletes one state of a record, by version where there are any,
// so that neither it nor a delete marker is left.
func (s *Store) DeleteRecord(ctx context.Context, key string, r RecordState) error {
	req := backend.Request{Method: http.MethodDelete, Bucket: s.Bucket, Key: key}
	if r.Version != "" {
		req.Query = []signer.Param{{Key: "versionId", Value: r.Version}}
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

// needsConditions refuses a backend that ignores conditions: on it two requests
// could both believe that they own a record.
func (s *Store) needsConditions(ctx context.Context) error {
	enforced, err := s.Client.EnforcesWrites(ctx, s.Bucket)
	if err == nil && !enforced {
		err = gateway.Errorf(gateway.NotImplemented,
			"The storage has no conditional writes (If-Match, If-None-Match), without which this cannot be done safely.")
	}
	return err
}
