package api

import (
	"context"
	"net/http"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
)

// Get passes the header on and asks for the checksum, which S3 gives of whole
// objects only. What came past the gateway is checked before it is given.
func (s *Store) Get(ctx context.Context, method, key string, header http.Header) (*http.Response, error) {
	const attempts = 3 // a link's client may replace the file again and again
	for range attempts {
		resp, err := s.get(ctx, method, key, header.Clone())
		if err != nil || resp.StatusCode >= http.StatusMultipleChoices || s.Gate.Verified(key, resp.Header) {
			return resp, err
		}
		resp.Body.Close()
		if err := s.Check(ctx, key); err != nil {
			return nil, err
		}
	}
	return nil, replaced()
}

func (s *Store) get(ctx context.Context, method, key string, header http.Header) (*http.Response, error) {
	if header == nil {
		header = http.Header{}
	}
	if header.Get("Range") == "" {
		header.Set("X-Amz-Checksum-Mode", "ENABLED")
	}
	return s.Client.Do(ctx, backend.Request{Method: method, Bucket: s.Bucket, Key: key, Header: header})
}

// Check judges an object that came past the gateway.
func (s *Store) Check(ctx context.Context, key string) error { return s.Gate.Check(ctx, key, "") }

// Unverified gives those of the keys that were not judged yet.
func (s *Store) Unverified(ctx context.Context, keys []string) (map[string]bool, error) {
	if s.Gate == nil {
		return nil, nil
	}
	return s.Gate.Unverified(ctx, keys)
}

// replaced is the refusal of a file that never was the one that was checked.
func replaced() error {
	return &gateway.Error{
		Code: gateway.ServiceUnavailable, Message: "The file is being replaced. Please try again.", RetryAfter: bufferRetry,
	}
}
