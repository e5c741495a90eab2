package backend

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
)

// probe is a backend that says what a test wants and counts the questions.
type probe struct {
	mu    sync.Mutex
	err   error
	at    []time.Time
	takes time.Duration
}

func (p *probe) ask(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at = append(p.at, time.Now())
	if p.takes > 0 {
		select {
		case <-time.After(p.takes):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return p.err
}

func (p *probe) says(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.err = err
}

func (p *probe) questions() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.at)
}

func TestAMonitorAsksWithGrowingPausesUntilItIsAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		p := &probe{err: errors.New("connection refused")}
		m := &Monitor{Probe: p.ask, Log: zerolog.New(&log), Now: time.Now}
		start, done := time.Now(), make(chan struct{})
		go func() { m.Run(t.Context()); close(done) }()
		time.Sleep(3 * time.Second)
		p.says(errors.New("no such bucket"))
		time.Sleep(time.Minute)
		if err := m.Err(); gateway.CodeOf(err) != gateway.ServiceUnavailable || gateway.AsError(err).Message != MessageNotEnabled || gateway.AsError(err).RetryAfter <= 0 {
			t.Errorf("while it waits: %v", err)
		}
		p.says(nil)
		<-done
		var pauses []time.Duration
		for i := 1; i < len(p.at); i++ {
			pauses = append(pauses, p.at[i].Sub(p.at[i-1]))
		}
		if len(pauses) < 6 || p.at[0] != start || pauses[0] != firstRetry || pauses[1] != 2*firstRetry || pauses[len(pauses)-1] != lastRetry {
			t.Errorf("pauses %v", pauses)
		}
		if text := log.String(); strings.Count(text, "connection refused") != 1 || strings.Count(text, "no such bucket") != 1 || strings.Count(text, "\n") != 3 {
			t.Errorf("each reason is logged once:\n%s", text)
		}
		if m.Err() != nil {
			t.Errorf("accepted, and still %v", m.Err())
		}
		// What was accepted once stays open: single requests tell for themselves.
		time.Sleep(time.Minute)
		p.says(errors.New("away"))
		if m.Check(t.Context()) == nil || m.Err() != nil {
			t.Errorf("check %v, doors %v", m.Check(t.Context()), m.Err())
		}
	})
}

func TestAMonitorEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &probe{err: errors.New("away")}
		m := &Monitor{Probe: p.ask, Log: zerolog.Nop(), Now: time.Now}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { m.Run(ctx); close(done) }()
		time.Sleep(10 * time.Second)
		cancel()
		<-done
	})
}

func TestChecksShareOneQuestionAndRememberIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &probe{takes: 100 * time.Millisecond}
		m := &Monitor{Probe: p.ask, Log: zerolog.Nop(), Now: time.Now}
		var wait sync.WaitGroup
		for range 50 {
			wait.Go(func() {
				if err := m.Check(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		_ = m.Check(t.Context())
		if n := p.questions(); n != 1 {
			t.Errorf("%d questions for 51 checks", n)
		}
		time.Sleep(probeMemory)
		p.says(errors.New("away"))
		if err := m.Check(t.Context()); err == nil || p.questions() != 2 {
			t.Errorf("after a second: %v, %d questions", err, p.questions())
		}
	})
}

// A client that leaves does not take the answer from those who wait with it, and
// a backend that never answers is given up.
func TestAQuestionOutlivesWhoAskedAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &probe{takes: time.Hour}
		m := &Monitor{Probe: p.ask, Log: zerolog.Nop(), Now: time.Now}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		start := time.Now()
		if err := m.Check(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != probeTimeout {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestAFixedReasonIsNotAskedAbout(t *testing.T) {
	var log bytes.Buffer
	m := &Monitor{Fixed: errors.New("S3_BUCKET_NAME is missing"), Log: zerolog.New(&log), Now: time.Now}
	m.Run(t.Context()) // returns at once
	if m.Check(t.Context()) == nil || gateway.AsError(m.Err()).Message != MessageNotEnabled || !strings.Contains(log.String(), "S3_BUCKET_NAME") {
		t.Errorf("%v %v %s", m.Check(t.Context()), m.Err(), log.String())
	}
}

func TestHeadBucketTellsWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		status  int
		code    gateway.Code
		message string // of both doors, while it is so
	}{
		{200, "", ""},
		{404, gateway.NoSuchBucket, MessageNotEnabled},
		{403, gateway.AccessDenied, MessageAccessDenied},
		{301, gateway.ServiceUnavailable, MessageAccessDenied},
		{500, gateway.ServiceUnavailable, MessageNotEnabled},
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(tc.status) })
		err := c.HeadBucket(t.Context(), "bucket")
		if gateway.CodeOf(err) != tc.code {
			t.Errorf("%d: %v", tc.status, err)
		}
		m := &Monitor{Probe: func(ctx context.Context) error { return c.HeadBucket(ctx, "bucket") }, Log: zerolog.Nop(), Now: time.Now}
		_ = m.Check(t.Context())
		if e := gateway.AsError(m.Err()); tc.message == "" && e != nil || tc.message != "" && (e == nil || e.Message != tc.message) {
			t.Errorf("%d: doors say %v", tc.status, e)
		}
	}
}
