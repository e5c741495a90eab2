package model

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"
)

// reached counts what the model answers to programs, by operation and code, and
// some situations that the answers alone do not show.
func reached(programs int) map[string]int {
	count := map[string]int{}
	count["programs"] = programs
	target := &Target{Keys: NastyKeys, MinPart: 5 << 20}
	for seed := range programs {
		p := Generate(target, uint64(seed), time.Now())
		m := New(target.MinPart, p.Now)
		for _, s := range p.Steps {
			w, ok := m.Apply(s)
			if !ok {
				continue
			}
			count[s.Operation()+" "+fmt.Sprint(w.Status)+" "+w.Code]++
			for _, b := range m.buckets {
				for _, all := range b.keys {
					count["object of parts"] += boolInt(len(all[0].parts) > 1)
				}
			}
		}
	}
	return count
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// rare are the answers that no program needs to reach: they are the same code for
// every operation, and reached in others.
var rare = []string{"NoSuchBucket", "KeyTooLongError", "InvalidTag", "MetadataTooLarge", "NoSuchVersion"}

func TestProgramsReachEveryAnswer(t *testing.T) {
	count := reached(3000)
	for _, key := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%7d %s", count[key], key)
	}
}
