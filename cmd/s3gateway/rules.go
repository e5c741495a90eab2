package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/policy"
)

// newPolicy makes the one policy of both doors from the settings.
func newPolicy(cfg *config.Config) (*policy.Policy, error) {
	types, err := policy.ParseTypes(cfg.AllowedFileTypes)
	if err != nil {
		return nil, settingsError("ALLOWED_FILE_TYPES: %w", err)
	}
	p := &policy.Policy{
		MaxFileSize: cfg.MaxFileSize, Types: types,
		Scope: policy.Scope(cfg.PolicyScope), UploadPrefix: cfg.UploadPrefix,
		Rate: rateOf(cfg.RateLimit, "RATE_LIMIT"), RateBytes: rateOf(cfg.RateLimitBytes, "RATE_LIMIT_BYTES"),
	}
	// The callers of the settings may do everything, those of the file what is
	// granted.
	var callers []policy.CallerRules
	names := []string{firstCaller, policy.LocalUser, policy.OpenUser}
	for _, k := range cfg.APIKeys {
		if !slices.Contains(names, k.Name) {
			names = append(names, k.Name)
		}
	}
	for _, name := range names {
		callers = append(callers, policy.CallerRules{Name: name, Everything: true})
	}
	for _, c := range cfg.Callers {
		limits, parts, err := limitsOf(c.Limits, c.Parts)
		if err != nil {
			return nil, settingsError("%s: %w", c.Where, err)
		}
		callers = append(callers, policy.CallerRules{
			Name: c.Name, Grants: grantsOf(c), Limits: limits, Parts: parts, Rates: ratesOf(c.Rates),
		})
	}
	var buckets []policy.BucketRules
	for _, b := range cfg.Buckets {
		limits, parts, err := limitsOf(b.Limits, b.Parts)
		if err != nil {
			return nil, settingsError("%s: %w", b.Where, err)
		}
		buckets = append(buckets, policy.BucketRules{
			Name: b.Name, PublicRead: b.PublicRead, Limits: limits, Parts: parts, Rates: ratesOf(b.Rates),
		})
	}
	if p.Rules, err = policy.NewRules(callers, buckets); err != nil {
		return nil, settingsError("%w", err)
	}
	return p, nil
}

func grantsOf(c config.Caller) []policy.Grant {
	grants := make([]policy.Grant, len(c.Grants))
	for i, g := range c.Grants {
		grants[i] = policy.Grant{
			Deny: g.Deny, Buckets: g.Buckets, Prefix: g.Prefix, Actions: g.Actions,
			From: g.From, Between: policy.Hours(g.Between), Where: g.Where,
		}
	}
	return grants
}

// ratesOf takes the limits on traffic of an entry.
func ratesOf(r config.Rates) policy.Rates {
	own := policy.Rates{InFlight: int64(r.InFlight), Actions: map[gateway.Action]policy.Rate{}}
	if r.Requests != nil {
		own.Requests = &policy.Rate{PerSecond: r.Requests.PerSecond, Burst: r.Requests.Burst}
	}
	if r.Bytes != nil {
		own.Bytes = &policy.Rate{PerSecond: r.Bytes.PerSecond, Burst: r.Bytes.Burst}
	}
	for action, of := range r.Actions.ByAction() {
		own.Actions[action] = policy.Rate{PerSecond: of.PerSecond, Burst: of.Burst}
	}
	return own
}

// limitsOf are the limits of one entry and of its parts.
func limitsOf(l config.Limits, entries []config.PartLimits) (own policy.OwnLimits, parts []policy.OwnLimits, err error) {
	if own, err = ownLimits(l); err != nil {
		return own, nil, err
	}
	for _, e := range entries {
		part, err := ownLimits(e.Limits)
		if err != nil {
			return own, nil, err
		}
		part.Buckets, part.Prefix = e.Buckets, e.Prefix
		parts = append(parts, part)
	}
	return own, parts, nil
}

func ownLimits(l config.Limits) (own policy.OwnLimits, err error) {
	own = policy.OwnLimits{
		MaxSize: l.MaxFileSize, MinSize: l.MinFileSize, VerifyContent: l.VerifyContent,
		Extensions: l.AllowedExtensions, DeniedExtensions: l.DeniedExtensions, Names: l.AllowedNames,
	}
	if own.Types, err = typesOf(l.AllowedFileTypes); err != nil {
		return own, err
	}
	own.DeniedTypes, err = typesOf(l.DeniedFileTypes)
	return own, err
}

// typesOf reads a list of types, nil for none.
func typesOf(list []string) (*policy.Types, error) {
	if len(list) == 0 {
		return nil, nil
	}
	types, err := policy.ParseTypes(list)
	return &types, err
}

// addKeys takes the keys of a caller of the file.
func addKeys(o *policy.CallersOptions, c config.Caller) error {
	for _, k := range c.AccessKeys {
		o.AccessKeys = append(o.AccessKeys, policy.AccessKey{
			ID: k.ID, Secret: k.Secret.Reveal(), Caller: c.Name,
			Validity: policy.Validity{Expires: k.Expires, Disabled: k.Disabled},
		})
	}
	for _, k := range c.APIKeys {
		key := policy.APIKey{
			Caller: c.Name, Key: k.Key.Reveal(), Validity: policy.Validity{Expires: k.Expires, Disabled: k.Disabled},
		}
		if k.SHA256 != "" {
			sum, err := hex.DecodeString(k.SHA256)
			if err != nil || len(sum) != sha256.Size {
				return fmt.Errorf("%s: sha256 is not 64 hex digits", k.Where)
			}
			copy(key.Digest[:], sum)
		}
		o.APIKeys = append(o.APIKeys, key)
	}
	return nil
}
