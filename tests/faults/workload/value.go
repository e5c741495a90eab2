package workload

import (
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Segment is bytes Off to Off+Len of the endless random sequence of a seed.
type Segment struct {
	Seed     uint64
	Off, Len int64
}

// Value is the bytes of an object, written down as their recipe.
type Value []Segment

// random returns a value of n bytes that no other seed has.
func random(seed uint64, n int64) Value { return Value{{Seed: seed, Len: n}} }

// Size returns the length in bytes.
func (v Value) Size() int64 {
	var n int64
	for _, s := range v {
		n += s.Len
	}
	return n
}

// Bytes returns the bytes.
func (v Value) Bytes() []byte {
	out := make([]byte, 0, v.Size()+16)
	for _, s := range v {
		out = s.appendTo(out)
	}
	return out
}

func (s Segment) appendTo(out []byte) []byte {
	first := s.Off / 8
	start := len(out) + int(s.Off%8)
	end := start + int(s.Len)
	for i := first; len(out) < end; i++ {
		out = binary.LittleEndian.AppendUint64(out, mix(s.Seed+uint64(i)*0x9e3779b97f4a7c15))
	}
	return append(out[:start-int(s.Off%8)], out[start:end]...)
}

// mix is the output function of SplitMix64.
func mix(z uint64) uint64 {
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

// Slice returns n bytes from off on.
func (v Value) Slice(off, n int64) Value {
	var out Value
	for _, s := range v {
		if off >= s.Len {
			off -= s.Len
			continue
		}
		take := min(s.Len-off, n)
		if take > 0 {
			out = append(out, Segment{s.Seed, s.Off + off, take})
		}
		n -= take
		off = 0
	}
	return out
}

// Sum returns a SHA-256 of the bytes in hex.
func (v Value) Sum() string { return sum(v.Bytes()) }

func sum(b []byte) string {
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:12])
}

func etag(v Value) string {
	s := md5.Sum(v.Bytes())
	return `"` + hex.EncodeToString(s[:]) + `"`
}
