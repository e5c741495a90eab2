package localstore

import (
	"bytes"
	"strings"

	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// listing reads one page of a tree that is ordered by key. Its cost goes with the
// page: what lies under a common prefix is passed over at once.
type listing struct {
	ListInput
	cursor *kv.Cursor
	page   Page
	// spell is how the tree writes the beginning of a key, and read its inverse for a row.
	spell func(prefix string) []byte
	read  func(row []byte) (key string, rest []byte, err error)
	// entry returns the row under the cursor.
	entry func(key string, rest []byte) (Entry, error)
}

// run reads the page, from a row on.
func (l *listing) run(from []byte) error {
	for ok := from != nil && l.cursor.Seek(from); ok; {
		key, rest, err := l.read(l.cursor.Key())
		if err != nil {
			return err
		}
		if !strings.HasPrefix(key, l.Prefix) {
			return nil
		}
		if len(l.page.Entries) >= l.Max {
			l.page.Truncated = l.Max > 0
			return nil
		}
		if common, found := l.common(key); found {
			l.page.Entries = append(l.page.Entries, Entry{Prefix: common})
			l.page.Next, l.page.NextID = common, ""
			next := after(l.spell(common))
			ok = next != nil && l.cursor.Seek(next)
			continue
		}
		e, err := l.entry(key, rest)
		if err != nil {
			return err
		}
		l.page.Entries = append(l.page.Entries, e)
		ok = l.cursor.Next()
	}
	return nil
}

// common returns the common prefix that a key rolls up into.
func (l *listing) common(key string) (string, bool) {
	if l.Delimiter == "" {
		return "", false
	}
	n := strings.Index(key[len(l.Prefix):], l.Delimiter)
	if n < 0 {
		return "", false
	}
	return key[:len(l.Prefix)+n+len(l.Delimiter)], true
}

// start returns where a page begins, nil where nothing can follow. beyond is the
// first row after those of the key in After.
func (l *listing) start(beyond func(key string) []byte) []byte {
	first := l.spell(l.Prefix)
	if l.After == "" {
		return first
	}
	from := beyond(l.After)
	if strings.HasPrefix(l.After, l.Prefix) {
		// After may be the common prefix with which the last page ended.
		if common, found := l.common(l.After); found && common == l.After {
			from = after(l.spell(common))
		}
	}
	if from == nil || bytes.Compare(from, first) >= 0 {
		return from
	}
	return first
}

// List lists current versions.
func (s *Store) List(in ListInput) (page Page, err error) {
	err = s.readBucket(in.Bucket, func(b *bucket) error {
		l := &listing{ListInput: in, cursor: b.tx.Cursor(b.current)}
		l.spell = func(prefix string) []byte { return []byte(prefix) }
		l.read = func(row []byte) (string, []byte, error) { return string(row), nil, nil }
		l.entry = func(key string, _ []byte) (Entry, error) {
			l.page.Next = key
			return b.listed(key, l.cursor)
		}
		err := l.run(l.start(func(key string) []byte { return append([]byte(key), 0) }))
		page = l.page
		return err
	})
	return page, err
}

func (b *bucket) listed(key string, c *kv.Cursor) (Entry, error) {
	row, err := c.Value()
	if err != nil {
		return Entry{}, err
	}
	v, err := decodeCurrent(row)
	return Entry{Version: Version{
		Key: key, Latest: true, Size: v.size, ETag: v.etag, Modified: v.modified,
		Meta: Meta{StorageClass: v.storageClass}, Checksum: Checksum{Algorithm: v.checksum, Type: v.checksumType},
	}}, err
}

// escaped prepares a listing of a tree with escaped keys.
func (l *listing) escaped() {
	l.spell = escapePrefix
	l.read = func(row []byte) (string, []byte, error) {
		key, rest, ok := unescape(row)
		if !ok || len(rest) != 8 {
			return "", nil, errRow
		}
		return key, rest, nil
	}
}

// ListVersions lists versions and delete markers, the newest of a key first.
func (s *Store) ListVersions(in ListInput) (page Page, err error) {
	err = s.readBucket(in.Bucket, func(b *bucket) error {
		l := &listing{ListInput: in, cursor: b.tx.Cursor(b.versions)}
		l.escaped()
		before := "" // the key of the row before this one
		l.entry = func(key string, _ []byte) (Entry, error) {
			v, err := versionAt(l.cursor.Value())
			if err != nil {
				return Entry{}, err
			}
			d := b.describe(key, v)
			if d.Latest = key != before; before == "" {
				if d.Latest, err = b.isNewest(Ref{Key: key, VersionID: d.ID}, v); err != nil {
					return Entry{}, err
				}
			}
			before = key
			l.page.Next, l.page.NextID = key, d.ID
			return Entry{Version: d}, nil
		}
		from := l.start(func(key string) []byte { return after(escape(key)) })
		if in.AfterID != "" && strings.HasPrefix(in.After, in.Prefix) {
			sequence, err := b.sequenceOf(in.After, in.AfterID)
			if err != nil {
				return err
			}
			from = after(versionKey(in.After, sequence))
		}
		err := l.run(from)
		page = l.page
		return err
	})
	return page, err
}

// sequenceOf returns where a version is among those of its key. It works for a
// version that was deleted since, because its ID has its sequence.
func (b *bucket) sequenceOf(key, versionID string) (uint64, error) {
	if versionID == NullVersion {
		return b.null(key)
	}
	named, ok := parseID(versionID)
	if !ok {
		return 0, refuse(InvalidArgument, "Invalid version id specified")
	}
	return named.sequence, nil
}

// ListUploads lists unfinished uploads, the oldest of a key first.
func (s *Store) ListUploads(in ListInput) (page Page, err error) {
	err = s.readBucket(in.Bucket, func(b *bucket) error {
		l := &listing{ListInput: in, cursor: b.tx.Cursor(b.uploads)}
		l.escaped()
		l.entry = func(key string, _ []byte) (Entry, error) {
			row, err := l.cursor.Value()
			if err != nil {
				return Entry{}, err
			}
			u, err := decodeUpload(row)
			d := b.upload(key, &u)
			l.page.Next, l.page.NextID = key, d.ID
			return Entry{Upload: d}, err
		}
		from := l.start(func(key string) []byte { return after(escape(key)) })
		if in.AfterID != "" && strings.HasPrefix(in.After, in.Prefix) {
			named, ok := parseID(in.AfterID)
			if !ok {
				return refuse(InvalidArgument, "Invalid uploadId marker")
			}
			from = after(uploadKey(in.After, named.sequence))
		}
		err := l.run(from)
		page = l.page
		return err
	})
	return page, err
}
