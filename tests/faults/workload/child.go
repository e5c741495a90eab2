package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/rpc"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Config is what a store process is told on its standard input.
type Config struct {
	Dir    string // folder of the store
	Socket string // control of the disk that holds it
	Disk   int    // its number

	Seed    uint64
	Workers int
	Steps   int
	Basic   bool
	Lenient bool

	Prepare bool   // the store is new: make the buckets
	State   *State // what the store must hold
	// Stay makes the process wait after the last step, so that the disk can be
	// cut while the store is idle.
	Stay bool
}

// Child runs in the process of a store: it opens the store, compares it with the
// state that it must have, and runs a program. Everything that the parent must
// know is noted with the disk, in order with its operations.
func Child(ctx context.Context, in io.Reader, open Opener) error {
	var c Config
	if err := json.NewDecoder(in).Decode(&c); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	control, err := rpc.Dial("unix", c.Socket)
	if err != nil {
		return fmt.Errorf("connect to the disk: %w", err)
	}
	note := func(l Line) {
		var on bool
		err := control.Call("Disk.Note", struct {
			ID   int
			Text string
		}{c.Disk, l.encode()}, &on)
		if err != nil || !on {
			select {} // the power is off: wait for the kill
		}
	}
	store, err := open(c.Dir)
	if err != nil {
		note(Line{Bad: &Violation{NoStart, err.Error()}})
		return nil
	}
	if err := c.run(ctx, store, note); err != nil {
		note(Line{Bad: &Violation{BadAnswer, err.Error()}})
	}
	if c.Stay {
		note(Line{Fact: "idle"})
		select {}
	}
	if err := store.Close(); err != nil && !c.Lenient {
		note(Line{Bad: &Violation{BadAnswer, fmt.Sprintf("close: %v", err)}})
	}
	note(Line{Finish: true})
	return nil
}

func (c *Config) run(ctx context.Context, store Store, note func(Line)) error {
	client := NewClient("http://store", nil, store.Transport())
	state := c.State
	if c.Prepare {
		if !c.Basic {
			if err := Prepare(ctx, client, state); err != nil {
				return err
			}
		}
		note(Line{Adopt: state})
	} else {
		state = c.verify(ctx, store, client, note)
	}
	note(Line{Ready: true})
	p := &Program{Client: client, Seed: c.Seed, Workers: c.Workers, Steps: c.Steps, Basic: c.Basic, Lenient: c.Lenient, Note: note}
	p.Run(ctx, state)
	return nil
}

// verify compares the store with its state, before or after the sweep.
func (c *Config) verify(ctx context.Context, store Store, client *s3.Client, note func(Line)) *State {
	first := c.Seed%2 == 0
	if first {
		c.settle(ctx, store, note)
	}
	got, bad := Verify(ctx, client, c.State)
	for _, v := range bad {
		note(Line{Bad: &v})
	}
	if !first {
		c.settle(ctx, store, note)
	}
	note(Line{Adopt: got})
	return got
}

func (c *Config) settle(ctx context.Context, store Store, note func(Line)) {
	left, err := store.Settle(ctx)
	if err != nil {
		note(Line{Bad: &Violation{LeftOver, fmt.Sprintf("sweep: %v", err)}})
	}
	for _, l := range left {
		note(Line{Bad: &Violation{LeftOver, l}})
	}
}
