package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"strconv"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// MarkHeader and LinkHeader are the user metadata of this package. Like all
// that begin with s3gateway- they are shown to nobody and taken from nobody.
const (
	MarkHeader = "X-Amz-Meta-S3gateway-Mark"
	LinkHeader = "X-Amz-Meta-S3gateway-Link"
)

// The two kinds of mark. What the gateway writes is judged on its way, when
// neither its size (of a multipart upload) nor the type that the store will
// name is known: that mark binds the key alone. A check knows both.
const (
	written = "w"
	checked = "c"
)

const (
	markID  = 12 // bytes
	markMAC = 24
)

var encoding = base64.RawURLEncoding

// mark makes a mark "kind.id.mac" over the facts.
func (g *Gate) mark(kind, key string, size int64, contentType string) (string, error) {
	id := make([]byte, markID)
	if _, err := io.ReadFull(g.Random, id); err != nil {
		return "", gateway.Errorf(gateway.Internal, "").Because(err)
	}
	return kind + "." + encoding.EncodeToString(id) + "." + encoding.EncodeToString(g.sum(kind, encoding.EncodeToString(id), key, size, contentType)), nil
}

func (g *Gate) sum(kind, id, key string, size int64, contentType string) []byte {
	facts := []string{"mark", kind, id, gateway.CleanKey(key)}
	if kind == checked {
		facts = append(facts, strconv.FormatInt(size, 10), contentType)
	}
	return g.hmac(facts...)[:markMAC]
}

// hmac joins with NUL, which none of the facts has.
func (g *Gate) hmac(facts ...string) []byte {
	mac := hmac.New(sha256.New, g.Key)
	mac.Write([]byte(strings.Join(facts, "\x00")))
	return mac.Sum(nil)
}

// Verified reports whether an answer about an object to a GET or HEAD, with its
// user metadata, is of one that was judged. A key that the gate does not cover
// is verified. It is safe for concurrent use.
func (g *Gate) Verified(key string, answer http.Header) bool {
	if !g.coversKey(key) {
		return true
	}
	kind, rest, _ := strings.Cut(answer.Get(MarkHeader), ".")
	id, mac, _ := strings.Cut(rest, ".")
	got, err := encoding.DecodeString(mac)
	if err != nil || kind != written && kind != checked {
		return false
	}
	return hmac.Equal(got, g.sum(kind, id, key, wholeSize(answer), answer.Get("Content-Type")))
}

// wholeSize is the object's size in bytes also where the answer is a part of
// it; -1 when it is not told.
func wholeSize(answer http.Header) int64 {
	text := answer.Get("Content-Length")
	if rng := answer.Get("Content-Range"); rng != "" {
		_, text, _ = strings.Cut(rng, "/")
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

// Stamp adds the mark to the headers of a PutObject, CreateMultipartUpload or
// CopyObject by the gateway itself, whose bytes are judged on their way. On a
// nil gate, and for a key that it does not cover, it does nothing.
func (g *Gate) Stamp(key string, header http.Header) error {
	if !g.coversKey(key) {
		return nil
	}
	mark, err := g.mark(written, key, 0, "")
	if err == nil {
		header.Set(MarkHeader, mark)
	}
	return err
}

// Link is the metadata value that a link carries, signed, for the object that
// will come by it: whose limits it is judged by.
func (g *Gate) Link(key, caller string) string {
	name := encoding.EncodeToString([]byte(caller))
	return name + "." + encoding.EncodeToString(g.hmac("link", key, name)[:markMAC])
}

// linkOf reads what Link wrote. came is false for an object that did not come by
// a link.
func (g *Gate) linkOf(key string, answer http.Header) (caller string, came bool) {
	name, mac, _ := strings.Cut(answer.Get(LinkHeader), ".")
	got, err := encoding.DecodeString(mac)
	raw, err2 := encoding.DecodeString(name)
	if err != nil || err2 != nil || !hmac.Equal(got, g.hmac("link", key, name)[:markMAC]) {
		return "", false
	}
	return string(raw), true
}
