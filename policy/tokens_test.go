package policy

import (
	"context"
	"net/http"
	"testing"

	"github.com/codeguardians/s3gateway"
)

// oneToken takes one token, whose claims it has.
type oneToken struct {
	token  string
	claims map[string]any
}

func (o oneToken) Verify(_ context.Context, token string) (map[string]any, error) {
	if token != o.token {
		return nil, gateway.Errorf(gateway.Unauthenticated, "The token is refused. API_KEYS")
	}
	return o.claims, nil
}

func TestTheCallerOfAToken(t *testing.T) {
	o := fullOptions()
	o.Tokens = []TokenCaller{
		{Caller: "alice", Claims: map[string]string{"sub": "alice"}},
		{Caller: "uploaders", Claims: map[string]string{"groups": "uploaders", "email_verified": "true"}},
		{Caller: "nested", Claims: map[string]string{"realm_access.roles": "files"}},
		{Caller: "url", Claims: map[string]string{"https://example.com/role": "files"}},
		{Caller: "nobody", Claims: nil},
	}
	callers := newCallers(t, o)
	type claims = map[string]any
	for _, tt := range []struct {
		name   string
		claims claims
		want   string
	}{
		{"a text", claims{"sub": "alice"}, "alice"},
		{"another text", claims{"sub": "alicea"}, ""},
		{"a member of a list and a truth", claims{"groups": []any{"x", "uploaders"}, "email_verified": true}, "uploaders"},
		{"one of two claims", claims{"groups": []any{"uploaders"}}, ""},
		{"a truth that is not", claims{"groups": "uploaders", "email_verified": false}, ""},
		{"a claim within another", claims{"realm_access": claims{"roles": []any{"files"}}}, "nested"},
		{"a claim whose name is a URL", claims{"https://example.com/role": "files"}, "url"},
		{"a list in a list", claims{"groups": []any{[]any{"uploaders"}}, "email_verified": true}, ""},
		{"claims of two callers", claims{"sub": "alice", "realm_access": claims{"roles": "files"}}, ""},
		{"no claims", nil, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code := gateway.AccessDenied
			if tt.want != "" {
				code = ""
			}
			for _, mode := range []string{AuthAuto, AuthRequired, AuthNone} {
				a := &RESTAuth{Mode: mode, Callers: callers, Tokens: oneToken{"eyJ.b.c", tt.claims}}
				checkCaller(t, a, restRequest("203.0.113.7:1", "h", "Authorization: Bearer eyJ.b.c"), tt.want, code)
			}
		})
	}
	if id, _ := callers.LinkCredential(gateway.Caller{Name: "alice"}); id == "" {
		t.Error("a caller with tokens alone has no links")
	}
}

func TestTokensBesideKeys(t *testing.T) {
	o := fullOptions()
	o.Tokens = []TokenCaller{{Caller: "alice", Claims: map[string]string{"sub": "alice"}}}
	a := &RESTAuth{Mode: AuthAuto, Callers: newCallers(t, o), Tokens: oneToken{"eyJ.b.c", map[string]any{"sub": "alice"}}}
	far := func(headers ...string) *http.Request { return restRequest("203.0.113.7:1", "h", headers...) }
	checkCaller(t, a, far("Authorization: Bearer web-api-key"), "web", "")
	checkCaller(t, a, far("Authorization: Bearer eyJ.b.d"), "", gateway.Unauthenticated)
	checkCaller(t, a, far("X-API-Key: eyJ.b.c"), "", gateway.Unauthenticated)
	checkCaller(t, a, far("Authorization: Bearer eyJ.b.c", "X-API-Key: web-api-key"), "", gateway.InvalidRequest)
	checkCaller(t, a, far(), "", gateway.Unauthenticated)
	// With an issuer the local user is not let in without a token.
	only := &RESTAuth{Mode: AuthAuto, Callers: newCallers(t, CallersOptions{Tokens: o.Tokens}), Tokens: a.Tokens}
	checkCaller(t, only, restRequest("127.0.0.1:1", "localhost"), "", gateway.Unauthenticated)
	only.Tokens = nil
	checkCaller(t, only, far("Authorization: Bearer eyJ.b.c"), "", gateway.Unauthenticated)
}
