package model

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"hash/crc32"
	"reflect"

	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/minio/crc64nvme"
)

// algorithms are the checksum algorithms that programs use.
var algorithms = []types.ChecksumAlgorithm{
	types.ChecksumAlgorithmCrc32, types.ChecksumAlgorithmCrc32c, types.ChecksumAlgorithmCrc64nvme,
	types.ChecksumAlgorithmSha1, types.ChecksumAlgorithmSha256,
}

func newHash(a types.ChecksumAlgorithm) hash.Hash {
	switch a {
	case types.ChecksumAlgorithmCrc32:
		return crc32.NewIEEE()
	case types.ChecksumAlgorithmCrc32c:
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case types.ChecksumAlgorithmCrc64nvme:
		return crc64nvme.New()
	case types.ChecksumAlgorithmSha1:
		return sha1.New()
	case types.ChecksumAlgorithmSha256:
		return sha256.New()
	}
	panic("model: unknown checksum algorithm " + a)
}

// sum is a checksum that an object or a part has. Its zero value is none.
type sum struct {
	algorithm types.ChecksumAlgorithm
	kind      types.ChecksumType
	value     string // base64, with "-N" if composite
}

// fullSum returns the checksum of all of data.
func fullSum(a types.ChecksumAlgorithm, data []byte) sum {
	h := newHash(a)
	h.Write(data)
	return sum{a, types.ChecksumTypeFullObject, base64.StdEncoding.EncodeToString(h.Sum(nil))}
}

// compositeSum returns the checksum of the parts' checksums.
func compositeSum(a types.ChecksumAlgorithm, parts []*part) sum {
	h := newHash(a)
	for _, p := range parts {
		digest, _ := base64.StdEncoding.DecodeString(p.sum.value)
		h.Write(digest)
	}
	return sum{a, types.ChecksumTypeComposite, fmt.Sprintf("%s-%d", base64.StdEncoding.EncodeToString(h.Sum(nil)), len(parts))}
}

// setSum sets the field of out for the checksum, and ChecksumType if it exists.
func setSum(out any, s sum) {
	if s.value == "" {
		return
	}
	v := reflect.ValueOf(out).Elem()
	v.FieldByName("Checksum" + string(s.algorithm)).Set(reflect.ValueOf(&s.value))
	if f := v.FieldByName("ChecksumType"); f.IsValid() {
		f.SetString(string(s.kind))
	}
}

// givenSum returns the checksum whose value is in a request, and whether there
// is one.
func givenSum(in any) (sum, bool) {
	v := reflect.ValueOf(in).Elem()
	for _, a := range algorithms {
		if f := v.FieldByName("Checksum" + string(a)); !f.IsNil() {
			return sum{algorithm: a, value: f.Elem().String()}, true
		}
	}
	return sum{}, false
}

// etag returns the ETag of an object that was stored in one piece.
func etag(data []byte) string {
	digest := md5.Sum(data)
	return `"` + hex.EncodeToString(digest[:]) + `"`
}

// multipartETag returns the ETag of an object that was stored in parts.
func multipartETag(parts []*part) string {
	h := md5.New()
	for _, p := range parts {
		digest, _ := hex.DecodeString(p.etag[1 : len(p.etag)-1])
		h.Write(digest)
	}
	return fmt.Sprintf(`"%x-%d"`, h.Sum(nil), len(parts))
}
