package workload

import (
	"bytes"
	"testing"
)

func TestASliceOfAValueHasTheBytesOfTheRange(t *testing.T) {
	v := Value{{Seed: 1, Off: 3, Len: 20}, {Seed: 2, Len: 5}, {Seed: 3, Off: 8, Len: 17}}
	b := v.Bytes()
	if int64(len(b)) != v.Size() {
		t.Fatalf("%d bytes, size %d", len(b), v.Size())
	}
	for from := range b {
		for to := from; to <= len(b); to++ {
			if got := v.Slice(int64(from), int64(to-from)).Bytes(); !bytes.Equal(got, b[from:to]) {
				t.Fatalf("%d to %d: %x, wanted %x", from, to, got, b[from:to])
			}
		}
	}
}

func TestAStepWithoutAnAnswerLeavesBothHistories(t *testing.T) {
	s := NewState()
	s.Apply(Step{ID: "1", Action: Put, Bucket: "versioned", Key: "k"}, Result{Status: 200, Version: "a"})
	s.Apply(Step{ID: "2", Action: Delete, Bucket: "versioned", Key: "k"}, Result{})
	h := s.histories("versioned/k")
	if len(h) != 2 || len(h[0]) != 1 || len(h[1]) != 2 || !h[1][0].Marker {
		t.Fatalf("histories: %v", describe(h))
	}
	if _, certain := s.current("versioned/k"); certain {
		t.Error("the current version is taken for certain")
	}
}

func TestARetriedCompleteChangesNothingTwice(t *testing.T) {
	s := NewState()
	s.Apply(Step{ID: "1", Action: CreateUpload, Bucket: "versioned", Key: "k"}, Result{Status: 200, Upload: "u"})
	c := Step{ID: "2", Action: Complete, Bucket: "versioned", Key: "k", Upload: "u", Note: "1"}
	s.Apply(c, Result{})
	s.Apply(c, Result{Status: 200, Version: "v"})
	for _, h := range s.histories("versioned/k") {
		if len(h) != 1 {
			t.Errorf("a history with %d versions: %v", len(h), describe([]History{h}))
		}
	}
	if len(s.Retry) != 0 {
		t.Error("an answered Complete is still to be repeated")
	}
}
