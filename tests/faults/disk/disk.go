package disk

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Disk is one disk. The zero value is not usable; New returns an empty one.
// Its methods may be called concurrently.
type Disk struct {
	mu   sync.Mutex
	wake sync.Cond // broadcast when held or dead changes

	root           *Node
	lastIno        uint64
	capacity, used int64
	free           int64 // what Statfs reports; -1: what is there

	ops    int64 // operations that change the disk
	recent []Event
	faults []*Fault

	trap *Trap
	held *Event // the operation at which the disk stands still
	dead bool   // every operation fails

	notes []Note
}

// Event is one operation that changed the disk or tried to.
type Event struct {
	N    int64 // 1 for the first of this disk
	Kind Kind
	Path string
	Off  int64
	Len  int64
}

func (e Event) String() string {
	return fmt.Sprintf("#%d %s %s %d+%d", e.N, e.Kind, e.Path, e.Off, e.Len)
}

// keepEvents is how many past operations a disk remembers.
const keepEvents = 64

// New returns an empty disk with room for 64 GiB.
func New() *Disk {
	d := &Disk{capacity: 64 << 30, free: -1}
	d.wake.L = &d.mu
	d.root = d.newNode("", true, 0o755)
	return d
}

func (d *Disk) newNode(path string, dir bool, mode uint32) *Node {
	d.lastIno++
	n := &Node{ino: d.lastIno, path: path, dir: dir, mode: mode, time: time.Now()}
	if dir {
		n.entries, n.savedEntries = map[string]*Node{}, map[string]*Node{}
	}
	return n
}

func sortedNames(m map[string]*Node) []string { return slices.Sorted(maps.Keys(m)) }

// Root returns the root folder.
func (d *Disk) Root() *Node { return d.root }

// Ops returns how many operations have changed the disk.
func (d *Disk) Ops() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Recent returns the last operations, oldest first.
func (d *Disk) Recent() []Event {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.recent)
}

// SetCapacity sets how many bytes of files the disk holds in all. A write past
// it fails with ENOSPC.
func (d *Disk) SetCapacity(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = n
}

// Used returns the bytes of all files.
func (d *Disk) Used() int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used
}

// SetFree sets the free space that Free returns, whatever there is; -1 lifts
// it.
func (d *Disk) SetFree(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free = n
}

// Free returns the capacity and what is left of it.
func (d *Disk) Free() (capacity, free int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.free >= 0 {
		return d.capacity, d.free
	}
	return d.capacity, max(0, d.capacity-d.used)
}

// grow accounts for n more bytes, or less.
func (d *Disk) grow(n int64) syscall.Errno {
	if n > 0 && d.used+n > d.capacity {
		return syscall.ENOSPC
	}
	d.used += n
	return 0
}

// A Note is what a program told the disk's keeper, in order with operations.
type Note struct {
	At   int64 // operations before it
	Text string
}

// Note writes down text between the operations before and after this call. It
// waits while the disk stands still, and reports false when the power is off.
func (d *Disk) Note(text string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.waitRunning() {
		return false
	}
	d.notes = append(d.notes, Note{d.ops, text})
	return true
}

// Notes returns all notes so far.
func (d *Disk) Notes() []Note {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.notes)
}
