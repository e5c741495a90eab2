package disk

import (
	"math/rand/v2"
	"syscall"
)

// Fault makes operations fail.
type Fault struct {
	Kinds  Kind
	Path   string // part of the path; empty: any
	N      int64  // the first to fail; 1: the next
	Errno  syscall.Errno
	Sticky bool // fails from the Nth on, until it is lifted
	// Short makes the Nth write, if it is longer than a sector, write its first
	// half and report that; what follows fails. Disks that fill up do this.
	Short bool
	// Evict drops, where a sync fails, what it should have saved from the view of
	// processes as well, as a kernel does that drops clean pages.
	Evict bool

	hits int64
}

// Inject adds a fault.
func (d *Disk) Inject(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.faults = append(d.faults, &f)
}

// Lift removes all faults and returns how many operations they refused.
func (d *Disk) Lift() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	var hits int64
	for _, f := range d.faults {
		hits += f.hits
	}
	d.faults = nil
	return hits
}

// due returns the fault that e meets, or nil.
func (d *Disk) due(e Event) *Fault {
	for _, f := range d.faults {
		if !matches(f.Kinds, f.Path, e) {
			continue
		}
		f.N--
		if f.N == 0 || f.N < 0 && f.Sticky {
			f.hits++
			return f
		}
	}
	return nil
}

func (d *Disk) refused(e Event) syscall.Errno {
	f := d.due(e)
	if f == nil {
		return 0
	}
	if e.Kind == Sync {
		d.failSync(e.Path, f.Evict)
	}
	return f.Errno
}

// failSync drops what a failed sync should have saved. As on Linux the pages
// count as clean afterwards: the next sync succeeds and saves nothing of them.
// A random part has reached the disk.
func (d *Disk) failSync(path string, evict bool) {
	d.root.walk(func(n *Node) {
		if n.path != path || n.dir {
			return
		}
		c := &cutter{loss: Mixed, rnd: rand.New(rand.NewPCG(uint64(d.ops), 1)), keep: 0.5}
		for _, ch := range n.pending {
			c.land(ch, &n.saved)
		}
		n.pending = nil
		if evict {
			d.used += int64(len(n.saved.b) - len(n.data.b))
			n.data = n.saved.share()
		}
	})
}
