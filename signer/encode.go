package signer

import "strings"

const upperHex = "0123456789ABCDEF"

// unreserved marks the bytes that S3's URI encoding leaves alone: RFC 3986
// section 2.3, and nothing else.
var unreserved = unreservedBytes()

func unreservedBytes() (t [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
		t[c] = true
	}
	return t
}

// EncodePath percent-encodes a decoded path as S3 signs it: the bytes
// A-Za-z0-9-._~ and '/' stay, every other becomes %XX in upper case. It is the
// only path encoder of the gateway: net/url leaves = : @ & $ , ; + bare, and
// servers that encode strictly then refuse the signature.
func EncodePath(path string) string { return encode(path, true) }

// EncodeQuery percent-encodes a query key or value as S3 signs it, '/'
// included; a space becomes %20, never '+'.
func EncodeQuery(s string) string { return encode(s, false) }

func encode(s string, keepSlash bool) string {
	escapes := 0
	for i := range len(s) {
		if c := s[i]; !unreserved[c] && !(keepSlash && c == '/') {
			escapes++
		}
	}
	if escapes == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*escapes)
	for i := range len(s) {
		if c := s[i]; unreserved[c] || keepSlash && c == '/' {
			b.WriteByte(c)
		} else {
			writeEscape(&b, c)
		}
	}
	return b.String()
}

func writeEscape(b *strings.Builder, c byte) {
	b.WriteByte('%')
	b.WriteByte(upperHex[c>>4])
	b.WriteByte(upperHex[c&15])
}

// decode resolves percent escapes; '+' stays a plus. ok is false when an
// escape is cut short or not hexadecimal.
func decode(s string) (decoded string, ok bool) {
	if strings.IndexByte(s, '%') < 0 {
		return s, true
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		c, ok := escapeAt(s, i)
		if !ok {
			return "", false
		}
		b.WriteByte(c)
		i += 2
	}
	return b.String(), true
}

// normalizePath rewrites a raw path escape by escape to the strict form that S3
// signs. An escaped slash stays escaped: decoding it first would make %2F and /
// one path. The path's escapes must be valid.
func normalizePath(raw string) string {
	if isStrict(raw, true) {
		return raw
	}
	var b strings.Builder
	b.Grow(len(raw) + 16)
	for i := 0; i < len(raw); i++ {
		c, escaped := raw[i], raw[i] == '%'
		if escaped {
			c, _ = escapeAt(raw, i)
			i += 2
		}
		if unreserved[c] || c == '/' && !escaped {
			b.WriteByte(c)
		} else {
			writeEscape(&b, c)
		}
	}
	return b.String()
}

// isStrict reports whether s already is in the strict encoding, so that the
// bytes as sent can be signed without a copy.
func isStrict(s string, keepSlash bool) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if unreserved[c] || keepSlash && c == '/' {
			continue
		}
		if c != '%' {
			return false
		}
		d, ok := escapeAt(s, i)
		if !ok || unreserved[d] || isLowerHex(s[i+1]) || isLowerHex(s[i+2]) {
			return false
		}
		i += 2
	}
	return true
}

func escapeAt(s string, i int) (byte, bool) {
	if i+2 >= len(s) {
		return 0, false
	}
	high, ok1 := hexDigit(s[i+1])
	low, ok2 := hexDigit(s[i+2])
	return high<<4 | low, ok1 && ok2
}

func isLowerHex(c byte) bool { return 'a' <= c && c <= 'f' }

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'a' <= c && c <= 'f':
		return c - 'a' + 10, true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}
