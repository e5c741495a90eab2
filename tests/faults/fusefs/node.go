// Package fusefs serves a disk.Disk as a file system through FUSE.
//
// The server belongs in a separate process. A process that serves a file
// system and maps a file of it can wait for itself forever, and a test kills
// the process that uses the file system, not the one that serves it.
//
// The kernel caches pages and attributes, so that mmap works as on a disk.
// Nothing else changes the files. Writes are written through.
package fusefs

import (
	"context"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/codeguardians/s3gateway/tests/faults/disk"
)

type node struct {
	fs.Inode
	d *disk.Disk
	n *disk.Node
}

var (
	_ fs.NodeLookuper  = (*node)(nil)
	_ fs.NodeReaddirer = (*node)(nil)
	_ fs.NodeGetattrer = (*node)(nil)
	_ fs.NodeSetattrer = (*node)(nil)
	_ fs.NodeCreater   = (*node)(nil)
	_ fs.NodeMkdirer   = (*node)(nil)
	_ fs.NodeUnlinker  = (*node)(nil)
	_ fs.NodeRmdirer   = (*node)(nil)
	_ fs.NodeRenamer   = (*node)(nil)
	_ fs.NodeOpener    = (*node)(nil)
	_ fs.NodeReader    = (*node)(nil)
	_ fs.NodeWriter    = (*node)(nil)
	_ fs.NodeFsyncer   = (*node)(nil)
	_ fs.NodeStatfser  = (*node)(nil)
)

const block = 4096

func (f *node) attr(n *disk.Node, out *fuse.Attr) {
	a := f.d.Stat(n)
	out.Ino, out.Size, out.Blksize = a.Ino, a.Size, block
	out.Blocks = (a.Size + block - 1) / block * (block / 512)
	out.Mode, out.Nlink = a.Mode|kind(n), 1
	t := time.Unix(0, a.Nanos)
	out.SetTimes(&t, &t, &t)
}

func kind(n *disk.Node) uint32 {
	if n.Dir() {
		return syscall.S_IFDIR
	}
	return syscall.S_IFREG
}

func (f *node) child(ctx context.Context, n *disk.Node, out *fuse.EntryOut) *fs.Inode {
	f.attr(n, &out.Attr)
	return f.NewInode(ctx, &node{d: f.d, n: n}, fs.StableAttr{Mode: kind(n), Ino: n.Ino()})
}

func (f *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n := f.d.Lookup(f.n, name)
	if n == nil {
		return nil, syscall.ENOENT
	}
	return f.child(ctx, n, out), 0
}

func (f *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	var list []fuse.DirEntry
	for _, e := range f.d.List(f.n) {
		list = append(list, fuse.DirEntry{Name: e.Name, Ino: e.Node.Ino(), Mode: kind(e.Node)})
	}
	return fs.NewListDirStream(list), 0
}

func (f *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	f.attr(f.n, &out.Attr)
	return 0
}

// Setattr sets the length. Modes and times are accepted and not kept.
func (f *node) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		if errno := f.d.Truncate(f.n, int64(size)); errno != 0 {
			return errno
		}
	}
	f.attr(f.n, &out.Attr)
	return 0
}

func (f *node) Create(ctx context.Context, name string, _, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	n, errno := f.d.Create(f.n, name, false, mode&0o7777)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return f.child(ctx, n, out), nil, 0, 0
}

func (f *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	n, errno := f.d.Create(f.n, name, true, mode&0o7777)
	if errno != 0 {
		return nil, errno
	}
	return f.child(ctx, n, out), 0
}

func (f *node) Unlink(_ context.Context, name string) syscall.Errno {
	return f.d.Remove(f.n, name, false)
}

func (f *node) Rmdir(_ context.Context, name string) syscall.Errno {
	return f.d.Remove(f.n, name, true)
}

func (f *node) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	if flags != 0 {
		return syscall.EINVAL
	}
	return f.d.Rename(f.n, name, to.(*node).n, newName)
}

func (f *node) Open(_ context.Context, flags uint32) (fs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, f.d.OpenWrite(f.n)
	}
	return nil, 0, 0
}

func (f *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n, errno := f.d.ReadAt(f.n, dest, off)
	return fuse.ReadResultData(dest[:n]), errno
}

func (f *node) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	n, errno := f.d.WriteAt(f.n, data, off)
	return uint32(n), errno
}

func (f *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	if f.n.Dir() {
		return f.d.SyncFolder(f.n)
	}
	return f.d.Sync(f.n)
}

func (f *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	capacity, free := f.d.Free()
	out.Bsize, out.Frsize, out.NameLen = block, block, 255
	out.Blocks = uint64(capacity / block)
	out.Bfree, out.Bavail = uint64(free/block), uint64(free/block)
	out.Files, out.Ffree = 1<<20, 1<<19
	return 0
}

// Mount serves d at an existing folder. Unmount of the result drops the
// kernel's cache of it.
func Mount(d *disk.Disk, dir string) (*fuse.Server, error) {
	forever := time.Hour
	return fs.Mount(dir, &node{d: d, n: d.Root()}, &fs.Options{
		EntryTimeout:   &forever,
		AttrTimeout:    &forever,
		RootStableAttr: &fs.StableAttr{Ino: d.Root().Ino()},
		MountOptions: fuse.MountOptions{
			DirectMount:              true,
			FsName:                   "faults",
			Name:                     "faults",
			DisableXAttrs:            true,
			ExplicitDataCacheControl: true,
			MaxWrite:                 128 << 10,
		},
	})
}
