package config

import (
	"net/netip"
	"net/url"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

// DefaultBackend is the name of the backend of the S3_* settings (the embedded
// store without them).
const DefaultBackend = "default"

// Where, in the structs below, is file, line and column of an entry, for
// messages and for the explanation of a decision.

// Backend is a further S3 beside the one of the S3_* settings: an entry of the
// section backends of the YAML file.
type Backend struct {
	// Name (name) is unique; 1 to 64 letters, digits and . _ @ -; never
	// DefaultBackend.
	Name string
	// EndpointURL (endpoint_url) as Config.EndpointURL. Nil: AWS S3 of Region.
	EndpointURL *url.URL
	// Region (region) signs requests; us-east-1 with an endpoint unless set.
	// Never empty.
	Region string
	// AccessKeyID (access_key_id). Empty: CredentialsSecretID, or the AWS
	// default chain.
	AccessKeyID string
	// SecretAccessKey (secret_access_key, _file or _env) is set exactly when
	// AccessKeyID is.
	SecretAccessKey Secret
	// CredentialsSecretID (credentials_secret_id) as in Config; never set
	// beside AccessKeyID.
	CredentialsSecretID string
	// ForcePathStyle (force_path_style); true with EndpointURL unless set.
	ForcePathStyle bool
	// CAFile (ca_file) is an absolute path, as Config.S3CAFile. Empty: the
	// system's authorities.
	CAFile string
	// Trailers (trailers) says that it takes trailing checksums; true unless
	// set.
	Trailers bool
	// VerifyPayload (verify_payload) is "backend" (it compares signed payload
	// hashes) or "gateway" (it is not trusted with that). Never empty.
	VerifyPayload string
	Where         string

	pathStyle, trailers *bool // as given
}

// Bucket is one bucket as clients see it: an entry of the section buckets. A
// listed bucket is exposed whatever S3_EXPOSE_BUCKETS says.
type Bucket struct {
	// Name (name) is the clients' name; unique.
	Name string
	// Backend (backend) is the name of a Backend or DefaultBackend. Never
	// empty.
	Backend string
	// Bucket (bucket) is the backend's own name of it; Name unless set.
	Bucket string
	// Prefix (prefix) stands before every key at the backend. Empty, or it
	// ends with a slash.
	Prefix string
	// Limits hold for the whole bucket, Parts (limits) under their prefixes.
	Limits
	Parts []PartLimits
	// PublicRead (public: read) lets everybody GET and HEAD its objects, by
	// name: nothing is listed.
	PublicRead bool
	// CORSAllowedOrigins (cors_allowed_origins) as Config.CORSAllowedOrigins,
	// for the S3 door, and in its place. Empty: that one.
	CORSAllowedOrigins []string
	// Rates are limits on the traffic of the bucket, all callers together.
	Rates Rates
	Where string
}

// Caller is one who may come with a key: an entry of the section callers. A
// caller without grants may do nothing.
type Caller struct {
	// Name (name) is unique, also among the names of API_KEYS; 1 to 64
	// letters, digits and . _ @ -.
	Name string
	// AccessKeys (access_keys) are for the S3 door. Several, so that keys can
	// be rotated.
	AccessKeys []AccessKey
	// APIKeys (api_keys) are for the REST door.
	APIKeys []CallerKey
	// OIDC (oidc) are the claims, by name, of the tokens that the caller comes
	// with on the REST door; all of them must fit. Empty: no token is the
	// caller's.
	OIDC map[string]string
	// Limits hold for all uploads of the caller, Parts (limits) in some buckets
	// or under some prefixes.
	Limits
	Parts []PartLimits
	// Rates take the place of RATE_LIMIT and RATE_LIMIT_BYTES.
	Rates Rates
	// Grants (grants) are what the caller may do, and what not.
	Grants []Grant
	Where  string
}

// Rates are the limits on traffic of a Bucket or a Caller.
type Rates struct {
	// Requests (rate) and Bytes (rate_bytes). Nil: none of its own; a zero
	// Rate: no limit.
	Requests, Bytes *Rate
	// InFlight (in_flight) is how many requests may be under way at once. 0:
	// any number.
	InFlight int
	// Actions (rates) are requests of one class of actions.
	Actions ActionRates
}

// ActionRates are rates by class of actions; nil for none.
type ActionRates struct{ List, Read, Write, Delete, Manage *Rate }

// ByAction gives the rates that are set.
func (a ActionRates) ByAction() map[gateway.Action]Rate {
	set := map[gateway.Action]Rate{}
	for action, r := range map[gateway.Action]*Rate{
		gateway.List: a.List, gateway.Read: a.Read, gateway.Write: a.Write, gateway.Delete: a.Delete, gateway.Manage: a.Manage,
	} {
		if r != nil {
			set[action] = *r
		}
	}
	return set
}

// AccessKey is a key pair of a Caller.
type AccessKey struct {
	// ID (id) is unique; the rules of GATEWAY_ACCESS_KEY_ID hold.
	ID string
	// Secret (secret, secret_file or secret_env), at least 16 characters.
	Secret Secret
	// Expires (expires): from this moment on the key is not known. Zero: never.
	Expires time.Time
	// Disabled (disabled): the key is not known.
	Disabled bool
	Where    string
}

// CallerKey is an API key of a Caller: Key or SHA256.
type CallerKey struct {
	// Key (key, key_file or key_env), at least 16 characters. Empty: SHA256.
	Key Secret
	// SHA256 (sha256) is the SHA-256 of the key in lower-case hex, for files
	// that hold no secret. Empty: Key.
	SHA256 string
	// Expires and Disabled as in AccessKey.
	Expires  time.Time
	Disabled bool
	Where    string
}

// Grant allows a Caller something, or denies it. It holds for a request when
// the bucket, the key, the action and every condition fit.
type Grant struct {
	// Deny (deny) takes away what other grants allow.
	Deny bool
	// Buckets (bucket) are names and patterns as in S3_EXPOSE_BUCKETS. Never
	// empty.
	Buckets []string
	// Prefix (prefix) is what keys begin with, byte for byte. Empty: any key.
	Prefix string
	// Actions (actions) are the classes of operations. Never empty.
	Actions []gateway.Action
	// From (from) are the networks of the client. Empty: any.
	From []netip.Prefix
	// Between (between) is a time of the day. The zero value: any.
	Between Hours
	Where   string
}

// Hours is a time of the day in UTC, From included and To not, in minutes from
// midnight, 0 to 1440. From after To spans midnight. The zero value is any time.
type Hours struct{ From, To int }
