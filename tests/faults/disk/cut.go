package disk

import (
	"fmt"
	"math/rand/v2"
)

// Loss says what a power cut does to changes that no sync has covered.
type Loss int

const (
	LoseAll  Loss = iota // nothing unsynced survives
	KeepAll              // everything survives, as if the disk had written all at once
	LoseData             // folder entries survive, the bytes of files do not
	Mixed                // each change survives, is lost or is torn at sectors, at random
)

func (l Loss) String() string {
	return [...]string{"lose all", "keep all", "lose data", "mixed"}[l]
}

// Cut returns the disk as a power cut at this moment leaves it, with all that
// is left synced. The same seed on the same disk yields the same image. d is
// not changed.
func (d *Disk) Cut(loss Loss, seed uint64) *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cut(loss, seed)
}

func (d *Disk) cut(loss Loss, seed uint64) *Disk {
	c := &cutter{
		loss:  loss,
		rnd:   rand.New(rand.NewPCG(seed, 0x9e3779b97f4a7c15)),
		done:  map[*Node]*Node{},
		moved: map[*move]bool{},
	}
	// One cut keeps little, the next nearly everything.
	c.keep = []float64{0.1, 0.5, 0.9}[c.rnd.IntN(3)]
	c.stale = c.rnd.IntN(4) == 0
	img := New()
	img.capacity = d.capacity
	img.root = c.node(d.root)
	img.lastIno = d.lastIno
	img.used = img.root.size()
	return img
}

type cutter struct {
	loss  Loss
	rnd   *rand.Rand
	keep  float64
	stale bool // space that was allocated and never written holds old bytes
	done  map[*Node]*Node
	moved map[*move]bool
}

func (c *cutter) node(n *Node) *Node {
	if m, ok := c.done[n]; ok {
		return m
	}
	m := &Node{ino: n.ino, path: n.path, dir: n.dir, mode: n.mode, time: n.time}
	c.done[n] = m
	if !n.dir {
		m.data = c.bytes(n)
		m.saved = m.data.share()
		return m
	}
	m.entries, m.savedEntries = map[string]*Node{}, map[string]*Node{}
	left := &Node{entries: c.entries(n)}
	// The order of names keeps the random sequence the same for one seed.
	left.children(func(name string, e *Node) {
		m.entries[name] = c.node(e)
		m.savedEntries[name] = m.entries[name]
	})
	return m
}

func (n *Node) children(fn func(string, *Node)) {
	for _, name := range sortedNames(n.entries) {
		fn(name, n.entries[name])
	}
}

func (c *cutter) entries(n *Node) map[string]*Node {
	left := map[string]*Node{}
	for name, e := range n.savedEntries {
		left[name] = e
	}
	for _, m := range n.moves {
		if c.survives(m) {
			m.apply(left)
		}
	}
	return left
}

func (c *cutter) survives(m *move) bool {
	if c.loss != Mixed {
		return c.loss != LoseAll
	}
	if kept, ok := c.moved[m.twin]; ok && m.twin != nil {
		return kept
	}
	c.moved[m] = c.rnd.Float64() < c.keep
	return c.moved[m]
}

func (c *cutter) bytes(n *Node) content {
	if len(n.pending) == 0 || c.loss == LoseAll || c.loss == LoseData {
		return n.saved.share()
	}
	if c.loss == KeepAll {
		return n.data.share()
	}
	left := n.saved.share()
	for _, ch := range n.pending {
		c.land(ch, &left)
	}
	return left
}

// land applies what survives of one change.
func (c *cutter) land(ch change, to *content) {
	if ch.size >= 0 {
		if c.rnd.Float64() < c.keep {
			ch.apply(to)
		}
		return
	}
	switch r := c.rnd.Float64(); {
	case r < 0.3:
		c.tear(ch, to)
	case c.rnd.Float64() < c.keep:
		ch.apply(to)
	case c.rnd.IntN(4) == 0:
		c.allocate(ch, to)
	}
}

// tear writes a random choice of the sectors of one write.
func (c *cutter) tear(ch change, to *content) {
	c.allocate(ch, to)
	end := ch.off + int64(len(ch.data))
	for at := ch.off; at < end; {
		next := min((at/sector+1)*sector, end)
		if c.rnd.Float64() < c.keep {
			to.write(ch.data[at-ch.off:next-ch.off], at)
		}
		at = next
	}
}

// allocate sets the length that one write leads to without its bytes.
func (c *cutter) allocate(ch change, to *content) {
	old, end := int64(len(to.b)), ch.off+int64(len(ch.data))
	if end <= old {
		return
	}
	to.resize(end)
	if c.stale {
		for i := old; i < end; i++ {
			to.b[i] = byte(c.rnd.Uint32())
		}
	}
}

// Tree returns a line for each file and folder, for messages of tests.
func (d *Disk) Tree() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	out := ""
	d.root.walk(func(n *Node) {
		if !n.dir {
			out += fmt.Sprintf("%9d %s\n", len(n.data.b), n.path)
		}
	})
	return out
}
