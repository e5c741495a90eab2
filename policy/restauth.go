package policy

import (
	"crypto/hmac"
	"net/http"
	"strings"

	"github.com/codeguardians/s3gateway"
)

// The modes of UPLOAD_AUTH.
const (
	AuthAuto     = "auto"
	AuthRequired = "required"
	AuthNone     = "none"
)

// RESTAuth decides who may use the REST door. It is not changed after it is
// made and may be used concurrently. The zero value lets nobody in.
type RESTAuth struct {
	// Mode is one of the modes; any other value means AuthRequired.
	Mode string
	// Callers knows the API keys.
	Callers *Callers
	// Tokens checks bearer tokens. Nil: none are taken.
	Tokens Tokens
	// PublicHost is the host of PUBLIC_URL, with its port if it has one; ""
	// for none. The local user may come by it.
	PublicHost string
	// CORSOrigins are the web origins that may use the door from a browser,
	// each as a browser sends it. A * in it lets no foreign page act as the
	// local user.
	CORSOrigins []string
	// OwnUser reports whether the connection of a request belongs to the user
	// that the gateway runs as. Nil: that cannot be told, and every local one
	// counts.
	OwnUser func(*http.Request) bool `json:"-"`
}

// Caller gives the caller of a request to the REST door. With API keys or an
// issuer of tokens, a key must come as "Authorization: Bearer" or as X-API-Key,
// or a token as the former, unless the mode is AuthNone, which lets a request
// without either in as OpenUser. Without both, AuthAuto lets the local user in.
// The error is a *gateway.Error: InvalidRequest for credentials that contradict
// each other, AccessDenied for a valid token of no caller, ServiceUnavailable
// for a token that cannot be checked now, otherwise Unauthenticated.
func (a *RESTAuth) Caller(r *http.Request) (gateway.Caller, error) {
	keys := a.Callers.HasAPIKeys() || a.Tokens != nil
	if !keys && a.Mode == AuthNone {
		return gateway.Caller{Name: OpenUser}, nil
	}
	if !keys && a.Mode == AuthAuto {
		return a.localCaller(r)
	}
	key, given, err := apiKeyOf(r.Header)
	if err != nil {
		return gateway.Caller{}, err
	}
	if !given && a.Mode == AuthNone {
		return gateway.Caller{Name: OpenUser}, nil
	}
	if !given {
		return gateway.Caller{}, unauthenticated("This needs an API key.")
	}
	caller, ok := a.Callers.ByAPIKey(key)
	if !ok && a.Tokens != nil && looksLikeToken(key) && len(r.Header.Values("X-Api-Key")) == 0 {
		claims, err := a.Tokens.Verify(r.Context(), key)
		if err != nil {
			return gateway.Caller{}, err
		}
		return a.Callers.ByClaims(claims)
	}
	if !ok {
		return gateway.Caller{}, unauthenticated("The API key is not known.")
	}
	return caller, nil
}

// apiKeyOf finds the API key of a request. given is false when there is no
// credential at all.
func apiKeyOf(h http.Header) (key string, given bool, err error) {
	bearer, byBearer, err := bearerToken(h.Values("Authorization"))
	if err != nil {
		return "", true, err
	}
	named := h.Values("X-Api-Key")
	if len(named) > 1 {
		return "", true, gateway.Errorf(gateway.InvalidRequest, "X-API-Key is sent more than once.")
	}
	if len(named) == 0 {
		return bearer, byBearer, nil
	}
	if byBearer && !hmac.Equal([]byte(bearer), []byte(named[0])) {
		return "", true, gateway.Errorf(gateway.InvalidRequest, "Authorization and X-API-Key carry different keys: send one.")
	}
	return named[0], true, nil
}

// bearerToken reads an Authorization header as RFC 6750 §2.1 has it.
func bearerToken(values []string) (token string, given bool, err error) {
	if len(values) == 0 {
		return "", false, nil
	}
	if len(values) > 1 {
		return "", true, gateway.Errorf(gateway.InvalidRequest, "Authorization is sent more than once.")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", true, unauthenticated("Authorization is not a bearer token.")
	}
	return strings.TrimSpace(token), true, nil
}

// unauthenticated is the refusal: what is wrong, then what to do.
func unauthenticated(what string) error {
	err := gateway.Errorf(gateway.Unauthenticated,
		"%s Send one of API_KEYS as \"Authorization: Bearer <key>\" or in X-API-Key.", what)
	return err.With("Setting", "API_KEYS")
}
