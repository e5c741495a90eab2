package kv

import (
	"encoding/binary"
	"fmt"
)

// ownTree holds the rows of this package. Trees does not list it.
const ownTree Tree = "kv"

var sequenceKey = []byte("sequence")

// sequence is the counter of Tx.Sequence. It never goes back while the process
// runs, also if a commit is rolled back. Each commit stores it.
type sequence struct {
	last   uint64 // the last number handed out
	stored uint64 // the number on disk
	err    error  // the stored number cannot be read
}

func (s *sequence) next() (uint64, error) {
	if s.err != nil {
		return 0, s.err
	}
	s.last++
	return s.last, nil
}

// load reads the stored number.
func (s *sequence) load(t *Tx) {
	value, err := t.Get(ownTree, sequenceKey)
	if err == nil && value != nil && len(value) != 8 {
		err = fmt.Errorf("the sequence has %d bytes, not 8", len(value))
	}
	s.err = err
	s.stored = 0
	if err == nil && value != nil {
		s.stored = binary.BigEndian.Uint64(value)
	}
	s.last = max(s.last, s.stored)
}

// save stores the number if it has changed.
func (s *sequence) save(t *Tx) error {
	if s.last == s.stored {
		return nil
	}
	value := binary.BigEndian.AppendUint64(nil, s.last)
	return t.Put(ownTree, sequenceKey, value)
}
