package api

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"io"
	"net/http"
	"strings"

	"github.com/minio/crc64nvme"

	gateway "github.com/codeguardians/s3gateway"
)

// checksums are the headers by which a client declares the checksum of what it
// sends, each the base64 of the raw sum (RFC 1864 and the S3 API).
var checksums = map[string]func() hash.Hash{
	"Content-Md5":              md5.New,
	"X-Amz-Checksum-Crc32":     func() hash.Hash { return crc32.NewIEEE() },
	"X-Amz-Checksum-Crc32c":    func() hash.Hash { return crc32.New(crc32.MakeTable(crc32.Castagnoli)) },
	"X-Amz-Checksum-Crc64nvme": func() hash.Hash { return crc64nvme.New() },
	"X-Amz-Checksum-Sha1":      sha1.New,
	"X-Amz-Checksum-Sha256":    sha256.New,
}

// digests are the algorithms of Content-Digest and Repr-Digest (RFC 9530) that
// are secure; others are ignored, as section 5 wants.
var digests = map[string]func() hash.Hash{"sha-256": sha256.New, "sha-512": sha512.New}

// expectation is one declared checksum.
type expectation struct {
	name string
	hash hash.Hash
	want []byte
}

// verified gives body, and fails at its end when a checksum that the headers
// declare is another. What the door cannot verify it refuses: a client that
// sends a checksum relies on it.
func verified(h http.Header, body io.Reader) (io.Reader, error) {
	var list []expectation
	for name, values := range h {
		if newHash, ok := checksums[name]; ok {
			want, err := base64.StdEncoding.DecodeString(values[0])
			sum := newHash()
			if err != nil || len(want) != sum.Size() || len(values) > 1 {
				return nil, invalidDigest(name)
			}
			list = append(list, expectation{name, sum, want})
		} else if strings.HasPrefix(name, "X-Amz-Checksum-") && name != "X-Amz-Checksum-Mode" {
			err := gateway.Errorf(gateway.NotImplemented, "The checksum in %s cannot be verified here.", clip(name, 64))
			err.Field = name
			return nil, err
		}
	}
	for _, name := range []string{"Content-Digest", "Repr-Digest"} {
		more, err := digestField(name, h.Values(name))
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	if len(list) == 0 {
		return body, nil
	}
	return &digestReader{src: body, expected: list}, nil
}

// digestField reads the dictionary `sha-256=:base64:, …`.
func digestField(name string, values []string) ([]expectation, error) {
	var list []expectation
	if len(values) == 0 {
		return nil, nil
	}
	for member := range strings.SplitSeq(strings.Join(values, ","), ",") {
		algorithm, value, _ := strings.Cut(strings.TrimSpace(member), "=")
		newHash, ok := digests[algorithm]
		if !ok {
			continue
		}
		inner, opened := strings.CutPrefix(value, ":")
		inner, closed := strings.CutSuffix(inner, ":")
		want, err := base64.StdEncoding.DecodeString(inner)
		sum := newHash()
		if !opened || !closed || err != nil || len(want) != sum.Size() {
			return nil, invalidDigest(name)
		}
		list = append(list, expectation{name, sum, want})
	}
	return list, nil
}

func invalidDigest(name string) error {
	err := gateway.Errorf(gateway.InvalidDigest, "%s is not a checksum of its kind.", name)
	err.Field = name
	return err
}

// digestReader compares at the end: whoever stores what it gives must not do so
// before it saw io.EOF.
type digestReader struct {
	src      io.Reader
	expected []expectation
	err      error
}

// Read hashes what goes by.
func (d *digestReader) Read(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	n, err := d.src.Read(p)
	for _, e := range d.expected {
		e.hash.Write(p[:n])
	}
	if err == io.EOF {
		for _, e := range d.expected {
			if !bytes.Equal(e.hash.Sum(nil), e.want) {
				bad := gateway.Errorf(gateway.BadDigest, "The body's checksum is not the one in %s.", e.name)
				bad.Field = e.name
				err = bad
			}
		}
	}
	d.err = err
	return n, err
}
