package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
)

const audience = "files"

var instant = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)

// provider is an issuer.
type provider struct {
	*httptest.Server
	mu     sync.Mutex
	keys   []jose.JSONWebKey
	answer func(w http.ResponseWriter) bool // instead of the keys
	asked  atomic.Int32                     // for keys
}

func newProvider(t *testing.T, keys ...jose.JSONWebKey) *provider {
	p := &provider{keys: keys}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.answer != nil && p.answer(w) {
			return
		}
		if r.URL.Path == "/.well-known/openid-configuration" {
			_ = json.NewEncoder(w).Encode(map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/keys"})
			return
		}
		p.asked.Add(1)
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: p.keys})
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *provider) set(keys []jose.JSONWebKey, answer func(http.ResponseWriter) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.answer = keys, answer
}

// checker takes tokens of the provider, whose keys it has when it is up.
func (p *provider) checker(t *testing.T, now func() time.Time) *Tokens {
	t.Helper()
	i, err := New(Options{Issuer: p.URL, Now: now, RetryAfter: time.Millisecond, Log: zerolog.Nop()})
	if err != nil {
		t.Fatal(err)
	}
	return &Tokens{Issuer: i, Audience: audience}
}

func still() time.Time { return instant }

func public(id string, k any) jose.JSONWebKey {
	return jose.JSONWebKey{Key: k, KeyID: id, Use: "sig"}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// sign makes a token.
func sign(algorithm jose.SignatureAlgorithm, key any, id string, claims map[string]any) string {
	options := (&jose.SignerOptions{}).WithType("JWT")
	if id != "" {
		options = options.WithHeader("kid", id)
	}
	signer := must(jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options))
	return must(must(signer.Sign(must(json.Marshal(claims)))).CompactSerialize())
}

func claimsOf(p *provider, change map[string]any) map[string]any {
	c := map[string]any{"iss": p.URL, "aud": audience, "sub": "alice", "iat": instant.Unix(), "exp": instant.Add(time.Hour).Unix()}
	maps.Copy(c, change)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func TestTokens(t *testing.T) {
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	other := must(rsa.GenerateKey(rand.Reader, 2048))
	ecKey := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, edKey, _ := ed25519.GenerateKey(rand.Reader)
	p := newProvider(t, public("r", &rsaKey.PublicKey), public("e", &ecKey.PublicKey), public("d", edKey.Public()),
		jose.JSONWebKey{Key: []byte("a shared secret of thirty-two by"), KeyID: "oct"},
		jose.JSONWebKey{Key: &other.PublicKey, KeyID: "enc", Use: "enc"},
		jose.JSONWebKey{Key: &other.PublicKey, KeyID: "ps", Algorithm: "PS256"})
	c := p.checker(t, still)
	if err := c.Issuer.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	good := claimsOf(p, nil)
	with := func(name string, value any) string {
		return sign(jose.RS256, rsaKey, "r", claimsOf(p, map[string]any{name: value}))
	}
	at := func(d time.Duration) int64 { return instant.Add(d).Unix() }
	pemOf := func(k crypto.PublicKey) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(k))})
	}
	unsigned := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString(must(json.Marshal(good))) + "."
	}
	valid := sign(jose.RS256, rsaKey, "r", good)
	parts := strings.Split(valid, ".")
	forged := base64.RawURLEncoding.EncodeToString(must(json.Marshal(claimsOf(p, map[string]any{"sub": "root"}))))

	for _, tt := range []struct{ name, token, refused string }{
		{"RS256", valid, ""},
		{"RS512", sign(jose.RS512, rsaKey, "r", good), ""},
		{"PS256", sign(jose.PS256, rsaKey, "r", good), ""},
		{"ES256", sign(jose.ES256, ecKey, "e", good), ""},
		{"EdDSA", sign(jose.EdDSA, edKey, "d", good), ""},
		{"no key named", sign(jose.ES256, ecKey, "", good), ""},
		{"one of several audiences", with("aud", []string{"x", audience}), ""},
		{"expired within the leeway", with("exp", at(-59*time.Second)), ""},
		{"nbf within the leeway", with("nbf", at(59*time.Second)), ""},

		{"alg none", unsigned(`{"alg":"none"}`), "not a token"},
		{"alg None in another case", unsigned(`{"alg":"NONE"}`), "not a token"},
		{"HS256 with the public key as its secret", sign(jose.HS256, pemOf(&rsaKey.PublicKey), "r", good), "not a token"},
		{"HS256 with a shared secret of the set", sign(jose.HS256, []byte("a shared secret of thirty-two by"), "oct", good), "not a token"},
		{"signature cut off", parts[0] + "." + parts[1] + ".", "does not hold"},
		{"other claims under the signature", parts[0] + "." + forged + "." + parts[2], "does not hold"},
		{"truncated", valid[:len(valid)-20], "does not hold"},
		{"two parts", parts[0] + "." + parts[1], "not a token"},
		{"words", "eyJ.b.c", "not a token"},
		{"empty", "", "not a token"},
		{"another's key under a known name", sign(jose.RS256, other, "r", good), "does not hold"},
		{"a name that nobody has", sign(jose.RS256, other, "nobody", good), "key that the issuer does not have"},
		{"a key that is for encryption", sign(jose.RS256, other, "enc", good), "key that the issuer does not have"},
		{"a key under another algorithm than its own", sign(jose.RS256, other, "ps", good), "key that the issuer does not have"},
		{"another issuer", with("iss", "https://evil.example"), "not of OIDC_ISSUER"},
		{"no issuer", with("iss", nil), "not of OIDC_ISSUER"},
		{"another audience", with("aud", "mail"), "not for OIDC_AUDIENCE"},
		{"no audience", with("aud", nil), "not for OIDC_AUDIENCE"},
		{"expired", with("exp", at(-time.Minute)), "expired"},
		{"without an end", with("exp", nil), "without exp"},
		{"nbf ahead", with("nbf", at(2*time.Minute)), "not in force yet (nbf)"},
		{"iat ahead", with("iat", at(2*time.Minute)), "not in force yet (iat)"},
		{"huge", sign(jose.RS256, rsaKey, "r", claimsOf(p, map[string]any{"x": strings.Repeat("x", MaxToken)})), "longer than 16 KiB"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			claims, err := c.Verify(t.Context(), tt.token)
			if tt.refused == "" {
				if err != nil || claims["sub"] != "alice" {
					t.Errorf("%v %v", claims, err)
				}
				return
			}
			if gateway.CodeOf(err) != gateway.Unauthenticated || !strings.Contains(gateway.AsError(err).Message, tt.refused) {
				t.Errorf("got %v", err)
			}
			if len(parts) == 3 && err != nil && strings.Contains(err.Error(), parts[2]) {
				t.Error("the token is in the error")
			}
		})
	}
}

// A new key is found when it is first named; strangers who name others cause no
// flood; a key that the issuer withdrew ends.
func TestKeysComeAndGo(t *testing.T) {
	first, second := must(rsa.GenerateKey(rand.Reader, 2048)), must(rsa.GenerateKey(rand.Reader, 2048))
	p := newProvider(t, public("1", &first.PublicKey))
	var ahead atomic.Int64
	c := p.checker(t, func() time.Time { return instant.Add(time.Duration(ahead.Load())) })
	check := func(k *rsa.PrivateKey, id string) gateway.Code {
		_, err := c.Verify(t.Context(), sign(jose.RS256, k, id, claimsOf(p, map[string]any{"exp": instant.Add(100 * time.Hour).Unix()})))
		return gateway.CodeOf(err)
	}
	if got := check(first, "1"); got != gateway.ServiceUnavailable {
		t.Fatalf("before the issuer was asked: %v", got)
	}
	if err := c.Issuer.fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := check(first, "1"); got != "" {
		t.Fatal(got)
	}
	p.set([]jose.JSONWebKey{public("2", &second.PublicKey)}, nil)
	if got := check(second, "2"); got != "" {
		t.Fatalf("a key that was not known yet: %v", got)
	}
	if got := check(first, "1"); got != gateway.Unauthenticated {
		t.Fatalf("a key that was withdrawn: %v", got)
	}
	before := p.asked.Load()
	var flood sync.WaitGroup
	for range 100 {
		flood.Go(func() { check(first, "unknown") })
	}
	flood.Wait()
	if asked := p.asked.Load() - before; asked != 0 {
		t.Errorf("strangers caused %d questions", asked)
	}
	ahead.Store(int64(31 * time.Second))
	check(first, "unknown")
	check(first, "unknown")
	if asked := p.asked.Load() - before; asked != 1 {
		t.Errorf("after the pause: %d questions", asked)
	}
	ahead.Store(int64(25 * time.Hour))
	if got := check(second, "2"); got != gateway.ServiceUnavailable {
		t.Errorf("keys of the day before: %v", got)
	}
}

// An issuer that is away, slow to come or answers nonsense stops nobody from
// asking again, and leaves the keys that were had.
func TestAnIssuerThatIsAway(t *testing.T) {
	k := must(rsa.GenerateKey(rand.Reader, 2048))
	p := newProvider(t)
	away := func(w http.ResponseWriter) bool { w.WriteHeader(http.StatusBadGateway); return true }
	huge := func(w http.ResponseWriter) bool {
		for range 64 {
			_, _ = w.Write([]byte(strings.Repeat(" ", 1<<16)))
		}
		return true
	}
	foreign := func(w http.ResponseWriter) bool {
		_, _ = w.Write([]byte(`{"issuer":"https://evil.example","jwks_uri":"https://evil.example/keys"}`))
		return true
	}
	plain := func(w http.ResponseWriter) bool {
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": p.URL, "jwks_uri": "http://evil.example/keys"})
		return true
	}
	redirect := func(w http.ResponseWriter) bool {
		w.Header().Set("Location", "http://evil.example/")
		w.WriteHeader(http.StatusFound)
		return true
	}
	c := p.checker(t, still)
	token := sign(jose.RS256, k, "1", claimsOf(p, nil))
	for name, answer := range map[string]func(http.ResponseWriter) bool{"away": away, "huge": huge, "foreign": foreign, "plain": plain, "redirect": redirect} {
		p.set(nil, answer)
		if err := c.Issuer.fetch(t.Context()); err == nil || len(err.Error()) > 400 {
			t.Errorf("%s: %v", name, err)
		}
		_, err := c.Verify(t.Context(), token)
		if e := gateway.AsError(err); gateway.CodeOf(err) != gateway.ServiceUnavailable || e.RetryAfter <= 0 {
			t.Errorf("%s: %v", name, err)
		}
		if c.Issuer.Err() == nil {
			t.Errorf("%s: nothing is said of it", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Issuer.Run(ctx) })
	defer running.Wait()
	defer cancel()
	p.set([]jose.JSONWebKey{public("1", &k.PublicKey)}, nil)
	deadline := time.After(10 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for c.Issuer.Err() != nil {
		select {
		case <-deadline:
			t.Fatal("it was not asked again")
		case <-tick.C:
		}
	}
	if _, err := c.Verify(t.Context(), token); err != nil {
		t.Error(err)
	}
	p.set(nil, away)
	if err := c.Issuer.fetch(t.Context()); err == nil {
		t.Error("away is no error")
	}
	if _, err := c.Verify(t.Context(), token); err != nil {
		t.Errorf("the keys were lost: %v", err)
	}
}

func TestIssuersThatAnybodyCouldSpeakFor(t *testing.T) {
	for url, want := range map[string]bool{
		"https://issuer.example.com": true, "https://issuer.example.com/realms/a": true, "http://127.0.0.1:8080": true,
		"http://localhost": true, "http://[::1]:1": true, "http://issuer.example.com": false, "http://localhost.evil.example": false,
		"ftp://127.0.0.1": false, "https://user@issuer.example.com": false, "https://issuer.example.com?x": false, "issuer": false, "": false,
	} {
		if _, err := New(Options{Issuer: url}); (err == nil) != want {
			t.Errorf("%q: %v", url, err)
		}
	}
}
