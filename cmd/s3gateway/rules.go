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
		limits, err := ownLimits(c.MaxFileSize, c.AllowedFileTypes)
		if err != nil {
			return nil, settingsError("%s: %w", c.Where, err)
		}
		callers = append(callers, policy.CallerRules{Name: c.Name, Grants: grantsOf(c), Limits: limits, Rates: ratesOf(c.Rates)})
	}
	var buckets []policy.BucketRules
	for _, b := range cfg.Buckets {
		limits, err := ownLimits(b.MaxFileSize, b.AllowedFileTypes)
		if err != nil {
			return nil, settingsError("%s: %w", b.Where, err)
		}
		buckets = append(buckets, policy.BucketRules{Name: b.Name, PublicRead: b.PublicRead, Limits: limits, Rates: ratesOf(b.Rates)})
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

func ownLimits(size *int64, list []string) (policy.OwnLimits, error) {
	own := policy.OwnLimits{MaxSize: size}
	if len(list) == 0 {
		return own, nil
	}
	types, err := policy.ParseTypes(list)
	own.Types = &types
	return own, err
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
