package signer

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"sync"
)

const (
	algorithm      = "AWS4-HMAC-SHA256"
	algorithmECDSA = "AWS4-ECDSA-P256-SHA256"
	terminator     = "aws4_request"
	serviceS3      = "s3"
)

// signingKey is the key that a secret gives for one day, region and service.
type signingKey [sha256.Size]byte

func deriveKey(secret, date, region, service string) *signingKey {
	key := mac([]byte("AWS4"+secret), date)
	key = mac(key[:], region)
	key = mac(key[:], service)
	key = mac(key[:], terminator)
	return (*signingKey)(&key)
}

func mac(key []byte, message string) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	h.Sum(sum[:0])
	return sum
}

// sign gives the raw signature of a string to sign.
func (k *signingKey) sign(stringToSign []byte) (sum [sha256.Size]byte) {
	h := hmac.New(sha256.New, k[:])
	h.Write(stringToSign)
	h.Sum(sum[:0])
	return sum
}

// keyCacheSize bounds the cache: a day's keys of as many callers and regions.
const keyCacheSize = 1024

type keyName struct{ accessKeyID, date, region string }

type keyEntry struct {
	secret string
	key    *signingKey
}

// keyCache saves the four HMACs of a derivation. It is emptied when full, which
// is simpler than an order of use and costs as little. The zero value is ready;
// it is safe for concurrent use.
type keyCache struct {
	mu   sync.Mutex
	keys map[keyName]keyEntry
}

// get derives or remembers a key. The secret is part of the match, so a rotated
// secret is never served the old key.
func (c *keyCache) get(name keyName, secret string) *signingKey {
	c.mu.Lock()
	entry, ok := c.keys[name]
	c.mu.Unlock()
	if ok && subtle.ConstantTimeCompare([]byte(entry.secret), []byte(secret)) == 1 {
		return entry.key
	}
	key := deriveKey(secret, name.date, name.region, serviceS3)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.keys == nil || len(c.keys) >= keyCacheSize {
		c.keys = make(map[keyName]keyEntry)
	}
	c.keys[name] = keyEntry{secret: secret, key: key}
	return key
}
