package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
)

const (
	// idempotencyPrefix is the folder of the records of Idempotency-Key. Both
	// doors refuse it to everybody.
	idempotencyPrefix = gateway.ReservedPrefix + "idempotency/"
	// probeKey is where a store is asked whether it takes conditions.
	probeKey = idempotencyPrefix + "probe"
	// maxRecord bounds a record, in bytes.
	maxRecord = 64 << 10
)

// errRecordChanged says that a record is not any more what a write expected.
var errRecordChanged = errors.New("the record was changed by another request")

// RecordStore keeps the door's own small documents in the bucket. Replicas
// agree by it: a write holds only if the record is still what it was.
type RecordStore interface {
	// ReadRecord gives a record and its ETag; nil when there is none.
	ReadRecord(ctx context.Context, key string) (raw []byte, etag string, err error)
	// WriteRecord replaces the record that has an ETag, or, with "", makes one
	// where there is none. The error is errRecordChanged where that does not
	// hold, and NotImplemented where the store takes no conditions.
	WriteRecord(ctx context.Context, key string, raw []byte, etag string) (newETag string, err error)
	// DeleteRecord removes a record; one that is not there is no error.
	DeleteRecord(ctx context.Context, key string) error
}

var _ RecordStore = (*Store)(nil)

// ReadRecord asks the backend, never the cache.
func (s *Store) ReadRecord(ctx context.Context, key string) ([]byte, string, error) {
	resp, err := s.Client.Do(ctx, backend.Request{Method: http.MethodGet, Bucket: s.Bucket, Key: key})
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		if err := backend.ReadError(resp); err.Code != gateway.NoSuchKey {
			return nil, "", err
		}
		return nil, "", nil
	}
	if resp.StatusCode != http.StatusOK {
		return nil, "", backend.ReadError(resp)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxRecord))
	return raw, resp.Header.Get("Etag"), err
}

// WriteRecord asks once per process whether the backend means conditions as
// they are: one that let them go unread would store every file twice.
func (s *Store) WriteRecord(ctx context.Context, key string, raw []byte, etag string) (string, error) {
	if err := s.probeConditions(ctx); err != nil {
		return "", err
	}
	return s.writeIf(ctx, key, raw, etag)
}

func (s *Store) writeIf(ctx context.Context, key string, raw []byte, etag string) (string, error) {
	header := http.Header{"Content-Type": {"application/json"}}
	if etag == "" {
		header.Set("If-None-Match", "*")
	} else {
		header.Set("If-Match", etag)
	}
	answer, err := s.send(ctx, s.recordRequest(key, raw, header), raw)
	if e := gateway.AsError(err); e != nil {
		// 409 is S3's for two conditional writes at once, 404 for If-Match on
		// a record that has gone.
		switch e.Status {
		case http.StatusPreconditionFailed, http.StatusConflict, http.StatusNotFound:
			return "", errRecordChanged
		}
		return "", err
	}
	return answer.Get("Etag"), nil
}

func (s *Store) recordRequest(key string, raw []byte, header http.Header) backend.Request {
	return backend.Request{
		Method: http.MethodPut, Bucket: s.Bucket, Key: key, Header: header, PayloadHash: hexOf(sha256Of(raw)),
	}
}

// probeConditions writes an object and asks for two writes that must not be
// done. What the backend answered well is remembered.
func (s *Store) probeConditions(ctx context.Context) error {
	if s.conditions.Load() {
		return nil
	}
	raw := []byte("{}")
	if _, err := s.send(ctx, s.recordRequest(probeKey, raw, http.Header{}), raw); err != nil {
		return err
	}
	for _, etag := range []string{"", `"00000000000000000000000000000000"`} {
		_, err := s.writeIf(ctx, probeKey, raw, etag)
		switch e := gateway.AsError(err); {
		case errors.Is(err, errRecordChanged):
		case err == nil, e.Status == http.StatusNotImplemented, e.Status == http.StatusBadRequest:
			return gateway.Errorf(gateway.NotImplemented,
				"The storage has no conditional writes, which Idempotency-Key needs: send the request without it.")
		default:
			return err
		}
	}
	s.conditions.Store(true)
	return nil
}

// probed remembers that the backend takes conditions.
type probed struct{ conditions atomic.Bool }

// DeleteRecord removes the newest version.
func (s *Store) DeleteRecord(ctx context.Context, key string) error { return s.Delete(ctx, key) }

// SweepRecords removes the records of Idempotency-Key that nobody wrote since a
// time, and gives their number. A record that is renewed at the same moment may
// go too; its key then counts as new.
func (s *Store) SweepRecords(ctx context.Context, before time.Time) (removed int, err error) {
	prefix := idempotencyPrefix
	pages := s3.NewListObjectsV2Paginator(s.Client.S3(), &s3.ListObjectsV2Input{Bucket: &s.Bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return removed, fromSDK(err)
		}
		var old []string
		for _, o := range page.Contents {
			if aws.ToTime(o.LastModified).Before(before) {
				old = append(old, aws.ToString(o.Key))
			}
		}
		if len(old) == 0 {
			continue
		}
		failed, err := s.DeleteAll(ctx, old)
		if err != nil {
			return removed, err
		}
		removed += len(old) - len(failed)
	}
	return removed, nil
}
