package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// reached counts what the model answers to programs, by operation and code, and
// the objects of several parts.
func reached(programs int) map[string]int {
	count := map[string]int{}
	target := &Target{Keys: NastyKeys, MinPart: 5 << 20, Wait: func(time.Duration) {}}
	for seed := range programs {
		p := Generate(target, uint64(seed))
		m := New(target.MinPart)
		for _, s := range p.Steps {
			w, ok := m.Apply(s)
			if !ok {
				continue
			}
			count[fmt.Sprintf("%s %d %s", s.Operation(), w.Status, w.Code)]++
			count[w.Code]++
			if in, ok := s.Input.(*s3.CompleteMultipartUploadInput); ok && w.Code == "" && len(in.MultipartUpload.Parts) > 1 {
				count[severalParts]++
			}
			if w.Code == "" {
				count[s.Operation()]++
			}
		}
	}
	return count
}

const severalParts = "objects of several parts"

func TestProgramsReachEveryAnswer(t *testing.T) {
	count := reached(1500)
	for _, key := range slices.Sorted(maps.Keys(count)) {
		t.Logf("%7d %s", count[key], key)
	}
	want := []string{severalParts}
	for code := range statuses {
		want = append(want, code)
	}
	for input := range rules {
		want = append(want, strings.TrimSuffix(input.Elem().Name(), "Input"))
	}
	for _, key := range want {
		// The names of buckets do not vary, and a bucket that exists may be made
		// again; a code that only follows others of a request is not the first.
		if key != "InvalidBucketName" && key != "BucketAlreadyOwnedByYou" && count[key] < 5 {
			t.Errorf("%d answers by %s, want at least 5", count[key], key)
		}
	}
}
