package backend

import (
	"crypto/hmac"
	"encoding/base64"
	"errors"
	"hash"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/signer"
)

const (
	checksumPrefix = "X-Amz-Checksum-"
	checksumMode   = checksumPrefix + "Mode"
	checksumType   = checksumPrefix + "Type"
)

// readsWhole reports a request whose answer is all bytes of an object.
func readsWhole(req Request) bool {
	if req.Method != http.MethodGet || req.Key == "" || req.Header.Get("Range") != "" {
		return false
	}
	return !slices.ContainsFunc(req.Query, func(p signer.Param) bool {
		return p.Key != "versionId" && p.Key != "x-id" && !strings.HasPrefix(p.Key, "response-")
	})
}

// checkRead compares the bytes of an answer with the checksum that came with it,
// if there is one of the whole object. Unless it was asked for, it is left out.
func (c *Client) checkRead(resp *http.Response, key string, asked bool) {
	if resp.StatusCode != http.StatusOK {
		return
	}
	if sum, want := fullChecksum(resp.Header); sum != nil {
		resp.Body = &checkedBody{
			ReadCloser: resp.Body, left: resp.ContentLength, sum: sum, want: want,
			log: c.log, key: key, mismatches: &c.mismatches,
		}
	}
	if !asked {
		for name := range resp.Header {
			if strings.HasPrefix(name, checksumPrefix) {
				resp.Header.Del(name)
			}
		}
	}
}

// fullChecksum returns a hash and the value that all bytes of the answer should
// have, nil where the answer has none: one of parts ends in their number.
func fullChecksum(h http.Header) (sum hash.Hash, want []byte) {
	if kind := h.Get(checksumType); kind != "" && kind != "FULL_OBJECT" {
		return nil, nil
	}
	for name := range h {
		algorithm, ok := strings.CutPrefix(name, checksumPrefix)
		if !ok {
			continue
		}
		sum, known := signer.NewChecksum(algorithm)
		if !known {
			continue
		}
		if want, err := base64.StdEncoding.DecodeString(h.Get(name)); err == nil && len(want) == sum.Size() {
			return sum, want
		}
	}
	return nil, nil
}

// errChanged cuts an answer whose bytes are not those that were stored.
var errChanged = errors.New("the bytes of an object differ from its checksum: they changed on their way, or in the storage")

// checkedBody compares what passes. The block in which the last byte is comes out
// only when all bytes were right, so that no client gets the whole of a wrong one.
type checkedBody struct {
	io.ReadCloser
	left       int64 // -1 where the length is not known
	sum        hash.Hash
	want       []byte
	log        zerolog.Logger
	key        string
	mismatches *atomic.Int64
	failed     bool
}

// Read hands on what the answer yields.
func (b *checkedBody) Read(p []byte) (int, error) {
	if b.failed {
		return 0, errChanged
	}
	n, err := b.ReadCloser.Read(p)
	b.sum.Write(p[:n])
	if b.left >= 0 {
		b.left -= int64(n)
	}
	if b.left != 0 && err != io.EOF || b.left > 0 {
		return n, err
	}
	if !hmac.Equal(b.sum.Sum(nil), b.want) {
		b.failed = true
		b.mismatches.Add(1)
		b.log.Error().Str("key", b.key).Msg(errChanged.Error())
		return 0, errChanged
	}
	return n, err
}

// Mismatches returns how many answers had bytes that differ from their checksum.
func (c *Client) Mismatches() int64 { return c.mismatches.Load() }
