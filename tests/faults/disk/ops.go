package disk

import (
	"bytes"
	"syscall"
)

// Attr is what a process sees of a file or folder.
type Attr struct {
	Ino, Size uint64
	Mode      uint32
	Dir       bool
	Nanos     int64
}

// Stat returns the attributes of n.
func (d *Disk) Stat(n *Node) Attr {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Attr{n.ino, uint64(len(n.data.b)), n.mode, n.dir, n.time.UnixNano()}
}

// Lookup returns the entry of a folder, or nil.
func (d *Disk) Lookup(dir *Node, name string) *Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	return dir.entries[name]
}

// Entry is one name in a folder.
type Entry struct {
	Name string
	Node *Node
}

// List returns the entries of a folder in the order of their names.
func (d *Disk) List(dir *Node) []Entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	var out []Entry
	for _, name := range sortedNames(dir.entries) {
		out = append(out, Entry{name, dir.entries[name]})
	}
	return out
}

// Create adds a file or folder to dir.
func (d *Disk) Create(dir *Node, name string, folder bool, mode uint32) (*Node, syscall.Errno) {
	kind := Create
	if folder {
		kind = Mkdir
	}
	var n *Node
	errno := d.do(Event{Kind: kind, Path: dir.path + "/" + name}, func() syscall.Errno {
		if dir.entries[name] != nil {
			return syscall.EEXIST
		}
		n = d.newNode(dir.path+"/"+name, folder, mode)
		d.enter(&move{folder: dir, name: name, node: n})
		return 0
	})
	return n, errno
}

func (d *Disk) enter(m *move) {
	m.apply(m.folder.entries)
	m.folder.moves = append(m.folder.moves, m)
}

// Remove removes an entry. A process that has the file open still reads it.
func (d *Disk) Remove(dir *Node, name string, folder bool) syscall.Errno {
	return d.do(Event{Kind: Remove, Path: dir.path + "/" + name}, func() syscall.Errno {
		n := dir.entries[name]
		switch {
		case n == nil:
			return syscall.ENOENT
		case folder && !n.dir:
			return syscall.ENOTDIR
		case !folder && n.dir:
			return syscall.EISDIR
		case len(n.entries) > 0:
			return syscall.ENOTEMPTY
		}
		d.enter(&move{folder: dir, name: name})
		return d.grow(-int64(len(n.data.b)))
	})
}

// Rename moves an entry and replaces what has the new name.
func (d *Disk) Rename(from *Node, old string, to *Node, name string) syscall.Errno {
	return d.do(Event{Kind: Rename, Path: from.path + "/" + old}, func() syscall.Errno {
		n := from.entries[old]
		if n == nil {
			return syscall.ENOENT
		}
		if there := to.entries[name]; there != nil {
			if there.dir {
				return syscall.ENOTEMPTY
			}
			d.grow(-int64(len(there.data.b)))
		}
		gone := &move{folder: from, name: old}
		come := &move{folder: to, name: name, node: n, twin: gone}
		gone.twin = come
		d.enter(gone)
		d.enter(come)
		n.path = to.path + "/" + name
		return 0
	})
}

// OpenWrite reports whether an existing file may be opened for writing.
func (d *Disk) OpenWrite(n *Node) syscall.Errno {
	return d.do(Event{Kind: Open, Path: n.path}, func() syscall.Errno { return 0 })
}

// ReadAt copies bytes from off on and returns how many there were.
func (d *Disk) ReadAt(n *Node, p []byte, off int64) (int, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if f := d.due(Event{Kind: Read, Path: n.path}); f != nil {
		return 0, f.Errno
	}
	if off >= int64(len(n.data.b)) {
		return 0, 0
	}
	return copy(p, n.data.b[off:]), 0
}

// WriteAt writes p at off and returns how many bytes were written.
func (d *Disk) WriteAt(n *Node, p []byte, off int64) (int, syscall.Errno) {
	p = d.shorten(n, p, off)
	errno := d.do(Event{Kind: Write, Path: n.path, Off: off, Len: int64(len(p))}, func() syscall.Errno {
		if errno := d.grow(max(0, off+int64(len(p))-int64(len(n.data.b)))); errno != 0 {
			return errno
		}
		d.change(n, change{data: bytes.Clone(p), off: off, size: -1})
		return 0
	})
	if errno != 0 {
		return 0, errno
	}
	return len(p), 0
}

// shorten cuts a write for which a short fault is due to its first half. The
// fault stays due for what follows.
func (d *Disk) shorten(n *Node, p []byte, off int64) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.faults {
		if f.Short && f.N == 1 && len(p) > sector && matches(f.Kinds, f.Path, Event{Kind: Write, Path: n.path}) {
			f.Short = false
			f.N++
			return p[:len(p)/2]
		}
	}
	return p
}

// Truncate sets the length of a file.
func (d *Disk) Truncate(n *Node, size int64) syscall.Errno {
	return d.do(Event{Kind: Truncate, Path: n.path, Off: size}, func() syscall.Errno {
		if errno := d.grow(size - int64(len(n.data.b))); errno != 0 {
			return errno
		}
		d.change(n, change{size: size})
		return 0
	})
}

func (d *Disk) change(n *Node, c change) {
	c.apply(&n.data)
	n.pending = append(n.pending, c)
	n.time = n.time.Add(1)
}

// Sync makes the bytes and the length of a file durable.
func (d *Disk) Sync(n *Node) syscall.Errno {
	return d.do(Event{Kind: Sync, Path: n.path}, func() syscall.Errno {
		n.syncFile()
		return 0
	})
}

// SyncFolder makes the entries of a folder durable.
func (d *Disk) SyncFolder(n *Node) syscall.Errno {
	return d.do(Event{Kind: SyncFolder, Path: n.path}, func() syscall.Errno {
		n.syncFolder()
		return 0
	})
}

// SyncAll makes everything durable, as a machine does that shuts down.
func (d *Disk) SyncAll() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.root.walk(func(n *Node) {
		if n.dir {
			n.syncFolder()
		} else {
			n.syncFile()
		}
	})
}

// Find returns the file or folder at a path of the form /a/b, or nil.
func (d *Disk) Find(path string) *Node {
	d.mu.Lock()
	defer d.mu.Unlock()
	var found *Node
	d.root.walk(func(n *Node) {
		if n.path == path {
			found = n
		}
	})
	return found
}

// Files returns the paths of all files and their lengths in bytes.
func (d *Disk) Files() (paths []string, sizes []int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.root.walk(func(n *Node) {
		if !n.dir {
			paths = append(paths, n.path)
			sizes = append(sizes, int64(len(n.data.b)))
		}
	})
	return paths, sizes
}

// Flip inverts one bit of a file, past every trap and fault, as a disk does
// that decays.
func (d *Disk) Flip(n *Node, bit int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range []*content{&n.data, &n.saved} {
		if bit/8 < int64(len(c.b)) {
			c.own()
			c.b[bit/8] ^= 1 << (bit % 8)
		}
	}
}
