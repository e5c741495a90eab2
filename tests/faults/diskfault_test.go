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

// diskTroubles are the ways in which a disk refuses.
var diskTroubles = []struct {
	name  string
	fault disk.Fault
}{
	{"disk full, from one operation on", disk.Fault{Errno: syscall.ENOSPC, Kinds: disk.Create | disk.Write | disk.Truncate | disk.Rename, Sticky: true}},
	{"disk full, a write is cut short", disk.Fault{Errno: syscall.ENOSPC, Kinds: disk.Write, Sticky: true, Short: true}},
	{"disk full at a sync", disk.Fault{Errno: syscall.ENOSPC, Kinds: disk.Sync}},
	{"read-only, from one operation on", disk.Fault{Errno: syscall.EROFS, Kinds: disk.All, Sticky: true}},
	{"EIO, once", disk.Fault{Errno: syscall.EIO, Kinds: disk.All}},
	{"EIO, from one operation on", disk.Fault{Errno: syscall.EIO, Kinds: disk.All, Sticky: true}},
	{"EIO of blobs, from one operation on", disk.Fault{Errno: syscall.EIO, Kinds: disk.All, Path: "/blobs/", Sticky: true}},
	{"sync fails once", disk.Fault{Errno: syscall.EIO, Kinds: disk.Syncs}},
	{"sync fails once, the pages are dropped", disk.Fault{Errno: syscall.EIO, Kinds: disk.Syncs, Evict: true}},
}

func TestADiskThatRefusesStoresNothingByHalf(t *testing.T) {
	s := newSuite(t)
	table := rig.NewTable("a disk that refuses, at each operation of a run")
	defer table.Write(t.Output())
	template, state := s.prepared(30)
	for _, trouble := range diskTroubles {
		t.Run(trouble.name, func(t *testing.T) {
			s.t = t
			s.everyOperation(table, template, state, trouble.name, trouble.fault)
		})
	}
}

// everyOperation runs a program once for each of its operations, which fails, or
// for a few of them.
func (s *suite) everyOperation(table *rig.Table, template *rig.Disk, state *workload.State, name string, f disk.Fault) {
	answers := map[int]int{}
	for n := int64(1); *opsFlag == 0 || n <= int64(*opsFlag); n++ {
		f.N = n
		if *opsFlag != 0 {
			f.N = 1 + s.rnd.Int64N(100)
		}
		rep, hits := s.refuse(template.Cut(disk.KeepAll, 0), state, f)
		table.Add(name, rep.Steps, rep.Bad)
		s.report(fmt.Sprintf("operation %d", f.N), rep.Bad)
		for _, l := range rep.Lines {
			if l.End != nil {
				answers[l.End.Status]++
			}
		}
		if hits == 0 && *opsFlag == 0 {
			break
		}
	}
	s.t.Logf("answers by status: %v", answers)
}

// refuse runs a program on a disk with one fault. It cuts the power once while
// the fault is there, and once after it was lifted and the program went on.
func (s *suite) refuse(d *rig.Disk, state *workload.State, f disk.Fault) (rig.Report, int64) {
	d.Mount()
	c := s.config(state, 2, 10)
	c.Trouble = true
	p := d.Start(s.kind, c)
	if !d.WaitFact(p, workload.FactReady) {
		s.t.Fatalf("the store does not start: %s", p.Stacks())
	}
	d.Inject(f)
	p.Go()
	var hits int64
	var early []workload.Violation
	if d.WaitFact(p, workload.FactWaiting) {
		now := rig.ReportOf(state, d.Lines(0))
		cut := rig.Cycle{Kind: s.kind, Config: s.config(now.State, 1, 0), Loss: disk.LoseAll}
		left, rep := d.Cut(disk.LoseAll, 0).Run(cut)
		left.Drop()
		early = rep.Bad
		hits = d.Lift()
		p.Go()
	}
	rep := s.finish(d, p, state)
	rep.Bad = append(rep.Bad, early...)
	if f.Sticky && refused(rep.Lines) && !healthSaysSo(rep.Lines) {
		rep.Bad = append(rep.Bad, workload.Violation{Class: workload.BadAnswer, Text: "writes were refused and health says that all is well"})
	}
	return rep, hits
}

// finish waits for the end of a process, cuts the power and starts the store
// again on what is left.
func (s *suite) finish(d *rig.Disk, p *rig.Process, state *workload.State) rig.Report {
	_, hung := d.Await(p)
	rep := rig.ReportOf(state, d.Lines(0))
	left := d.Cut(disk.LoseAll, 0)
	d.End(p)
	if hung != "" || p.Failed() {
		rep.Bad = append(rep.Bad, workload.Violation{Class: workload.NoStart, Text: "the process failed or hung: " + hung + p.Stderr()})
	}
	left, again := left.Run(rig.Cycle{Kind: s.kind, Config: s.config(rep.State, 2, 3), Loss: disk.LoseAll})
	left.Drop()
	rep.Bad = append(rep.Bad, again.Bad...)
	rep.Steps += again.Steps
	return rep
}

// refused reports whether a step was refused for the disk's sake.
func refused(lines []workload.Line) bool {
	return slices.ContainsFunc(lines, func(l workload.Line) bool {
		return l.End != nil && (l.End.Status == 507 || l.End.Status == 503)
	})
}

// healthSaysSo reports whether the store was sick during the trouble, and well
// after it.
func healthSaysSo(lines []workload.Line) bool {
	var said []string
	for _, l := range lines {
		if l.Fact == workload.FactSick || l.Fact == workload.FactWell {
			said = append(said, l.Fact)
		}
	}
	return slices.Equal(said, []string{workload.FactSick, workload.FactWell})
}

// A disk fills up under load: puts are refused, deletes are not, and what they
// free can be used.
func TestAFullDiskAllowsDeletes(t *testing.T) {
	s := newSuite(t)
	table := rig.NewTable("a disk that fills up")
	defer table.Write(t.Output())
	template, state := s.prepared(60)
	for _, room := range []int64{0, 4 << 10, 64 << 10, 1 << 20, 4 << 20, 16 << 20, 68 << 20} {
		d := template.Cut(disk.KeepAll, 0)
		d.Mount()
		c := s.config(state, 2, 150)
		c.Trouble, c.Drain = true, true
		p := d.Start(s.kind, c)
		if !d.WaitFact(p, workload.FactReady) {
			t.Fatalf("the store does not start: %s", p.Stacks())
		}
		d.Space(d.State().Used+room, -1)
		p.Go()
		if d.WaitFact(p, workload.FactWaiting) {
			d.Space(64<<30, -1)
			p.Go()
		}
		rep := s.finish(d, p, state)
		label := fmt.Sprintf("room for %d KiB", room>>10)
		table.Add(label, rep.Steps, rep.Bad)
		s.report(label, rep.Bad)
	}
}
