package api

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"hash/crc32"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// maxUploadMetadata bounds Upload-Metadata, in bytes: it is kept with the state.
const maxUploadMetadata = 8 << 10

// wholeNumber reads a header that is there once, decimal digits only.
func wholeNumber(values []string) (int64, bool) {
	if len(values) != 1 || values[0] == "" || strings.Trim(values[0], "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(values[0], 10, 64)
	return n, err == nil
}

// uploadLength is the size that a creation declares, -1 when it is deferred.
func uploadLength(h http.Header) (int64, error) {
	deferred, given := h.Values("Upload-Defer-Length"), h.Values("Upload-Length")
	switch {
	case len(deferred) > 0 && len(given) > 0:
		return 0, invalid(gateway.InvalidArgument, "Upload-Defer-Length", "and Upload-Length exclude each other")
	case len(deferred) == 1 && deferred[0] == "1":
		return -1, nil
	case len(deferred) > 0:
		return 0, invalid(gateway.InvalidArgument, "Upload-Defer-Length", "can only be 1")
	}
	n, ok := wholeNumber(given)
	if !ok {
		return 0, invalid(gateway.InvalidArgument, "Upload-Length", "must be there once, a whole number, unless Upload-Defer-Length is 1")
	}
	return n, nil
}

// setLength takes a deferred length, once.
func (u *upload) setLength(h http.Header) error {
	values := h.Values("Upload-Length")
	if len(values) == 0 {
		return nil
	}
	n, ok := wholeNumber(values)
	switch {
	case !ok:
		return invalid(gateway.InvalidArgument, "Upload-Length", "must be there once, a whole number")
	case u.state.Length >= 0 && n != u.state.Length:
		return invalid(gateway.InvalidArgument, "Upload-Length", "is not the %d that was declared before", u.state.Length)
	case n < u.offset():
		return invalid(gateway.InvalidArgument, "Upload-Length", "is less than the %d bytes that are there", u.offset())
	}
	u.resized = u.state.Length != n
	u.state.Length = n
	return nil
}

// readUploadMetadata reads the pairs of Upload-Metadata. Those with a meaning
// here are filename (or name), filetype (or content_type) and sha256.
func readUploadMetadata(h http.Header) (map[string]string, error) {
	const field = "Upload-Metadata"
	values, meta := h.Values(field), map[string]string{}
	if len(values) == 0 || len(values) == 1 && values[0] == "" {
		return meta, nil
	}
	if len(values) > 1 || len(values[0]) > maxUploadMetadata {
		return nil, invalid(gateway.InvalidArgument, field, "must be there once, at most %d bytes", maxUploadMetadata)
	}
	for pair := range strings.SplitSeq(values[0], ",") {
		name, encoded, _ := strings.Cut(strings.Trim(pair, " "), " ")
		value, err := base64.StdEncoding.DecodeString(encoded)
		if _, twice := meta[name]; name == "" || err != nil || twice {
			return nil, invalid(gateway.InvalidArgument, field, "must be pairs of a name, a space and a value in base64, with commas between them, each name once")
		}
		meta[name] = string(value)
	}
	if sum := meta["sha256"]; sum != "" {
		if raw, err := hex.DecodeString(sum); err != nil || len(raw) != sha256.Size {
			return nil, invalid(gateway.InvalidArgument, field, "has a sha256 that is not 64 hex digits")
		}
	}
	return meta, nil
}

// chunkSums are the algorithms of Upload-Checksum.
var chunkSums = map[string]func() hash.Hash{
	"crc32": func() hash.Hash { return crc32.NewIEEE() }, "md5": md5.New, "sha1": sha1.New, "sha256": sha256.New,
}

func chunkAlgorithms() []string { return slices.Sorted(maps.Keys(chunkSums)) }

// chunk is a body that is to be appended.
type chunk struct {
	body io.Reader
	size int64 // Content-Length, -1 when not known
	// unproven says that a checksum is compared at the body's end: nothing of
	// it counts before.
	unproven bool
	// endOnMismatch ends the upload when the checksum is another.
	endOnMismatch bool
}

// openChunk reads the headers of a chunk for an upload.
func (d *door) openChunk(r *http.Request, u *upload) (*chunk, error) {
	if err := uploadHeaders(r.Header); err != nil {
		return nil, err
	}
	if r.Header.Get("Repr-Digest") != "" {
		return nil, invalid(gateway.InvalidRequest, "Repr-Digest", "is not taken of a chunk: declare sha256 in Upload-Metadata, or Upload-Checksum")
	}
	if length := u.state.Length; length >= 0 && r.ContentLength > length-u.offset() {
		return nil, beyondLength(length)
	}
	plain := newBody(r)
	sent, err := verified(r.Header, plain)
	if err != nil {
		return nil, err
	}
	c := &chunk{body: sent, size: r.ContentLength, unproven: sent != plain}
	values := r.Header.Values("Upload-Checksum")
	if len(values) == 0 {
		return c, nil
	}
	algorithm, encoded, _ := strings.Cut(values[0], " ")
	newHash, ok := chunkSums[algorithm]
	if !ok || len(values) > 1 {
		return nil, invalid(gateway.InvalidArgument, "Upload-Checksum", "must be one of %s, a space, and the sum in base64", strings.Join(chunkAlgorithms(), ", "))
	}
	want, err := base64.StdEncoding.DecodeString(encoded)
	sum := newHash()
	if err != nil || len(want) != sum.Size() {
		return nil, invalidDigest("Upload-Checksum")
	}
	c.body, c.unproven = &chunkSum{src: sent, hash: sum, want: want}, true
	return c, nil
}

func beyondLength(length int64) error {
	err := gateway.Errorf(gateway.EntityTooLarge, "The chunk goes beyond Upload-Length, which is %d.", length)
	err.Field = "Content-Length"
	return err
}

// chunkSum compares Upload-Checksum at the end of a chunk.
type chunkSum struct {
	src  io.Reader
	hash hash.Hash
	want []byte
	err  error
}

// Read hashes what goes by.
func (c *chunkSum) Read(p []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.src.Read(p)
	c.hash.Write(p[:n])
	if err == io.EOF && !bytes.Equal(c.hash.Sum(nil), c.want) {
		bad := gateway.Errorf(chunkMismatch, "The chunk's checksum is not the one in Upload-Checksum. Nothing of the chunk was kept.")
		bad.Field = "Upload-Checksum"
		err = bad
	}
	c.err = err
	return n, err
}
