package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// The callers of a random policy: two of its own, one of the settings, who may do
// everything, and nobody.
const (
	callerOne    = "one"
	callerTwo    = "two"
	callerOwner  = "gateway"
	callerNobody = ""
)

// oracleGrant is a grant of a random policy: what is written, and whether it holds
// for the requests of the test.
type oracleGrant struct {
	deny                  bool
	bucket, from, between string
	here, near, now       bool // bucket, from and between fit
	actions               []gateway.Action
	prefix                string
}

// oraclePolicy is a policy, and an oracle of it that follows docs/policy.md and
// shares no code with the gateway.
type oraclePolicy struct {
	public bool
	grants map[string][]oracleGrant
}

// need is one thing that a request needs: an action on a key, or on every key
// that begins so.
type need struct {
	action gateway.Action
	key    string
	every  bool
}

var (
	allActions    = []gateway.Action{gateway.List, gateway.Read, gateway.ReadVersion, gateway.Write, gateway.Delete, gateway.DeleteVersion, gateway.Manage}
	grantPrefixes = []string{"", "", "", "a", "a/", "a/b/", "a/x", "b", "c/", "upl", "uploads/", "uploads/in/", "/"}
)

// newOraclePolicy makes a policy for a bucket, at a time of the day.
func newOraclePolicy(random *rand.Rand, bucket string, now time.Time) *oraclePolicy {
	p := &oraclePolicy{public: random.IntN(3) == 0, grants: map[string][]oracleGrant{}}
	for _, who := range []string{callerOne, callerTwo} {
		for range 1 + random.IntN(4) {
			p.grants[who] = append(p.grants[who], newOracleGrant(random, bucket, now))
		}
	}
	return p
}

// openPolicy lets both callers do everything.
func openPolicy(bucket string) *oraclePolicy {
	all := []oracleGrant{{bucket: bucket, here: true, near: true, now: true, actions: allActions}}
	return &oraclePolicy{grants: map[string][]oracleGrant{callerOne: all, callerTwo: all}}
}

func newOracleGrant(random *rand.Rand, bucket string, now time.Time) oracleGrant {
	g := oracleGrant{deny: random.IntN(4) == 0, here: true, near: true, now: true, prefix: one(random, grantPrefixes)}
	actions := slices.Clone(allActions)
	random.Shuffle(len(actions), func(i, j int) { actions[i], actions[j] = actions[j], actions[i] })
	g.actions = actions[:1+random.IntN(len(actions))]
	switch random.IntN(8) {
	case 0:
		g.bucket = "*"
	case 1:
		g.bucket = bucket[:len(bucket)-1] + "?"
	case 2:
		g.bucket, g.here = "another-bucket", false
	default:
		g.bucket = bucket
	}
	switch random.IntN(8) {
	case 0:
		g.from = "127.0.0.0/8"
	case 1:
		g.from, g.near = "10.0.0.0/8", false
	}
	hour := func(n int) string { return now.UTC().Add(time.Duration(n) * time.Hour).Format("15:04") }
	end := func(n int) string { return strings.Replace(hour(n), "00:00", "24:00", 1) }
	switch random.IntN(12) {
	case 0:
		g.between = hour(-13) + "-" + end(1)
	case 1:
		g.between, g.now = hour(1)+"-"+end(13), false
	}
	return g
}

// yaml is the policy as an operator writes it.
func (p *oraclePolicy) yaml(bucket string) string {
	public := "none"
	if p.public {
		public = "read"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "buckets: [{name: %s, public: %s}]\ncallers:\n", bucket, public)
	for _, who := range []string{callerOne, callerTwo} {
		fmt.Fprintf(&b, "  - name: %s\n    access_keys: [{id: KEY%s, secret: the-secret-of-%s}]\n    api_keys: [{key: the-api-key-of-%s}]\n    grants:\n", who, who, who, who)
		for _, g := range p.grants[who] {
			fmt.Fprintf(&b, "      - {deny: %t, bucket: %q, actions: [", g.deny, g.bucket)
			for i, a := range g.actions {
				b.WriteString(strings.Repeat(", ", min(i, 1)) + string(a))
			}
			b.WriteString("]")
			fmt.Fprintf(&b, ", prefix: %q", g.prefix)
			if g.from != "" {
				fmt.Fprintf(&b, ", from: [%s]", g.from)
			}
			if g.between != "" {
				fmt.Fprintf(&b, ", between: %q", g.between)
			}
			b.WriteString("}\n")
		}
	}
	return b.String()
}

// allows reports whether a caller has what a request needs.
func (p *oraclePolicy) allows(who string, needs ...need) bool {
	for _, a := range needs {
		// A store may clean a key: then it is about the cleaned one too (rule 2).
		clean := a
		clean.key = cleanedKey(a.key)
		if !p.allowsKey(who, a) || !p.allowsKey(who, clean) {
			return false
		}
	}
	return true
}

func (p *oraclePolicy) allowsKey(who string, a need) bool {
	allowed := p.public && a.action == gateway.Read && !a.every // rules 7 and 9
	switch {
	case strings.HasPrefix(a.key, ".s3gateway/"): // rule 8
		return false
	case who == callerOwner:
		return true
	}
	for _, g := range p.grants[who] {
		if !g.here || !g.near || !g.now {
			continue
		}
		covers := strings.HasPrefix(a.key, g.prefix)
		switch {
		case !g.deny:
			allowed = allowed || covers && slices.Contains(g.actions, a.action)
		case g.denies(a.action) && (covers || a.every && strings.HasPrefix(g.prefix, a.key)): // rules 1 and 3
			return false
		}
	}
	return allowed
}

// denies follows rule 9: who may not read a key may not read what it held either.
func (g *oracleGrant) denies(action gateway.Action) bool {
	return slices.Contains(g.actions, action) ||
		action == gateway.ReadVersion && slices.Contains(g.actions, gateway.Read) ||
		action == gateway.DeleteVersion && slices.Contains(g.actions, gateway.Delete)
}

// allowsSome reports whether there may be a key on which the caller has it.
func (p *oraclePolicy) allowsSome(who string, action gateway.Action) bool {
	if who == callerOwner {
		return true
	}
	some := false
	for _, g := range p.grants[who] {
		switch {
		case !g.here || !g.near || !g.now:
		case !g.deny:
			some = some || slices.Contains(g.actions, action)
		case g.prefix == "" && g.denies(action):
			return false
		}
	}
	return some
}

// deniesAny follows rule 11: a denial that could hold for any of the keys, at
// whatever time and from wherever.
func (p *oraclePolicy) deniesAny(who string, action gateway.Action, prefix string) bool {
	return slices.ContainsFunc(p.grants[who], func(g oracleGrant) bool {
		return g.deny && g.here && g.denies(action) && (strings.HasPrefix(prefix, g.prefix) || strings.HasPrefix(g.prefix, prefix))
	})
}

// cleanedKey is what a store that takes keys for paths makes of one.
func cleanedKey(key string) string {
	var segments []string
	for segment := range strings.SplitSeq(key, "/") {
		switch segment {
		case "", ".":
		case "..":
			segments = segments[:max(len(segments)-1, 0)]
		default:
			segments = append(segments, segment)
		}
	}
	clean := strings.Join(segments, "/")
	if clean != "" && strings.HasSuffix(key, "/") {
		clean += "/"
	}
	return clean
}
