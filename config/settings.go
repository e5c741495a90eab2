package config

import (
	"net/netip"
	"net/url"
	"time"
)

// setting is one row of the table of settings.
type setting struct {
	// name is the environment variable; the YAML name is its lower case.
	name string
	// def is the default as it would be written, "" for none.
	def string
	// derived says what stands in for the default when others decide it.
	derived string
	// meaning is one line for the reference.
	meaning string
	// secret texts are never shown, in problems neither.
	secret bool
	// quiet texts are not shown in problems: an access key variable often gets
	// the secret by mistake.
	quiet bool
	// list takes a YAML sequence too.
	list bool
	// notYet is refused with any value but the default: a protection that does
	// nothing would deceive.
	notYet bool
	// live settings take effect when the configuration is read again; the
	// others when the process starts.
	live bool
	// ignored says why the setting does nothing; it is warned about.
	ignored string
	// value binds the field of Config; nil when ignored.
	value value
}

// settings is the one table of settings, in the order of the reference.
var settings = []setting{
	{name: "S3_ENABLED", derived: "unset: the embedded store",
		meaning: "unset: embedded store on local disk; `true`: the S3 of the S3_* settings; `false`: both doors answer 503",
		value:   of(func(c *Config) *Enabled { return &c.S3Enabled }, enabled)},
	{name: "S3_BUCKET_NAME", derived: "`files` on the embedded store",
		meaning: "bucket of the REST door; needed with S3_ENABLED=true",
		value:   of(func(c *Config) *string { return &c.BucketName }, bucketName)},
	{name: "S3_REGION", derived: "`us-east-1` on the embedded store and with S3_ENDPOINT_URL",
		meaning: "region of the backend; needed with S3_ENABLED=true on AWS",
		value:   of(func(c *Config) *string { return &c.Region }, region)},
	{name: "S3_ACCESS_KEY_ID", quiet: true,
		meaning: "access key for the backend; none: web identity, ECS or EC2 role, shared profile",
		value:   of(func(c *Config) *string { return &c.AccessKeyID }, backendKeyID)},
	{name: "S3_SECRET_ACCESS_KEY", secret: true,
		meaning: "its secret",
		value:   of(func(c *Config) *Secret { return &c.SecretAccessKey }, backendSecret)},
	{name: "S3_SESSION_TOKEN", secret: true,
		meaning: "its session token, when the keys are temporary",
		value:   of(func(c *Config) *Secret { return &c.SessionToken }, backendSecret)},
	{name: "S3_ENDPOINT_URL", derived: "AWS S3 of S3_REGION",
		meaning: "address of another S3, for example MinIO",
		value:   of(func(c *Config) **url.URL { return &c.EndpointURL }, endpoint)},
	{name: "S3_PUBLIC_ENDPOINT_URL", derived: "S3_ENDPOINT_URL",
		meaning: "where clients reach the backend, for links to it",
		value:   of(func(c *Config) **url.URL { return &c.PublicEndpointURL }, endpoint)},
	{name: "S3_FORCE_PATH_STYLE", derived: "`true` with S3_ENDPOINT_URL, otherwise `false`",
		meaning: "bucket in the path of backend requests, not in the host name",
		value:   of(func(c *Config) *bool { return &c.ForcePathStyle }, truth)},
	{name: "S3_CREDENTIALS_SECRET_ID",
		meaning: "name or ARN of an AWS Secrets Manager secret with the backend's keys",
		value:   of(func(c *Config) *string { return &c.CredentialsSecretID }, plain)},
	{name: "S3_CA_FILE",
		meaning: "PEM file of the certificate authorities that alone vouch for the backend; for one with a CA of its own",
		value:   of(func(c *Config) *string { return &c.S3CAFile }, file)},
	{name: "S3_SKIP_TLS_VERIFY", def: "false",
		meaning: "`true`: take any certificate for the backend's, so that anyone on the way can be it; warned about at every start",
		value:   of(func(c *Config) *bool { return &c.S3SkipTLSVerify }, truth)},
	{name: "MAX_FILE_SIZE", live: true, def: "10485760",
		meaning: "largest object, in bytes or as `10MiB`, `1GB`; 0: no limit",
		value:   of(func(c *Config) *int64 { return &c.MaxFileSize }, size)},
	{name: "ALLOWED_FILE_TYPES", live: true, def: "image/jpeg,image/png,image/gif,application/pdf", list: true,
		meaning: "media types that may be stored; `image/*`, `*/*` for all",
		value:   of(func(c *Config) *[]string { return &c.AllowedFileTypes }, listOf(mediaType))},
	{name: "UPLOAD_EXPIRY_MINUTES", live: true, def: "60",
		meaning: "how long links hold, 1 to 10080 minutes",
		value:   of(func(c *Config) *time.Duration { return &c.UploadExpiry }, minutes(1, 7*24*60))},
	{name: "FILE_CLEANUP_DAYS", def: "30",
		meaning: "age of files for a cleanup that this version does not have: nothing is deleted",
		value:   of(func(c *Config) *int { return &c.FileCleanupDays }, count(0, 36500))},
	{name: "LOG_LEVEL", live: true, def: "INFO",
		meaning: "TRACE, DEBUG, INFO, WARNING, ERROR, CRITICAL or OFF",
		value:   of(func(c *Config) *string { return &c.LogLevel }, logLevel)},
	{name: "UPLOAD_DIR", ignored: "does nothing here; files go to S3, or with the embedded store to DATA_DIR: remove it",
		meaning: "does nothing, warned about: files go to S3, or to DATA_DIR"},
	{name: "LISTEN_ADDR", def: "127.0.0.1:8000", list: true,
		meaning: "addresses of both doors: `host:port`, `unix:/path`, several with commas",
		value:   of(func(c *Config) *[]string { return &c.ListenAddrs }, listOf(listenAddress))},
	{name: "ADMIN_ADDR", def: "127.0.0.1:9090",
		meaning: "address of /livez, /readyz and /metrics, host:port or `unix:/path`; answers to its own host names only; `off` for none",
		value:   of(func(c *Config) *string { return &c.AdminAddr }, adminAddress)},
	{name: "DATA_DIR", def: "./data",
		meaning: "folder of the embedded store and of generated keys",
		value:   of(func(c *Config) *string { return &c.DataDir }, file)},
	{name: "STORE_SYNC", def: "true",
		meaning: "`false`: the embedded store acknowledges writes before they are on the disk, so that a power cut loses some; for tests only, warned about at every start",
		value:   of(func(c *Config) *bool { return &c.StoreSync }, truth)},
	{name: "STORE_SCRUB",
		meaning: "how fast the embedded store reads everything again in the background to find damage, `10MiB/s`; none: not at all",
		value:   of(func(c *Config) *Rate { return &c.StoreScrub }, byteRate)},
	{name: configFileName,
		meaning: "YAML file with settings by their names in lower case, and the sections backends, buckets and callers (docs/policy.md)",
		value:   of(func(c *Config) *string { return &c.ConfigFile }, file)},
	{name: "PUBLIC_URL", live: true, derived: "the request's Host when loopback",
		meaning: "how clients reach the gateway; used in links",
		value:   of(func(c *Config) **url.URL { return &c.PublicURL }, origin)},
	{name: "GATEWAY_ACCESS_KEY_ID", quiet: true, derived: "generated on the embedded store only",
		meaning: "access key of the S3 door's first caller, who may do everything",
		value:   of(func(c *Config) *string { return &c.GatewayAccessKeyID }, gatewayKeyID)},
	{name: "GATEWAY_SECRET_ACCESS_KEY", secret: true, derived: "generated on the embedded store only",
		meaning: "its secret, at least 16 characters; keys for links are derived from it",
		value:   of(func(c *Config) *Secret { return &c.GatewaySecretAccessKey }, gatewaySecret)},
	{name: "API_KEYS", live: true, secret: true, list: true,
		meaning: "keys of the REST door: `name=key`, several with commas; sent as `Authorization: Bearer` or `X-API-Key`; at least 16 characters",
		value:   of(func(c *Config) *[]APIKey { return &c.APIKeys }, apiKeys)},
	{name: "UPLOAD_AUTH", live: true, def: "auto",
		meaning: "REST door: `auto` (without keys: only the user that the gateway runs as, on this machine), `required`, `none` (open)",
		value:   of(func(c *Config) *string { return &c.UploadAuth }, oneOf("auto", "required", "none"))},
	{name: "OIDC_ISSUER", live: true,
		meaning: "issuer of bearer tokens on the REST door, as tokens name it: `https://…`; with OIDC_AUDIENCE and `oidc` of callers (docs/policy.md)",
		value:   of(func(c *Config) *string { return &c.OIDCIssuer }, issuer)},
	{name: "OIDC_AUDIENCE", live: true,
		meaning: "audience that those tokens must name",
		value:   of(func(c *Config) *string { return &c.OIDCAudience }, plain)},
	{name: "S3_EXPOSE_BUCKETS", live: true, list: true, derived: "the one in S3_BUCKET_NAME; `*` on the embedded store",
		meaning: "buckets that the S3 door shows: a list, patterns, or `*`, with which callers granted `manage` may create and delete buckets",
		value:   of(func(c *Config) *[]string { return &c.ExposeBuckets }, listOf(bucketPattern))},
	{name: "S3_DOMAIN", live: true, list: true,
		meaning: "virtual-host style under these domains, several with commas",
		value:   of(func(c *Config) *[]string { return &c.Domains }, listOf(domain))},
	{name: "UPLOAD_PREFIX", def: "uploads",
		meaning: "ids of the REST door live under it",
		value:   of(func(c *Config) *string { return &c.UploadPrefix }, prefix)},
	{name: "POLICY_SCOPE", live: true, def: "all",
		meaning: "where MAX_FILE_SIZE and ALLOWED_FILE_TYPES hold: `all` of the bucket, or `uploads`: under UPLOAD_PREFIX only",
		value:   of(func(c *Config) *string { return &c.PolicyScope }, oneOf("all", "uploads"))},
	{name: "PRESIGN_VIA", def: "gateway",
		meaning: "where links point: `gateway` (policy on the wire) or `backend` (straight to S3_PUBLIC_ENDPOINT_URL; what comes by them is checked before it is served, docs/links.md)",
		value:   of(func(c *Config) *string { return &c.PresignVia }, oneOf("gateway", "backend"))},
	{name: "CDN_BASE_URL", live: true,
		meaning: "base of file_url and download links",
		value:   of(func(c *Config) **url.URL { return &c.CDNBaseURL }, endpoint)},
	{name: "CORS_ALLOWED_ORIGINS", live: true, list: true,
		meaning: "origins of web pages that may use the gateway, `https://*.example.com` and `*` too; without any, the backend's own CORS rules of each bucket hold on the S3 endpoint",
		value:   of(func(c *Config) *[]string { return &c.CORSAllowedOrigins }, listOf(corsOrigin))},
	{name: "SIGV2", def: "links",
		meaning: "`links`: links and browser forms of Signature Version 2 count, which boto3 and AWS CLI v1 make by default in us-east-1; `off`: they do not. It never counts in a header",
		value:   of(func(c *Config) *string { return &c.SigV2 }, oneOf("links", "off"))},
	{name: "PASS_HEADERS", list: true,
		meaning: "further x-amz-* request headers that go on to the backend, several with commas, a `*` at the end for any ending",
		value:   of(func(c *Config) *[]string { return &c.PassHeaders }, listOf(passedHeader))},
	{name: "RATE_LIMIT", live: true,
		meaning: "requests per caller: `100/s`, `100/s:burst`, also `/m`, `/h`",
		value:   of(func(c *Config) *Rate { return &c.RateLimit }, requestRate)},
	{name: "RATE_LIMIT_BYTES", live: true,
		meaning: "bytes per caller, each way: `50MiB/s`, `50MiB/s:burst`; streams are slowed down",
		value:   of(func(c *Config) *Rate { return &c.RateLimitBytes }, byteRate)},
	{name: "RATE_LIMIT_ADDRESS", live: true,
		meaning: "requests per client address, before authentication: `20/s`",
		value:   of(func(c *Config) *Rate { return &c.RateLimitAddress }, requestRate)},
	{name: "UPLOAD_BUFFER_BYTES", def: "256MiB",
		meaning: "memory of all uploads of unknown length and of all documents together, from 8MiB; shared fairly among callers (docs/policy.md)",
		value:   of(func(c *Config) *int64 { return &c.UploadBufferBytes }, sizeFrom(8<<20))},
	{name: "MAX_OPEN_UPLOADS", live: true, def: "1000",
		meaning: "unfinished resumable uploads of one caller; 0: any number",
		value:   of(func(c *Config) *int { return &c.MaxOpenUploads }, count(0, 1_000_000))},
	{name: "QUOTA_BYTES", live: true,
		meaning: "most bytes in the bucket of S3_BUCKET_NAME, `500GiB` (with `POLICY_SCOPE=uploads` under UPLOAD_PREFIX); unfinished uploads and versions count (docs/policy.md)",
		value:   of(func(c *Config) *int64 { return &c.QuotaBytes }, size)},
	{name: "REDIS_URL", secret: true,
		meaning: "Redis or Valkey in which replicas share limits, quotas, cache invalidation and locks: `redis://user:password@host:port/db`, `rediss://…`, `unix:///path`",
		value:   of(func(c *Config) *Secret { return &c.RedisURL }, secretURL("redis", "rediss", "unix"))},
	{name: "CACHE_ENTRIES", def: "100000",
		meaning: "entries of the metadata cache; 0: no cache",
		value:   of(func(c *Config) *int { return &c.CacheEntries }, count(0, 100_000_000))},
	{name: "CACHE_TTL", def: "30s",
		meaning: "how long a cached entry is believed; 0: no cache",
		value:   of(func(c *Config) *time.Duration { return &c.CacheTTL }, duration(24*time.Hour))},
	{name: "READ_CHECK", def: "auto",
		meaning: "whole reads are compared with the object's checksum, but for the embedded store, which compares each block as it reads it; `always`: there too",
		value:   of(func(c *Config) *string { return &c.ReadCheck }, oneOf("auto", "always"))},
	{name: "TRUSTED_PROXIES", list: true,
		meaning: "networks whose forwarding headers count",
		value:   of(func(c *Config) *[]netip.Prefix { return &c.TrustedProxies }, listOf(network))},
	{name: "PROXY_PROTOCOL", def: "false",
		meaning: "`true`: connections from TRUSTED_PROXIES begin with a PROXY protocol header (version 1 or 2), which names the client; all others are served as plain ones",
		value:   of(func(c *Config) *bool { return &c.ProxyProtocol }, truth)},
	{name: "TLS_CERT_FILE",
		meaning: "PEM certificate chain; with TLS_KEY_FILE the doors speak HTTPS, from TLS 1.2, with HTTP/2; read again when a file changes",
		value:   of(func(c *Config) *string { return &c.TLSCertFile }, file)},
	{name: "TLS_KEY_FILE",
		meaning: "its PEM key",
		value:   of(func(c *Config) *string { return &c.TLSKeyFile }, file)},
	{name: "TLS_CLIENT_CA_FILE",
		meaning: "PEM file of certificate authorities; clients of both doors must present a certificate of one of them; read again when it changes",
		value:   of(func(c *Config) *string { return &c.TLSClientCAFile }, file)},
	{name: "CLAMD_ADDR", notYet: true,
		meaning: "clamd that uploads are scanned with",
		value:   of(func(c *Config) *string { return &c.ClamdAddr }, dialAddress)},
	{name: "WEBHOOK_URL", secret: true, notYet: true,
		meaning: "called after uploads and deletions",
		value:   of(func(c *Config) *Secret { return &c.WebhookURL }, secretURL("http", "https"))},
	{name: "WEBHOOK_SECRET", secret: true, notYet: true,
		meaning: "signs those calls",
		value:   of(func(c *Config) *Secret { return &c.WebhookSecret }, gatewaySecret)},
	{name: "SHUTDOWN_TIMEOUT", def: "30s",
		meaning: "how long requests may finish after a stop signal; 0: none",
		value:   of(func(c *Config) *time.Duration { return &c.ShutdownTimeout }, duration(time.Hour))},
}

// configFileName is the setting that names the YAML file.
const configFileName = "CONFIG_FILE"

// find gives the row of a name.
func find(name string) (setting, bool) {
	for _, s := range settings {
		if s.name == name {
			return s, true
		}
	}
	return setting{}, false
}
