package signer

import (
	"crypto/sha1"
	"crypto/sha256"
	"hash"
	"hash/crc32"
	"strings"

	"github.com/minio/crc64nvme"
)

// checksums are the algorithms of S3's x-amz-checksum-* headers
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
var checksums = map[string]func() hash.Hash{
	"crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"crc32c":    func() hash.Hash { return crc32.New(castagnoli) },
	"crc64nvme": func() hash.Hash { return crc64nvme.New() },
	"sha1":      sha1.New,
	"sha256":    sha256.New,
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const checksumPrefix = "x-amz-checksum-"

// NewChecksum gives a hash for an S3 checksum algorithm: crc32, crc32c,
// crc64nvme, sha1 or sha256, in any letter case. Its Sum is what S3 sends in
// base64.
func NewChecksum(name string) (hash.Hash, bool) {
	make, ok := checksums[strings.ToLower(name)]
	if !ok {
		return nil, false
	}
	return make(), true
}
