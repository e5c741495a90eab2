package localstore

import (
	"encoding/binary"

	"github.com/codeguardians/s3gateway/internal/localstore/blob"
	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// addContent names a content for the first time, with one reference. small is
// the bytes of its small segment, nil without one. The blobs of its segments are
// counted.
func (t *transaction) addContent(c content, small []byte) (uint64, error) {
	sequence, err := t.tx.Sequence()
	if err != nil {
		return 0, err
	}
	c.references = 1
	if small != nil {
		if err := t.tx.Put(smallTree, uint64Key(sequence), small); err != nil {
			return 0, err
		}
	}
	for id, n := range blobsOf(c) {
		if err := t.countBlob(id, n); err != nil {
			return 0, err
		}
	}
	return sequence, t.tx.Put(contentsTree, uint64Key(sequence), c.encode())
}

// blobsOf counts how often a content refers to each blob.
func blobsOf(c content) map[blob.ID]int64 {
	counts := map[blob.ID]int64{}
	for _, p := range c.pieces {
		for _, s := range p.segments {
			if !s.small() {
				counts[s.blob]++
			}
		}
	}
	return counts
}

// countBlob changes the number of references to a blob. A blob without
// references is dead, for good: it is not named again.
func (t *transaction) countBlob(id blob.ID, n int64) error {
	row, err := t.tx.Get(blobsTree, id[:])
	if err != nil {
		return err
	}
	references := n
	if row != nil {
		references += int64(binary.BigEndian.Uint64(row))
	}
	if references > 0 {
		return t.tx.Put(blobsTree, id[:], uint64Key(uint64(references)))
	}
	t.dead = append(t.dead, id)
	if err := t.tx.Put(deadTree, id[:], nil); err != nil {
		return err
	}
	return t.tx.Delete(blobsTree, id[:])
}

// content returns a content that a row of this transaction refers to. Content 0
// is empty.
func contentOf(tx *kv.Tx, id uint64) (content, error) {
	if id == 0 {
		return content{}, nil
	}
	row, err := tx.Get(contentsTree, uint64Key(id))
	if err != nil {
		return content{}, err
	}
	if row == nil {
		return content{}, &Error{Code: InternalError, Message: "The bytes of the object are missing.", Err: errMissing}
	}
	return decodeContent(row)
}

// refer adds a reference to a content.
func (t *transaction) refer(id uint64) error {
	if id == 0 {
		return nil
	}
	c, err := contentOf(t.tx, id)
	if err != nil {
		return err
	}
	c.references++
	return t.tx.Put(contentsTree, uint64Key(id), c.encode())
}

// drop takes a reference from a content, and with the last one the content.
func (t *transaction) drop(id uint64) error {
	if id == 0 {
		return nil
	}
	c, err := contentOf(t.tx, id)
	if err != nil {
		return err
	}
	if c.references > 1 {
		c.references--
		return t.tx.Put(contentsTree, uint64Key(id), c.encode())
	}
	if err := t.tx.Delete(contentsTree, uint64Key(id)); err != nil {
		return err
	}
	if err := t.tx.Delete(smallTree, uint64Key(id)); err != nil {
		return err
	}
	for b, n := range blobsOf(c) {
		if err := t.countBlob(b, -n); err != nil {
			return err
		}
	}
	return nil
}

// takeOver moves the segments of part contents into one content: what the parts
// referred to, it refers to afterwards, so no blob is counted anew. The small row
// of the last part moves with it.
func (t *transaction) takeOver(pieces []piece, parts []uint64) (uint64, error) {
	sequence, err := t.tx.Sequence()
	if err != nil {
		return 0, err
	}
	for _, id := range parts {
		if err := t.moveSmall(id, sequence); err != nil {
			return 0, err
		}
		if err := t.tx.Delete(contentsTree, uint64Key(id)); err != nil {
			return 0, err
		}
	}
	c := content{references: 1, pieces: pieces}
	return sequence, t.tx.Put(contentsTree, uint64Key(sequence), c.encode())
}

func (t *transaction) moveSmall(from, to uint64) error {
	small, err := t.tx.Get(smallTree, uint64Key(from))
	if err != nil || small == nil {
		return err
	}
	if err := t.tx.Put(smallTree, uint64Key(to), small); err != nil {
		return err
	}
	return t.tx.Delete(smallTree, uint64Key(from))
}
