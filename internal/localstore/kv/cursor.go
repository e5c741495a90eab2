package kv

import (
	"bytes"

	bolt "go.etcd.io/bbolt"
)

// Cursor moves over the rows of a tree in the order of the keys. The rows may
// be changed during the scan: the cursor continues from the key it is at, also
// if that key was deleted. A new cursor is at no row. It is valid inside its
// transaction.
type Cursor struct {
	t      *Tx
	name   Tree
	tree   *tree
	c      *bolt.Cursor
	writes int // of the transaction when c was positioned
	k, row []byte
}

// Cursor returns a cursor over a tree. An absent tree has no rows.
func (t *Tx) Cursor(name Tree) *Cursor { return &Cursor{t: t, name: name} }

// Seek moves to the first row whose key is not less than key and reports
// whether there is one. A nil key means the first row.
func (c *Cursor) Seek(key []byte) bool {
	if !c.renew() {
		return false
	}
	return c.at(c.c.Seek(key))
}

// Last moves to the last row and reports whether there is one.
func (c *Cursor) Last() bool {
	if !c.renew() {
		return false
	}
	return c.at(lastRow(c.c))
}

// Next moves to the next row and reports whether there is one.
func (c *Cursor) Next() bool {
	if c.k == nil {
		return false
	}
	if c.writes == c.t.writes {
		return c.at(c.c.Next())
	}
	key := c.k
	if !c.Seek(key) {
		return false
	}
	if bytes.Equal(c.k, key) {
		return c.at(c.c.Next())
	}
	return true
}

// Prev moves to the row before and reports whether there is one.
func (c *Cursor) Prev() bool {
	if c.k == nil {
		return false
	}
	if c.writes == c.t.writes && !c.t.tx.Writable() {
		return c.at(c.c.Prev())
	}
	if !c.renew() {
		return false
	}
	return c.at(c.before(c.k))
}

// before returns the last row whose key is less than key. In a write
// transaction bbolt's Prev also stops at a page whose rows were all deleted; the
// first row tells whether there is more.
func (c *Cursor) before(key []byte) (k, row []byte) {
	if first, _ := c.c.First(); first == nil || bytes.Compare(first, key) >= 0 {
		return nil, nil
	}
	if at, _ := c.c.Seek(key); at == nil {
		k, row = c.c.Last()
	}
	for k == nil || bytes.Compare(k, key) >= 0 {
		k, row = c.c.Prev()
	}
	return k, row
}

// lastRow is c.Last, which does not return if all rows of several pages were
// deleted in this transaction.
func lastRow(c *bolt.Cursor) (k, row []byte) {
	if first, _ := c.First(); first == nil {
		return nil, nil
	}
	return c.Last()
}

// Key returns a copy of the key of the current row, nil at no row.
func (c *Cursor) Key() []byte {
	if c.k == nil {
		return nil
	}
	return copyOf(c.k)
}

// Value returns a copy of the value of the current row, nil at no row.
// A damaged row is a *DamageError; the cursor can move on.
func (c *Cursor) Value() ([]byte, error) {
	if c.k == nil {
		return nil, nil
	}
	if c.writes != c.t.writes {
		return c.t.Get(c.name, c.k)
	}
	value, err := c.tree.verify(c.k, c.row)
	if err != nil {
		return nil, err
	}
	return copyOf(value), nil
}

// renew prepares for a new position and reports whether the tree exists. A
// change of the tree invalidates bbolt's cursor.
func (c *Cursor) renew() bool {
	if c.c != nil && c.writes == c.t.writes {
		return true
	}
	c.tree, _ = c.t.tree(c.name)
	c.writes = c.t.writes
	if c.tree == nil {
		c.k, c.row = nil, nil
		return false
	}
	c.c = c.tree.bucket.Cursor()
	return true
}

func (c *Cursor) at(k, row []byte) bool {
	c.k, c.row = k, row
	return k != nil
}
