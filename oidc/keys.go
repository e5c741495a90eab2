package oidc

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/go-jose/go-jose/v4"

	gateway "github.com/codeguardians/s3gateway"
)

// key is a public key that signs tokens.
type key struct {
	id        string
	algorithm string // "" for any that fits the key
	public    any
}

// minRSA is the shortest modulus in bits that counts (RFC 7518 §3.3).
const minRSA = 2048

// bounded lets no answer be larger than maxAnswer.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

// fetchKeys reads a key set (RFC 7517 §5).
func (i *Issuer) fetchKeys(ctx context.Context, address string) ([]key, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("jwks_uri is not an address")
	}
	r.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := i.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("jwks_uri answers %d", resp.StatusCode)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&set); err != nil {
		return nil, errors.New("jwks_uri does not answer with a key set")
	}
	var keys []key
	for _, raw := range set.Keys[:min(len(set.Keys), maxKeys)] {
		if k, ok := parseKey(raw); ok {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("the key set has no key that signs tokens")
	}
	return keys, nil
}

// parseKey passes over keys that are not for signatures, or of a kind that is
// not taken: symmetric ones, whatever a set may say, never count.
func parseKey(raw []byte) (key, bool) {
	var k jose.JSONWebKey
	if json.Unmarshal(raw, &k) != nil || k.Use != "" && k.Use != "sig" || !k.IsPublic() {
		return key{}, false
	}
	switch public := k.Key.(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < minRSA {
			return key{}, false
		}
	case *ecdsa.PublicKey, ed25519.PublicKey:
	default:
		return key{}, false
	}
	return key{id: k.KeyID, algorithm: k.Algorithm, public: k.Key}, true
}

// keyset is the keys of an issuer as the check of a token asks for them.
type keyset struct{ *Issuer }

// errUnknownKey is for a token whose key the issuer does not have.
var errUnknownKey = errors.New("signed with a key that the issuer does not have")

// VerifySignature gives the payload of a token whose signature holds.
func (s keyset) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("not a token")
	}
	header := jws.Signatures[0].Header
	keys, err := s.fitting(header.KeyID, header.Algorithm)
	if err == nil && len(keys) == 0 {
		s.askAgain(ctx)
		keys, err = s.fitting(header.KeyID, header.Algorithm)
	}
	if err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, errUnknownKey
	}
	for _, k := range keys {
		if payload, err := jws.Verify(k.public); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("the signature does not hold")
}

// fitting are the keys that may have signed; an error says that none are known.
// A token that names no key may be of any.
func (i *Issuer) fitting(id, algorithm string) (fit []key, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if len(i.keys) == 0 || i.Now().Sub(i.fetched) > keysExpire {
		e := gateway.Errorf(gateway.ServiceUnavailable, "Tokens cannot be checked now: the issuer does not answer. Come again, or use an API key.")
		e.RetryAfter = retryAfter
		return nil, e.Because(i.err)
	}
	for _, k := range i.keys {
		if (id == "" || k.id == id) && (k.algorithm == "" || k.algorithm == algorithm) {
			fit = append(fit, k)
		}
	}
	return fit, nil
}

// askAgain looks for a key that is not known, or waits for the answer to one who
// does already.
func (i *Issuer) askAgain(ctx context.Context) {
	if i.mayAsk() {
		// What one client's request began is not cut off with it: others wait.
		if err := i.fetch(context.WithoutCancel(ctx)); err != nil {
			i.Log.Warn().Err(err).Msg("OIDC_ISSUER gives no keys")
		}
		return
	}
	select {
	case i.fetching <- struct{}{}:
		<-i.fetching
	case <-ctx.Done():
	}
}

// mayAsk bounds what strangers can make the gateway ask: anybody can name a key
// that nobody has.
func (i *Issuer) mayAsk() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	now := i.Now()
	if since := now.Sub(i.asked); !i.asked.IsZero() && since >= 0 && since < i.RefetchAfter {
		return false
	}
	i.asked = now
	return true
}
