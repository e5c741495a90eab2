package config

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gateway "github.com/codeguardians/s3gateway"
)

// The members of each kind of entry: one table each, as settings is for the
// rest. What is read, refused and shown goes by them.
var (
	backendMembers = append(append([]member[Backend]{
		needed(one("name", func(b *Backend) *string { return &b.Name }, callerName)),
		one("endpoint_url", func(b *Backend) **url.URL { return &b.EndpointURL }, endpoint),
		one("region", func(b *Backend) *string { return &b.Region }, region),
		quiet(one("access_key_id", func(b *Backend) *string { return &b.AccessKeyID }, backendKeyID)),
	}, secrets("secret_access_key", func(b *Backend) *Secret { return &b.SecretAccessKey }, backendSecret)...),
		one("credentials_secret_id", func(b *Backend) *string { return &b.CredentialsSecretID }, plain),
		one("force_path_style", func(b *Backend) **bool { return &b.pathStyle }, optional(truth)),
		one("ca_file", func(b *Backend) *string { return &b.CAFile }, file),
		one("trailers", func(b *Backend) **bool { return &b.trailers }, optional(truth)),
		one("verify_payload", func(b *Backend) *string { return &b.VerifyPayload }, oneOf("gateway", "backend")),
	)
	bucketMembers = append(append(append([]member[Bucket]{
		needed(one("name", func(b *Bucket) *string { return &b.Name }, bucketName)),
		one("backend", func(b *Bucket) *string { return &b.Backend }, callerName),
		one("bucket", func(b *Bucket) *string { return &b.Bucket }, bucketName),
		one("prefix", func(b *Bucket) *string { return &b.Prefix }, bucketPrefix),
	}, limitMembers(func(b *Bucket) *Limits { return &b.Limits })...),
		one("public", func(b *Bucket) *bool { return &b.PublicRead }, public),
		several("cors_allowed_origins", func(b *Bucket) *[]string { return &b.CORSAllowedOrigins }, corsOrigin),
		nested("limits", func(b *Bucket) *[]PartLimits { return &b.Parts }, bucketPartMembers, func(p *PartLimits) *string { return &p.Where }),
	), rateMembers(func(b *Bucket) *Rates { return &b.Rates })...)
	callerMembers = append(append(append([]member[Caller]{
		needed(one("name", func(c *Caller) *string { return &c.Name }, callerName)),
		nested("access_keys", func(c *Caller) *[]AccessKey { return &c.AccessKeys }, accessKeyMembers, func(k *AccessKey) *string { return &k.Where }),
		claims("oidc", func(c *Caller) *map[string]string { return &c.OIDC }),
		nested("api_keys", func(c *Caller) *[]CallerKey { return &c.APIKeys }, apiKeyMembers, func(k *CallerKey) *string { return &k.Where }),
	}, limitMembers(func(c *Caller) *Limits { return &c.Limits })...),
		nested("limits", func(c *Caller) *[]PartLimits { return &c.Parts }, callerPartMembers, func(p *PartLimits) *string { return &p.Where }),
		nested("grants", func(c *Caller) *[]Grant { return &c.Grants }, grantMembers, func(g *Grant) *string { return &g.Where }),
	), rateMembers(func(c *Caller) *Rates { return &c.Rates })...)
	actionRateMembers = []member[ActionRates]{
		one("list", func(a *ActionRates) **Rate { return &a.List }, optional(requestRate)),
		one("read", func(a *ActionRates) **Rate { return &a.Read }, optional(requestRate)),
		one("write", func(a *ActionRates) **Rate { return &a.Write }, optional(requestRate)),
		one("delete", func(a *ActionRates) **Rate { return &a.Delete }, optional(requestRate)),
		one("manage", func(a *ActionRates) **Rate { return &a.Manage }, optional(requestRate)),
	}
	bucketPartMembers = append([]member[PartLimits]{
		needed(one("prefix", func(p *PartLimits) *string { return &p.Prefix }, keyPrefix)),
	}, limitMembers(func(p *PartLimits) *Limits { return &p.Limits })...)
	callerPartMembers = append([]member[PartLimits]{
		several("bucket", func(p *PartLimits) *[]string { return &p.Buckets }, bucketPattern),
		one("prefix", func(p *PartLimits) *string { return &p.Prefix }, keyPrefix),
	}, limitMembers(func(p *PartLimits) *Limits { return &p.Limits })...)
	accessKeyMembers = append(append([]member[AccessKey]{
		needed(quiet(one("id", func(k *AccessKey) *string { return &k.ID }, gatewayKeyID))),
	}, secrets("secret", func(k *AccessKey) *Secret { return &k.Secret }, gatewaySecret)...),
		narrows(one("expires", func(k *AccessKey) *time.Time { return &k.Expires }, moment)),
		narrows(one("disabled", func(k *AccessKey) *bool { return &k.Disabled }, mark)),
	)
	apiKeyMembers = append(secrets("key", func(k *CallerKey) *Secret { return &k.Key }, gatewaySecret),
		quiet(one("sha256", func(k *CallerKey) *string { return &k.SHA256 }, sha256Hex)),
		narrows(one("expires", func(k *CallerKey) *time.Time { return &k.Expires }, moment)),
		narrows(one("disabled", func(k *CallerKey) *bool { return &k.Disabled }, mark)),
	)
	grantMembers = []member[Grant]{
		narrows(one("deny", func(g *Grant) *bool { return &g.Deny }, mark)),
		needed(several("bucket", func(g *Grant) *[]string { return &g.Buckets }, bucketPattern)),
		one("prefix", func(g *Grant) *string { return &g.Prefix }, keyPrefix),
		needed(several("actions", func(g *Grant) *[]gateway.Action { return &g.Actions }, action)),
		narrows(several("from", func(g *Grant) *[]netip.Prefix { return &g.From }, network)),
		narrows(one("between", func(g *Grant) *Hours { return &g.Between }, hours)),
	}
)

// rateMembers are the limits on traffic of an entry.
func rateMembers[R any](at func(*R) *Rates) []member[R] {
	return []member[R]{
		one("rate", func(r *R) **Rate { return &at(r).Requests }, optional(requestRate)),
		one("rate_bytes", func(r *R) **Rate { return &at(r).Bytes }, optional(byteRate)),
		one("in_flight", func(r *R) *int { return &at(r).InFlight }, unlessZero(count(0, 1_000_000))),
		within("rates", func(r *R) *ActionRates { return &at(r).Actions }, actionRateMembers),
	}
}

// unlessZero shows a number only where there is one.
func unlessZero[N int | int64](k kind[N]) kind[N] {
	show := k.show
	k.show = func(n N) string {
		if n == 0 {
			return ""
		}
		return show(n)
	}
	return k
}

// callerName reads the name of a caller or backend.
var callerName = textOf("accepted: 1 to 64 letters, digits and . _ @ -", func(text string) error {
	if len(text) > 64 || !only(text, letters+"0123456789._@-") {
		return errors.New("not a name")
	}
	return nil
})

// mark is truth that is shown only where it is.
var mark = kind[bool]{parse: truth.parse, accepted: truth.accepted, show: func(b bool) string {
	if b {
		return "true"
	}
	return ""
}}

// optional tells "not given" (nil) from zero.
func optional[T any](k kind[T]) kind[*T] {
	return kind[*T]{
		parse: func(text string) (*T, error) {
			v, err := k.parse(text)
			return &v, err
		},
		show: func(v *T) string {
			if v == nil {
				return ""
			}
			return k.show(*v)
		},
		accepted: k.accepted,
	}
}

// bucketPrefix reads what stands before every key of a bucket. Its end is
// written out, because without the slash team would hold the keys of teams too.
var bucketPrefix = textOf("accepted: segments that each end with a slash, none of them empty, . or .., for example team/a/", func(text string) error {
	folder, ok := strings.CutSuffix(text, "/")
	if !ok {
		return errors.New("does not end with a slash")
	}
	return checkFolder(folder)
})

// keyPrefix reads the beginning of keys as clients send them. It is compared
// byte for byte, so nothing in it is cleaned or refused but what no key has.
var keyPrefix = textOf("accepted: the beginning of keys, at most 1024 bytes, for example incoming/", func(text string) error {
	if len(text) > 1024 || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return errors.New("longer than 1024 bytes, or not plain text")
	}
	return nil
})

var public = kind[bool]{
	parse: func(text string) (bool, error) {
		switch text {
		case "read":
			return true, nil
		case "none":
			return false, nil
		}
		return false, errors.New("not one of the words")
	},
	show: func(b bool) string {
		if b {
			return "read"
		}
		return ""
	},
	accepted: "accepted: read (everybody may GET and HEAD its objects as they are now), none",
}

var action = kind[gateway.Action]{
	parse: func(text string) (gateway.Action, error) {
		for _, a := range []gateway.Action{gateway.List, gateway.Read, gateway.ReadVersion, gateway.Write, gateway.Delete, gateway.DeleteVersion, gateway.Manage} {
			if text == string(a) {
				return a, nil
			}
		}
		return "", errors.New("not an action")
	},
	show:     func(a gateway.Action) string { return string(a) },
	accepted: "accepted: list, read, read-version, write, delete, delete-version, manage",
}

// moment reads a time with its zone: without one, an expiry would move with the
// machine.
var moment = kind[time.Time]{
	parse: func(text string) (time.Time, error) {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return time.Time{}, errors.New("not a time")
		}
		return t.UTC(), nil
	},
	show: func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.Format(time.RFC3339)
	},
	accepted: "accepted: date, time and zone, for example 2027-01-31T00:00:00Z",
}

var sha256Hex = textOf("accepted: the SHA-256 of the key, 64 hex digits in lower case, as `s3gateway keys new` prints it", func(text string) error {
	if len(text) != hex.EncodedLen(sha256.Size) || !only(text, "0123456789abcdef") {
		return errors.New("not a SHA-256")
	}
	return nil
})

var hours = kind[Hours]{
	parse: func(text string) (Hours, error) {
		from, to, _ := strings.Cut(text, "-")
		a, err := minuteOfDay(from)
		b, err2 := minuteOfDay(to)
		if err = errors.Join(err, err2); err != nil || a == b || a == 24*60 || b == 0 {
			return Hours{}, errors.New("not a time of the day")
		}
		return Hours{From: a, To: b}, nil
	},
	show: func(h Hours) string {
		if h == (Hours{}) {
			return ""
		}
		return fmt.Sprintf("%02d:%02d-%02d:%02d", h.From/60, h.From%60, h.To/60, h.To%60)
	},
	accepted: "accepted: two times of the day in UTC, for example 08:00-18:00, 22:00-06:00 or 18:00-24:00",
}

func minuteOfDay(text string) (int, error) {
	if text == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", text)
	if err != nil || len(text) != len("15:04") {
		return 0, errors.New("not a time of the day")
	}
	return t.Hour()*60 + t.Minute(), nil
}
