package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/singleflight"

	gateway "github.com/codeguardians/s3gateway"
)

// MessageNotEnabled is what both doors say while there is no usable store.
const MessageNotEnabled = "S3 file storage is not enabled or not properly configured"

// Monitor knows whether the backend accepts the gateway. Until it has once,
// both doors answer 503; afterwards single requests tell for themselves, and
// health asks again. It is safe for concurrent use.
type Monitor struct {
	// Probe asks the backend, for example with HeadBucket. Required.
	Probe func(context.Context) error
	// Fixed, when not nil, is a reason that no asking will change: storage
	// switched off, or a setting missing.
	Fixed error
	Log   zerolog.Logger
	// Now is the clock. Required.
	Now func() time.Time

	asking singleflight.Group
	mu     sync.Mutex
	opened bool
	asked  time.Time
	last   error
}

const (
	probeTimeout = 5 * time.Second
	// probeMemory is how long an answer of the backend is taken for current:
	// it bounds what a flood of health checks costs the backend.
	probeMemory = time.Second
	firstRetry  = 250 * time.Millisecond
	lastRetry   = 15 * time.Second
)

// Run asks until the backend has accepted the gateway once, with growing
// pauses, and logs each new reason. It returns then or when ctx ends.
func (m *Monitor) Run(ctx context.Context) {
	if m.Fixed != nil {
		m.Log.Error().Err(m.Fixed).Msg("both doors answer 503 until this is mended")
		return
	}
	logged := ""
	for pause := firstRetry; ctx.Err() == nil; pause = min(pause*2, lastRetry) {
		// Not Check: its memory would answer the first retries.
		err := m.ask(ctx)
		if err == nil {
			m.Log.Info().Msg("the storage backend accepts the gateway")
			return
		}
		if text := err.Error(); text != logged {
			m.Log.Error().Err(err).Msg("the storage backend does not accept the gateway yet; both doors answer 503")
			logged = text
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
		case <-timer.C:
		}
	}
}

// Check says whether the backend accepts the gateway now. An answer younger
// than a second is given again; callers at the same time share one question.
func (m *Monitor) Check(ctx context.Context) error {
	if m.Fixed != nil {
		return gateway.Errorf(gateway.ServiceUnavailable, "%s", m.Fixed)
	}
	m.mu.Lock()
	fresh := !m.asked.IsZero() && m.Now().Sub(m.asked) < probeMemory
	last := m.last
	m.mu.Unlock()
	if fresh {
		return last
	}
	return m.ask(ctx)
}

// ask puts the question, once for all who ask at the same time.
func (m *Monitor) ask(ctx context.Context) error {
	_, err, _ := m.asking.Do("", func() (any, error) {
		// The question outlives the one who asked first: others wait for it.
		probe, cancel := context.WithTimeout(context.WithoutCancel(ctx), probeTimeout)
		defer cancel()
		err := m.Probe(probe)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.asked, m.last = m.Now(), err
		m.opened = m.opened || err == nil
		return nil, err
	})
	return err
}

// Err is nil once the backend has accepted the gateway, and before that the
// refusal for both doors.
func (m *Monitor) Err() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.opened {
		return nil
	}
	cause := m.Fixed
	if cause == nil {
		cause = m.last
	}
	return &gateway.Error{Code: gateway.ServiceUnavailable, Message: m.message(cause), RetryAfter: retryAfter, Err: cause}
}

// message is the documented text for a cause: a backend that refuses has its
// own, all else reads as not configured.
func (m *Monitor) message(cause error) string {
	if e := gateway.AsError(cause); e != nil && (e.Message == MessageAccessDenied || e.Code == gateway.AccessDenied) {
		return MessageAccessDenied
	}
	return MessageNotEnabled
}

// HeadBucket asks the backend for a bucket: nil when it is there and may be
// used.
func (c *Client) HeadBucket(ctx context.Context, bucket string) error {
	resp, err := c.Do(ctx, Request{Method: http.MethodHead, Bucket: bucket, Stay: true})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		e := ReadError(resp)
		switch {
		case resp.StatusCode == http.StatusNotFound:
			return gateway.Errorf(gateway.NoSuchBucket, "The bucket %s is not there: create it, or set S3_BUCKET_NAME to another.", bucket)
		case e.Code == gateway.AccessDenied:
			e.Err = errors.New("the gateway's credentials may not use it: grant them s3:ListBucket and more, or see S3_BUCKET_NAME")
		}
		return fmt.Errorf("bucket %s: %w", bucket, e)
	}
	return nil
}
