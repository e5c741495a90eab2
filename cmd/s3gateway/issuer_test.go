package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// issuerOf is an issuer with one key, and what signs with it. It is away until
// up is true.
func issuerOf(t *testing.T) (url string, up *atomic.Bool, token func(claims map[string]any) string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	up = &atomic.Bool{}
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !up.Load():
			w.WriteHeader(http.StatusBadGateway)
		case r.URL.Path == "/keys":
			_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "k"}}})
		default:
			_ = json.NewEncoder(w).Encode(map[string]string{"issuer": s.URL, "jwks_uri": s.URL + "/keys"})
		}
	}))
	t.Cleanup(s.Close)
	return s.URL, up, func(claims map[string]any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		all := map[string]any{"iss": s.URL, "aud": "files", "exp": time.Now().Add(time.Hour).Unix()}
		for name, v := range claims {
			all[name] = v
		}
		payload, _ := json.Marshal(all)
		signed, err := signer.Sign(payload)
		if err != nil {
			t.Fatal(err)
		}
		text, err := signed.CompactSerialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// A token uploads what its caller may, an issuer that is away stops nobody else,
// and a change of the file is one of tokens too.
func TestTokensOnTheUploadAPI(t *testing.T) {
	issuer, up, token := issuerOf(t)
	const callers = `upload_auth: required
callers:
  - name: alice
    oidc: {sub: alice}
    grants:
      - {bucket: BUCKET, prefix: uploads/, actions: [write, read]}
  - name: app
    api_keys:
      - key: an-api-key-of-the-app
    grants:
      - {bucket: BUCKET, actions: [write]}
`
	w := newFiled(t, callers, "OIDC_ISSUER="+issuer, "OIDC_AUDIENCE=files")
	send := func(credential string) answer {
		return do(t, newRequest(t, http.MethodPut, w.url+"/api/v1/upload/direct?filename=a.png", bytes.NewReader(png(100)),
			"Content-Type", "image/png", "Authorization", "Bearer "+credential))
	}
	alice := token(map[string]any{"sub": "alice"})
	away := send(alice)
	away.isProblem(t, http.StatusServiceUnavailable, "issuer does not answer")
	if away.header.Get("Retry-After") == "" || w.app.degraded() == nil {
		t.Error("nobody is told that the issuer is away")
	}
	w.unchanged()
	if a := send("an-api-key-of-the-app"); a.status != http.StatusCreated {
		t.Errorf("an API key beside: %d %s", a.status, a.body)
	}

	up.Store(true)
	eventually(t, "the issuer is asked again", func() bool { return w.app.degraded() == nil })
	if a := send(alice); a.status != http.StatusCreated {
		t.Fatalf("a token: %d %s", a.status, a.body)
	}
	send(token(map[string]any{"sub": "bob"})).isProblem(t, http.StatusForbidden, "no caller")
	for name, bad := range map[string]string{
		"for another audience": token(map[string]any{"sub": "alice", "aud": "mail"}),
		"expired":              token(map[string]any{"sub": "alice", "exp": 1}),
		"cut off":              alice[:len(alice)-10],
	} {
		a := send(bad)
		a.isProblem(t, http.StatusUnauthorized, "token is refused")
		if got := a.header.Get("WWW-Authenticate"); !strings.Contains(got, `error="invalid_token"`) {
			t.Errorf("%s: %s", name, got)
		}
	}
	none := do(t, newRequest(t, http.MethodGet, w.url+"/api/v1/upload/list", nil))
	if got := none.header.Get("WWW-Authenticate"); none.status != 401 || strings.Contains(got, "error") {
		t.Errorf("without a token: %d %s", none.status, got)
	}

	link := do(t, newRequest(t, http.MethodPost, w.url+"/api/v1/upload/presigned", strings.NewReader(`{"filename":"b.png","content_type":"image/png"}`),
		"Content-Type", "application/json", "Authorization", "Bearer "+alice))
	target, _ := link.json(t)["upload_url"].(string)
	put := newRequest(t, http.MethodPut, target, bytes.NewReader(png(100)), "Content-Type", "image/png")
	if a := do(t, put); a.status != http.StatusOK {
		t.Errorf("a link of a caller with tokens: %d %s", a.status, a.body)
	}

	path := w.app.current.Load().config.ConfigFile
	write(t, path, strings.ReplaceAll(strings.Replace(callers, "sub: alice", "sub: bob", 1), "BUCKET", w.bucket))
	w.app.reload(w.load)
	send(alice).isProblem(t, http.StatusForbidden, "no caller")
	if a := send(token(map[string]any{"sub": "bob"})); a.status != http.StatusCreated {
		t.Errorf("after the change: %d %s", a.status, a.body)
	}
	if strings.Contains(w.log.String(), alice) || strings.Contains(w.log.String(), strings.Split(alice, ".")[2]) {
		t.Error("the log holds a token")
	}
}

// Another issuer takes the place of one at a change, without a start.
func TestAnotherIssuerTakesItsPlace(t *testing.T) {
	one, up1, token1 := issuerOf(t)
	two, up2, token2 := issuerOf(t)
	up1.Store(true)
	up2.Store(true)
	file := func(issuer string) string {
		return "oidc_issuer: " + issuer + "\noidc_audience: files\ncallers:\n  - name: a\n    oidc: {sub: a}\n    grants:\n      - {bucket: \"*\", actions: [list]}\n"
	}
	w := newFiled(t, file(one))
	list := func(token string) int {
		return do(t, newRequest(t, http.MethodGet, w.url+"/api/v1/upload/list", nil, "Authorization", "Bearer "+token)).status
	}
	a1, a2 := token1(map[string]any{"sub": "a"}), token2(map[string]any{"sub": "a"})
	eventually(t, "the first issuer", func() bool { return list(a1) == 200 })
	if got := list(a2); got != http.StatusUnauthorized {
		t.Errorf("the other issuer: %d", got)
	}
	write(t, w.app.current.Load().config.ConfigFile, file(two))
	w.app.reload(w.load)
	eventually(t, "the second issuer", func() bool { return list(a2) == 200 })
	if got := list(a1); got != http.StatusUnauthorized {
		t.Errorf("the issuer before: %d", got)
	}
}

// Two users whose tokens belong to one caller do not share what only its maker
// finds again: an answer under an Idempotency-Key, and an unfinished upload.
func TestWhatAUserBeganIsNoOtherUsersOfTheSameCaller(t *testing.T) {
	issuer, up, token := issuerOf(t)
	up.Store(true)
	w := newFiled(t, `upload_auth: required
callers:
  - name: users
    oidc: {group: staff}
    grants:
      - {bucket: BUCKET, actions: [write]}
`, "OIDC_ISSUER="+issuer, "OIDC_AUDIENCE=files")
	eventually(t, "the issuer is known", func() bool { return w.app.degraded() == nil })
	of := func(user string) string { return "Bearer " + token(map[string]any{"sub": user, "group": "staff"}) }
	upload := func(user string) (id string, replayed bool) {
		t.Helper()
		a := do(t, newRequest(t, http.MethodPut, w.rest("direct?filename=a.txt"), strings.NewReader("hello"),
			"Content-Type", "text/plain", "Idempotency-Key", "order-1", "Authorization", of(user)))
		if a.status != http.StatusCreated {
			t.Fatalf("%d %s", a.status, a.body)
		}
		return a.json(t)["file_id"].(string), a.header.Get("Idempotency-Replayed") != ""
	}
	first, _ := upload("ann")
	if second, replayed := upload("bob"); second == first || replayed {
		t.Errorf("bob is given ann's %s", first)
	}
	if again, replayed := upload("ann"); again != first || !replayed {
		t.Errorf("ann's own repetition made %s", again)
	}

	begun := do(t, newRequest(t, http.MethodPost, w.rest("resumable"), nil, "Tus-Resumable", "1.0.0", "Upload-Length", "5", "Authorization", of("ann")))
	at := w.url + begun.header.Get("Location")[strings.Index(begun.header.Get("Location"), "/api/"):]
	for _, method := range []string{"HEAD", "PATCH", "DELETE"} {
		a := do(t, newRequest(t, method, at, strings.NewReader(strings.Repeat("x", map[string]int{"PATCH": 5}[method])), "Tus-Resumable", "1.0.0", "Upload-Offset", "0",
			"Content-Type", "application/offset+octet-stream", "Authorization", of("bob")))
		if a.status != http.StatusNotFound {
			t.Errorf("bob's %s of ann's upload: %d %s", method, a.status, a.body)
		}
	}
	if a := do(t, newRequest(t, "HEAD", at, nil, "Tus-Resumable", "1.0.0", "Authorization", of("ann"))); a.status != http.StatusOK || a.header.Get("Upload-Offset") != "0" {
		t.Errorf("ann's upload after bob: %d, offset %s", a.status, a.header.Get("Upload-Offset"))
	}
}
