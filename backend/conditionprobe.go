package backend

import (
	"bytes"
	"context"
	"crypto/rand"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/signer"
)

const (
	// ProbeKeys is where conditional writes are tried out. What a probe could not
	// delete stays below it.
	ProbeKeys = gateway.ReservedPrefix + "probe/"
	// probeCleanup bounds the removal of what a probe wrote.
	probeCleanup = 30 * time.Second
)

// believed is how long a backend is believed to enforce no conditions. A request
// that was damaged on its way looks the same, so that is found out twice, and
// again after a while.
const believed = time.Minute

// tried remembers what a backend was found to enforce.
type tried struct {
	enforced atomic.Bool
	ignored  atomic.Int64 // until when it is not asked again, in Unix nanoseconds
}

// EnforcesWrites reports whether the backend enforces If-Match and If-None-Match
// on writes. Where that is not known it is tried out, in bucket.
func (c *Client) EnforcesWrites(ctx context.Context, bucket string) (bool, error) {
	if c.ConditionalWrites || c.tried.enforced.Load() {
		return true, nil
	}
	if c.now().UnixNano() < c.tried.ignored.Load() {
		return false, nil
	}
	for range 2 {
		enforced, err := c.tryWrites(ctx, bucket)
		if err != nil {
			return false, err
		}
		if enforced {
			c.tried.enforced.Store(true)
			return true, nil
		}
	}
	c.tried.ignored.Store(c.now().Add(believed).UnixNano())
	return false, nil
}

// tryWrites makes an object under conditions that hold, then under ones that do
// not.
func (c *Client) tryWrites(ctx context.Context, bucket string) (enforced bool, err error) {
	key := ProbeKeys + strings.ToLower(rand.Text())
	status, version, err := c.putProbe(ctx, bucket, key, "If-None-Match", "*")
	if err != nil || status >= http.StatusMultipleChoices {
		return false, err
	}
	defer func() { c.removeProbe(context.WithoutCancel(ctx), bucket, key, version) }()
	for _, failing := range [][2]string{{"If-None-Match", "*"}, {"If-Match", `"00000000000000000000000000000000"`}} {
		status, _, err := c.putProbe(ctx, bucket, key, failing[0], failing[1])
		if err != nil || status != http.StatusPreconditionFailed {
			return false, err
		}
	}
	return true, nil
}

// putProbe writes the object of a probe under a condition. A refusal that says
// nothing about conditions is an error.
func (c *Client) putProbe(ctx context.Context, bucket, key, condition, value string) (status int, version string, err error) {
	const body = "probe"
	resp, err := c.Do(ctx, Request{
		Method: http.MethodPut, Bucket: bucket, Key: key, Header: http.Header{condition: {value}},
		Body: io.NopCloser(bytes.NewReader([]byte(body))), Length: int64(len(body)),
	})
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK, http.StatusPreconditionFailed:
		return resp.StatusCode, resp.Header.Get("X-Amz-Version-Id"), nil
	}
	e := ReadError(resp)
	if e.Status == http.StatusNotImplemented || e.Status == http.StatusBadRequest {
		return e.Status, "", nil
	}
	return 0, "", e
}

// removeProbe deletes what a probe wrote; what it leaves, a sweep removes.
func (c *Client) removeProbe(ctx context.Context, bucket, key, version string) {
	ctx, cancel := context.WithTimeout(ctx, probeCleanup)
	defer cancel()
	req := Request{Method: http.MethodDelete, Bucket: bucket, Key: key}
	if version != "" {
		req.Query = []signer.Param{{Key: "versionId", Value: version}}
	}
	resp, err := c.Do(ctx, req)
	if err != nil {
		c.log.Warn().Err(err).Str("key", key).Msg("a probe could not be deleted")
		return
	}
	resp.Body.Close()
}
