package faults

import (
	"math/rand/v2"
	"syscall"
	"testing"

	"github.com/codeguardians/s3gateway/tests/faults/disk"
	"github.com/codeguardians/s3gateway/tests/faults/rig"
	"github.com/codeguardians/s3gateway/tests/faults/toy"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

func basicState() *workload.State {
	s := workload.NewState()
	delete(s.Buckets, "versioned")
	delete(s.Buckets, "suspended")
	return s
}

// cutToy runs a toy store through n power cuts at random writes and syncs.
func cutToy(t *testing.T, r *rig.Rig, kind string, n int) *rig.Table {
	table := rig.NewTable("toy store: " + kind)
	rnd := rand.New(rand.NewPCG(1, 2))
	d, state := r.NewDisk(), basicState()
	for i := range n {
		loss := []disk.Loss{disk.LoseAll, disk.LoseData, disk.Mixed}[rnd.IntN(3)]
		c := rig.Cycle{
			Kind: kind, Loss: loss, Seed: rnd.Uint64(),
			Trap:   &disk.Trap{Kinds: disk.All, N: 1 + rnd.Int64N(100), After: rnd.IntN(2) == 0},
			Config: workload.Config{Seed: rnd.Uint64(), Workers: 2, Steps: 40, Basic: true, State: state, Prepare: i == 0},
		}
		if i == 0 {
			c.Trap = nil
		}
		var rep rig.Report
		d, rep = d.Run(c)
		table.Add(loss.String(), rep.Steps, rep.Bad)
		state = rep.State
		if len(rep.Bad) > 0 {
			t.Logf("cut %d at %s: %v", i, rep.Cut, rep.Bad)
			break
		}
	}
	d.Drop()
	table.Write(t.Output())
	return table
}

func TestTheHarnessFindsNothingInASoundStore(t *testing.T) {
	if table := cutToy(t, rig.New(t), toyKind, 60); table.Bad() > 0 {
		t.Error("a sound store is reported as broken")
	}
}

func TestTheHarnessFindsEachFaultOfTheToyStore(t *testing.T) {
	r := rig.New(t)
	for _, f := range toy.Faults {
		t.Run(string(f), func(t *testing.T) {
			if table := cutToy(t, r, string(f), 150); table.Bad() == 0 {
				t.Errorf("%d power cuts did not show that %s", table.Runs(), f)
			}
		})
	}
}

func TestTheHarnessFindsAnEmbeddedStoreThatDoesNotSync(t *testing.T) {
	s := newSuite(t)
	s.kind = unsyncedKind
	state := workload.NewState()
	c := rig.Cycle{Kind: s.kind, Config: s.config(state, 2, 20), Loss: disk.LoseAll}
	c.Config.Prepare = true
	d, rep := s.rig.NewDisk().Run(c)
	d, again := d.Run(rig.Cycle{Kind: s.kind, Config: s.config(rep.State, 1, 1)})
	d.Drop()
	if len(again.Bad) == 0 {
		t.Error("a power cut after writes that were not synced shows nothing")
	}
}

// A failed sync is reported once, and what it should have saved is gone.
func TestTheHarnessFindsAStoreThatIgnoresAFailedSync(t *testing.T) {
	s := newSuite(t)
	s.kind = string(toy.ErrorsIgnored)
	template, state := s.prepared(10)
	for n := int64(1); n < 20; n++ {
		f := disk.Fault{Errno: syscall.EIO, Kinds: disk.Sync, Path: "/blobs/", N: n}
		if rep, _ := s.refuse(template.Cut(disk.KeepAll, 0), state, f); len(rep.Bad) > 0 {
			t.Logf("sync %d: %v", n, rep.Bad[0])
			return
		}
	}
	t.Error("20 failed syncs did not show it")
}
