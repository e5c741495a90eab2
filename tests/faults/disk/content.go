package disk

import "slices"

// sector is the unit that a disk writes whole.
const sector = 512

// content is a run of bytes that several images may share until one of them
// changes it.
type content struct {
	b      []byte
	shared bool
}

// share returns a second content with the same bytes. Each copies them before
// its first change.
func (c *content) share() content {
	c.shared = true
	return content{c.b, true}
}

// resize sets the length to n. New bytes are zero.
func (c *content) resize(n int64) {
	c.own()
	if n <= int64(len(c.b)) {
		c.b = c.b[:n]
		return
	}
	old := len(c.b)
	c.b = slices.Grow(c.b, int(n)-old)[:n]
	clear(c.b[old:])
}

// write puts p at off, and makes the content longer where it must.
func (c *content) write(p []byte, off int64) {
	if end := off + int64(len(p)); end > int64(len(c.b)) {
		c.resize(end)
	}
	c.own()
	copy(c.b[off:], p)
}

func (c *content) own() {
	if c.shared {
		c.b, c.shared = slices.Clone(c.b), false
	}
}

// change is one write or truncation that no sync has covered.
type change struct {
	data []byte
	off  int64
	// size is the new length of a truncation or extension, -1 for a write.
	size int64
}

func (c change) apply(to *content) {
	if c.size >= 0 {
		to.resize(c.size)
		return
	}
	to.write(c.data, c.off)
}
