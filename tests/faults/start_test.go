package faults

import (
	"fmt"
	"slices"
	"syscall"
	"testing"

	"github.com/codeguardians/s3gateway/tests/faults/disk"
	"github.com/codeguardians/s3gateway/tests/faults/rig"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

// A store that starts on a disk that refuses may refuse to start, or requests. It
// must not take what it cannot read for absent, nor remove it.
func TestAStartOnADiskThatRefusesLosesNothing(t *testing.T) {
	s := newSuite(t)
	table := rig.NewTable("a start on a disk that refuses")
	defer table.Write(t.Output())
	template, state := s.prepared(60)
	faults := []disk.Fault{
		{Kinds: disk.Read, Errno: syscall.EIO},
		{Kinds: disk.Read, Errno: syscall.EIO, Path: "names.db"},
		{Kinds: disk.Read, Errno: syscall.EIO, Path: "blobs/"},
		{Kinds: disk.All, Errno: syscall.EIO},
		{Kinds: disk.Sync, Errno: syscall.EIO, Evict: true},
		{Kinds: disk.All, Errno: syscall.EROFS},
		{Kinds: disk.Create | disk.Write | disk.Truncate, Errno: syscall.ENOSPC},
	}
	for _, f := range faults {
		for _, f.Sticky = range []bool{false, true} {
			for f.N = 1; *opsFlag == 0 || f.N <= int64(*opsFlag); f.N++ {
				if hits := s.start(table, template, state, f); hits == 0 {
					break
				}
			}
		}
	}
}

// start starts the store on a disk with a fault and reads everything, then
// again without the fault. It returns how often the fault struck.
func (s *suite) start(table *rig.Table, template *rig.Disk, state *workload.State, f disk.Fault) int64 {
	c := s.config(state, 1, 0)
	c.Damaged = true
	left, rep := template.Cut(disk.KeepAll, 0).Run(rig.Cycle{Kind: s.kind, Config: c, Fault: &f, Loss: disk.LoseAll})
	bad := rep.Bad
	for _, l := range rep.Lines {
		if l.Damage != nil && l.Damage.Missing > 0 {
			bad = append(bad, workload.Violation{Class: workload.Lost, Text: fmt.Sprintf("%d versions are a 404 while the disk refuses", l.Damage.Missing)})
		}
	}
	// Closing may fail on such a disk.
	bad = slices.DeleteFunc(bad, func(v workload.Violation) bool { return v.Class == workload.BadAnswer })
	left, again := left.Run(rig.Cycle{Kind: s.kind, Config: s.config(state, 1, 3), Loss: disk.LoseAll})
	left.Drop()
	bad = append(bad, again.Bad...)
	label := fmt.Sprintf("%s %q %s, sticky %t", f.Kinds, f.Path, f.Errno, f.Sticky)
	if f.Kinds == disk.All {
		label = fmt.Sprintf("all %s, sticky %t", f.Errno, f.Sticky)
	}
	table.Add(label, again.Steps, bad)
	s.report(fmt.Sprintf("%s, the %d. time", label, f.N), bad)
	return rep.Hits
}

// The database is written anew and takes the place of the old one. A cut leaves
// the old or the new one.
func TestAPowerCutDuringCompactionLosesNothing(t *testing.T) {
	s := newSuite(t)
	if s.kind != embeddedKind {
		t.Skip("only the embedded store can be compacted")
	}
	table := rig.NewTable("a power cut while the database is compacted")
	defer table.Write(t.Output())
	template, state := s.idle()
	step := int64(1)
	if *opsFlag != 0 {
		step = 5
	}
	for n := int64(1); ; n += step {
		for _, loss := range []disk.Loss{disk.LoseAll, disk.LoseData, disk.Mixed} {
			c := rig.Cycle{
				Kind: compactKind, Config: s.config(state, 1, 0), Loss: loss, Seed: s.rnd.Uint64(),
				Trap: &disk.Trap{Kinds: disk.All, N: n, After: n%2 == 0},
			}
			left, rep := template.Cut(disk.KeepAll, 0).Run(c)
			if rep.Ready {
				left.Drop()
				return
			}
			left, again := left.Run(rig.Cycle{Kind: s.kind, Config: s.config(state, 1, 3), Loss: disk.LoseAll})
			left.Drop()
			bad := append(rep.Bad, again.Bad...)
			table.Add(loss.String(), again.Steps, bad)
			s.report(fmt.Sprintf("cut at %s, %s", rep.Cut, loss), bad)
		}
	}
}
