package faults

import (
	"fmt"
	"testing"

	"github.com/codeguardians/s3gateway/tests/faults/disk"
	"github.com/codeguardians/s3gateway/tests/faults/rig"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

// cutsPerDisk is after how many power cuts a new disk is taken.
const cutsPerDisk = 50

func TestNothingIsLostByPowerCutsAtRandomWrites(t *testing.T) {
	s := newSuite(t)
	table := rig.NewTable("power cuts at random writes")
	defer table.Write(t.Output())
	for cuts := 0; cuts < *cutsFlag; {
		cuts += s.chain(table, min(cutsPerDisk, *cutsFlag-cuts))
		t.Logf("%d power cuts", cuts)
	}
}

// chain cuts the power of one disk again and again, until something is broken.
// In between it kills the store alone. It returns how many power cuts there were.
func (s *suite) chain(table *rig.Table, most int) (cuts int) {
	d, state := s.prepared(20)
	defer func() { d.Drop() }()
	for cuts < most {
		// A start writes about 20 times: one cut in four falls into it.
		within := []int64{20, 200, 200, 200}[s.rnd.IntN(4)]
		c := rig.Cycle{
			Kind: s.kind, Config: s.config(state, 1+s.rnd.IntN(4), 40), Seed: s.rnd.Uint64(),
			Trap:       &disk.Trap{Kinds: disk.Changes, N: 1 + s.rnd.Int64N(within), After: s.rnd.IntN(4) > 0},
			Loss:       []disk.Loss{disk.LoseAll, disk.LoseData, disk.KeepAll, disk.Mixed, disk.Mixed, disk.Mixed}[s.rnd.IntN(6)],
			PowerStays: s.rnd.IntN(4) == 0,
		}
		var rep rig.Report
		d, rep = d.Run(c)
		state = rep.State
		what := "at start, "
		if rep.Ready {
			what = "at work, "
		}
		if c.PowerStays {
			what += "killed, the power stays"
		} else {
			what += c.Loss.String()
			cuts++
		}
		table.Add(what, rep.Steps, rep.Bad)
		if len(rep.Bad) > 0 {
			s.report(fmt.Sprintf("cut %d of this disk, %s, at %s", cuts, what, rep.Cut), rep.Bad)
			break
		}
	}
	return cuts
}

func TestNothingIsLostByAPowerCutAtAnySync(t *testing.T) {
	s := newSuite(t)
	table := rig.NewTable("a power cut at each sync of a run")
	defer table.Write(t.Output())
	d, state := s.prepared(30)
	d.Mount()
	d.Trap(disk.Trap{Kinds: disk.Syncs, N: 1, Every: true})
	p := d.Start(s.kind, s.config(state, 3, 60))
	n := 0
	for *syncsFlag == 0 || n < *syncsFlag {
		event, hung := d.Await(p)
		if hung != "" {
			t.Fatalf("the run hangs: %s", hung)
		}
		if event.Kind == 0 {
			break
		}
		n++
		now := rig.ReportOf(state, d.Lines(0))
		s.report("the run itself", now.Bad)
		for _, loss := range []disk.Loss{disk.LoseAll, disk.LoseData, disk.KeepAll, disk.Mixed} {
			s.after(table, d, event, now.State, loss)
		}
		d.Release()
	}
	d.End(p)
	t.Logf("%d syncs", n)
}

// after starts the store on what a power cut leaves of d now.
func (s *suite) after(table *rig.Table, d *rig.Disk, event disk.Event, state *workload.State, loss disk.Loss) {
	left, rep := d.Cut(loss, s.rnd.Uint64()).Run(rig.Cycle{Kind: s.kind, Config: s.config(state, 2, 3), Loss: disk.KeepAll})
	left.Drop()
	table.Add(fmt.Sprintf("%s, %s", event.Kind, loss), rep.Steps, rep.Bad)
	s.report(fmt.Sprintf("cut at %s, %s", event, loss), rep.Bad)
}

// A new store is cut while it makes its files. What is there afterwards must be
// a store, or nothing.
func TestAPowerCutDuringTheFirstStartLeavesAStoreThatStarts(t *testing.T) {
	s := newSuite(t)
	table := rig.NewTable("a power cut during the first start")
	defer table.Write(t.Output())
	for n := int64(1); ; n += 1 + n/8 {
		for _, loss := range []disk.Loss{disk.LoseAll, disk.LoseData, disk.Mixed} {
			c := rig.Cycle{
				Kind: s.kind, Loss: loss, Seed: s.rnd.Uint64(), Config: s.config(workload.NewState(), 1, 0),
				Trap: &disk.Trap{Kinds: disk.All, N: n, After: n%2 == 0},
			}
			c.Config.Prepare = true
			d, first := s.rig.NewDisk().Run(c)
			if first.Cut.Kind == 0 {
				d.Drop()
				return
			}
			c.Trap, c.Config = nil, s.config(workload.NewState(), 1, 5)
			c.Config.Prepare = true
			d, rep := d.Run(c)
			d.Drop()
			table.Add(loss.String(), rep.Steps, rep.Bad)
			s.report(fmt.Sprintf("cut at %s, %s", first.Cut, loss), rep.Bad)
		}
	}
}
