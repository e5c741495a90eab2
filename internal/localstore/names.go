package localstore

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/codeguardians/s3gateway/internal/localstore/kv"
)

// The trees that all buckets share.
const (
	bucketsTree  kv.Tree = "buckets"  // name → bucketRow
	settingsTree kv.Tree = "settings" // bucket id ‖ kind → document
	partsTree    kv.Tree = "parts"    // upload sequence ‖ part number → partRow
	contentsTree kv.Tree = "contents" // content id → content
	smallTree    kv.Tree = "small"    // content id → bytes of a small object
	blobsTree    kv.Tree = "blobs"    // blob id → references and length
	deadTree     kv.Tree = "dead"     // blob id → nothing; to be unlinked
	orphansTree  kv.Tree = "orphans"  // bucket id → nothing; uploads of a deleted bucket
)

// The trees of one bucket, by its id: a bucket that is deleted and made again
// has another id and so other trees.
func currentTree(id uint64) kv.Tree   { return treeOf('c', id) } // key → currentRow
func versionsTree(id uint64) kv.Tree  { return treeOf('v', id) } // escaped key ‖ inverted sequence → versionRow
func nullsTree(id uint64) kv.Tree     { return treeOf('n', id) } // key → sequence of a null version that is not current
func uploadsTree(id uint64) kv.Tree   { return treeOf('u', id) } // escaped key ‖ sequence → uploadRow
func completedTree(id uint64) kv.Tree { return treeOf('d', id) } // escaped key ‖ sequence → completedRow

func treeOf(kind byte, id uint64) kv.Tree { return kv.Tree(fmt.Sprintf("%c/%016x", kind, id)) }

func uint64Key(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

// escape writes a key so that no key is a prefix of another and their order
// stays that of their bytes: 0x00 becomes 0x00 0xFF, and 0x00 0x01 ends a key.
func escape(key string) []byte {
	return append(escapePrefix(key), 0, 1)
}

// escapePrefix returns what all escaped keys with this prefix begin with. It is
// never nil.
func escapePrefix(prefix string) []byte {
	return append([]byte{}, strings.ReplaceAll(prefix, "\x00", "\x00\xff")...)
}

// unescape returns the key and what follows its end.
func unescape(b []byte) (key string, rest []byte, ok bool) {
	end := bytes.Index(b, []byte{0, 1})
	if end < 0 {
		return "", nil, false
	}
	return string(bytes.ReplaceAll(b[:end], []byte{0, 0xff}, []byte{0})), b[end+2:], true
}

// versionKey orders the versions of a key, newest first.
func versionKey(key string, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(escape(key), ^sequence)
}

// uploadKey orders the uploads of a key, oldest first.
func uploadKey(key string, sequence uint64) []byte {
	return binary.BigEndian.AppendUint64(escape(key), sequence)
}

func partKey(upload uint64, number int) []byte {
	return binary.BigEndian.AppendUint16(uint64Key(upload), uint16(number))
}

// after returns the first byte string that follows all with this prefix, nil
// where none does.
func after(prefix []byte) []byte {
	next := bytes.Clone(prefix)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			return next[:i+1]
		}
	}
	return nil
}

// id is a version ID or upload ID: the sequence, which finds the row, and random
// bits, which the row must have too. Written as 32 lower-case hex digits.
type id struct{ sequence, random uint64 }

func (v id) String() string { return fmt.Sprintf("%016x%016x", v.sequence, v.random) }

// parseID reads the one spelling of an id.
func parseID(s string) (v id, ok bool) {
	raw, err := hex.DecodeString(s)
	if err != nil || len(raw) != 16 {
		return id{}, false
	}
	v = id{binary.BigEndian.Uint64(raw), binary.BigEndian.Uint64(raw[8:])}
	return v, v.String() == s
}

// checkKey refuses what is no key of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html).
func checkKey(key string) error {
	switch {
	case key == "":
		return refuse(InvalidArgument, "An object key has at least one byte.")
	case len(key) > MaxKeyLength:
		return refuse(KeyTooLong, "Your key is too long: it has %d bytes, the limit is %d.", len(key), MaxKeyLength)
	case !utf8.ValidString(key):
		return refuse(InvalidArgument, "An object key must be UTF-8.")
	}
	return nil
}
