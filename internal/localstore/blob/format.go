package blob

import (
	"encoding/binary"
	"hash/crc32"
)

const (
	blockSize  = 8 << 10 // of the smallest buffer of package relay, which then needs no copy
	sumSize    = 4
	footerSize = 32
	version    = 1
	magic      = "s3gwblob"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// seeds computes the checksum of a block before its first byte. It belongs to
// one Reader or Writer.
type seeds struct {
	id     uint32  // checksum of the id
	number [8]byte // memory of at, which would be allocated for each block
}

func newSeeds(id ID) seeds { return seeds{id: crc32.Checksum(id[:], castagnoli)} }

func (s *seeds) at(block int64) uint32 {
	binary.LittleEndian.PutUint64(s.number[:], uint64(block))
	return crc32.Update(s.id, castagnoli, s.number[:])
}

// footerBlock is the number of the footer in its checksum.
const footerBlock = -1

// blocks returns the number of blocks of length bytes.
func blocks(length int64) int64 { return (length + blockSize - 1) / blockSize }

// fileSize returns the size of a file with length bytes of data.
func fileSize(length int64) int64 { return length + sumSize*blocks(length) + footerSize }

// footer returns the end of a file with length bytes of data.
func (s *seeds) footer(length int64) []byte {
	b := make([]byte, 0, footerSize)
	b = append(b, magic...)
	b = binary.LittleEndian.AppendUint32(b, version)
	b = binary.LittleEndian.AppendUint32(b, blockSize)
	b = binary.LittleEndian.AppendUint64(b, uint64(length))
	b = append(b, 0, 0, 0, 0)
	return binary.LittleEndian.AppendUint32(b, crc32.Update(s.at(footerBlock), castagnoli, b))
}

// parseFooter returns the length of the data of a file, and why the footer is
// not valid.
func (s *seeds) parseFooter(b []byte, size int64) (length int64, reason string) {
	end := len(b) - sumSize
	if binary.LittleEndian.Uint32(b[end:]) != crc32.Update(s.at(footerBlock), castagnoli, b[:end]) {
		return 0, "the footer does not match its checksum"
	}
	if string(b[:len(magic)]) != magic || binary.LittleEndian.Uint32(b[8:]) != version ||
		binary.LittleEndian.Uint32(b[12:]) != blockSize {
		return 0, "the footer is of another format"
	}
	length = int64(binary.LittleEndian.Uint64(b[16:]))
	if length < 0 || fileSize(length) != size {
		return 0, "the size of the file does not match its footer"
	}
	return length, ""
}
