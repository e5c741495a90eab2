package oidc

import (
	"context"
	"errors"
	"fmt"
	"time"

	discovery "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	// leeway is what clocks may differ by.
	leeway     = time.Minute
	retryAfter = 5 * time.Second
	// MaxToken is the longest token in bytes that is looked at.
	MaxToken = 16 << 10
)

// algorithms are the signatures that count (RFC 7518 §3.1, RFC 8037): never
// none, and none with a shared secret, which would make the issuer's public key
// one.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512, jose.ES256, jose.ES384, jose.ES512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA,
}

// Tokens checks the tokens of an issuer for one audience. It is immutable and
// for concurrent use.
type Tokens struct {
	Issuer *Issuer
	// Audience is what tokens must name in aud.
	Audience string
}

// Verify gives the claims of a token that is the issuer's, for the audience, and
// in force. The error is a *gateway.Error: Unauthenticated with what is wrong,
// or ServiceUnavailable while there are no keys of the issuer. The token is in
// no error.
func (t *Tokens) Verify(ctx context.Context, token string) (map[string]any, error) {
	if len(token) > MaxToken {
		return nil, refuse("longer than 16 KiB")
	}
	names := make([]string, len(algorithms))
	for i, a := range algorithms {
		names[i] = string(a)
	}
	jws, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, refuse("not a token that is signed with RS, PS or ES 256, 384 or 512, or EdDSA")
	}
	payload, err := keyset{t.Issuer}.VerifySignature(ctx, token)
	if e := (*gateway.Error)(nil); errors.As(err, &e) {
		return nil, err
	}
	if err != nil {
		return nil, refuse(err.Error())
	}
	verifier := discovery.NewVerifier(t.Issuer.Issuer, proven(payload), &discovery.Config{
		ClientID: t.Audience, SupportedSigningAlgs: names,
		// Its leeway is five minutes one way and none the other.
		SkipExpiryCheck: true,
	})
	checked, err := verifier.Verify(ctx, token)
	if err != nil {
		return nil, refuse("not of OIDC_ISSUER, or not for OIDC_AUDIENCE").Because(shorten(err))
	}
	claims := map[string]any{}
	if err := checked.Claims(&claims); err != nil {
		return nil, refuse("not made of claims")
	}
	return claims, inForce(claims, t.Issuer.Now())
}

// proven is the payload of a token whose signature has been checked.
type proven []byte

func (p proven) VerifySignature(context.Context, string) ([]byte, error) { return p, nil }

// inForce checks the times of a token (RFC 7519 §4.1.4 to 4.1.6). One without an
// end would hold for ever, and is refused.
func inForce(claims map[string]any, now time.Time) error {
	at := func(name string) (seconds float64, given bool, err error) {
		value, given := claims[name]
		if !given {
			return 0, false, nil
		}
		seconds, ok := value.(float64)
		if !ok {
			return 0, true, refuse(name + " is not a time")
		}
		return seconds, true, nil
	}
	seconds := float64(now.UnixNano()) / 1e9
	exp, given, err := at("exp")
	switch {
	case err != nil:
		return err
	case !given:
		return refuse("without exp")
	case seconds >= exp+leeway.Seconds():
		return refuse("expired")
	}
	for _, name := range []string{"nbf", "iat"} {
		from, given, err := at(name)
		if err != nil {
			return err
		}
		if given && seconds < from-leeway.Seconds() {
			return refuse(fmt.Sprintf("not in force yet (%s); compare the clocks", name))
		}
	}
	return nil
}

func refuse(what string) *gateway.Error {
	return gateway.Errorf(gateway.Unauthenticated, "The token is refused: %s. Get a new one from the issuer.", what)
}
