package policy

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway"
)

func newRules(t testing.TB, callers []CallerRules, buckets ...BucketRules) *Rules {
	t.Helper()
	r, err := NewRules(callers, buckets)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func acts(list string) (all []gateway.Action) {
	for _, a := range strings.Fields(list) {
		all = append(all, gateway.Action(a))
	}
	return all
}

func allowTo(bucket, prefix, list string) Grant {
	return Grant{Buckets: []string{bucket}, Prefix: prefix, Actions: acts(list)}
}

func denyTo(bucket, prefix, list string) Grant {
	g := allowTo(bucket, prefix, list)
	g.Deny = true
	return g
}

var noon = time.Date(2026, 5, 6, 12, 0, 0, 0, time.UTC)

func decidePolicy(t testing.TB) *Policy {
	at := func(g Grant, from, between string) Grant {
		if from != "" {
			g.From = []netip.Prefix{netip.MustParsePrefix(from)}
		}
		var a, b, c, d int
		if n, _ := fmt.Sscanf(between, "%d:%d-%d:%d", &a, &b, &c, &d); n == 4 {
			g.Between = Hours{a*60 + b, c*60 + d}
		}
		return g
	}
	return &Policy{Rules: newRules(t, []CallerRules{
		{Name: "root", Everything: true},
		{Name: "idle"},
		{Name: "web", Grants: []Grant{
			allowTo("pictures", "in/", "list read write delete"), allowTo("logs-*", "", "list read"),
			denyTo("pictures", "in/secret/", "list read write delete"), denyTo("logs-secret", "", "list read write delete delete-version manage"),
		}},
		{Name: "boss", Grants: []Grant{allowTo("*", "", "list read manage"), denyTo("pictures", "keep/", "manage list")}},
		{Name: "office", Grants: []Grant{
			at(allowTo("pictures", "", "read"), "10.0.0.0/8", ""), at(allowTo("pictures", "", "write"), "", "08:00-18:00"),
			at(allowTo("pictures", "", "delete"), "", "22:00-06:00"), at(allowTo("pictures", "", "list"), "2001:db8::/32", ""),
		}},
		{Name: "guest", Grants: []Grant{allowTo("pictures", "", "read write"), at(denyTo("pictures", "", "read"), "192.0.2.0/24", ""), at(denyTo("pictures", "", "write"), "", "11:00-13:00")}},
		{Name: "barred", Grants: []Grant{denyTo("public", "", "read")}},
	}, BucketRules{Name: "public", PublicRead: true}, BucketRules{Name: "private"})}
}

func TestDecide(t *testing.T) {
	p := decidePolicy(t)
	for _, tt := range []struct {
		name, caller string // a caller with * at its end is a link
		action       gateway.Action
		bucket, key  string
		address, now string
		want         bool
	}{
		{"everything", "root", gateway.Manage, "any", "", "", "", true},
		{"everything but the gateway's own", "root", gateway.Read, "any", ".s3gateway/x", "", "", false},
		{"no grants, nothing", "idle", gateway.Read, "pictures", "in/a", "", "", false},
		{"a caller without rules, nothing", "stranger", gateway.Read, "pictures", "in/a", "", "", false},
		{"a caller without rules does not see the buckets", "stranger", gateway.List, "", "", "", "", false},
		{"no grants, the list of buckets is empty", "idle", gateway.List, "", "", "", "", true},

		{"a key under the prefix", "web", gateway.Write, "pictures", "in/a", "", "", true},
		{"the prefix itself as a key", "web", gateway.Write, "pictures", "in/", "", "", true},
		{"a key without the slash", "web", gateway.Write, "pictures", "in", "", "", false},
		{"a key that only begins alike", "web", gateway.Write, "pictures", "inn/a", "", "", false},
		{"a key with another case", "web", gateway.Write, "pictures", "In/a", "", "", false},
		{"a key with a slash in front", "web", gateway.Write, "pictures", "/in/a", "", "", false},
		{"a key with dots in front", "web", gateway.Write, "pictures", "./in/a", "", "", false},
		{"a key that goes up is a key under the prefix", "web", gateway.Write, "pictures", "in/../a", "", "", true},
		{"a key that goes up from elsewhere", "web", gateway.Write, "pictures", "x/../in/a", "", "", false},
		{"an encoded slash is no slash", "web", gateway.Write, "pictures", "in%2Fa", "", "", false},
		{"an action that is not granted", "web", gateway.DeleteVersion, "pictures", "in/a", "", "", false},
		{"another bucket", "web", gateway.Write, "picture", "in/a", "", "", false},
		{"a deny below", "web", gateway.Read, "pictures", "in/secret/a", "", "", false},
		{"beside the deny", "web", gateway.Read, "pictures", "in/secrets", "", "", true},
		{"many deletes, judged by key", "web", gateway.Delete, "pictures", "", "", "", true},
		{"many deletes in a bucket without any", "web", gateway.Delete, "logs-a", "", "", "", false},
		{"no key where one is needed", "web", gateway.Delete, "pictures", "", "", "", false},
		{"a pattern", "web", gateway.Read, "logs-a", "x", "", "", true},
		{"reading grants no versions", "web", gateway.ReadVersion, "logs-a", "x", "", "", false},
		{"a pattern that a deny narrows", "web", gateway.Read, "logs-secret", "x", "", "", false},
		{"a bucket named as the pattern", "web", gateway.Read, "logs", "x", "", "", false},

		{"a list of the prefix", "web", gateway.List, "logs-a", "2026/", "", "", true},
		{"a list of the whole bucket by a pattern without prefix", "web", gateway.List, "logs-a", "", "", "", true},
		{"a list of the whole bucket by a grant with one", "web", gateway.List, "pictures", "", "", "", false},
		{"a list above the prefix", "web", gateway.List, "pictures", "i", "", "", false},
		{"a list that would show what is denied", "web", gateway.List, "pictures", "in/", "", "", false},
		{"a list that begins to show what is denied", "web", gateway.List, "pictures", "in/s", "", "", false},
		{"a list beside it", "web", gateway.List, "pictures", "in/a", "", "", true},
		{"a list of what is denied", "web", gateway.List, "pictures", "in/secret/x", "", "", false},

		{"managing a bucket", "boss", gateway.Manage, "files", "", "", "", true},
		{"managing a bucket with a denied part", "boss", gateway.Manage, "pictures", "", "", "", false},
		{"managing an object beside it", "boss", gateway.Manage, "pictures", "a", "", "", true},
		{"a prefix grants nothing on the bucket", "web", gateway.Manage, "pictures", "", "", "", false},

		{"from the network", "office", gateway.Read, "pictures", "a", "10.1.2.3", "", true},
		{"from the network, mapped into IPv6", "office", gateway.Read, "pictures", "a", "::ffff:10.1.2.3", "", true},
		{"from another network", "office", gateway.Read, "pictures", "a", "11.1.2.3", "", false},
		{"from nowhere", "office", gateway.Read, "pictures", "a", "", "", false},
		{"from an IPv6 network with a zone", "office", gateway.List, "pictures", "a", "2001:db8::1%eth0", "", true},
		{"within the hours", "office", gateway.Write, "pictures", "a", "", "08:00", true},
		{"at their end", "office", gateway.Write, "pictures", "a", "", "18:00", false},
		{"before midnight", "office", gateway.Delete, "pictures", "a", "", "23:59", true},
		{"after midnight", "office", gateway.Delete, "pictures", "a", "", "05:59", true},
		{"after the night", "office", gateway.Delete, "pictures", "a", "", "06:00", false},
		{"at no time", "office", gateway.Write, "pictures", "a", "", "", false},
		{"denied from a network", "guest", gateway.Read, "pictures", "a", "192.0.2.1", "", false},
		{"allowed from another", "guest", gateway.Read, "pictures", "a", "192.0.3.1", "", true},
		{"a denying network that cannot be judged", "guest", gateway.Read, "pictures", "a", "", "", false},
		{"a denying time that cannot be judged", "guest", gateway.Write, "pictures", "a", "", "", false},
		{"outside the denying time", "guest", gateway.Write, "pictures", "a", "", "13:00", true},

		{"anybody reads a public object", "", gateway.Read, "public", "a", "", "", true},
		{"anybody reads the gateway's own in it", "", gateway.Read, "public", ".s3gateway/a", "", "", false},
		{"anybody lists a public bucket", "", gateway.List, "public", "a", "", "", false},
		{"anybody reads a version in a public bucket", "", gateway.ReadVersion, "public", "a", "", "", false},
		{"anybody reads a public bucket itself", "", gateway.Read, "public", "", "", "", false},
		{"anybody writes a public object", "", gateway.Write, "public", "a", "", "", false},
		{"anybody reads a private object", "", gateway.Read, "private", "a", "", "", false},
		{"anybody with a link's mark", "*", gateway.Read, "private", "a", "", "", false},
		{"a caller without grants reads a public object", "idle", gateway.Read, "public", "a", "", "", true},
		{"a caller who is denied it", "barred", gateway.Read, "public", "a", "", "", false},

		{"a link has its caller's grants", "web*", gateway.Read, "pictures", "in/a", "", "", true},
		{"a link has its caller's denials", "web*", gateway.Read, "pictures", "in/secret/a", "", "", false},
		{"a link outside the prefix", "web*", gateway.Write, "pictures", "a", "", "", false},
		{"a link does not delete", "web*", gateway.Delete, "pictures", "in/a", "", "", false},
		{"a link of one who may do everything lists nothing", "root*", gateway.List, "pictures", "a", "", "", false},
		{"a link lists no buckets", "root*", gateway.List, "", "", "", "", false},
		{"an action that does not exist", "root", "fly", "pictures", "a", "", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			name, link := strings.CutSuffix(tt.caller, "*")
			r := Request{Caller: gateway.Caller{Name: name, Link: link}, Action: tt.action, Bucket: tt.bucket, Key: tt.key}
			if strings.HasPrefix(tt.name, "many deletes") {
				r.Keys = SomeKey
			}
			if tt.address != "" {
				r.Address = netip.MustParseAddr(tt.address)
			}
			if tt.now != "" {
				clock, _ := time.Parse("15:04", tt.now)
				r.Now = time.Date(2026, 5, 6, clock.Hour(), clock.Minute(), 59, 0, time.UTC).In(time.FixedZone("far", 7*3600))
			}
			v := p.Decide(r)
			if v.Allowed != tt.want || v.Rule() == "" {
				t.Errorf("got %v", v)
			}
			if err := p.Allow(r); tt.want != (err == nil) || err != nil && gateway.CodeOf(err) != gateway.AccessDenied {
				t.Errorf("Allow: %v", err)
			}
		})
	}
}

func TestVisible(t *testing.T) {
	p := decidePolicy(t)
	for name, want := range map[string]string{
		"root": "pictures logs-a logs-secret public", "web": "pictures logs-a", "boss": "pictures logs-a logs-secret public",
		"office": "pictures", "idle": "", "stranger": "", "barred": "", "": "",
	} {
		for _, bucket := range []string{"pictures", "logs-a", "logs-secret", "public"} {
			if got := p.Visible(gateway.Caller{Name: name}, bucket); got != strings.Contains(" "+want+" ", " "+bucket+" ") {
				t.Errorf("%s sees %s: %v", name, bucket, got)
			}
		}
	}
	if p.Visible(gateway.Caller{Name: "root", Link: true}, "pictures") || !(&Policy{}).Visible(gateway.Caller{Name: "x"}, "b") {
		t.Error("a link sees a bucket, or a caller without rules none")
	}
}

func TestVerdictsExplainThemselves(t *testing.T) {
	g := denyTo("pictures", "in/", "read write")
	g.Where, g.From, g.Between = "c.yaml:7:9", []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, Hours{8 * 60, 18*60 + 30}
	p := &Policy{Rules: newRules(t, []CallerRules{{Name: "web", Grants: []Grant{allowTo("*", "", "read"), g}}})}
	r := Request{Caller: gateway.Caller{Name: "web"}, Action: gateway.Read, Bucket: "pictures", Key: "in/a"}
	v := p.Decide(r)
	if want := `denied: grant 2 of caller web (c.yaml:7:9) denies read, write on pictures, keys that begin "in/", from 10.0.0.0/8, between 08:00 and 18:30 UTC`; v.String() != want {
		t.Error(v)
	}
	// The client is told no rule: they are the operator's business.
	e := gateway.AsError(v.Err())
	if strings.Contains(e.Message, "grant 2") || !strings.Contains(e.Err.Error(), "grant 2") {
		t.Errorf("%q, %v", e.Message, e.Err)
	}
	r.Key = "a"
	if got := p.Decide(r).String(); got != "allowed: grant 1 of caller web allows read on *" {
		t.Error(got)
	}
}

func TestRulesThatAreRefused(t *testing.T) {
	for name, c := range map[string][]CallerRules{
		"no name":              {{}},
		"twice":                {{Name: "a"}, {Name: "a"}},
		"everything and more":  {{Name: "a", Everything: true, Grants: []Grant{denyTo("b", "", "read")}}},
		"no bucket":            {{Name: "a", Grants: []Grant{{Actions: acts("read")}}}},
		"no action":            {{Name: "a", Grants: []Grant{{Buckets: []string{"b"}}}}},
		"an unknown action":    {{Name: "a", Grants: []Grant{allowTo("b", "", "fly")}}},
		"an empty bucket":      {{Name: "a", Grants: []Grant{allowTo("", "", "read")}}},
		"a set of characters":  {{Name: "a", Grants: []Grant{allowTo("[ab]", "", "read")}}},
		"a network of nothing": {{Name: "a", Grants: []Grant{{Buckets: []string{"b"}, Actions: acts("read"), From: []netip.Prefix{{}}}}}},
	} {
		if _, err := NewRules(c, nil); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if _, err := NewRules(nil, []BucketRules{{Name: "a"}, {Name: "a"}}); err == nil {
		t.Error("a bucket twice")
	}
}

// words from which random keys, prefixes and buckets are made, so that they
// often begin alike.
var words = []string{"", "a", "a/", "ab", "a/b", "a/b/", "a//", "a/../b", "A", "á", "%61", ".", "b"}

func randomGrant(rnd *rand.Rand) Grant {
	g := Grant{Deny: rnd.IntN(3) == 0, Prefix: words[rnd.IntN(len(words))],
		Buckets: []string{[]string{"one", "two", "*", "t?o", "o*"}[rnd.IntN(5)]},
		Actions: []gateway.Action{actions[rnd.IntN(len(actions))], actions[rnd.IntN(len(actions))]}}
	if rnd.IntN(4) == 0 {
		g.From = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	}
	if rnd.IntN(4) == 0 {
		g.Between = Hours{600, 900}
	}
	return g
}

func randomRequest(rnd *rand.Rand) Request {
	r := Request{Caller: gateway.Caller{Name: "x", Link: rnd.IntN(8) == 0}, Action: actions[rnd.IntN(len(actions))],
		Bucket: []string{"one", "two", "three", ""}[rnd.IntN(4)], Key: words[rnd.IntN(len(words))] + words[rnd.IntN(len(words))]}
	if rnd.IntN(2) == 0 {
		r.Address = []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("1.1.1.1")}[rnd.IntN(2)]
	}
	if rnd.IntN(2) == 0 {
		r.Now = noon.Add(time.Duration(rnd.IntN(24)) * time.Hour)
	}
	return r
}

func TestADenyNeverAllowsMore(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 3000 {
		var grants []Grant
		for range rnd.IntN(5) {
			grants = append(grants, randomGrant(rnd))
		}
		deny := randomGrant(rnd)
		deny.Deny = true
		at := rnd.IntN(len(grants) + 1)
		more := append(append(append([]Grant{}, grants[:at]...), deny), grants[at:]...)
		public := BucketRules{Name: "one", PublicRead: rnd.IntN(2) == 0}
		before := &Policy{Rules: newRules(t, []CallerRules{{Name: "x", Grants: grants}}, public)}
		after := &Policy{Rules: newRules(t, []CallerRules{{Name: "x", Grants: more}}, public)}
		for range 30 {
			r := randomRequest(rnd)
			if !before.Decide(r).Allowed && after.Decide(r).Allowed {
				t.Fatalf("%+v is allowed by adding %+v to %+v", r, deny, grants)
			}
			if !before.Visible(r.Caller, r.Bucket) && after.Visible(r.Caller, r.Bucket) {
				t.Fatalf("%s shows by adding %+v", r.Bucket, deny)
			}
		}
	}
}

func FuzzNoKeyOutsideItsPrefix(f *testing.F) {
	for _, w := range words {
		f.Add("a/", w+"x", byte(1))
	}
	f.Fuzz(func(t *testing.T, prefix, key string, n byte) {
		a := actions[int(n)%len(actions)]
		g := Grant{Buckets: []string{"b"}, Prefix: prefix, Actions: actions}
		p := &Policy{Rules: newRules(t, []CallerRules{{Name: "x", Grants: []Grant{g}}})}
		got := p.May(gateway.Caller{Name: "x"}, a, "b", key) == nil
		inside := len(key) >= len(prefix) && key[:len(prefix)] == prefix
		if got && !inside && key != "" || got && !inside && (a == gateway.List || a == gateway.Manage) {
			t.Fatalf("%s of %q under a grant for %q", a, key, prefix)
		}
		if !got && inside && !gateway.Reserved(key) {
			t.Fatalf("%s of %q is refused under a grant for %q", a, key, prefix)
		}
	})
}

func TestOwnLimits(t *testing.T) {
	size := func(n int64) *int64 { return &n }
	list := func(names ...string) *Types {
		types, err := ParseTypes(names)
		if err != nil {
			t.Fatal(err)
		}
		return &types
	}
	all := AnyType()
	p := &Policy{MaxFileSize: 10, Types: *list("image/png", "text/plain"), UploadPrefix: "up", Rules: newRules(t,
		[]CallerRules{{Name: "plain"}, {Name: "small", Limits: OwnLimits{MaxSize: size(5)}}, {Name: "free", Limits: OwnLimits{MaxSize: size(0), Types: &all}},
			{Name: "text", Limits: OwnLimits{Types: list("text/*")}}},
		BucketRules{Name: "big", Limits: OwnLimits{MaxSize: size(100)}}, BucketRules{Name: "open", Limits: OwnLimits{MaxSize: size(0), Types: &all}},
		BucketRules{Name: "images", Limits: OwnLimits{Types: list("image/*", "text/csv")}}, BucketRules{Name: "none"})}
	uploads := *p
	uploads.Scope = ScopeUploads
	for _, tt := range []struct {
		name, caller, bucket, key string
		p                         *Policy
		size                      int64
		allowed, refused          string
		sizeBy, typeBy            string
	}{
		{"global", "plain", "none", "k", p, 10, "image/png", "image/gif", "MAX_FILE_SIZE", "ALLOWED_FILE_TYPES"},
		{"nobody's", "", "none", "k", p, 10, "image/png", "image/gif", "MAX_FILE_SIZE", "ALLOWED_FILE_TYPES"},
		{"the bucket's is larger than the global one", "plain", "big", "k", p, 100, "image/png", "image/gif", "max_file_size of bucket big", "ALLOWED_FILE_TYPES"},
		{"the caller's is smaller", "small", "big", "k", p, 5, "image/png", "image/gif", "max_file_size of caller small", "ALLOWED_FILE_TYPES"},
		{"the caller's in another bucket", "small", "none", "k", p, 5, "image/png", "image/gif", "max_file_size of caller small", "ALLOWED_FILE_TYPES"},
		{"no limit of the caller leaves the bucket's", "free", "big", "k", p, 100, "image/gif", "", "max_file_size of bucket big", ""},
		{"no limit of the bucket leaves the caller's", "small", "open", "k", p, 5, "image/gif", "", "max_file_size of caller small", ""},
		{"no limit at all", "free", "open", "k", p, 0, "x/y", "", "", ""},
		{"both lists", "text", "images", "k", p, 10, "text/csv", "text/plain", "MAX_FILE_SIZE", "allowed_file_types of bucket images"},
		{"both lists, the other way", "text", "images", "k", p, 10, "text/csv", "image/png", "MAX_FILE_SIZE", "allowed_file_types of caller text"},
		{"the caller's list beside every type", "text", "open", "k", p, 0, "text/css", "image/png", "", "allowed_file_types of caller text"},
		{"the bucket's list beside every type", "free", "images", "k", p, 0, "image/gif", "text/plain", "", "allowed_file_types of bucket images"},
		{"outside the scope", "plain", "none", "k", &uploads, 0, "x/y", "", "", ""},
		{"outside the scope the bucket's hold", "plain", "images", "k", &uploads, 0, "image/gif", "x/y", "", "allowed_file_types of bucket images"},
		{"in the scope", "plain", "none", "up/k", &uploads, 10, "image/png", "x/y", "MAX_FILE_SIZE", "ALLOWED_FILE_TYPES"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := tt.p.LimitsFor(gateway.Caller{Name: tt.caller}, tt.bucket, tt.key)
			if l.MaxSize != tt.size || l.Open() != (tt.size == 0 && tt.refused == "") {
				t.Errorf("size %d, open %v", l.MaxSize, l.Open())
			}
			if err := l.Types.Check(Content{Declared: tt.allowed}); err != nil {
				t.Errorf("%s: %v", tt.allowed, err)
			}
			if tt.refused != "" {
				checkSetting(t, l.Types.CheckDeclared(tt.refused, ""), gateway.TypeNotAllowed, tt.typeBy)
				checkSetting(t, l.Types.Check(Content{Declared: tt.refused}), gateway.TypeNotAllowed, tt.typeBy)
			}
			if tt.size > 0 {
				checkSetting(t, l.CheckSize(tt.size+1), gateway.EntityTooLarge, tt.sizeBy)
			}
		})
	}
}

func checkSetting(t *testing.T, err error, code gateway.Code, setting string) {
	t.Helper()
	e := gateway.AsError(err)
	if e == nil || e.Code != code || !strings.Contains(strings.Join(details(e), "|"), setting) {
		t.Errorf("got %v %v, want %s by %s", err, details(e), code, setting)
	}
}

// Both lists judge the bytes, each with the same look at them.
func TestBothListsJudgeTheBytes(t *testing.T) {
	images, _ := ParseTypes([]string{"image/*"})
	png, _ := ParseTypes([]string{"image/png", "text/plain"})
	p := &Policy{Rules: newRules(t, []CallerRules{{Name: "x", Limits: OwnLimits{Types: &png}}}, BucketRules{Name: "b", Limits: OwnLimits{Types: &images}})}
	l := p.LimitsFor(gateway.Caller{Name: "x"}, "b", "k")
	for body, want := range map[string]bool{"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR": true, "GIF89a\x01\x00\x01\x00": false, "plain text": false} {
		_, _, err := l.Admit(Upload{Key: "k", Size: -1}, strings.NewReader(body))
		if (err == nil) != want {
			t.Errorf("%q: %v", body, err)
		}
	}
}

func thousandCallers(t testing.TB) *Policy {
	var callers []CallerRules
	for i := range 1000 {
		c := CallerRules{Name: fmt.Sprintf("caller-%d", i)}
		for j := range 10 {
			g := allowTo(fmt.Sprintf("bucket-%d", j), fmt.Sprintf("team-%d/", i), "read write list")
			g.From = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}
			g.Between = Hours{60, 1439}
			c.Grants = append(c.Grants, g)
		}
		c.Grants = append(c.Grants, denyTo("bucket-?", "secret/", "read write"))
		callers = append(callers, c)
	}
	return &Policy{Rules: newRules(t, callers)}
}

func hotRequest() Request {
	return Request{Caller: gateway.Caller{Name: "caller-777"}, Action: gateway.Write, Bucket: "bucket-9", Key: "team-777/a/b/c.jpg",
		Address: netip.MustParseAddr("10.2.3.4"), Now: noon}
}

func TestDecidingDoesNotAllocate(t *testing.T) {
	p, r := thousandCallers(t), hotRequest()
	if n := testing.AllocsPerRun(100, func() {
		if p.Allow(r) != nil || p.LimitsFor(r.Caller, r.Bucket, r.Key).MaxSize != 0 || !p.Visible(r.Caller, r.Bucket) {
			t.Fatal("refused")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkDecide(b *testing.B) {
	p, r := thousandCallers(b), hotRequest()
	b.ReportAllocs()
	for b.Loop() {
		if p.Allow(r) != nil {
			b.Fatal("refused")
		}
	}
}

// A question about a set of keys is answered for all of them, whatever the
// action: an empty or shorter key is no promise that each will be asked for.
func TestASetIsAllowedAsAWhole(t *testing.T) {
	p := &Policy{Rules: newRules(t, []CallerRules{
		{Name: "part", Grants: []Grant{allowTo("b", "in/", "read read-version delete delete-version")}},
		{Name: "hole", Grants: []Grant{allowTo("b", "", "read read-version delete delete-version"), denyTo("b", "in/secret/", "read delete")}},
		{Name: "public", Grants: []Grant{allowTo("open", "", "list")}},
	}, BucketRules{Name: "open", PublicRead: true})}
	for _, a := range acts("read read-version delete delete-version") {
		for _, tt := range []struct {
			caller, prefix string
			every, some    bool
		}{
			{"part", "", false, true}, {"part", "i", false, true}, {"part", "in/", true, true}, {"part", "in/x", true, true}, {"part", "out/", false, true},
			{"hole", "", false, true}, {"hole", "in", false, true}, {"hole", "in/secret/", false, false}, {"hole", "in/secret/x", false, false}, {"hole", "in/x", true, true},
		} {
			r := Request{Caller: gateway.Caller{Name: tt.caller}, Action: a, Bucket: "b", Key: tt.prefix, Keys: EveryKey}
			if v := p.Decide(r); v.Allowed != tt.every {
				t.Errorf("%s, %s of every key %q: %v", tt.caller, a, tt.prefix, v)
			}
			if r.Keys = SomeKey; tt.prefix == "" && p.Decide(r).Allowed != tt.some {
				t.Errorf("%s, %s of some key: %v", tt.caller, a, p.Decide(r))
			}
			r.Caller.Link, r.Keys = true, EveryKey
			if v := p.Decide(r); v.Allowed {
				t.Errorf("a link of %s, %s of every key: %v", tt.caller, a, v)
			}
		}
	}
	if v := p.Decide(Request{Caller: gateway.Caller{Name: "public"}, Action: gateway.Read, Bucket: "open", Keys: EveryKey}); v.Allowed {
		t.Errorf("a public bucket gives its objects by name: %v", v)
	}
}

// A denial of what is current is one of versions, but not the other way round.
func TestADenialHoldsForVersions(t *testing.T) {
	p := &Policy{Rules: newRules(t, []CallerRules{
		{Name: "x", Grants: []Grant{allowTo("b", "", "read read-version delete delete-version"), denyTo("b", "now/", "read delete"), denyTo("b", "then/", "read-version delete-version")}},
	})}
	for _, tt := range []struct {
		action gateway.Action
		key    string
		want   bool
	}{
		{gateway.Read, "now/a", false}, {gateway.ReadVersion, "now/a", false}, {gateway.Delete, "now/a", false}, {gateway.DeleteVersion, "now/a", false},
		{gateway.Read, "then/a", true}, {gateway.ReadVersion, "then/a", false}, {gateway.Delete, "then/a", true}, {gateway.DeleteVersion, "then/a", false},
	} {
		if v := p.Decide(Request{Caller: gateway.Caller{Name: "x"}, Action: tt.action, Bucket: "b", Key: tt.key}); v.Allowed != tt.want {
			t.Errorf("%s of %s: %v", tt.action, tt.key, v)
		}
	}
}
