package blob

// Pin keeps blobs from being removed by a caller that asks Pinned. Pins are
// counted.
func (s *Store) Pin(ids ...ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		s.pins[id]++
	}
}

// Unpin takes back one Pin of each id.
func (s *Store) Unpin(ids ...ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		if s.pins[id]--; s.pins[id] <= 0 {
			delete(s.pins, id)
		}
	}
}

// Pinned reports whether the blob is pinned.
func (s *Store) Pinned(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pins[id] > 0
}

// Unfinished reports whether a Writer of the blob is neither released nor
// aborted.
func (s *Store) Unfinished(id ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, ok := s.unfinished[id]
	return ok
}

// Reading is called before a read transaction begins; done is called when the
// blobs it found are pinned. Reading must not be nested.
func (s *Store) Reading() (done func()) {
	s.reading.RLock()
	return s.reading.RUnlock
}

// Barrier returns when every Reading that began before has ended: what those
// read transactions found is then pinned.
func (s *Store) Barrier() {
	s.reading.Lock()
	defer s.reading.Unlock()
}
