package policy

import (
	"crypto/hkdf"
	"crypto/sha256"
)

// DeriveKey gives n bytes of key for one purpose (a label such as "cursor"), by
// HKDF with SHA-256 (RFC 5869) from the master secret, so that replicas with
// the same master agree and keys of different purposes tell nothing about each
// other. n is 1 to 8160.
//
// It panics when master is empty or n is out of range: both are mistakes of the
// program, and a key out of an empty master is one that everybody knows.
func DeriveKey(master, purpose string, n int) []byte {
	if master == "" {
		panic("policy: DeriveKey without a master secret")
	}
	key, err := hkdf.Key(sha256.New, []byte(master), nil, "s3gateway "+purpose, n)
	if err != nil || n < 1 {
		panic("policy: DeriveKey: length out of range")
	}
	return key
}
