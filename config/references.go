package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
)

// ownCallers are the names of callers that the gateway has by itself: of the
// GATEWAY_* keys, and those without a key.
var ownCallers = map[string]bool{"gateway": true, "local": true, "open": true}

// resolveSections fills in what entries leave out.
func (l *loader) resolveSections() {
	for i := range l.cfg.Backends {
		b := &l.cfg.Backends[i]
		if b.Region == "" && b.EndpointURL != nil {
			b.Region = "us-east-1"
		}
		b.ForcePathStyle = b.EndpointURL != nil
		if b.pathStyle != nil {
			b.ForcePathStyle = *b.pathStyle
		}
		b.Trailers = b.trailers == nil || *b.trailers
		if b.VerifyPayload == "" {
			b.VerifyPayload = "backend"
		}
		if b.CAFile != "" {
			b.CAFile = l.absolute(b.CAFile)
		}
	}
	for i := range l.cfg.Buckets {
		b := &l.cfg.Buckets[i]
		if b.Backend == "" {
			b.Backend = DefaultBackend
		}
		if b.Bucket == "" {
			b.Bucket = b.Name
		}
	}
}

// wrong refuses an entry for what it says together with others.
func (l *loader) wrong(where, what, accepted string) {
	l.problems = append(l.problems, Problem{Name: where, Wrong: what, Accepted: accepted})
}

// checkSections holds entries against each other and against the settings.
// Values that were refused are empty, and nothing more is said of them.
func (l *loader) checkSections() {
	backends := l.checkBackends()
	l.checkBuckets(backends)
	l.checkCallers()
}

// unique refuses a value that an earlier entry has; seen goes from value to
// place.
func (l *loader) unique(seen map[string]string, value, where, what string) {
	if value == "" {
		return
	}
	if first, twice := seen[value]; twice {
		l.wrong(where, what+": already at "+first, "use another")
		return
	}
	seen[value] = where
}

func (l *loader) checkBackends() map[string]string {
	seen := map[string]string{DefaultBackend: "the S3_* settings"}
	for _, b := range l.cfg.Backends {
		l.unique(seen, b.Name, b.Where, "backend "+b.Name)
		switch {
		case b.AccessKeyID != "" && b.SecretAccessKey == "", b.AccessKeyID == "" && b.SecretAccessKey != "":
			if !l.problemNear(b.Where) {
				l.wrong(b.Where, "backend "+b.Name+": access_key_id and secret_access_key go together", "set both, or neither")
			}
		case b.AccessKeyID != "" && b.CredentialsSecretID != "":
			l.wrong(b.Where, "backend "+b.Name+": credentials_secret_id is not used beside access_key_id", "remove one of them")
		}
		if b.Region == "" && b.EndpointURL == nil && !l.problemNear(b.Where) {
			l.wrong(b.Where, "backend "+b.Name+": neither endpoint_url nor region", "set region for AWS S3, or endpoint_url")
		}
		if b.CAFile != "" && b.EndpointURL != nil && b.EndpointURL.Scheme != "https" {
			l.wrong(b.Where, "backend "+b.Name+": endpoint_url is reached without TLS, so ca_file does nothing", "use https://, or remove it")
		}
	}
	return seen
}

// problemNear reports whether the file has a problem: a pair of which one half
// was refused is not called incomplete as well.
func (l *loader) problemNear(where string) bool {
	file, _, _ := strings.Cut(where, ":")
	return slices.ContainsFunc(l.problems, func(p Problem) bool { return strings.HasPrefix(p.Name, file+":") })
}

func (l *loader) checkBuckets(backends map[string]string) {
	seen := map[string]string{}
	for _, b := range l.cfg.Buckets {
		l.unique(seen, b.Name, b.Where, "bucket "+b.Name)
		l.checkLimits("bucket "+b.Name, b.Where, b.Limits, b.Parts)
		if backends[b.Backend] == "" {
			l.wrong(b.Where, "bucket "+b.Name+": there is no backend "+b.Backend, "add it to backends")
		}
		if b.Backend == DefaultBackend && l.cfg.Embedded() && b.Bucket != "" && !strictBucket(b.Bucket) {
			l.wrong(b.Where, "bucket "+b.Name+": the embedded store takes no bucket "+b.Bucket, "use lower case letters, digits, dots and hyphens")
		}
	}
	l.warnOverlaps()
}

// warnOverlaps tells of two buckets that are the same objects: each has limits
// and grants of its own, so the laxer ones count for both.
func (l *loader) warnOverlaps() {
	all := slices.Clone(l.cfg.Buckets)
	slices.SortStableFunc(all, func(a, b Bucket) int {
		return cmp.Or(strings.Compare(a.Backend, b.Backend), strings.Compare(a.Bucket, b.Bucket), strings.Compare(a.Prefix, b.Prefix))
	})
	for i := 1; i < len(all); i++ {
		a, b := all[i-1], all[i]
		if a.Backend == b.Backend && a.Bucket == b.Bucket && strings.HasPrefix(b.Prefix, a.Prefix) {
			l.warn("buckets", b.Where, a.Name+" and "+b.Name+" hold the same objects: whoever may use one of them is not bound by the limits of the other")
		}
	}
}

func (l *loader) checkCallers() {
	names, ids, digests := map[string]string{}, map[string]string{}, map[string]string{}
	if l.cfg.GatewayAccessKeyID != "" {
		ids[l.cfg.GatewayAccessKeyID] = "GATEWAY_ACCESS_KEY_ID"
	}
	for _, k := range l.cfg.APIKeys {
		names[k.Name] = "API_KEYS, whose callers may do everything"
		digests[digest(k.Key)] = "API_KEYS"
	}
	for _, c := range l.cfg.Callers {
		if ownCallers[c.Name] {
			l.wrong(c.Where, "caller "+c.Name+": the name is the gateway's own", "use another")
		}
		l.unique(names, c.Name, c.Where, "caller "+c.Name)
		l.checkLimits("caller "+c.Name, c.Where, c.Limits, c.Parts)
		if len(c.OIDC) > 0 && !l.isGiven("OIDC_ISSUER") {
			l.wrong(c.Where, "caller "+c.Name+": oidc, but no token is taken", "set OIDC_ISSUER and OIDC_AUDIENCE")
		}
		for _, k := range c.AccessKeys {
			l.unique(ids, k.ID, k.Where, "caller "+c.Name+": the access key ID")
			if k.Secret == "" && !l.problemNear(k.Where) {
				l.wrong(k.Where, "caller "+c.Name+": an access key without a secret", "set secret, secret_file, secret_env or secret_aws")
			}
		}
		for _, k := range c.APIKeys {
			l.checkCallerKey(digests, c.Name, k)
		}
	}
}

func (l *loader) checkCallerKey(seen map[string]string, caller string, k CallerKey) {
	hash := k.SHA256
	switch {
	case k.Key != "" && hash != "":
		l.wrong(k.Where, "caller "+caller+": an API key with both key and sha256", "keep one")
		return
	case k.Key != "":
		hash = digest(k.Key)
	case hash == "" && !l.problemNear(k.Where):
		l.wrong(k.Where, "caller "+caller+": an API key without key and sha256", "set key, key_file, key_env or sha256")
	}
	l.unique(seen, hash, k.Where, "caller "+caller+": the API key")
}

func digest(key Secret) string {
	sum := sha256.Sum256([]byte(key.Reveal()))
	return hex.EncodeToString(sum[:])
}
