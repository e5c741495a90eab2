package faults

import (
	"context"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/tests/faults/kills"
	"github.com/codeguardians/s3gateway/tests/faults/rig"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

var (
	killsFlag   = flag.Int("kills", 60, "kills of the gateway")
	gatewayFlag = flag.String("gateway", "../../bin/s3gateway", "the program of the gateway")
)

// sweepEvery is after how many rounds it is checked that nothing is left over.
const sweepEvery = 20

func TestNothingIsLostByKillsOfTheGateway(t *testing.T) {
	program, err := filepath.Abs(*gatewayFlag)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v: build it with make build", err)
	}
	g, err := kills.NewGateway(program, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	c := &kills.Campaign{Gateway: g, Rand: rand.New(rand.NewPCG(*seedFlag, 3)), Workers: 3, Clients: 2}
	if err := c.Begin(ctx); err != nil {
		t.Fatal(err)
	}
	defer g.Kill()
	table := rig.NewTable("rounds with kills of the gateway")
	defer func() { table.Write(t.Output()); t.Logf("%d kills", c.Kills) }()
	for round := 1; c.Kills < *killsFlag; round++ {
		blind, before := round%2 == 0, c.Steps
		bad, err := c.Round(ctx, blind)
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		if round%sweepEvery == 0 {
			bad = append(bad, swept(t, c)...)
			t.Logf("%d kills", c.Kills)
		}
		label := "the store is looked at first"
		if blind {
			label = "clients repeat blindly"
		}
		table.Add(label, c.Steps-before, bad)
		for _, v := range bad {
			t.Errorf("round %d (%s): %s", round, label, v)
		}
	}
}

// swept stops the gateway for a moment and looks for what is left over.
func swept(t *testing.T, c *kills.Campaign) (bad []workload.Violation) {
	err := c.Pause(t.Context(), func() error {
		s, err := openEmbedded(localstore.Options{Dir: c.Gateway.Data, Log: zerolog.Nop()})
		if err != nil {
			return err
		}
		left, err := s.Settle(context.Background())
		for _, l := range left {
			bad = append(bad, workload.Violation{Class: workload.LeftOver, Text: l})
		}
		if err != nil {
			return err
		}
		return s.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	return bad
}
