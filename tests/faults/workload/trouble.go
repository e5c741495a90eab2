package workload

import (
	"context"
	"time"
)

// recovery is how long a store may take to write again after its disk does.
const recovery = 20 * time.Second

// Facts that a process notes for its parent.
const (
	// FactSick and FactWell are what the store says of its health.
	FactSick = "sick"
	FactWell = "well"
	// FactWaiting asks the parent to lift the trouble.
	FactWaiting = "waiting"
	// FactReady asks the parent to begin the trouble.
	FactReady = "ready"
)

// trouble runs steps on a disk that refuses writes, waits until the parent has
// lifted that, and shows that the store works again without a restart and has
// stored nothing by half.
func (k *child) trouble(ctx context.Context, state *State) {
	k.note(Line{Fact: FactReady})
	k.wait()
	state = k.program(k.Seed, k.Steps, true).Run(ctx, state)
	k.health()
	if k.Drain {
		state = k.drain(ctx, state)
	}
	k.note(Line{Fact: FactWaiting})
	k.wait()
	state = k.probe(ctx, state)
	k.health()
	state, _ = k.verify(ctx, state)
	k.program(k.Seed+2, k.Steps, false).Run(ctx, state)
}

func (k *child) health() {
	fact := FactWell
	if err := k.store.Health(); err != nil {
		fact = FactSick
	}
	k.note(Line{Fact: fact})
}

// probe puts one object again and again until it is stored.
func (k *child) probe(ctx context.Context, state *State) *State {
	p := k.program(k.Seed+1, 0, true)
	p.state = state
	w := p.worker("probe", 0)
	var r Result
	for end := time.Now().Add(recovery); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		s := w.step(Put)
		s.Bucket, s.Key, s.Value = "plain", "probe/object", random(k.Seed, 1000)
		if r = w.do(ctx, s); r.Outcome() == Done {
			return p.state
		}
	}
	k.bad(BadAnswer, "the disk works and the store does not, after %s: status %d: %s", recovery, r.Status, r.Error)
	return p.state
}

// drain deletes everything that a GET finds. A full disk must allow it.
func (k *child) drain(ctx context.Context, state *State) *State {
	p := k.program(k.Seed+3, 0, true)
	p.state = state
	w := p.worker("drain", 0)
	for path := range state.Keys {
		bucket, key := split(path)
		if v, certain := state.current(path); bucket != "plain" || v == nil || !certain {
			continue
		}
		s := w.step(Delete)
		s.Bucket, s.Key = bucket, key
		if r := w.do(ctx, s); r.Outcome() != Done {
			k.bad(BadAnswer, "the disk is full and DELETE of %s fails: status %d: %s", path, r.Status, r.Error)
		}
	}
	return p.state
}
