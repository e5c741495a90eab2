package kv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"

	bolt "go.etcd.io/bbolt"
)

// Tx is a transaction. It is valid inside the function it is passed to, and
// for one goroutine.
type Tx struct {
	tx       *bolt.Tx
	trees    map[Tree]*tree
	undo     []change
	writes   int       // counts changes: a cursor that is older seeks again
	sequence *sequence // nil in a read transaction
}

// tree is an existing tree in one transaction.
type tree struct {
	name   Tree
	bucket *bolt.Bucket
	seed   uint32 // checksum of the name and a zero byte
}

// change is a record of the undo log. A nil key means that the tree itself was
// created, or dropped.
type change struct {
	tree    Tree
	key     []byte
	old     []byte // the row before, nil if absent
	dropped bool
}

const sumSize = 4

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	zero       = []byte{0}
)

// Get returns a copy of the value of key, and nil if the key is absent. Absence
// is checked too: if a row beside the location of the key is damaged, it may be
// the one that is sought, and the result is a *DamageError.
func (t *Tx) Get(name Tree, key []byte) ([]byte, error) {
	tr, err := t.tree(name)
	if tr == nil {
		return nil, err
	}
	c := tr.bucket.Cursor()
	k, row := c.Seek(key)
	if k == nil || !bytes.Equal(k, key) {
		return nil, tr.verifyAbsent(c, k, row)
	}
	value, err := tr.verify(k, row)
	if err != nil {
		return nil, err
	}
	return copyOf(value), nil
}

// Put stores value under key. The caller may reuse both.
func (t *Tx) Put(name Tree, key, value []byte) error {
	tr, err := t.create(name)
	if err != nil {
		return err
	}
	old := tr.bucket.Get(key)
	if err := tr.bucket.Put(key, tr.row(key, value)); err != nil {
		return fmt.Errorf("put in tree %q: %w", name, err)
	}
	t.log(change{tree: name, key: bytes.Clone(key), old: old})
	return nil
}

// Delete removes key. An absent key is no error.
func (t *Tx) Delete(name Tree, key []byte) error {
	tr, err := t.writable(name)
	if tr == nil {
		return err
	}
	old := tr.bucket.Get(key)
	if old == nil {
		return nil
	}
	if err := tr.bucket.Delete(key); err != nil {
		return fmt.Errorf("delete in tree %q: %w", name, err)
	}
	t.log(change{tree: name, key: bytes.Clone(key), old: old})
	return nil
}

// DropTree removes a tree that has no rows. A tree with rows is an error, an
// absent tree is not.
func (t *Tx) DropTree(name Tree) error {
	tr, err := t.writable(name)
	if tr == nil {
		return err
	}
	if k, _ := tr.bucket.Cursor().First(); k != nil {
		return fmt.Errorf("drop tree %q: it has rows", name)
	}
	if err := t.deleteBucket(name); err != nil {
		return fmt.Errorf("drop tree %q: %w", name, err)
	}
	t.log(change{tree: name, dropped: true})
	return nil
}

// Trees returns the names of all trees in order.
func (t *Tx) Trees() []Tree {
	if t.tx == nil {
		return nil
	}
	var names []Tree
	c := t.tx.Cursor()
	for k, _ := c.First(); k != nil; k, _ = c.Next() {
		if Tree(k) != ownTree {
			names = append(names, Tree(k))
		}
	}
	return names
}

// Sequence returns a number that is larger than every one before it in the
// life of the database. It may skip numbers.
func (t *Tx) Sequence() (uint64, error) {
	if t.sequence == nil {
		return 0, errReadTx
	}
	return t.sequence.next()
}

// tree returns the tree of that name, nil if it is absent.
func (t *Tx) tree(name Tree) (*tree, error) {
	if t.tx == nil {
		return nil, errDone
	}
	if tr := t.trees[name]; tr != nil {
		return tr, nil
	}
	b := t.tx.Bucket([]byte(name))
	if b == nil {
		return nil, nil
	}
	return t.remember(name, b), nil
}

func (t *Tx) remember(name Tree, b *bolt.Bucket) *tree {
	seed := crc32.Update(crc32.Checksum([]byte(name), castagnoli), castagnoli, zero)
	tr := &tree{name: name, bucket: b, seed: seed}
	if t.trees == nil {
		t.trees = map[Tree]*tree{}
	}
	t.trees[name] = tr
	return tr
}

// writable is tree for a write.
func (t *Tx) writable(name Tree) (*tree, error) {
	if t.tx != nil && !t.tx.Writable() {
		return nil, errReadTx
	}
	return t.tree(name)
}

// create returns the tree of that name and creates it if it is absent.
func (t *Tx) create(name Tree) (*tree, error) {
	tr, err := t.writable(name)
	if tr != nil || err != nil {
		return tr, err
	}
	if name == "" || strings.IndexByte(string(name), 0) >= 0 {
		return nil, fmt.Errorf("create tree %q: the name is empty or contains a zero byte", name)
	}
	b, err := t.tx.CreateBucket([]byte(name))
	if err != nil {
		return nil, fmt.Errorf("create tree %q: %w", name, err)
	}
	t.log(change{tree: name})
	return t.remember(name, b), nil
}

func (t *Tx) deleteBucket(name Tree) error {
	delete(t.trees, name)
	return t.tx.DeleteBucket([]byte(name))
}

func (t *Tx) log(c change) {
	t.undo = append(t.undo, c)
	t.writes++
}

// rollback undoes all changes since the last settle.
func (t *Tx) rollback() error {
	for i := len(t.undo) - 1; i >= 0; i-- {
		if err := t.revert(t.undo[i]); err != nil {
			return fmt.Errorf("undo in tree %q: %w", t.undo[i].tree, err)
		}
		t.writes++
	}
	t.settle()
	return nil
}

// settle ends an operation and keeps its changes.
func (t *Tx) settle() { t.undo = t.undo[:0] }

// revert restores what was before c.
func (t *Tx) revert(c change) error {
	if c.key == nil && !c.dropped {
		return t.deleteBucket(c.tree)
	}
	if c.key == nil {
		_, err := t.tx.CreateBucket([]byte(c.tree))
		return err
	}
	tr, err := t.tree(c.tree)
	if err != nil {
		return err
	}
	if c.old == nil {
		return tr.bucket.Delete(c.key)
	}
	return tr.bucket.Put(c.key, c.old)
}

// row returns value as it is stored: its checksum and itself.
func (tr *tree) row(key, value []byte) []byte {
	row := make([]byte, sumSize+len(value))
	binary.BigEndian.PutUint32(row, tr.sum(key, value))
	copy(row[sumSize:], value)
	return row
}

// sum returns the checksum of a row. It covers the tree and the key, so that a
// row from elsewhere does not pass.
func (tr *tree) sum(key, value []byte) uint32 {
	sum := crc32.Update(tr.seed, castagnoli, key)
	sum = crc32.Update(sum, castagnoli, zero)
	return crc32.Update(sum, castagnoli, value)
}

// verify returns the value in row, which is bbolt's memory.
func (tr *tree) verify(key, row []byte) ([]byte, error) {
	if len(row) < sumSize || binary.BigEndian.Uint32(row) != tr.sum(key, row[sumSize:]) {
		return nil, &DamageError{Tree: tr.name, Key: copyOf(key), Reason: "the row does not match its checksum"}
	}
	return row[sumSize:], nil
}

// verifyAbsent checks the two rows between which a key was not found. A
// damaged key misleads the search of its page to exactly this location.
func (tr *tree) verifyAbsent(c *bolt.Cursor, k, row []byte) error {
	if k != nil {
		if _, err := tr.verify(k, row); err != nil {
			return err
		}
		k, row = c.Prev()
	} else {
		k, row = lastRow(c)
	}
	if k == nil {
		return nil
	}
	_, err := tr.verify(k, row)
	return err
}

// copyOf returns a copy that is not nil, also of an empty slice.
func copyOf(b []byte) []byte { return append(make([]byte, 0, len(b)), b...) }
