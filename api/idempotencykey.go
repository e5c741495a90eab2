package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	idempotencyHeader = "Idempotency-Key"
	// replayedHeader marks an answer that was given before.
	replayedHeader = "Idempotency-Replayed"
	// maxIdempotencyKey is the longest key, in characters.
	maxIdempotencyKey = 255
)

// idempotencyKey reads the Idempotency-Key of a request, "" for none: a string
// of structured fields in quotes (draft-ietf-httpapi-idempotency-key-header), or
// the same without quotes, as most clients send it.
func idempotencyKey(h http.Header) (string, error) {
	values := h.Values(idempotencyHeader)
	if len(values) == 0 {
		return "", nil
	}
	if len(values) > 1 {
		return "", badIdempotencyKey("is sent more than once")
	}
	key, ok := strings.TrimSpace(values[0]), true
	if quoted, is := strings.CutPrefix(key, `"`); is {
		key, ok = unquoteSF(quoted)
	} else if strings.ContainsFunc(key, func(c rune) bool { return c <= ' ' || c > '~' || strings.ContainsRune(`"\,;`, c) }) {
		ok = false
	}
	switch {
	case !ok:
		return "", badIdempotencyKey(`is neither a text in quotes nor one without spaces, commas, semicolons and quotes`)
	case key == "" || len(key) > maxIdempotencyKey:
		return "", badIdempotencyKey("must have 1 to %d characters", maxIdempotencyKey)
	}
	return key, nil
}

// unquoteSF reads a string of structured fields behind its first quote (RFC 9651
// section 4.2.5). Parameters behind it mean nothing here and are refused.
func unquoteSF(s string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			return "", false
		case c == '"':
			return b.String(), i == len(s)-1
		case c == '\\':
			if i++; i == len(s) || s[i] != '"' && s[i] != '\\' {
				return "", false
			}
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}

func badIdempotencyKey(format string, args ...any) error {
	return invalid(gateway.InvalidArgument, idempotencyHeader, format, args...)
}

// recordKeyFor returns where the record of an owner's key is stored. Nobody without
// the secret can tell owner or key by it, or aim at another owner's.
func (d *door) recordKeyFor(owner, key string) string {
	mac := hmac.New(sha256.New, d.IdempotencyKey)
	// The key has no NUL, so no two pairs give the same bytes.
	mac.Write([]byte(owner + "\x00" + key))
	return idempotencyPrefix + hex.EncodeToString(mac.Sum(nil))
}

// withoutIdempotency refuses the header where it would do nothing: a client that
// sends it relies on it.
func withoutIdempotency(next handlerFunc) handlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if len(r.Header.Values(idempotencyHeader)) > 0 {
			err := gateway.Errorf(gateway.NotImplemented, "Idempotency-Key holds for uploads and upload links: send this request without it.")
			err.Field = idempotencyHeader
			return err
		}
		return next(w, r)
	}
}
