package signer

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

const (
	// maxRetried bounds the canonical request that is tried in other readings, in
	// bytes, and maxReadings how many are: a refusal never costs much more than an
	// acceptance.
	maxRetried  = 16 << 10
	maxReadings = 8
)

// search tries the likely reading first, then tabs, hosts, the path as sent, and
// the spellings of the payload line.
func (v *Verifier) search(p *proof, t Target, payload payloadClaim, first variant, known bool) (variant, bool) {
	buf, _ := v.buffers.Get().(*[]byte)
	if buf == nil {
		buf = new([]byte)
	}
	defer v.release(buf)
	ok := false
	*buf, ok = p.matches((*buf)[:0], first)
	if ok || !known || len(*buf) > maxRetried || !p.complete() {
		return first, ok && known
	}
	for _, tried := range v.readings(p, t, payload, first) {
		if *buf, ok = p.matches((*buf)[:0], tried); ok {
			return tried, true
		}
	}
	return first, false
}

// readings are what else the client may have signed than first.
func (v *Verifier) readings(p *proof, t Target, payload payloadClaim, first variant) (all []variant) {
	paths := []string{t.signedPath}
	if t.RawPath != t.signedPath {
		paths = append(paths, t.RawPath)
	}
	tabs := []bool{false}
	if p.canonical.hasTabs() {
		tabs = append(tabs, true)
	}
	for _, host := range v.hosts(p.canonical.r) {
		for _, path := range paths {
			for _, line := range payload.variants {
				for _, tab := range tabs {
					if other := (variant{host: host, path: path, payload: line, tabs: tab}); other != first && len(all) < p.most-1 {
						all = append(all, other)
					}
				}
			}
		}
	}
	return all
}

// release keeps a buffer for the next request unless a huge request grew it.
func (v *Verifier) release(buf *[]byte) {
	if cap(*buf) <= 4*maxRetried {
		v.buffers.Put(buf)
	}
}

// proof is one signature being checked.
type proof struct {
	claim     *claim
	key       *signingKey
	scope     string
	signature []byte // nil when it is none
	most      int    // signatures to compute
	canonical canonical
}

// complete reports whether every signed header arrived: an absent one is not an
// empty one.
func (p *proof) complete() bool { return p.missing() == "" }

func (p *proof) missing() string {
	for _, name := range p.canonical.names {
		if name != "host" && len(p.canonical.headerValues(name)) == 0 {
			return name
		}
	}
	return ""
}

// matches builds the reading in buf and compares signatures in constant time.
func (p *proof) matches(buf []byte, v variant) ([]byte, bool) {
	buf = p.canonical.append(buf, v)
	var stack [256]byte
	sum := p.key.sign(appendStringToSign(stack[:0], p.claim.date, p.scope, buf))
	return buf, hmac.Equal(sum[:], p.signature) && p.complete()
}

// decodeSignature wants 64 lower-case hexadecimal digits: another spelling of
// the same bytes would be a second valid signature.
func decodeSignature(s string) []byte {
	if len(s) != hex.EncodedLen(sha256.Size) || s != strings.ToLower(s) {
		return nil
	}
	b, err := hex.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}
