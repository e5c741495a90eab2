package signer

import (
	"bytes"
	"crypto/md5" // an S3 checksum, not a secret
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"io"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/minio/crc64nvme"
	"github.com/zeebo/xxh3"

	gateway "github.com/codeguardians/s3gateway"
)

// checksum is one algorithm of S3's x-amz-checksum-* headers
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
type checksum struct {
	make func() hash.Hash
	// compared is true where every store compares the header with the body.
	// MinIO passes over the headers of the others, so they are compared here.
	compared bool
}

var checksums = map[string]checksum{
	"crc32":     {func() hash.Hash { return crc32.NewIEEE() }, true},
	"crc32c":    {func() hash.Hash { return crc32.New(castagnoli) }, true},
	"crc64nvme": {func() hash.Hash { return crc64nvme.New() }, true},
	"sha1":      {sha1.New, true},
	"sha256":    {sha256.New, true},
	"sha512":    {make: sha512.New},
	"md5":       {make: md5.New},
	"xxhash64":  {make: func() hash.Hash { return xxhash.New() }},
	"xxhash3":   {make: func() hash.Hash { return xxh3.New() }},
	"xxhash128": {make: func() hash.Hash { return xxh3.New128() }},
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

const checksumPrefix = "x-amz-checksum-"

// NewChecksum gives a hash for an S3 checksum algorithm: crc32, crc32c,
// crc64nvme, sha1, sha256, sha512, md5, xxhash64, xxhash3 or xxhash128, in any
// letter case. Its Sum is what S3 sends in base64.
func NewChecksum(name string) (hash.Hash, bool) {
	c, ok := checksums[strings.ToLower(name)]
	if !ok {
		return nil, false
	}
	return c.make(), true
}

// Proof compares a declared checksum with the bytes written to it. It is for one
// goroutine.
type Proof struct {
	hash.Hash
	algorithm string
	want      []byte
}

// Proofs gives one for each declared checksum that a store may not compare
// itself. get gives a request's header or form field by its lower-case name. A
// value that is no checksum of its algorithm, and a second checksum, are
// InvalidRequest: stores have other words for them, or overlook them.
func Proofs(get func(name string) string) ([]Proof, error) {
	var proofs []Proof
	seen := 0
	for algorithm, c := range checksums {
		declared := get(checksumPrefix + algorithm)
		if declared == "" {
			continue
		}
		if seen++; seen > 1 {
			return nil, gateway.Errorf(gateway.InvalidRequest, "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.")
		}
		p := Proof{Hash: c.make(), algorithm: algorithm}
		var err error
		if p.want, err = base64.StdEncoding.Strict().DecodeString(declared); err != nil || len(p.want) != p.Size() {
			return nil, gateway.Errorf(gateway.InvalidRequest, "Value for %s%s header is invalid.", checksumPrefix, algorithm)
		}
		if !c.compared {
			proofs = append(proofs, p)
		}
	}
	return proofs, nil
}

// Check gives BadDigest unless all that was written has the declared checksum.
func (p Proof) Check() error {
	if !bytes.Equal(p.Sum(nil), p.want) {
		return badChecksum(p.algorithm)
	}
	return nil
}

// proofReader gives io.EOF only when the bytes that passed have the checksum.
type proofReader struct {
	source io.Reader
	proof  Proof
}

func (r proofReader) Read(p []byte) (int, error) {
	n, err := r.source.Read(p)
	r.proof.Write(p[:n])
	if err == io.EOF {
		if bad := r.proof.Check(); bad != nil {
			return n, bad
		}
	}
	return n, err
}

func badChecksum(algorithm string) *gateway.Error {
	return gateway.Errorf(gateway.BadDigest, "The %s you specified did not match the calculated checksum.", strings.ToUpper(algorithm))
}
