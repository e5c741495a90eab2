package policy

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/codeguardians/s3gateway"
)

// Tokens checks bearer tokens.
type Tokens interface {
	// Verify gives the claims of a token. The error is a *gateway.Error
	// without the token in it.
	Verify(ctx context.Context, token string) (claims map[string]any, err error)
}

// TokenCaller is a caller who comes with tokens: those that have every claim.
type TokenCaller struct {
	Caller string
	// Claims go from name to value. Never empty: it would fit every token.
	Claims map[string]string
}

// ByClaims gives the caller of a token that was verified. A token that fits no
// caller, or more than one, is refused: it proves who somebody is, and nothing
// says what that one may do.
func (c *Callers) ByClaims(claims map[string]any) (gateway.Caller, error) {
	var found []string
	if c != nil {
		for _, t := range c.tokens {
			if t.fits(claims) {
				found = append(found, t.Caller)
			}
		}
	}
	switch len(found) {
	case 1:
		return gateway.Caller{Name: found[0], Subject: subjectOf(claims)}, nil
	case 0:
		return gateway.Caller{}, gateway.Errorf(gateway.AccessDenied, "The token is valid, but its claims are those of no caller of this gateway.")
	}
	return gateway.Caller{}, gateway.Errorf(gateway.AccessDenied, "The token is valid, but its claims are those of more than one caller of this gateway.")
}

// subjectOf names the user of a token. An issuer is a URL and has no space, so no
// two pairs give the same text.
func subjectOf(claims map[string]any) string {
	issuer, _ := claims["iss"].(string)
	subject, _ := claims["sub"].(string)
	if subject == "" {
		return ""
	}
	return issuer + " " + subject
}

func (t TokenCaller) fits(claims map[string]any) bool {
	for name, want := range t.Claims {
		value, ok := claimOf(claims, name)
		if !ok || !hasClaim(value, want) {
			return false
		}
	}
	return len(t.Claims) > 0
}

// claimOf finds a claim by its name, or by the path to it: realm_access.roles.
// The whole name goes first, because names may be URLs.
func claimOf(claims map[string]any, name string) (any, bool) {
	if value, ok := claims[name]; ok {
		return value, true
	}
	outer, rest, nested := strings.Cut(name, ".")
	if !nested {
		return nil, false
	}
	inner, ok := claims[outer].(map[string]any)
	if !ok {
		return nil, false
	}
	return claimOf(inner, rest)
}

// hasClaim compares a text, a truth or a member of a list.
func hasClaim(value any, want string) bool {
	switch v := value.(type) {
	case string:
		return v == want
	case bool:
		return want == map[bool]string{true: "true", false: "false"}[v]
	case json.Number:
		return v.String() == want
	case float64: // as encoding/json reads every number
		return strconv.FormatFloat(v, 'f', -1, 64) == want
	case []any:
		return slices.ContainsFunc(v, func(item any) bool {
			text, ok := item.(string)
			return ok && text == want
		})
	}
	return false
}

// looksLikeToken tells a signed JSON Web Token in its compact form (RFC 7515
// §7.1) from an API key: its header is a JSON object.
func looksLikeToken(text string) bool {
	return strings.HasPrefix(text, "eyJ") && strings.Count(text, ".") == 2
}
