package policy

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway"
)

func TestKeysEnd(t *testing.T) {
	now := noon
	soon := Validity{Expires: noon.Add(time.Hour)}
	c := newCallers(t, CallersOptions{Master: master, Now: func() time.Time { return now },
		AccessKeys: []AccessKey{
			{ID: "OLD", Secret: "old-secret", Caller: "web", Validity: soon}, {ID: "NEW", Secret: "new-secret", Caller: "web"},
			{ID: "OFF", Secret: "off-secret", Caller: "off", Validity: Validity{Disabled: true}}, {ID: "LAST", Secret: "last-secret", Caller: "last", Validity: soon},
		},
		APIKeys: []APIKey{{Caller: "web", Key: "web-key", Validity: soon}, {Caller: "off", Key: "off-key", Validity: Validity{Disabled: true, Expires: noon.Add(time.Hour)}}}})
	link, linkSecret := c.LinkCredential(gateway.Caller{Name: "last"})
	if linkSecret == "" {
		t.Fatal("no link")
	}
	check := func(when string, accessKeys, apiKeys map[string]bool) {
		for id, want := range accessKeys {
			_, known := c.Secret(id)
			if _, ok := c.ByAccessKey(id); known != want || ok != want {
				t.Errorf("%s: access key %s is known: %v %v", when, id, known, ok)
			}
		}
		for key, want := range apiKeys {
			if who, ok := c.ByAPIKey(key); ok != want || ok == who.Anonymous() {
				t.Errorf("%s: API key %s is known: %v", when, key, ok)
			}
		}
	}
	check("at noon", map[string]bool{"OLD": true, "NEW": true, "OFF": false, "LAST": true, link: true}, map[string]bool{"web-key": true, "off-key": false})
	now = soon.Expires.Add(-1)
	check("just before", map[string]bool{"OLD": true, "LAST": true, link: true}, map[string]bool{"web-key": true})
	now = soon.Expires
	check("at the moment", map[string]bool{"OLD": false, "NEW": true, "LAST": false, link: false}, map[string]bool{"web-key": false})
	if id, _ := c.LinkCredential(gateway.Caller{Name: "off"}); id != "" {
		t.Error("a caller whose keys are all disabled makes links")
	}
	if id, _ := c.LinkCredential(gateway.Caller{Name: "web"}); id == "" {
		t.Error("a rotated key ends the links of the caller")
	}
	if !c.HasAPIKeys() {
		t.Error("the door opens when its last key ends")
	}
}

func TestAPIKeysByTheirDigest(t *testing.T) {
	digest := sha256.Sum256([]byte("a-key-of-the-partner"))
	c := newCallers(t, CallersOptions{APIKeys: []APIKey{{Caller: "partner", Digest: digest}}})
	if who, ok := c.ByAPIKey("a-key-of-the-partner"); !ok || who.Name != "partner" {
		t.Errorf("%v %v", who, ok)
	}
	for _, key := range []string{"", string(digest[:]), "a-key-of-the-partner "} {
		if _, ok := c.ByAPIKey(key); ok {
			t.Errorf("%q is a key", key)
		}
	}
	for name, o := range map[string]CallersOptions{
		"twice, once by its digest": {APIKeys: []APIKey{{Caller: "a", Digest: digest}, {Caller: "b", Key: "a-key-of-the-partner"}}},
		"a digest of another key":   {APIKeys: []APIKey{{Caller: "a", Digest: digest, Key: "other"}}},
		"an expiry without a clock": {APIKeys: []APIKey{{Caller: "a", Digest: digest, Validity: Validity{Expires: noon}}}},
	} {
		if _, err := NewCallers(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
