package proxy

import (
	"encoding/base64"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// The continuation tokens of a bucket that is a part of another are keys on Ceph,
// keys in base64 on MinIO and the embedded store, and opaque on AWS. Those that are keys
// lose the backend's prefix on their way out; their first letter says what they
// were.
const (
	keyToken    = "k."
	base64Token = "b."
	opaqueToken = "o."
)

// tokens are the elements of a listing that hold one.
var tokens = map[string]bool{"ContinuationToken": true, "NextContinuationToken": true}

// clientToken is a backend's token as clients get it.
func clientToken(token, prefix string) string {
	if key, ok := strings.CutPrefix(token, prefix); ok {
		return keyToken + key
	}
	if plain, err := base64.StdEncoding.DecodeString(token); err == nil {
		if key, ok := strings.CutPrefix(string(plain), prefix); ok {
			return base64Token + base64.StdEncoding.EncodeToString([]byte(key))
		}
	}
	return opaqueToken + token
}

// backendToken is the token that clientToken was given.
func backendToken(token, prefix string) string {
	if key, ok := strings.CutPrefix(token, keyToken); ok {
		return prefix + key
	}
	if text, ok := strings.CutPrefix(token, base64Token); ok {
		key, _ := base64.StdEncoding.DecodeString(text) // checkToken has
		return base64.StdEncoding.EncodeToString([]byte(prefix + string(key)))
	}
	return strings.TrimPrefix(token, opaqueToken)
}

// checkToken refuses a token that no listing of the bucket gave.
func (l Location) checkToken(token string) error {
	if l.Prefix == "" || token == "" || strings.HasPrefix(token, keyToken) || strings.HasPrefix(token, opaqueToken) {
		return nil
	}
	if text, ok := strings.CutPrefix(token, base64Token); ok {
		if _, err := base64.StdEncoding.DecodeString(text); err == nil {
			return nil
		}
	}
	return gateway.Errorf(gateway.InvalidArgument, "The continuation token provided is incorrect").
		With("ArgumentName", "continuation-token").With("ArgumentValue", token)
}
