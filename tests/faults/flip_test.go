package faults

import (
	"bytes"
	"fmt"
	"path"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway/tests/faults/disk"
	"github.com/codeguardians/s3gateway/tests/faults/rig"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

func TestAFlippedBitInABlobIsNeverServedAndTheCheckNamesIt(t *testing.T) {
	s := newSuite(t)
	table := rig.NewTable("a flipped bit in each blob")
	defer table.Write(t.Output())
	template, state := s.idle()
	for _, file := range template.State().Files {
		if !strings.Contains(file, "/blobs/") {
			continue
		}
		size := template.Size(file)
		for _, bit := range []int64{0, s.rnd.Int64N(8 * size), 8*size - 1} {
			damage, bad := s.flip(template, state, file, bit)
			if !strings.Contains(strings.Join(damage.Problems, "\n"), path.Base(file)) {
				bad = append(bad, workload.Violation{Class: workload.BadAnswer, Text: fmt.Sprintf("the check does not name it: %v", damage.Problems)})
			}
			table.Add(outcome(damage), damage.Served, bad)
			s.report(fmt.Sprintf("bit %d of %s (%d bytes)", bit, file, size), bad)
		}
	}
}

// A bit of the database may be in a row, in a page that leads to others, or in
// a page that is not used.
func TestAFlippedBitInTheDatabaseIsNeverServedAndTheCheckFindsIt(t *testing.T) {
	s := newSuite(t)
	table := rig.NewTable("flipped bits in the database")
	defer table.Write(t.Output())
	template, state := s.idle()
	file := ""
	for _, f := range template.State().Files {
		if strings.HasSuffix(f, "/names.db") {
			file = f
		}
	}
	b := template.Read(file)
	for range *flipsFlag {
		bit := s.bitInUse(b)
		damage, bad := s.flip(template, state, file, bit)
		if damage.Refused == "" && damage.Failed+damage.Missing > 0 && len(damage.Problems) == 0 {
			bad = append(bad, workload.Violation{Class: workload.BadAnswer, Text: fmt.Sprintf("%d versions fail, %d are missing, and the check finds nothing", damage.Failed, damage.Missing)})
		}
		table.Add(outcome(damage), damage.Served, bad)
		s.report(fmt.Sprintf("bit %d of %s (page %d+%d)", bit, file, bit/8/4096, bit/8%4096), bad)
	}
}

// bitInUse returns a bit of a page that was written. Half of them are near bytes
// that are not zero.
func (s *suite) bitInUse(b []byte) int64 {
	const page = 4096
	for {
		at := s.rnd.IntN(len(b))
		near := b[at/page*page : min(at/page*page+page, len(b))]
		if s.rnd.IntN(2) == 0 {
			near = b[at:min(at+16, len(b))]
		}
		if len(bytes.Trim(near, "\x00")) > 0 {
			return int64(at)*8 + s.rnd.Int64N(8)
		}
	}
}

func outcome(d workload.Damage) string {
	switch {
	case d.Refused != "":
		return "the store does not start"
	case d.Missing > 0:
		return "keys are hidden, the check says so"
	case d.Failed > 0:
		return "GET fails, the check says so"
	case len(d.Problems) > 0:
		return "only the check sees it"
	default:
		return "the bit was not in use"
	}
}

// idle returns a disk with a store that was closed, and its state.
func (s *suite) idle() (*rig.Disk, *workload.State) {
	d, state := s.prepared(60)
	d, rep := d.Run(rig.Cycle{Kind: s.kind, Config: s.config(state, 2, 1), Loss: disk.KeepAll})
	s.report("the run before", rep.Bad)
	return d, rep.State
}

// flip flips a bit of a copy of the disk, and starts the store on it.
func (s *suite) flip(template *rig.Disk, state *workload.State, file string, bit int64) (workload.Damage, []workload.Violation) {
	d := template.Cut(disk.LoseAll, 0)
	d.Flip(file, bit)
	c := s.config(state, 1, 0)
	c.Damaged = true
	left, rep := d.Run(rig.Cycle{Kind: s.kind, Config: c, Loss: disk.LoseAll})
	left.Drop()
	for _, l := range rep.Lines {
		if l.Damage != nil {
			return *l.Damage, rep.Bad
		}
	}
	return workload.Damage{}, append(rep.Bad, workload.Violation{Class: workload.NoStart, Text: "the process reports nothing"})
}
