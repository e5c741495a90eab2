package kv

import (
	"encoding/binary"
	"hash/fnv"
	"io"
	"os"
)

// meta is the content of a valid meta page.
type meta struct {
	pageSize, root, freelist, pages, txid uint64
}

// readMetaFile returns the newest valid meta page of the file at path.
func readMetaFile(path string) (meta, error) {
	f, err := os.Open(path)
	if err != nil {
		return meta{}, err
	}
	defer func() { _ = f.Close() }()
	return readMeta(f)
}

// readMeta returns the newest valid meta page.
func readMeta(f io.ReaderAt) (meta, error) {
	var newest meta
	found := false
	sizes := append([]int{0}, pageSizes...)
	for _, offset := range sizes {
		buf := make([]byte, pageHeader+metaSize)
		if _, err := f.ReadAt(buf, int64(offset)); err != nil && err != io.EOF {
			return meta{}, err
		}
		m, ok := parseMeta(buf[pageHeader:])
		if ok && (offset == 0 || uint64(offset) == m.pageSize) && (!found || m.txid > newest.txid) {
			newest, found = m, true
		}
	}
	if !found {
		return meta{}, &DamageError{Reason: "no meta page is valid"}
	}
	return newest, nil
}

// pageSizes are the page sizes of bbolt, which are those of the systems.
var pageSizes = []int{4 << 10, 8 << 10, 16 << 10, 64 << 10}

// The layout of bbolt's pages. Numbers are in the order of the machine.
const (
	pageHeader  = 16
	metaSize    = 64
	metaMagic   = 0xED0CDAED
	metaVersion = 2
	noFreelist  = 1<<64 - 1
)

func parseMeta(b []byte) (meta, bool) {
	n := binary.NativeEndian
	h := fnv.New64a()
	_, _ = h.Write(b[:metaSize-8])
	m := meta{
		pageSize: uint64(n.Uint32(b[8:])),
		root:     n.Uint64(b[16:]),
		freelist: n.Uint64(b[32:]),
		pages:    n.Uint64(b[40:]),
		txid:     n.Uint64(b[48:]),
	}
	return m, n.Uint32(b) == metaMagic && n.Uint32(b[4:]) == metaVersion && n.Uint64(b[56:]) == h.Sum64()
}
