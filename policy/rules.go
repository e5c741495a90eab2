package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/codeguardians/s3gateway"
)

// Grant allows a caller something, or denies it. It holds for a request when
// bucket, key, action and every condition fit.
type Grant struct {
	// Deny takes away what other grants allow, whatever their order.
	Deny bool
	// Buckets are the clients' names, or patterns in which * stands for any
	// characters and ? for one. Not empty.
	Buckets []string
	// Prefix is what the key begins with, byte for byte; "" for any key.
	Prefix string
	// Actions are not empty.
	Actions []gateway.Action
	// From are networks of clients, empty for any.
	From []netip.Prefix
	// Between is a time of the day, the zero value for any.
	Between Hours
	// Where is the place in the configuration, for Verdict.String.
	Where string
}

// Hours is a time of the day in UTC, From included and To not, in minutes from
// midnight, 0 to 1440. From after To spans midnight. The zero value is any time.
type Hours struct{ From, To int }

// CallerRules are the rules of one caller.
type CallerRules struct {
	Name string
	// Everything allows the caller all that is not the gateway's own; Grants
	// are then empty.
	Everything bool
	Grants     []Grant
	// Limits hold for all of its uploads, Parts in some buckets or under some
	// prefixes.
	Limits OwnLimits
	Parts  []OwnLimits
	Rates  Rates
}

// BucketRules are the rules of one bucket, by the clients' name of it.
type BucketRules struct {
	Name string
	// PublicRead lets everybody read its objects by name.
	PublicRead bool
	// Limits hold for all of its keys, Parts under their prefixes.
	Limits OwnLimits
	Parts  []OwnLimits
	Rates  Rates
}

// Rules are the rules of all callers and buckets. They are immutable and may be
// used concurrently. A caller without rules may do nothing.
type Rules struct {
	callers map[string]*callerRules
	buckets map[string]*bucketRules
}

type callerRules struct {
	everything bool
	grants     []grant
	limits     []ownLimits
	rates      rates
}

type bucketRules struct {
	publicRead bool
	limits     []ownLimits
	rates      rates
}

// NewRules checks and takes the rules. It reports every problem at once.
func NewRules(callers []CallerRules, buckets []BucketRules) (*Rules, error) {
	r := &Rules{callers: map[string]*callerRules{}, buckets: map[string]*bucketRules{}}
	var problems []error
	for _, c := range callers {
		problems = append(problems, r.addCaller(c))
	}
	for _, b := range buckets {
		if b.Name == "" || r.buckets[b.Name] != nil {
			problems = append(problems, fmt.Errorf("bucket %q: without a name, or twice", b.Name))
		}
		limits, err := compileLimits("bucket "+b.Name, b.Limits, b.Parts)
		problems = append(problems, err)
		r.buckets[b.Name] = &bucketRules{publicRead: b.PublicRead, limits: limits, rates: b.Rates.of("bucket " + b.Name)}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Rules) addCaller(c CallerRules) error {
	if c.Name == "" || r.callers[c.Name] != nil {
		return fmt.Errorf("caller %q: without a name, or twice", c.Name)
	}
	if c.Everything && len(c.Grants) > 0 {
		return fmt.Errorf("caller %q: may do everything, so grants would do nothing", c.Name)
	}
	limits, err := compileLimits("caller "+c.Name, c.Limits, c.Parts)
	if err != nil {
		return err
	}
	own := &callerRules{everything: c.Everything, limits: limits, rates: c.Rates.of("caller " + c.Name)}
	for i, g := range c.Grants {
		compiled, err := compile(g, i+1, c.Name)
		if err != nil {
			return fmt.Errorf("caller %q: grant %d: %w", c.Name, i+1, err)
		}
		own.grants = append(own.grants, compiled)
	}
	r.callers[c.Name] = own
	return nil
}

// grant is a Grant made ready to be held against requests.
type grant struct {
	Grant
	caller   string
	number   int // from 1, in the order of the configuration
	patterns []pattern
	actions  actionSet
}

// pattern is a bucket's name, or a pattern of names.
type pattern struct {
	text string
	wild bool
}

// actionSet has a bit for each of actions.
type actionSet uint8

func setOf(a gateway.Action) actionSet {
	for i, known := range actions {
		if a == known {
			return 1 << i
		}
	}
	return 0
}

// versionsOf are the actions on versions that a denial of some actions denies
// too: who may not read a key may not read what it held before.
func versionsOf(denied actionSet) (all actionSet) {
	if denied&setOf(gateway.Read) != 0 {
		all |= setOf(gateway.ReadVersion)
	}
	if denied&setOf(gateway.Delete) != 0 {
		all |= setOf(gateway.DeleteVersion)
	}
	return all
}

// bucketPatterns reads names and patterns of buckets.
func bucketPatterns(texts []string) ([]pattern, error) {
	var all []pattern
	for _, text := range texts {
		if text == "" || strings.ContainsAny(text, `[]\/`) {
			return nil, fmt.Errorf("%q is no bucket name or pattern", text)
		}
		all = append(all, pattern{text: text, wild: strings.ContainsAny(text, "*?")})
	}
	return all, nil
}

func compile(g Grant, number int, caller string) (c grant, err error) {
	c = grant{Grant: g, caller: caller, number: number}
	if c.patterns, err = bucketPatterns(g.Buckets); err != nil {
		return c, err
	}
	for _, a := range g.Actions {
		bit := setOf(a)
		if bit == 0 {
			return c, fmt.Errorf("%q is no action", a)
		}
		c.actions |= bit
	}
	if g.Deny {
		c.actions |= versionsOf(c.actions)
	}
	if len(c.patterns) == 0 || c.actions == 0 {
		return c, errors.New("names no bucket or no action")
	}
	if slices.ContainsFunc(g.From, func(n netip.Prefix) bool { return !n.IsValid() }) {
		return c, errors.New("has an invalid network")
	}
	return c, nil
}
