package disk

import (
	"strings"
	"syscall"
)

// Kind is a set of kinds of operations.
type Kind uint

const (
	Open     Kind = 1 << iota // open an existing file for writing
	Create                    // create a file
	Mkdir                     // create a folder
	Write                     // write bytes
	Truncate                  // set a length
	Sync                      // fsync, fdatasync of a file
	SyncFolder
	Remove
	Rename
	Read // read bytes; can fail, and is no operation that changes the disk
)

// Syncs and Changes are the kinds that make durable and that change.
const (
	Syncs   = Sync | SyncFolder
	Changes = Create | Mkdir | Write | Truncate | Remove | Rename
	All     = Changes | Syncs | Open
)

var kindNames = map[Kind]string{
	Open: "open", Create: "create", Mkdir: "mkdir", Write: "write", Truncate: "truncate",
	Sync: "sync", SyncFolder: "syncfolder", Remove: "remove", Rename: "rename", Read: "read",
}

func (k Kind) String() string {
	var names []string
	for bit := Kind(1); bit <= k; bit <<= 1 {
		if k&bit != 0 {
			names = append(names, kindNames[bit])
		}
	}
	return strings.Join(names, "|")
}

// Trap makes the disk stand still at the Nth operation of its kinds.
type Trap struct {
	Kinds Kind
	Path  string // part of the path; empty: any
	N     int64  // 1: the next
	After bool   // the operation is done, its answer is held back
	Every bool   // stands still at each one from the Nth on
}

func matches(kinds Kind, part string, e Event) bool {
	return e.Kind&kinds != 0 && strings.Contains(e.Path, part)
}

// SetTrap sets the trap, and removes it where t is nil.
func (d *Disk) SetTrap(t *Trap) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trap = t
}

// springs reports whether the trap closes at e.
func (d *Disk) springs(e Event) bool {
	if d.trap == nil || !matches(d.trap.Kinds, d.trap.Path, e) {
		return false
	}
	d.trap.N--
	if d.trap.N > 0 {
		return false
	}
	if !d.trap.Every {
		d.trap = nil
	}
	return true
}

// Held waits until the disk stands still, or until stop is closed, and returns
// the operation at which it does. Nil: it does not.
func (d *Disk) Held(stop <-chan struct{}) *Event {
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-stop:
			d.mu.Lock()
			d.wake.Broadcast()
			d.mu.Unlock()
		case <-done:
		}
	}()
	d.mu.Lock()
	defer d.mu.Unlock()
	for d.held == nil && !d.dead && !closed(stop) {
		d.wake.Wait()
	}
	return d.held
}

func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// Release lets the held operation go on and the others with it.
func (d *Disk) Release() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = nil
	d.wake.Broadcast()
}

// Die cuts the power: what waits and what comes fails with EIO.
func (d *Disk) Die() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead, d.held = true, nil
	d.wake.Broadcast()
}

// Revive turns a disk on again that died with its process only: nothing of what
// it holds is lost. Trap, faults and notes are gone.
func (d *Disk) Revive() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dead, d.held, d.trap, d.faults, d.notes = false, nil, nil, nil, nil
}

// Hold makes the disk stand still now.
func (d *Disk) Hold() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.held = &Event{N: d.ops}
	d.wake.Broadcast()
}

// waitRunning waits while the disk stands still and reports whether the power
// is on.
func (d *Disk) waitRunning() bool {
	for d.held != nil && !d.dead {
		d.wake.Wait()
	}
	return !d.dead
}

func (d *Disk) hold(e Event) bool {
	d.held = &e
	d.wake.Broadcast()
	return d.waitRunning()
}

// do runs one operation past the trap and the injected faults.
func (d *Disk) do(e Event, fn func() syscall.Errno) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.waitRunning() {
		return syscall.EIO
	}
	d.ops++
	e.N = d.ops
	d.remember(e)
	var before, after bool
	if t := d.trap; t != nil {
		isAfter := t.After
		if d.springs(e) {
			before, after = !isAfter, isAfter
		}
	}
	if before && !d.hold(e) {
		return syscall.EIO
	}
	errno := d.refused(e)
	if errno == 0 {
		errno = fn()
	}
	if after && !d.hold(e) {
		return syscall.EIO
	}
	return errno
}

func (d *Disk) remember(e Event) {
	if len(d.recent) >= 2*keepEvents {
		d.recent = append(d.recent[:0], d.recent[keepEvents:]...)
	}
	d.recent = append(d.recent, e)
}
