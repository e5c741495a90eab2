package faults

import (
	"math/rand/v2"
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
func cutToy(t *testing.T, r *rig.Rig, f toy.Fault, n int) *rig.Table {
	table := rig.NewTable("toy store: " + string(f))
	rnd := rand.New(rand.NewPCG(1, 2))
	d, state := r.NewDisk(), basicState()
	for i := range n {
		loss := []disk.Loss{disk.LoseAll, disk.LoseData, disk.Mixed}[rnd.IntN(3)]
		c := rig.Cycle{
			Kind: string(f), Loss: loss, Seed: rnd.Uint64(),
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
	if table := cutToy(t, rig.New(t), toy.Sound, 60); table.Bad() > 0 {
		t.Error("a sound store is reported as broken")
	}
}

func TestTheHarnessFindsEachFaultOfTheToyStore(t *testing.T) {
	r := rig.New(t)
	for _, f := range toy.Faults {
		if f == toy.ErrorsIgnored {
			continue // needs a disk that fails
		}
		t.Run(string(f), func(t *testing.T) {
			if table := cutToy(t, r, f, 100); table.Bad() == 0 {
				t.Errorf("%d power cuts did not show that %s", table.Runs(), f)
			}
		})
	}
}
