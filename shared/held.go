package shared

import (
	"crypto/rand"
	"sync"
)

// holder is a random name that changes.
type holder struct {
	mu   sync.Mutex
	text string
}

func (h *holder) change() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.text = "held:" + rand.Text()
}

func (h *holder) name() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text
}

// heldNames is a set of names. The zero value is empty.
type heldNames struct {
	mu    sync.Mutex
	names map[string]bool
}

func (h *heldNames) add(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.names == nil {
		h.names = map[string]bool{}
	}
	h.names[name] = true
}

func (h *heldNames) remove(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.names, name)
}

func (h *heldNames) all() (names []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for name := range h.names {
		names = append(names, name)
	}
	return names
}
