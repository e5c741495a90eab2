package faults

import (
	"os"
	"testing"

	"github.com/codeguardians/s3gateway/tests/faults/rig"
	"github.com/codeguardians/s3gateway/tests/faults/toy"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

func TestMain(m *testing.M) {
	openers := map[string]workload.Opener{string(toy.Sound): toy.Open(toy.Sound)}
	for _, f := range toy.Faults {
		openers[string(f)] = toy.Open(f)
	}
	os.Exit(rig.Main(m, openers))
}
