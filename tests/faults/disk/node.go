package disk

import (
	"maps"
	"slices"
	"time"
)

// Node is a file or folder of a Disk. Its methods are called with the disk's
// lock held.
type Node struct {
	ino  uint64
	path string
	dir  bool
	mode uint32
	time time.Time

	// A file: what a process reads, what a power cut leaves, and the changes
	// between the two in the order in which they were made.
	data, saved content
	pending     []change

	// A folder: the same for its entries.
	entries, savedEntries map[string]*Node
	moves                 []*move
}

// move is a change of one folder entry. A nil node removes the name.
type move struct {
	folder *Node
	name   string
	node   *Node
	// twin is the other half of a rename. A journal writes both or neither.
	twin *move
}

func (m *move) apply(to map[string]*Node) {
	if m.node == nil {
		delete(to, m.name)
		return
	}
	to[m.name] = m.node
}

// Ino returns the inode number.
func (n *Node) Ino() uint64 { return n.ino }

// Dir reports whether n is a folder.
func (n *Node) Dir() bool { return n.dir }

func (n *Node) syncFile() {
	for _, c := range n.pending {
		c.apply(&n.saved)
	}
	n.pending = nil
}

func (n *Node) syncFolder() {
	for _, m := range n.moves {
		m.apply(n.savedEntries)
		if m.twin != nil && m.twin.folder != n {
			other := m.twin.folder
			m.twin.apply(other.savedEntries)
			other.moves = slices.DeleteFunc(other.moves, func(o *move) bool { return o == m.twin })
		}
	}
	n.moves = nil
}

// size returns the bytes that the tree below n uses.
func (n *Node) size() int64 {
	total := int64(len(n.data.b))
	for _, e := range n.entries {
		total += e.size()
	}
	return total
}

// walk calls fn for n and everything below it, in the order of names.
func (n *Node) walk(fn func(*Node)) {
	fn(n)
	for _, name := range slices.Sorted(maps.Keys(n.entries)) {
		n.entries[name].walk(fn)
	}
}
