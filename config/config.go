package config

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Enabled is the state of S3_ENABLED. The zero value is EnabledUnset.
type Enabled int

// The states of S3_ENABLED.
const (
	// EnabledUnset: the backend is the embedded store.
	EnabledUnset Enabled = iota
	// EnabledTrue: the backend is the S3 of the S3_* settings.
	EnabledTrue
	// EnabledFalse: both doors answer 503.
	EnabledFalse
)

// APIKey is one key of the REST door.
type APIKey struct {
	// Name is the caller's name in grants, limits and logs; unique.
	Name string
	// Key is what the client sends; unique, at least 16 characters.
	Key Secret
}

// Rate is a token bucket. The zero value is no limit.
type Rate struct {
	// PerSecond is the refill in requests (or bytes) per second, above 0.
	PerSecond float64
	// Burst is the size of the bucket, at least 1.
	Burst int64
}

// None reports whether there is no limit.
func (r Rate) None() bool { return r == Rate{} }

// Config is every setting of the gateway, checked and with derived defaults
// filled in. Load makes it; it is not changed afterwards and so is safe for
// concurrent use. Each field names its environment variable; the YAML name is
// the same in lower case.
type Config struct {
	// S3Enabled (S3_ENABLED) says where the bytes live.
	S3Enabled Enabled
	// BucketName (S3_BUCKET_NAME) is the bucket of the REST door, "files" on
	// the embedded store. Empty: see Incomplete.
	BucketName string
	// Region (S3_REGION) signs requests to the backend; us-east-1 on the
	// embedded store and with an endpoint. Empty: see Incomplete.
	Region string
	// AccessKeyID (S3_ACCESS_KEY_ID) of the backend. Empty: the AWS default
	// chain, or CredentialsSecretID.
	AccessKeyID string
	// SecretAccessKey (S3_SECRET_ACCESS_KEY) is set exactly when AccessKeyID is.
	SecretAccessKey Secret
	// SessionToken (S3_SESSION_TOKEN) of temporary keys. Empty: none.
	SessionToken Secret
	// EndpointURL (S3_ENDPOINT_URL) is scheme, host and perhaps a path without
	// trailing slash. Nil: AWS S3 of Region, or the embedded store.
	EndpointURL *url.URL
	// PublicEndpointURL (S3_PUBLIC_ENDPOINT_URL) is where clients reach the
	// backend; EndpointURL when not set, nil when neither is.
	PublicEndpointURL *url.URL
	// ForcePathStyle (S3_FORCE_PATH_STYLE) puts the bucket into the path; true
	// with EndpointURL and on the embedded store unless set.
	ForcePathStyle bool
	// CredentialsSecretID (S3_CREDENTIALS_SECRET_ID) is the name or ARN of an
	// AWS Secrets Manager secret with the keys. Empty: none.
	CredentialsSecretID string
	// S3CAFile (S3_CA_FILE) is the absolute path of a PEM file with the
	// authorities that alone vouch for the backend. Empty: the system's.
	S3CAFile string
	// S3SkipTLSVerify (S3_SKIP_TLS_VERIFY) takes any certificate for the
	// backend's; false with S3CAFile.
	S3SkipTLSVerify bool
	// MaxFileSize (MAX_FILE_SIZE) is the largest accepted object in bytes,
	// after chunk decoding. 0: no limit.
	MaxFileSize int64
	// AllowedFileTypes (ALLOWED_FILE_TYPES) are media types in lower case:
	// type/subtype, type/* or */*. Never empty; */* turns type checks off.
	AllowedFileTypes []string
	// UploadExpiry (UPLOAD_EXPIRY_MINUTES) is how long links hold, 1 minute to
	// 7 days.
	UploadExpiry time.Duration
	// FileCleanupDays (FILE_CLEANUP_DAYS) is the age for a cleanup of files, which
	// there is not yet: nothing reads it. 0: no age.
	FileCleanupDays int
	// LogLevel (LOG_LEVEL) in zerolog's words: trace, debug, info, warn,
	// error, fatal, disabled.
	LogLevel string
	// ListenAddrs (LISTEN_ADDR) of both doors, host:port or unix:/path. Never
	// empty.
	ListenAddrs []string
	// AdminAddr (ADMIN_ADDR) of health and metrics, as ListenAddrs. Empty: off.
	AdminAddr string
	// DataDir (DATA_DIR) is the absolute folder of the embedded store and of
	// generated keys.
	DataDir string
	// StoreSync (STORE_SYNC) has the embedded store acknowledge a write only when
	// it is on the disk.
	StoreSync bool
	// StoreScrub (STORE_SCRUB) is how many bytes a second the embedded store reads
	// again in the background. Zero: it does not.
	StoreScrub Rate
	// ConfigFile (CONFIG_FILE, or the flag) is the absolute path of the YAML
	// file. Empty: none.
	ConfigFile string
	// PublicURL (PUBLIC_URL) is scheme and host that clients use for the
	// gateway. Nil: the request's own Host where that is loopback.
	PublicURL *url.URL
	// GatewayAccessKeyID (GATEWAY_ACCESS_KEY_ID) is the first caller of the S3
	// door. Empty: generated on the embedded store, otherwise nobody.
	GatewayAccessKeyID string
	// GatewaySecretAccessKey (GATEWAY_SECRET_ACCESS_KEY), at least 16
	// characters, is set exactly when GatewayAccessKeyID is. Keys for links
	// are derived from it.
	GatewaySecretAccessKey Secret
	// APIKeys (API_KEYS) of the REST door. Empty: see UploadAuth.
	APIKeys []APIKey
	// UploadAuth (UPLOAD_AUTH) is auto (without keys: a local user only),
	// required or none.
	UploadAuth string
	// OIDCIssuer (OIDC_ISSUER) of bearer tokens. Empty: none.
	OIDCIssuer string
	// OIDCAudience (OIDC_AUDIENCE) that tokens must name. Empty: none.
	OIDCAudience string
	// ExposeBuckets (S3_EXPOSE_BUCKETS) are the names and patterns that the S3
	// door shows: * on the embedded store, BucketName otherwise, unless set.
	// Empty: no bucket.
	ExposeBuckets []string
	// Domains (S3_DOMAIN) of virtual-host style, lower case. Empty: path style
	// only.
	Domains []string
	// UploadPrefix (UPLOAD_PREFIX) is where the REST door's ids live, without
	// slash at either end. Never empty.
	UploadPrefix string
	// PolicyScope (POLICY_SCOPE) is all or uploads.
	PolicyScope string
	// SigV2 (SIGV2) is links or off.
	SigV2 string
	// PresignVia (PRESIGN_VIA) is gateway or backend.
	PresignVia string
	// CDNBaseURL (CDN_BASE_URL) is the base of file_url, perhaps with a path
	// without trailing slash. Nil: none.
	CDNBaseURL *url.URL
	// CORSAllowedOrigins (CORS_ALLOWED_ORIGINS) are origins in lower case,
	// with perhaps *. as first label, or *. Empty: none.
	CORSAllowedOrigins []string
	// PassHeaders (PASS_HEADERS) are further x-amz-* headers that the S3 door
	// lets through, lower case, perhaps with a * at the end. Empty: none.
	PassHeaders []string
	// RateLimit (RATE_LIMIT) is in requests per caller.
	RateLimit Rate
	// RateLimitBytes (RATE_LIMIT_BYTES) is in bytes per caller.
	RateLimitBytes Rate
	// RateLimitAddress (RATE_LIMIT_ADDRESS) is in requests per client address.
	RateLimitAddress Rate
	// MaxOpenUploads (MAX_OPEN_UPLOADS) bounds the unfinished resumable uploads of
	// one caller. 0: any number.
	MaxOpenUploads int
	// UploadBufferBytes (UPLOAD_BUFFER_BYTES) bounds the part buffers of all
	// uploads of unknown length together; at least 8 MiB.
	UploadBufferBytes int64
	// QuotaBytes (QUOTA_BYTES) is the most that may be stored in BucketName, or
	// under UploadPrefix of it by PolicyScope. 0: no quota.
	QuotaBytes int64
	// RedisURL (REDIS_URL) carries a password, so it is a secret. Empty: none.
	RedisURL Secret
	// ReadCheck (READ_CHECK) is auto or always.
	ReadCheck string
	// CacheEntries (CACHE_ENTRIES) of the metadata cache. 0: no cache.
	CacheEntries int
	// CacheTTL (CACHE_TTL) is how long an entry is believed, 0 to 24 h. 0: no
	// cache.
	CacheTTL time.Duration
	// TrustedProxies (TRUSTED_PROXIES) are the networks whose forwarding
	// headers count. Empty: nobody's.
	TrustedProxies []netip.Prefix
	// ProxyProtocol (PROXY_PROTOCOL) expects a PROXY protocol header at the
	// beginning of each connection from TrustedProxies, which are set then.
	ProxyProtocol bool
	// TLSCertFile (TLS_CERT_FILE) is the absolute path of a PEM chain. Empty:
	// plain HTTP.
	TLSCertFile string
	// TLSKeyFile (TLS_KEY_FILE) is set exactly when TLSCertFile is.
	TLSKeyFile string
	// TLSClientCAFile (TLS_CLIENT_CA_FILE) is the absolute path of a PEM file
	// with the authorities of client certificates; TLSCertFile is set then.
	// Empty: clients need none.
	TLSClientCAFile string
	// ClamdAddr (CLAMD_ADDR) of the virus scanner. Empty: none.
	ClamdAddr string
	// WebhookURL (WEBHOOK_URL) may carry a token, so it is a secret. Empty:
	// none.
	WebhookURL Secret
	// WebhookSecret (WEBHOOK_SECRET) signs webhooks. Empty: none.
	WebhookSecret Secret
	// ShutdownTimeout (SHUTDOWN_TIMEOUT) is how long requests may finish, 0 to
	// 1 h. 0: they are cut at once.
	ShutdownTimeout time.Duration

	// Backends, Buckets and Callers are the sections of ConfigFile; empty
	// without one.
	Backends []Backend
	Buckets  []Bucket
	Callers  []Caller

	// files are those that were read or looked for.
	files []string
	// emptyFile is true of a CONFIG_FILE that says nothing.
	emptyFile bool
	// sources says of each setting that was given where it was.
	sources map[string]string
}

// Embedded reports whether the backend is the embedded store.
func (c *Config) Embedded() bool { return c.S3Enabled == EnabledUnset }

// HasAPIKeys reports whether the REST door has keys, of API_KEYS or of a
// caller. Expired and disabled ones count: a door does not open because its last
// key ends.
func (c *Config) HasAPIKeys() bool {
	return len(c.APIKeys) > 0 || slices.ContainsFunc(c.Callers, func(k Caller) bool { return len(k.APIKeys) > 0 })
}

// Incomplete says what is missing before objects can be served, nil when
// nothing is. The process starts all the same: both doors answer 503 and health
// shows this text.
func (c *Config) Incomplete() error {
	if c.S3Enabled == EnabledFalse {
		return errors.New("S3_ENABLED=false: set S3_ENABLED=true to serve the S3 of the S3_* settings, or remove it to serve the embedded store")
	}
	var missing []string
	if c.BucketName == "" {
		missing = append(missing, "S3_BUCKET_NAME")
	}
	if c.Region == "" {
		missing = append(missing, "S3_REGION")
	}
	if len(missing) == 0 {
		return nil
	}
	return errors.New("S3_ENABLED=true, but nothing is set for " + strings.Join(missing, " and "))
}

// Source says where a setting came from: "default", "environment", "flag", or
// file and line. The name is that of the environment variable.
func (c *Config) Source(name string) string {
	if s := c.sources[name]; s != "" {
		return s
	}
	return "default"
}
