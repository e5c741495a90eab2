package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/codeguardians/s3gateway"
)

const master = "master-secret-of-the-test"

func newCallers(t testing.TB, o CallersOptions) *Callers {
	t.Helper()
	c, err := NewCallers(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fullOptions() CallersOptions {
	return CallersOptions{Master: master,
		AccessKeys: []AccessKey{{ID: "AKIDROOT", Secret: "root-secret", Caller: "root"}, {ID: "AKIDBOB", Secret: "bob-secret", Caller: "bob"}},
		APIKeys:    []APIKey{{Caller: "bob", Key: "bob-api-key"}, {Caller: "web", Key: "web-api-key"}, {Caller: "web", Key: "second-web-key"}}}
}

func TestCallersByTheirKeys(t *testing.T) {
	c := newCallers(t, fullOptions())
	if s, ok := c.Secret("AKIDBOB"); s != "bob-secret" || !ok {
		t.Errorf("got %q %v", s, ok)
	}
	if who, ok := c.ByAccessKey("AKIDBOB"); who != (gateway.Caller{Name: "bob"}) || !ok {
		t.Errorf("got %+v %v", who, ok)
	}
	for key, want := range map[string]string{"bob-api-key": "bob", "web-api-key": "web", "second-web-key": "web",
		"": "", "bob-api-ke": "", "BOB-API-KEY": "", "bob-secret": ""} {
		if who, ok := c.ByAPIKey(key); who.Name != want || ok != (want != "") {
			t.Errorf("API key %q: got %+v %v", key, who, ok)
		}
	}
	for _, id := range []string{"", "akidbob", "AKIDBOB ", "web", "GWL"} {
		if s, ok := c.Secret(id); s != "" || ok {
			t.Errorf("%q has a secret", id)
		}
		if who, ok := c.ByAccessKey(id); ok || !who.Anonymous() || who.Link {
			t.Errorf("%q is %+v", id, who)
		}
	}
}

func TestNilCallersKnowNobody(t *testing.T) {
	var c *Callers
	if _, ok := c.Secret("x"); ok || c.HasAPIKeys() {
		t.Error("a secret out of nothing")
	}
	if _, ok := c.ByAPIKey(""); ok {
		t.Error("an API key out of nothing")
	}
	if id, secret := c.LinkCredential(gateway.Caller{}); id != "" || secret != "" {
		t.Error("a link credential out of nothing")
	}
	if _, ok := c.ByAccessKey(""); ok {
		t.Error("an access key out of nothing")
	}
}

func TestLinkCredential(t *testing.T) {
	c := newCallers(t, fullOptions())
	id, secret := c.LinkCredential(gateway.Caller{Name: "web"})
	if !strings.HasPrefix(id, "GWL") || len(secret) != 43 {
		t.Fatalf("got %q and a secret of %d", id, len(secret))
	}
	// A stranger knows how names are spelled, and must not learn which are callers.
	if _, ok := c.Secret("GWLO5SWE"); ok {
		t.Error("a key of the caller's name alone is known")
	}
	if got, ok := c.Secret(id); got != secret || !ok {
		t.Errorf("the secret of %q is not found again", id)
	}
	if who, ok := c.ByAccessKey(id); who != (gateway.Caller{Name: "web", Link: true}) || !ok {
		t.Errorf("got %+v %v", who, ok)
	}
	if again, _ := newCallers(t, fullOptions()).LinkCredential(gateway.Caller{Name: "web"}); again != id {
		t.Error("a replica makes another one")
	}
	if _, other := c.LinkCredential(gateway.Caller{Name: "bob"}); other == secret {
		t.Error("two callers share a secret")
	}
	otherMaster := fullOptions()
	otherMaster.Master += "x"
	if _, other := newCallers(t, otherMaster).LinkCredential(gateway.Caller{Name: "web"}); other == secret {
		t.Error("the secret does not depend on the master")
	}
}

func TestLinkCredentialEndsWithItsCaller(t *testing.T) {
	id, _ := newCallers(t, fullOptions()).LinkCredential(gateway.Caller{Name: "web"})
	fewer := fullOptions()
	fewer.APIKeys = fewer.APIKeys[:1]
	c := newCallers(t, fewer)
	if _, ok := c.Secret(id); ok {
		t.Error("a removed caller's link still has a secret")
	}
	if _, ok := c.ByAccessKey(id); ok {
		t.Error("a removed caller's link still has a caller")
	}
	if id, secret := c.LinkCredential(gateway.Caller{Name: "web"}); id != "" || secret != "" {
		t.Error("a removed caller gets links")
	}
}

func TestLinkCredentialOfCallersWithoutKeys(t *testing.T) {
	c := newCallers(t, CallersOptions{Master: master, Keyless: []string{LocalUser}})
	id, secret := c.LinkCredential(gateway.Caller{Name: LocalUser})
	if got, ok := c.Secret(id); !ok || got != secret || secret == "" {
		t.Error("the local user has no links")
	}
	if id, _ := c.LinkCredential(gateway.Caller{Name: OpenUser}); id != "" {
		t.Error("the open user has links while UPLOAD_AUTH is not none")
	}
}

// With an empty master every secret could be computed by anybody.
func TestWithoutAMasterThereAreNoLinks(t *testing.T) {
	o := fullOptions()
	o.Master = ""
	c := newCallers(t, o)
	if id, secret := c.LinkCredential(gateway.Caller{Name: "web"}); id != "" || secret != "" {
		t.Error("a link credential without a master")
	}
	if _, ok := c.Secret("GWLO5SWE"); ok {
		t.Error("a link secret without a master")
	}
	defer func() {
		if recover() == nil {
			t.Error("a key was derived from an empty master")
		}
	}()
	DeriveKey("", "cursor", 32)
}

func TestOnlyOneSpellingOfALinkCredentialCounts(t *testing.T) {
	c := newCallers(t, fullOptions())
	for _, id := range []string{"GWLO5SW\nE", "GWLO5SWE\r\n", "GWLo5swe", "gwlO5SWE", "GWLO5SWE===", "GWLO5SWF", "GWLO5SWE ", "GWL"} {
		if _, ok := c.Secret(id); ok {
			t.Errorf("%q has a secret", id)
		}
	}
}

func TestNewCallersRefuses(t *testing.T) {
	for name, o := range map[string]CallersOptions{
		"an access key without a secret":          {AccessKeys: []AccessKey{{ID: "A", Caller: "x"}}},
		"a secret without an access key":          {AccessKeys: []AccessKey{{Secret: "s", Caller: "x"}}},
		"an access key in the links' name space":  {AccessKeys: []AccessKey{{ID: "GWLO5SWE", Secret: "s", Caller: "x"}}},
		"an access key with a slash":              {AccessKeys: []AccessKey{{ID: "A/B", Secret: "s", Caller: "x"}}},
		"an access key given twice":               {AccessKeys: []AccessKey{{ID: "A", Secret: "s", Caller: "x"}, {ID: "A", Secret: "t", Caller: "y"}}},
		"an empty API key":                        {APIKeys: []APIKey{{Caller: "x"}}},
		"an API key with a space":                 {APIKeys: []APIKey{{Caller: "x", Key: "a b"}}},
		"one API key for two":                     {APIKeys: []APIKey{{Caller: "x", Key: "k"}, {Caller: "y", Key: "k"}}},
		"a key without a caller":                  {APIKeys: []APIKey{{Key: "k"}}},
		"a name with a line break":                {APIKeys: []APIKey{{Caller: "x\ny", Key: "k"}}},
		"a name that is too long":                 {APIKeys: []APIKey{{Caller: strings.Repeat("x", 65), Key: "k"}}},
		"a key for the local user":                {APIKeys: []APIKey{{Caller: LocalUser, Key: "k"}}},
		"an access key for the open user":         {AccessKeys: []AccessKey{{ID: "A", Secret: "s", Caller: OpenUser}}},
		"a caller without a key who is not local": {Keyless: []string{"bob"}},
	} {
		if _, err := NewCallers(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	_, err := NewCallers(CallersOptions{AccessKeys: []AccessKey{{Secret: "first-secret", Caller: "one"}}, APIKeys: []APIKey{{Caller: "two", Key: "second secret"}}})
	if err == nil || !strings.Contains(err.Error(), `"one"`) || !strings.Contains(err.Error(), `"two"`) {
		t.Errorf("not every problem is reported: %v", err)
	}
	if strings.Contains(fmt.Sprint(err), "secret\"") || strings.Contains(fmt.Sprint(err), "first-secret") || strings.Contains(fmt.Sprint(err), "second secret") {
		t.Errorf("a secret is in %v", err)
	}
}

func TestNothingPrintsASecret(t *testing.T) {
	o := fullOptions()
	c := newCallers(t, o)
	a := &RESTAuth{Mode: AuthAuto, Callers: c}
	var out bytes.Buffer
	for _, v := range []any{o, &o, c, *c, a, *a, o.AccessKeys, o.APIKeys, o.AccessKeys[0], &o.APIKeys[0]} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(j)
	}
	for _, secret := range []string{master, "root-secret", "bob-secret", "bob-api-key", "web-api-key"} {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%d", []byte(secret))} {
			if strings.Contains(out.String(), form) {
				t.Errorf("%q is printed", secret)
			}
		}
	}
}

func TestDeriveKeyByPurpose(t *testing.T) {
	a, b := DeriveKey(master, "cursor", 32), DeriveKey(master, "mark", 32)
	if len(a) != 32 || bytes.Equal(a, b) || !bytes.Equal(a, DeriveKey(master, "cursor", 32)) {
		t.Error("keys are not one per purpose")
	}
}

func TestMay(t *testing.T) {
	bob, link, nobody := gateway.Caller{Name: "bob"}, gateway.Caller{Name: "bob", Link: true}, gateway.Caller{}
	for _, tt := range []struct {
		name   string
		caller gateway.Caller
		action gateway.Action
		key    string
		may    bool
	}{
		{"named caller lists", bob, gateway.List, "", true},
		{"named caller writes", bob, gateway.Write, "a", true},
		{"named caller manages", bob, gateway.Manage, "", true},
		{"named caller deletes a version", bob, gateway.DeleteVersion, "a", true},
		{"action that does not exist", bob, "fly", "a", false},
		{"action that was forgotten", bob, "", "a", false},
		{"anonymous reads", nobody, gateway.Read, "a", false},
		{"anonymous with a link's mark", gateway.Caller{Link: true}, gateway.Read, "a", false},
		{"link reads an object", link, gateway.Read, "a", true},
		{"link writes an object", link, gateway.Write, "a", true},
		{"link reads a bucket", link, gateway.Read, "", false},
		{"link writes a bucket", link, gateway.Write, "", false},
		{"link lists", link, gateway.List, "a", false},
		{"link deletes", link, gateway.Delete, "a", false},
		{"link manages", link, gateway.Manage, "a", false},
		{"reserved key", bob, gateway.Read, ".s3gateway/tus/1", false},
		{"reserved key by a link", link, gateway.Write, ".s3gateway/tus/1", false},
		{"the reserved prefix itself", bob, gateway.List, ".s3gateway/", false},
		{"the name in its way", bob, gateway.Write, ".s3gateway", false},
		{"reserved key with a doubled slash", bob, gateway.Write, ".s3gateway//x", false},
		{"name that only begins alike", bob, gateway.Write, ".s3gatewayx", true},
		{"name in another folder", bob, gateway.Write, "a/.s3gateway/x", true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := (&Policy{}).May(tt.caller, tt.action, "files", tt.key)
			if tt.may && err != nil || !tt.may && gateway.CodeOf(err) != gateway.AccessDenied {
				t.Errorf("got %v, want may %v", err, tt.may)
			}
		})
	}
}
