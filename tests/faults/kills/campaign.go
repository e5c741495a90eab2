package kills

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

// Campaign kills one gateway in many rounds. In each it is started, put under
// load, killed, started again, and compared with what it must hold.
type Campaign struct {
	Gateway *Gateway
	Rand    *rand.Rand
	Workers int // of the S3 endpoint; 0: its buckets are not looked at either
	Clients int // of the upload API
	// BadNetwork says that reads may be broken off between the gateway and its
	// store, and are then sent again.
	BadNetwork bool

	Kills, Steps int

	s3        *s3.Client
	state     *workload.State
	uploaders []*uploader
	mu        sync.Mutex
	bad       []workload.Violation
}

// Begin starts the gateway and makes the buckets.
func (c *Campaign) Begin(ctx context.Context) error {
	transport := &http.Transport{MaxIdleConnsPerHost: 32}
	c.s3 = workload.NewClient(c.Gateway.URL, c.Gateway.Keys(), transport)
	c.state = workload.NewState()
	if c.Workers == 0 {
		c.state.Buckets = nil
	}
	for i := range c.Clients {
		c.uploaders = append(c.uploaders, &uploader{
			name: fmt.Sprintf("client%d", i), base: c.Gateway.URL, http: &http.Client{Transport: transport},
			rnd: rand.New(rand.NewPCG(c.Rand.Uint64(), 0)), bad: c.violation,
			files: map[string][]byte{}, maybe: map[string][]byte{}, badNetwork: c.BadNetwork,
		})
	}
	if err := errors.Join(c.Gateway.Start(), c.Gateway.Ready(ctx)); err != nil {
		return err
	}
	return workload.Prepare(ctx, c.s3, c.state)
}

func (c *Campaign) violation(class workload.Class, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bad = append(c.bad, workload.Violation{Class: class, Text: fmt.Sprintf(format, args...)})
}

// Round puts the running gateway under load, kills it, and leaves it running and
// verified. In a blind round S3 clients repeat what was not answered before
// anything is looked at, as SDKs do; otherwise the store is looked at first. It
// returns what was broken.
func (c *Campaign) Round(ctx context.Context, blind bool) ([]workload.Violation, error) {
	var stop atomic.Bool
	hard, cancel := context.WithCancel(ctx)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		p := &workload.Program{
			Client: c.s3, Seed: c.Rand.Uint64(), Workers: c.Workers, Steps: -1, Retry: true, Stop: stop.Load, Note: c.note,
		}
		c.state = p.Run(hard, c.state)
	})
	for _, u := range c.uploaders {
		u.stop = stop.Load
		wg.Go(func() { u.run(ctx) })
	}
	time.Sleep(time.Duration(c.Rand.IntN(400)) * time.Millisecond)
	err := c.kill(ctx, func() {
		stop.Store(true)
		if !blind {
			cancel()
		}
	})
	if err != nil {
		cancel()
		return nil, err
	}
	wg.Wait()
	c.verify(ctx)
	bad := c.bad
	c.bad = nil
	return bad, nil
}

// kill kills the gateway and starts it again, sometimes twice.
func (c *Campaign) kill(ctx context.Context, dead func()) error {
	c.Gateway.Kill()
	c.Kills++
	dead()
	for c.Rand.IntN(4) == 0 {
		if err := c.Gateway.Start(); err != nil {
			return err
		}
		time.Sleep(time.Duration(c.Rand.IntN(150)) * time.Millisecond)
		c.Gateway.Kill()
		c.Kills++
	}
	return errors.Join(c.Gateway.Start(), c.Gateway.Ready(ctx))
}

func (c *Campaign) note(l workload.Line) {
	if l.Bad != nil {
		c.violation(l.Bad.Class, "%s", l.Bad.Text)
	}
	if l.End != nil && l.End.Outcome() == workload.Done {
		c.mu.Lock()
		c.Steps++
		c.mu.Unlock()
	}
}

func (c *Campaign) verify(ctx context.Context) {
	got, bad := workload.Verify(ctx, c.s3, c.state)
	c.state = got
	for _, v := range bad {
		c.violation(v.Class, "%s", v.Text)
	}
	verify(ctx, c.uploaders)
	for _, u := range c.uploaders {
		c.Steps += u.done
		u.done = 0
	}
}

// Pause kills the gateway, calls fn, and starts it again.
func (c *Campaign) Pause(ctx context.Context, fn func() error) error {
	c.Gateway.Kill()
	if err := fn(); err != nil {
		return err
	}
	return errors.Join(c.Gateway.Start(), c.Gateway.Ready(ctx))
}
