package rig

import (
	"fmt"
	"time"

	"github.com/codeguardians/s3gateway/tests/faults/disk"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

// patience is how long a store may take for one cycle.
const patience = 2 * time.Minute

// Cycle is one life of a store process: it starts on a disk, verifies, works,
// and ends with a power cut.
type Cycle struct {
	Kind   string
	Config workload.Config
	Trap   *disk.Trap  // where the power is cut; nil: when the program has ended
	Fault  *disk.Fault // on the disk from before the start
	Loss   disk.Loss
	Seed   uint64
	// PowerStays says that only the process is killed: the disk and the kernel's
	// cache keep what was not synced, for a later power cut to take.
	PowerStays bool
}

// Report is what a cycle showed.
type Report struct {
	State *workload.State // what the next store must find
	Bad   []workload.Violation
	Cut   disk.Event // zero: the program had ended
	Ready bool       // the store had opened and was verified
	Steps int        // acknowledged
	Lines []workload.Line
	Hits  int64 // operations that Fault refused
}

// Run runs a cycle on d and returns the disk that the power cut leaves. d is
// gone afterwards, unless the power stays.
func (d *Disk) Run(c Cycle) (*Disk, Report) {
	d.Mount()
	if c.Trap != nil {
		d.Trap(*c.Trap)
	}
	if c.Fault != nil {
		d.Inject(*c.Fault)
	}
	p := d.Start(c.Kind, c.Config)
	event, hung := d.Await(p)
	hits := d.Lift()
	lines := d.Lines(0)
	next := d
	var recent []disk.Event
	if c.PowerStays {
		recent = d.endProcess(p)
		d.Revive()
	} else {
		next = d.Cut(c.Loss, c.Seed)
		recent = d.End(p)
	}
	r := ReportOf(c.Config.State, lines)
	r.Cut, r.Hits = event, hits
	if hung != "" || p.Failed() {
		r.Bad = append(r.Bad, workload.Violation{Class: workload.NoStart, Text: "the process failed or hung: " + hung + p.Stderr()})
	}
	if len(r.Bad) > 0 {
		r.Bad[0].Text += fmt.Sprintf("\n    last operations of the disk: %v", recent[max(0, len(recent)-12):])
	}
	return next, r
}

// End kills the process, turns the power off and forgets the disk. It returns
// the last operations.
func (d *Disk) End(p *Process) []disk.Event {
	recent := d.endProcess(p)
	d.Drop()
	return recent
}

func (d *Disk) endProcess(p *Process) []disk.Event {
	p.Kill()
	d.Die()
	<-p.done
	return d.State().Recent
}

// WaitFact waits until the process notes a fact, and reports false if it ends
// or hangs before.
func (d *Disk) WaitFact(p *Process, fact string) bool {
	for end := time.Now().Add(patience); time.Now().Before(end); {
		for _, l := range d.Lines(0) {
			if l.Fact == fact {
				return true
			}
		}
		select {
		case <-p.done:
			return false
		case <-time.After(2 * time.Millisecond):
		}
	}
	return false
}

// Await waits for the trap or the end of the process, and leaves the disk
// standing still.
func (d *Disk) Await(p *Process) (event disk.Event, hung string) {
	held := make(chan disk.Event, 1)
	go func() { held <- d.Held().Event }()
	select {
	case e := <-held:
		return e, ""
	case <-p.done:
	case <-time.After(patience):
		hung = p.Stacks()
	}
	d.Hold()
	<-held
	return disk.Event{}, hung
}

// ReportOf replays the notes of a store process on the state it began with.
func ReportOf(s *workload.State, lines []workload.Line) Report {
	r := Report{State: s.Clone(), Lines: lines}
	begun, bad := r.State.Replay(lines)
	r.State.Interrupt(begun)
	r.Bad = bad
	for _, l := range lines {
		r.Ready = r.Ready || l.Ready
		if l.End != nil && l.End.Outcome() == workload.Done {
			r.Steps++
		}
	}
	return r
}
