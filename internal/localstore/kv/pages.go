package kv

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// CheckPages reads every page in use and returns what is damaged, at most
// maxDamages of it, as *DamageErrors. Rows with a wrong checksum are found by
// reading them; a damaged page may hide rows, which only CheckPages notices.
// It holds a snapshot while it runs.
//
// It does not use bbolt's own check, which must not run beside writers and ends
// the process when mapped memory cannot be read.
func (d *DB) CheckPages(ctx context.Context) error {
	f, err := os.Open(d.o.Path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return d.View(func(t *Tx) error {
		_, err := t.Get(ownTree, sequenceKey)
		size := uint64(t.tx.DB().Info().PageSize)
		m := meta{pageSize: size, root: uint64(t.tx.Cursor().Bucket().Root()), pages: uint64(t.tx.Size()) / size}
		return errors.Join(err, checkPages(ctx, f, m))
	})
}

// checkBeforeOpen checks the pages if bbolt is about to read them all, which it
// does when the free pages are not stored. On a damaged page it would panic in
// a separate goroutine and end the process. It returns an error if the file
// does not exist, for which bbolt would create an empty one.
func (d *DB) checkBeforeOpen() error {
	f, err := os.Open(d.o.Path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	m, err := readMeta(f)
	if err != nil || m.freelist != noFreelist || d.o.ReadOnly {
		return err
	}
	return checkPages(context.Background(), f, m)
}

// maxDamages bounds what CheckPages reports.
const maxDamages = 20

// checker walks the pages of one state of the file.
type checker struct {
	ctx     context.Context
	file    io.ReaderAt
	m       meta
	seen    []uint64 // bits
	buf     []byte   // of the page that is read
	items   []item   // of that page
	damages []error
}

func checkPages(ctx context.Context, file io.ReaderAt, m meta) error {
	c := &checker{ctx: ctx, file: file, m: m, seen: make([]uint64, m.pages/64+1)}
	if err := c.tree(m.root, nil, nil); err != nil {
		return err
	}
	return errors.Join(c.damages...)
}

// note records the damage of a page. It returns an error to end the walk.
func (c *checker) note(id uint64, format string, args ...any) error {
	reason := fmt.Sprintf("page %d: %s", id, fmt.Sprintf(format, args...))
	c.damages = append(c.damages, &DamageError{Reason: reason})
	if len(c.damages) == maxDamages {
		return errors.Join(c.damages...)
	}
	return nil
}

// child is a page below another, with the keys it may hold.
type child struct {
	id       uint64
	low, end []byte // end is nil for no bound
}

// tree checks the page id and those below it. Their keys are not less than low
// and less than end.
func (c *checker) tree(id uint64, low, end []byte) error {
	if err := c.ctx.Err(); err != nil {
		return err
	}
	p, reason, err := c.read(id)
	if err != nil {
		return err
	}
	if reason != "" {
		return c.note(id, "%s", reason)
	}
	items, reason := parseItems(p, c.items)
	if reason == "" {
		reason = checkOrder(items, low, end)
	}
	if reason != "" {
		return c.note(id, "%s", reason)
	}
	c.items = items[:0]
	for _, next := range c.children(id, items, end) {
		if err := c.tree(next.id, next.low, next.end); err != nil {
			return err
		}
	}
	return nil
}

// children returns the pages that items refer to, in copies: the memory of items
// is used again.
func (c *checker) children(id uint64, items []item, end []byte) []child {
	var pages []child
	for i, it := range items {
		switch {
		case it.branch:
			next := child{id: it.page, low: bytes.Clone(it.key), end: end}
			if i+1 < len(items) {
				next.end = bytes.Clone(items[i+1].key)
			}
			pages = append(pages, next)
		case it.flags&bucketFlag != 0:
			root, reason := parseBucket(it.value)
			if reason != "" {
				_ = c.note(id, "tree %q: %s", it.key, reason)
			} else if root != 0 {
				pages = append(pages, child{id: root})
			}
		}
	}
	return pages
}

// read returns a page with its overflow pages, or why it is not one.
func (c *checker) read(id uint64) (p []byte, reason string, err error) {
	if id < 2 || id >= c.m.pages {
		return nil, "it is outside the database", nil
	}
	c.grow(c.m.pageSize)
	if reason, err = c.readAt(c.buf, id); reason != "" || err != nil {
		return nil, reason, err
	}
	n := binary.NativeEndian
	overflow := uint64(n.Uint32(c.buf[12:]))
	if self := n.Uint64(c.buf); self != id {
		return nil, fmt.Sprintf("it says that it is page %d", self), nil
	}
	if overflow >= c.m.pages-id {
		return nil, "it ends outside the database", nil
	}
	for i := id; i <= id+overflow; i++ {
		if c.seen[i/64]&(1<<(i%64)) != 0 {
			return nil, "it is in use twice", nil
		}
		c.seen[i/64] |= 1 << (i % 64)
	}
	if overflow == 0 {
		return c.buf, "", nil
	}
	c.grow((overflow + 1) * c.m.pageSize)
	reason, err = c.readAt(c.buf, id)
	return c.buf, reason, err
}

func (c *checker) grow(size uint64) {
	if uint64(cap(c.buf)) < size {
		c.buf = make([]byte, size)
	}
	c.buf = c.buf[:size]
}

func (c *checker) readAt(p []byte, id uint64) (reason string, err error) {
	_, err = c.file.ReadAt(p, int64(id*c.m.pageSize))
	if errors.Is(err, io.EOF) {
		return "the file ends before it", nil
	}
	if err != nil {
		return fmt.Sprintf("it cannot be read: %v", err), nil
	}
	return "", nil
}

// item is an element of a page.
type item struct {
	branch     bool
	page       uint64 // of a branch
	flags      uint32 // of a leaf
	key, value []byte
}

const (
	branchFlag = 1
	leafFlag   = 2
	bucketFlag = 1
	itemSize   = 16
)

// parseItems returns the elements of a page, in the memory of buf. bbolt writes
// them and their data without gaps, so that also a wrong count is noticed.
func parseItems(p []byte, buf []item) (items []item, reason string) {
	n := binary.NativeEndian
	flags, count := n.Uint16(p[8:]), int(n.Uint16(p[10:]))
	if flags != branchFlag && flags != leafFlag {
		return nil, fmt.Sprintf("it is of type %#x, neither branch nor leaf", flags)
	}
	if flags == branchFlag && count == 0 {
		return nil, "it is a branch without pages"
	}
	next := pageHeader + itemSize*count
	if next > len(p) {
		return nil, fmt.Sprintf("it has %d elements, more than it can hold", count)
	}
	items = buf[:0]
	for i := range count {
		at := pageHeader + itemSize*i
		it, pos, ksize, vsize := parseItem(p[at:at+itemSize], flags)
		if at+int(pos) != next || ksize == 0 || uint64(next)+uint64(ksize)+uint64(vsize) > uint64(len(p)) {
			return nil, fmt.Sprintf("element %d of %d is not where it must be", i, count)
		}
		it.key = p[next : next+int(ksize)]
		it.value = p[next+int(ksize) : next+int(ksize)+int(vsize)]
		next += int(ksize) + int(vsize)
		items = append(items, it)
	}
	return items, ""
}

func parseItem(b []byte, flags uint16) (it item, pos, ksize, vsize uint32) {
	n := binary.NativeEndian
	if flags == branchFlag {
		return item{branch: true, page: n.Uint64(b[8:])}, n.Uint32(b), n.Uint32(b[4:]), 0
	}
	return item{flags: n.Uint32(b)}, n.Uint32(b[4:]), n.Uint32(b[8:]), n.Uint32(b[12:])
}

// parseBucket returns the root page of a tree, or 0 if its rows are in value
// itself.
func parseBucket(value []byte) (root uint64, reason string) {
	const header = 16
	if len(value) < header {
		return 0, "it has no header"
	}
	if root = binary.NativeEndian.Uint64(value); root != 0 {
		return root, ""
	}
	if len(value) < header+pageHeader {
		return 0, "it has no page"
	}
	items, reason := parseItems(value[header:], nil)
	if reason == "" {
		reason = checkOrder(items, nil, nil)
	}
	return 0, reason
}

// checkOrder returns why the keys are not in order between low and end.
func checkOrder(items []item, low, end []byte) string {
	for i, it := range items {
		if i > 0 && bytes.Compare(items[i-1].key, it.key) >= 0 || i == 0 && bytes.Compare(it.key, low) < 0 {
			return fmt.Sprintf("key %d of %d is out of order", i, len(items))
		}
	}
	if n := len(items); n > 0 && end != nil && bytes.Compare(items[n-1].key, end) >= 0 {
		return fmt.Sprintf("key %d of %d is out of order", n-1, n)
	}
	return ""
}
