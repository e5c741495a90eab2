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

	// Trouble says that the disk refuses writes during the steps. The process
	// then waits for its parent, who lifts that, and must work again.
	Trouble bool
	// Drain deletes everything before the wait, on a disk that is still full.
	Drain bool

	// Damaged says that a bit of the disk was flipped: the process reads
	// everything and ends.
	Damaged bool

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
	from := json.NewDecoder(in)
	k := &child{wait: func() { _ = from.Decode(new(bool)) }}
	if err := from.Decode(&k.Config); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	control, err := rpc.Dial("unix", k.Socket)
	if err != nil {
		return fmt.Errorf("connect to the disk: %w", err)
	}
	k.note = noteTo(control, k.Disk)
	k.store, err = open(k.Dir)
	if err != nil && k.Damaged {
		k.note(Line{Damage: &Damage{Refused: err.Error()}})
		return nil
	}
	if err != nil {
		k.bad(NoStart, "%v", err)
		return nil
	}
	k.client = NewClient("http://store", nil, k.store.Transport())
	if err := k.run(ctx); err != nil {
		k.bad(BadAnswer, "%v", err)
	}
	if k.Stay {
		k.note(Line{Fact: "idle"})
		select {}
	}
	if err := k.store.Close(); err != nil {
		k.bad(BadAnswer, "close: %v", err)
	}
	k.note(Line{Finish: true})
	return nil
}

// noteTo returns a function that writes down a line with the operations of a
// disk. It does not return when the power is off: the kill follows.
func noteTo(control *rpc.Client, disk int) func(Line) {
	return func(l Line) {
		var on bool
		err := control.Call("Disk.Note", struct {
			ID   int
			Text string
		}{disk, l.encode()}, &on)
		if err != nil || !on {
			select {}
		}
	}
}

type child struct {
	Config
	store  Store
	client *s3.Client
	note   func(Line)
	wait   func() // for the parent
}

func (k *child) bad(c Class, format string, args ...any) {
	k.note(Line{Bad: &Violation{c, fmt.Sprintf(format, args...)}})
}

func (k *child) run(ctx context.Context) error {
	state := k.State
	if k.Damaged {
		k.damaged(ctx)
		return nil
	}
	if k.Prepare {
		if !k.Basic {
			if err := Prepare(ctx, k.client, state); err != nil {
				return err
			}
		}
		k.note(Line{Adopt: state})
	} else {
		var whole bool
		if state, whole = k.verify(ctx, state); !whole {
			return nil
		}
	}
	k.note(Line{Ready: true})
	if k.Trouble {
		k.trouble(ctx, state)
		return nil
	}
	k.program(k.Seed, k.Steps, false).Run(ctx, state)
	return nil
}

func (k *child) program(seed uint64, steps int, lenient bool) *Program {
	return &Program{Client: k.client, Seed: seed, Workers: k.Workers, Steps: steps, Basic: k.Basic, Lenient: lenient, Note: k.note}
}

// verify compares the store with its state, before or after the sweep. It
// returns what it found, and whether that is what it had to be.
func (k *child) verify(ctx context.Context, want *State) (*State, bool) {
	first := k.Seed%2 == 0
	if first {
		k.settle(ctx)
	}
	got, bad := Verify(ctx, k.client, want)
	for _, v := range bad {
		k.note(Line{Bad: &v})
	}
	if !first {
		k.settle(ctx)
	}
	k.note(Line{Adopt: got})
	return got, len(bad) == 0
}

func (k *child) settle(ctx context.Context) {
	left, err := k.store.Settle(ctx)
	if err != nil {
		k.bad(LeftOver, "sweep: %v", err)
	}
	for _, l := range left {
		k.bad(LeftOver, "%s", l)
	}
}
