package localstore

import (
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore/blob"
	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// Report counts what a check found.
type Report struct {
	Buckets, Versions, Markers, Uploads, Parts int
	// Blobs is the number of files, Bytes the sum of their data, Small the number
	// of objects in the database.
	Blobs, Small int
	Bytes        int64
	// Unnamed are files that no name refers to: unfinished writes of a running
	// process, or what a killed one left and the next start removes.
	Unnamed  int
	Problems int
}

// Problem is one finding of a check: data that is damaged or missing.
type Problem struct {
	// What names the object, row or file concerned.
	What string
	// Reason says what is wrong with it.
	Reason string
}

// String returns the problem in one line.
func (p Problem) String() string { return p.What + ": " + p.Reason }

// checker is one run of Check.
type checker struct {
	store  *Store
	ctx    context.Context
	report Report
	found  func(Problem)
	// references to contents and blobs, counted from the rows that make them.
	contents map[uint64]uint64
	blobs    map[blob.ID]uint64
}

// Check reads everything and changes nothing: each row, the bytes of each blob,
// and whether what refers and what is referred to agree. Findings go to found,
// which may be nil. It needs memory for each content and blob, about 100 bytes. The
// store should not be written to meanwhile.
func (s *Store) Check(ctx context.Context, found func(Problem)) (Report, error) {
	c := &checker{store: s, ctx: ctx, found: found, contents: map[uint64]uint64{}, blobs: map[blob.ID]uint64{}}
	if err := s.names.CheckPages(ctx); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return c.report, cause
		}
		c.problem("names.db", "%v", err)
	}
	for _, step := range []func() error{c.names, c.checkContents, c.checkBlobs, c.files} {
		if err := step(); err != nil {
			return c.report, err
		}
	}
	return c.report, nil
}

func (c *checker) problem(what, reason string, args ...any) {
	c.report.Problems++
	if c.found != nil {
		c.found(Problem{What: what, Reason: fmt.Sprintf(reason, args...)})
	}
}

// each reads every row of a tree, scanRows in each transaction. A row that cannot
// be read is a problem, and the next one is read.
func (c *checker) each(tree kv.Tree, fn func(tx *kv.Tx, key, value []byte) error) error {
	from := []byte(nil)
	for more := true; more; {
		more = false
		if err := context.Cause(c.ctx); err != nil {
			return err
		}
		err := c.store.names.View(func(tx *kv.Tx) error {
			cursor := tx.Cursor(tree)
			n := 0
			for ok := cursor.Seek(from); ok; ok = cursor.Next() {
				key := cursor.Key()
				if n++; n > scanRows {
					from, more = key, true
					return nil
				}
				value, err := cursor.Value()
				if err == nil {
					err = fn(tx, key, value)
				}
				if err != nil {
					c.problem(fmt.Sprintf("row %q of %s", key, tree), "%v", err)
				}
			}
			return nil
		})
		if err != nil {
			c.problem("tree "+string(tree), "%v", err)
			return nil
		}
	}
	return nil
}

// names reads everything that has a name.
func (c *checker) names() error {
	type named struct {
		name string
		row  bucketRow
	}
	var all []named
	err := c.each(bucketsTree, func(_ *kv.Tx, key, value []byte) error {
		row, err := decodeBucket(value)
		all = append(all, named{string(key), row})
		return err
	})
	if err != nil {
		return err
	}
	c.report.Buckets = len(all)
	for _, b := range all {
		if err := c.bucket(b.name, b.row); err != nil {
			return err
		}
	}
	return c.each(partsTree, func(_ *kv.Tx, _, value []byte) error {
		p, err := decodePart(value)
		c.report.Parts++
		c.refer(p.content)
		return err
	})
}

func (c *checker) refer(id uint64) {
	if id != 0 {
		c.contents[id]++
	}
}

func (c *checker) bucket(name string, row bucketRow) error {
	newest := ""
	err := c.each(versionsTree(row.id), func(tx *kv.Tx, key, value []byte) error {
		v, err := decodeVersion(value)
		if err != nil {
			return err
		}
		object, rest, ok := unescape(key)
		if !ok || len(rest) != 8 || ^binary.BigEndian.Uint64(rest) != v.id.sequence {
			return errRow
		}
		c.refer(v.content)
		c.count(v)
		if object != newest {
			newest = object
			return c.current(tx, name+"/"+object, currentTree(row.id), v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := c.each(currentTree(row.id), c.hasVersion(row.id)); err != nil {
		return err
	}
	return c.each(uploadsTree(row.id), func(_ *kv.Tx, _, value []byte) error {
		c.report.Uploads++
		_, err := decodeUpload(value)
		return err
	})
}

func (c *checker) count(v versionRow) {
	if v.marker {
		c.report.Markers++
		return
	}
	c.report.Versions++
}

// current compares the newest version of a key with what listings show.
func (c *checker) current(tx *kv.Tx, what string, tree kv.Tree, v versionRow) error {
	_, key, _ := strings.Cut(what, "/")
	row, err := tx.Get(tree, []byte(key))
	if err != nil {
		return err
	}
	if (row == nil) != v.marker {
		c.problem(what, "the current version and the list of versions disagree")
		return nil
	}
	if row == nil {
		return nil
	}
	current, err := decodeCurrent(row)
	if err == nil && (current.sequence != v.id.sequence || current.size != v.size || current.etag != v.etag) {
		c.problem(what, "what listings show is not the newest version")
	}
	return err
}

// hasVersion checks that a row of current names a version.
func (c *checker) hasVersion(id uint64) func(*kv.Tx, []byte, []byte) error {
	return func(tx *kv.Tx, key, value []byte) error {
		row, err := decodeCurrent(value)
		if err != nil {
			return err
		}
		v, err := tx.Get(versionsTree(id), versionKey(string(key), row.sequence))
		if err == nil && v == nil {
			err = errMissing
		}
		return err
	}
}

func (c *checker) checkContents() error {
	err := c.each(contentsTree, func(tx *kv.Tx, key, value []byte) error {
		row, err := decodeContent(value)
		if err != nil {
			return err
		}
		id := bigEndian(key)
		if c.contents[id] != row.references {
			c.problem(fmt.Sprintf("content %d", id), "%d names refer to it, %d are counted", c.contents[id], row.references)
		}
		delete(c.contents, id)
		for b, n := range blobsOf(row) {
			c.blobs[b] += uint64(n)
		}
		return c.small(tx, key, row)
	})
	for id := range c.contents {
		c.problem(fmt.Sprintf("content %d", id), "names refer to it, and it is missing")
	}
	return err
}

// small checks that the bytes of a small object are there.
func (c *checker) small(tx *kv.Tx, key []byte, row content) error {
	for _, p := range row.pieces {
		for _, s := range p.segments {
			if !s.small() {
				continue
			}
			c.report.Small++
			b, err := tx.Get(smallTree, key)
			if err == nil && int64(len(b)) != s.length {
				err = errMissing
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// checkBlobs compares the counted references to blobs, and reads their bytes.
func (c *checker) checkBlobs() error {
	err := c.each(blobsTree, func(_ *kv.Tx, key, value []byte) error {
		id := blob.ID(key)
		if n := binary.BigEndian.Uint64(value); n != c.blobs[id] {
			c.problem("blob "+id.String(), "%d contents refer to it, %d are counted", c.blobs[id], n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id := range c.blobs {
		if err := context.Cause(c.ctx); err != nil {
			return err
		}
		size, err := c.store.blobs.Verify(id)
		if err != nil {
			c.problem("blob "+id.String(), "%v", err)
		}
		c.report.Blobs++
		c.report.Bytes += size
	}
	return nil
}

func (c *checker) files() error {
	return c.store.blobs.Walk(func(id blob.ID, _ fs.FileInfo) error {
		if c.blobs[id] == 0 {
			c.report.Unnamed++
		}
		return context.Cause(c.ctx)
	})
}
