package localstore

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"time"
)

// completedFor is how long a completed upload answers a retry.
const completedFor = 7 * 24 * time.Hour

// parts returns parts of an unfinished upload.
func (b *bucket) parts(u *uploadRow, after, limit int) (parts []Part, truncated bool, err error) {
	prefix := uint64Key(u.id.sequence)
	c := b.tx.Cursor(partsTree)
	for ok := c.Seek(partKey(u.id.sequence, min(max(after, 0), MaxParts)+1)); ok && bytes.HasPrefix(c.Key(), prefix); ok = c.Next() {
		if len(parts) == limit {
			return parts, true, nil
		}
		row, err := c.Value()
		if err != nil {
			return nil, false, err
		}
		p, err := decodePart(row)
		if err != nil {
			return nil, false, err
		}
		parts = append(parts, u.part(int(bigEndian(c.Key()[8:])), &p))
	}
	return parts, false, nil
}

// Complete makes an object of an upload's parts. It copies nothing: the object
// takes over what the parts refer to. A retry with the same list is answered as
// the first time for seven days, and changes nothing; SDKs retry when an answer
// got lost.
func (s *Store) Complete(_ context.Context, in CompleteInput) (v Version, err error) {
	err = s.grow(0, func(t *transaction) error {
		b, err := openBucket(t.tx, in.Bucket)
		if err != nil {
			return err
		}
		u, err := b.openUpload(in.Key, in.UploadID)
		if CodeOf(err) == NoSuchUpload {
			v, err = b.completedBefore(in, err)
			return err
		}
		if err != nil {
			return err
		}
		v, err = s.complete(t, b, u, in)
		return err
	})
	return v, err
}

func (s *Store) complete(t *transaction, b *bucket, u *uploadRow, in CompleteInput) (Version, error) {
	list, err := t.chosen(u, in)
	if err != nil {
		return Version{}, err
	}
	row := versionRow{size: list.size, modified: s.clock(), meta: u.meta, tags: u.tags, lock: u.lock, parts: len(list.pieces)}
	if row.etag, err = multipartETag(list.etags); err != nil {
		return Version{}, err
	}
	if row.checksum, err = joinChecksums(u.algorithm, u.kind, list.pieces); err != nil {
		return Version{}, err
	}
	if err := u.checkWhole(in, row); err != nil {
		return Version{}, err
	}
	if err := s.begin(t, b, in.Key, in.If, &row); err != nil {
		return Version{}, err
	}
	kept := map[uint64]bool{}
	for _, id := range list.contents {
		kept[id] = true
	}
	if row.content, err = t.takeOver(list.pieces, list.contents); err != nil {
		return Version{}, err
	}
	if err := t.dropParts(u.id.sequence, kept); err != nil {
		return Version{}, err
	}
	if err := t.tx.Delete(b.uploads, uploadKey(in.Key, u.id.sequence)); err != nil {
		return Version{}, err
	}
	if err := t.put(b, in.Key, &row); err != nil {
		return Version{}, err
	}
	return b.describe(in.Key, &row), b.remember(in, u, &row)
}

// partList is what a Complete chose.
type partList struct {
	pieces   []piece
	etags    []string
	contents []uint64
	size     int64
}

// chosen checks the parts that a request lists and returns them.
func (t *transaction) chosen(u *uploadRow, in CompleteInput) (l partList, err error) {
	if len(in.Parts) == 0 {
		return l, refuse(InvalidRequest, "You must specify at least one part")
	}
	if err := u.checkOrder(in.Parts); err != nil {
		return l, err
	}
	for i, want := range in.Parts {
		have, err := t.part(u.id.sequence, want.Number)
		if err != nil {
			return l, err
		}
		if u.declared && want.Checksum.Value != "" && want.Checksum.Algorithm != u.algorithm {
			return l, refuse(BadDigest, "The %s you specified for part %d did not match what we received.", strings.ToLower(want.Checksum.Algorithm), want.Number)
		}
		if have == nil || have.etag != want.ETag || !u.sameChecksum(want, have) {
			return l, refuse(InvalidPart, "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.")
		}
		if u.declared && u.kind == Composite && want.Checksum.Value == "" {
			return l, refuse(InvalidRequest, "The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.",
				strings.ToLower(u.algorithm), want.Number)
		}
		if have.size < MinPartSize && i < len(in.Parts)-1 {
			return l, refuse(EntityTooSmall, "Your proposed upload is smaller than the minimum allowed size")
		}
		if err := l.add(t, have); err != nil {
			return l, err
		}
	}
	return l, nil
}

// checkOrder refuses a list that is not in order. Where the client chose a checksum
// for each part, the numbers begin at 1 and have no gaps
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompletedPart.html).
func (u *uploadRow) checkOrder(parts []CompletedPart) error {
	consecutive := u.declared && u.algorithm != defaultChecksum
	for i, p := range parts {
		if i > 0 && p.Number <= parts[i-1].Number || consecutive && p.Number != i+1 {
			return refuse(InvalidPartOrder, "The list of parts was not in ascending order. Parts must be ordered by part number.")
		}
	}
	return nil
}

// sameChecksum reports whether the checksum that the list names for a part, if
// any, is the part's.
func (u *uploadRow) sameChecksum(want CompletedPart, have *partRow) bool {
	if want.Checksum.Value == "" || want.Checksum.Algorithm != u.algorithm {
		return true
	}
	return want.Checksum.Value == encode(have.checksum)
}

func (l *partList) add(t *transaction, p *partRow) error {
	c, err := contentOf(t.tx, p.content)
	if err != nil {
		return err
	}
	part := piece{size: p.size, checksum: p.checksum}
	for _, one := range c.pieces {
		part.segments = append(part.segments, one.segments...)
	}
	l.pieces, l.etags, l.size = append(l.pieces, part), append(l.etags, p.etag), l.size+p.size
	if p.content != 0 {
		l.contents = append(l.contents, p.content)
	}
	return nil
}

// checkWhole compares what the request declares of the whole object.
func (u *uploadRow) checkWhole(in CompleteInput, row versionRow) error {
	if row.size > MaxObjectSize {
		return refuse(EntityTooLarge, "Your proposed upload exceeds the maximum allowed size: it has %d bytes, the limit is %d.", row.size, int64(MaxObjectSize))
	}
	if in.Size != nil && *in.Size != row.size {
		return refuse(InvalidRequest, "The provided 'x-amz-mp-object-size' header value %d does not match what was computed: %d", *in.Size, row.size)
	}
	want := in.Checksum
	if want.Type != "" && want.Type != u.kind {
		return refuse(InvalidRequest, "The upload was created using the %s checksum mode. The complete request must use the same checksum mode.", u.kind)
	}
	if want.Value == "" || want.Algorithm != u.algorithm {
		return nil
	}
	if want.Value != row.checksum.Value && want.Value+fmt.Sprintf("-%d", row.parts) != row.checksum.Value {
		return refuse(BadDigest, "The %s you specified did not match the calculated checksum.", u.algorithm)
	}
	return nil
}

// remember keeps the answer for a retry.
func (b *bucket) remember(in CompleteInput, u *uploadRow, v *versionRow) error {
	row := completedRow{
		random: u.id.random, list: in.hash(), completed: v.modified, version: v.id, null: v.null,
		size: v.size, etag: v.etag, checksum: v.checksum, parts: v.parts,
	}
	return b.tx.Put(b.completed, uploadKey(in.Key, u.id.sequence), row.encode())
}

// completedBefore answers a retry of a completed upload, and returns missing where
// this is none.
func (b *bucket) completedBefore(in CompleteInput, missing error) (Version, error) {
	named, ok := parseID(in.UploadID)
	if !ok {
		return Version{}, missing
	}
	row, err := b.tx.Get(b.completed, uploadKey(in.Key, named.sequence))
	if err != nil {
		return Version{}, err
	}
	if row == nil {
		return Version{}, missing
	}
	c, err := decodeCompleted(row)
	if err != nil {
		return Version{}, err
	}
	if c.random != named.random || !bytes.Equal(c.list, in.hash()) {
		return Version{}, missing
	}
	return b.describe(in.Key, &versionRow{
		id: c.version, null: c.null, size: c.size, etag: c.etag, checksum: c.checksum, parts: c.parts, modified: c.completed,
	}), nil
}

// hash identifies the list of parts.
func (in CompleteInput) hash() []byte {
	h := sha256.New()
	for _, p := range in.Parts {
		fmt.Fprintf(h, "%d %s\n", p.Number, p.ETag)
	}
	return h.Sum(nil)
}
