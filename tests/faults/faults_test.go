package faults

import (
	"flag"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway/tests/faults/disk"
	"github.com/codeguardians/s3gateway/tests/faults/rig"
	"github.com/codeguardians/s3gateway/tests/faults/toy"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

// The kinds of stores. The faults of the toy store are kinds as well.
const (
	embeddedKind = "localstore"
	unsyncedKind = "localstore without syncs"
	compactKind  = "localstore, compacted before it opens"
	toyKind      = "toy"
)

var (
	storeFlag = flag.String("store", embeddedKind, "store under test: localstore, or toy, which has no versions")
	seedFlag  = flag.Uint64("seed", 1, "seed of everything random")
	cutsFlag  = flag.Int("cuts", 150, "power cuts at random writes")
	syncsFlag = flag.Int("syncs", 40, "syncs of a run at which the power is cut; 0: every one")
	opsFlag   = flag.Int("ops", 12, "operations of a run that fail with each error; 0: every one")
	flipsFlag = flag.Int("flips", 60, "flipped bits of the database")
)

func TestMain(m *testing.M) {
	openers := map[string]workload.Opener{
		embeddedKind: openIn("data", false), // a folder that the store makes, as DATA_DIR is
		unsyncedKind: openIn("data", true),
		compactKind:  openCompacted,
		toyKind:      toy.Open(toy.Sound),
	}
	for _, f := range append(toy.Faults, toy.ErrorsIgnored) {
		openers[string(f)] = toy.Open(f)
	}
	os.Exit(rig.Main(m, openers))
}

// suite is a test of one store.
type suite struct {
	t    *testing.T
	rig  *rig.Rig
	rnd  *rand.Rand
	kind string
}

func newSuite(t *testing.T) *suite {
	return &suite{t: t, rig: rig.New(t), rnd: rand.New(rand.NewPCG(*seedFlag, 7)), kind: *storeFlag}
}

// basic reports whether the store answers the basic program only.
func (s *suite) basic() bool { return !strings.HasPrefix(s.kind, embeddedKind) }

// config returns the configuration of a run.
func (s *suite) config(state *workload.State, workers, steps int) workload.Config {
	return workload.Config{Seed: s.rnd.Uint64(), Workers: workers, Steps: steps, Basic: s.basic(), State: state}
}

// prepared returns a disk with a store that has run for a while, and its state.
func (s *suite) prepared(steps int) (*rig.Disk, *workload.State) {
	s.t.Helper()
	state := workload.NewState()
	if s.basic() {
		state = basicState()
	}
	c := rig.Cycle{Kind: s.kind, Config: s.config(state, 2, steps), Loss: disk.LoseAll}
	c.Config.Prepare = true
	d, rep := s.rig.NewDisk().Run(c)
	if len(rep.Bad) > 0 {
		s.t.Fatalf("the first run: %v", rep.Bad)
	}
	return d, rep.State
}

// report prints what was broken, and fails the test.
func (s *suite) report(what string, bad []workload.Violation) {
	s.t.Helper()
	for i, v := range bad {
		if i == 5 {
			s.t.Errorf("%s: and %d more", what, len(bad)-i)
			return
		}
		s.t.Errorf("%s: %s", what, v)
	}
}
