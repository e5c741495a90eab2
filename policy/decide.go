package policy

import (
	"net/netip"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/codeguardians/s3gateway"
)

// Request is what a caller asks for.
type Request struct {
	Caller gateway.Caller
	Action gateway.Action
	// Bucket is the clients' name of it; "" with the action List asks for the
	// list of buckets.
	Bucket string
	// Key is compared byte for byte, as the client sent it. For a listing it
	// is the prefix that is listed; "" is the bucket itself.
	Key string
	// Keys says which keys the request is about.
	Keys Keys
	// Address is the client's. The zero value (a unix socket, or not known)
	// is in no network.
	Address netip.Addr
	// Now is the time of the request. The zero value is at no time of the day.
	Now time.Time
}

// Keys says which keys a Request is about.
type Keys int

const (
	// OneKey is the key itself. A listing, and whatever names no key, is about
	// EveryKey all the same.
	OneKey Keys = iota
	// EveryKey are all keys that begin with Key: a grant has to cover them all,
	// and no denial may hold for any of them.
	EveryKey
	// SomeKey asks whether any key could be granted. Each key has to be asked
	// for when it is known.
	SomeKey
)

// keys is Keys, read as its comment says.
func (r *Request) keys() Keys {
	if r.Keys == OneKey && (r.Action == gateway.List || r.Key == "") {
		return EveryKey
	}
	return r.Keys
}

// Verdict is what the policy says to a request, and why. String explains it.
type Verdict struct {
	Allowed bool
	reason  string
	grant   *grant
}

// The reasons of decisions that no grant made.
const (
	byReserved   = "keys under " + gateway.ReservedPrefix + " belong to the gateway"
	byAnonymous  = "there is no authenticated caller, and the bucket is not public"
	byLink       = "a link may only read or write an object"
	byUnknown    = "nobody is granted this action"
	byNoRules    = "the caller is not known to the policy"
	byEverything = "the caller may do everything"
	byPublic     = "the bucket is public: everybody may read what is current in it"
	byBucketList = "every caller may list the buckets that it can see"
	byDefault    = "no grant of the caller covers it, and the default is nothing"
)

// Decide says whether a request is allowed. What belongs to the gateway itself
// is closed to all, an unknown action too. An anonymous caller may read the
// objects of public buckets, a link may do what its caller may, of reading and
// writing objects alone. A caller of the rules may do what a grant allows and
// none denies; without Rules every named caller may do everything.
//
// A condition that cannot be judged (no address, no time) counts against the
// caller: an allowing grant does not hold, a denying one does.
func (p *Policy) Decide(r Request) Verdict {
	public := p.publicRead(r)
	switch {
	case gateway.Reserved(r.Key):
		return Verdict{reason: byReserved}
	case setOf(r.Action) == 0:
		return Verdict{reason: byUnknown}
	case r.Caller.Anonymous() && public:
		return Verdict{Allowed: true, reason: byPublic}
	case r.Caller.Anonymous():
		return Verdict{reason: byAnonymous}
	case r.Caller.Link && (r.keys() != OneKey || !slices.Contains(links, r.Action)):
		return Verdict{reason: byLink}
	case p.Rules == nil:
		return Verdict{Allowed: true, reason: byEverything}
	}
	own := p.Rules.callers[r.Caller.Name]
	switch {
	case own == nil:
		return Verdict{reason: byNoRules}
	case own.everything:
		return Verdict{Allowed: true, reason: byEverything}
	case r.Bucket == "" && r.Action == gateway.List:
		return Verdict{Allowed: true, reason: byBucketList}
	}
	return own.decide(&r, public)
}

// DecideBoth is Decide for the key as it was sent and, where that is another one,
// for the key that a store would use which cleans keys: MinIO keeps "//a" as "a",
// so a grant or a denial that went by the sent bytes alone would be one for
// another object.
func (p *Policy) DecideBoth(r Request) Verdict {
	v := p.Decide(r)
	if clean := gateway.CleanKey(r.Key); v.Allowed && clean != r.Key {
		r.Key = clean
		return p.Decide(r)
	}
	return v
}

// decide holds the grants of one caller against a request.
func (c *callerRules) decide(r *Request, public bool) Verdict {
	d := Verdict{reason: byDefault}
	if public {
		d = Verdict{Allowed: true, reason: byPublic}
	}
	asked := setOf(r.Action)
	for i := range c.grants {
		g := &c.grants[i]
		if g.actions&asked == 0 || !g.holds(r) || !g.covers(r.Bucket) {
			continue
		}
		if g.Deny {
			return Verdict{grant: g}
		}
		if d.grant == nil {
			d = Verdict{Allowed: true, grant: g}
		}
	}
	return d
}

// publicRead reports whether everybody may do it: reading one object by its name,
// and no version of it.
func (p *Policy) publicRead(r Request) bool {
	if p.Rules == nil || r.Action != gateway.Read || r.keys() != OneKey {
		return false
	}
	b := p.Rules.buckets[r.Bucket]
	return b != nil && b.publicRead
}

func (g *grant) covers(bucket string) bool { return covers(g.patterns, bucket) }

func covers(patterns []pattern, bucket string) bool {
	for _, p := range patterns {
		if p.text == bucket {
			return true
		}
		if p.wild && bucket != "" {
			if ok, _ := path.Match(p.text, bucket); ok {
				return true
			}
		}
	}
	return false
}

// holds judges key and conditions.
func (g *grant) holds(r *Request) bool {
	return g.reaches(r.keys(), r.Key) && g.near(r.Address) && g.during(r.Now)
}

// reaches reports whether the grant is about the keys. What is about many of
// them is allowed when all lie under the prefix, and denied when one may.
func (g *grant) reaches(keys Keys, key string) bool {
	switch {
	case strings.HasPrefix(key, g.Prefix):
		return true
	case keys == EveryKey:
		return g.Deny && strings.HasPrefix(g.Prefix, key)
	}
	return keys == SomeKey && !g.Deny
}

func (g *grant) near(client netip.Addr) bool {
	if len(g.From) == 0 {
		return true
	}
	if !client.IsValid() {
		return g.Deny
	}
	return contains(g.From, client.Unmap().WithZone(""))
}

func (g *grant) during(now time.Time) bool {
	h := g.Between
	if h == (Hours{}) {
		return true
	}
	if now.IsZero() {
		return g.Deny
	}
	now = now.UTC()
	minute := now.Hour()*60 + now.Minute()
	if h.From < h.To {
		return h.From <= minute && minute < h.To
	}
	return minute >= h.From || minute < h.To
}

// SeesEvery reports whether every bucket is visible to a caller, also one that is
// yet to be.
func (p *Policy) SeesEvery(c gateway.Caller) bool {
	if c.Anonymous() || c.Link {
		return false
	}
	if p.Rules == nil {
		return true
	}
	own := p.Rules.callers[c.Name]
	return own != nil && own.everything
}

// Visible reports whether a caller may know of a bucket: some grant on it, that
// is not denied altogether. The list of buckets shows those. Anonymous callers
// and links see none.
func (p *Policy) Visible(c gateway.Caller, bucket string) bool {
	if c.Anonymous() || c.Link {
		return false
	}
	if p.Rules == nil {
		return true
	}
	own := p.Rules.callers[c.Name]
	if own == nil || own.everything {
		return own != nil
	}
	var allowed, denied actionSet
	for i := range own.grants {
		g := &own.grants[i]
		switch {
		case !g.covers(bucket):
		case !g.Deny:
			allowed |= g.actions
		case g.Prefix == "" && len(g.From) == 0 && g.Between == (Hours{}):
			denied |= g.actions
		}
	}
	return allowed&^denied != 0
}
