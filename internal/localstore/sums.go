package localstore

import (
	"bytes"
	"crypto/md5" // S3's ETag, not a secret
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/codeguardians/s3gateway/signer"
)

// defaultChecksum is what S3 keeps where the sender chose nothing
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
const defaultChecksum = "CRC64NVME"

// sums hashes a body: its MD5 for the ETag, the checksum to keep, and what else
// the sender declared.
type sums struct {
	size     int64
	md5      hash.Hash
	sha256   hash.Hash // nil: not declared
	kept     hash.Hash
	declared hash.Hash // nil: it is kept, or was not declared
	all      io.Writer
}

// newSums prepares for a body with these declarations, of which kept is the
// algorithm to keep.
func newSums(e Expect, kept string) (*sums, error) {
	s := &sums{md5: md5.New()}
	var err error
	if s.kept, err = newChecksum(kept); err != nil {
		return nil, err
	}
	writers := []io.Writer{s.md5, s.kept}
	if e.SHA256 != nil {
		s.sha256 = sha256.New()
		writers = append(writers, s.sha256)
	}
	if e.Algorithm != "" && e.Algorithm != kept {
		if s.declared, err = newChecksum(e.Algorithm); err != nil {
			return nil, err
		}
		writers = append(writers, s.declared)
	}
	s.all = io.MultiWriter(writers...)
	return s, nil
}

func newChecksum(algorithm string) (hash.Hash, error) {
	h, ok := signer.NewChecksum(algorithm)
	if !ok {
		return nil, refuse(InvalidRequest, "Checksum algorithm provided is unsupported: %s.", algorithm)
	}
	return h, nil
}

// Write hashes the next bytes. It never fails.
func (s *sums) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	return s.all.Write(p)
}

// check compares the whole body with what was declared.
func (s *sums) check(e Expect) error {
	if e.Length >= 0 && s.size != e.Length {
		return refuse(IncompleteBody, "You did not provide the number of bytes specified by the Content-Length HTTP header.")
	}
	if e.MD5 != nil && !bytes.Equal(e.MD5, s.md5.Sum(nil)) {
		return refuse(BadDigest, "The Content-MD5 you specified did not match what we received.")
	}
	if e.SHA256 != nil && !bytes.Equal(e.SHA256, s.sha256.Sum(nil)) {
		return refuse(SHA256Mismatch, "The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	if e.Checksum == nil {
		return nil
	}
	h := s.declared
	if h == nil {
		h = s.kept
	}
	if want := e.Checksum(); want != "" && want != encode(h.Sum(nil)) {
		return refuse(BadDigest, "The %s you specified did not match the calculated checksum.", e.Algorithm)
	}
	return nil
}

func (s *sums) etag() string { return hex.EncodeToString(s.md5.Sum(nil)) }

func encode(sum []byte) string { return base64.StdEncoding.EncodeToString(sum) }

// multipartETag is the MD5 of the parts' MD5s with their number, as S3 makes it.
func multipartETag(etags []string) (string, error) {
	h := md5.New()
	for _, etag := range etags {
		raw, err := hex.DecodeString(etag)
		if err != nil {
			return "", errRow
		}
		h.Write(raw)
	}
	return fmt.Sprintf("%x-%d", h.Sum(nil), len(etags)), nil
}

// joinChecksums returns the checksum of a multipart object from those of its
// parts.
func joinChecksums(algorithm, kind string, pieces []piece) (Checksum, error) {
	if kind == FullObject {
		sum, err := combine(algorithm, pieces)
		return Checksum{algorithm, kind, encode(sum)}, err
	}
	h, err := newChecksum(algorithm)
	if err != nil {
		return Checksum{}, err
	}
	for _, p := range pieces {
		h.Write(p.checksum)
	}
	return Checksum{algorithm, kind, fmt.Sprintf("%s-%d", encode(h.Sum(nil)), len(pieces))}, nil
}

// MultipartChecksum returns algorithm and kind of the checksum of an upload that
// asked for these, or InvalidRequest where S3 has no such pair.
func MultipartChecksum(algorithm, kind string) (string, string, error) {
	if algorithm == "" {
		if kind != "" {
			return "", "", refuse(InvalidRequest, "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header.")
		}
		return defaultChecksum, FullObject, nil
	}
	kinds, ok := multipartKinds[algorithm]
	if !ok {
		return "", "", refuse(InvalidRequest, "Checksum algorithm provided is unsupported for multipart uploads: %s.", algorithm)
	}
	if kind == "" {
		return algorithm, kinds[0], nil
	}
	for _, k := range kinds {
		if k == kind {
			return algorithm, kind, nil
		}
	}
	return "", "", refuse(InvalidRequest, "The %s checksum type cannot be used with the %s checksum algorithm.", kind, strings.ToLower(algorithm))
}

// multipartKinds are the kinds of each algorithm, the default first
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
var multipartKinds = map[string][]string{
	"CRC64NVME": {FullObject},
	"CRC32":     {Composite, FullObject},
	"CRC32C":    {Composite, FullObject},
	"SHA1":      {Composite},
	"SHA256":    {Composite},
	"SHA512":    {Composite},
	"MD5":       {Composite},
	"XXHASH64":  {Composite},
	"XXHASH3":   {Composite},
	"XXHASH128": {Composite},
}
