package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// master is a secret that no output may show.
const master = "correct-horse-battery"

// folder makes a working folder with the named files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func load(t *testing.T, environ ...string) (*Config, []Warning) {
	t.Helper()
	c, warnings, err := Load(Options{Environ: environ, Dir: t.TempDir()})
	if err != nil {
		t.Fatalf("Load: %v", err)
	}
	return c, warnings
}

func problems(t *testing.T, o Options) string {
	t.Helper()
	if o.Dir == "" {
		o.Dir = t.TempDir()
	}
	c, _, err := Load(o)
	if err == nil {
		t.Fatalf("Load took %q", o.Environ)
	}
	if c != nil {
		t.Error("a Config beside an error")
	}
	var list Problems
	if !errors.As(err, &list) {
		t.Fatalf("error is %T, want Problems", err)
	}
	return err.Error()
}

func TestDefaults(t *testing.T) {
	dir := t.TempDir()
	c, warnings, err := Load(Options{Dir: dir})
	if err != nil || len(warnings) > 0 {
		t.Fatalf("Load: %v, %v", err, warnings)
	}
	if !c.Embedded() || c.Incomplete() != nil || c.BucketName != "files" || c.Region != "us-east-1" || !c.ForcePathStyle {
		t.Errorf("embedded store: %+v", c)
	}
	if c.MaxFileSize != 10485760 || c.UploadExpiry != time.Hour || c.FileCleanupDays != 30 || c.LogLevel != "info" {
		t.Errorf("the seed's defaults: %d %v %d %s", c.MaxFileSize, c.UploadExpiry, c.FileCleanupDays, c.LogLevel)
	}
	if got := strings.Join(c.AllowedFileTypes, ","); got != "image/jpeg,image/png,image/gif,application/pdf" {
		t.Errorf("types %s", got)
	}
	if !slices.Equal(c.ListenAddrs, []string{"127.0.0.1:8000"}) || c.AdminAddr != "127.0.0.1:9090" || c.DataDir != filepath.Join(dir, "data") {
		t.Errorf("places: %v %v %v", c.ListenAddrs, c.AdminAddr, c.DataDir)
	}
	if c.UploadAuth != "auto" || c.PolicyScope != "all" || c.PresignVia != "gateway" || c.UploadPrefix != "uploads" || !slices.Equal(c.ExposeBuckets, []string{"*"}) {
		t.Errorf("doors: %+v", c)
	}
	if c.UploadBufferBytes != 256<<20 || c.CacheEntries != 100000 || c.CacheTTL != 30*time.Second || c.ShutdownTimeout != 30*time.Second {
		t.Errorf("amounts: %+v", c)
	}
	if !c.RateLimit.None() || !c.RateLimitAddress.None() || c.EndpointURL != nil || c.PublicURL != nil || c.APIKeys != nil {
		t.Errorf("what is off by default: %+v", c)
	}
}

// seedBlock is the .env block of the integration document as people paste it.
const seedBlock = `# S3 File Storage
S3_ENABLED=true
S3_BUCKET_NAME=your-bucket-name
S3_REGION=us-east-1
S3_ACCESS_KEY_ID=your-access-key
S3_SECRET_ACCESS_KEY=your-secret-key
S3_SESSION_TOKEN=your-session-token  # Optional
S3_ENDPOINT_URL=  # Optional, for local testing with MinIO

# File Upload Settings
MAX_FILE_SIZE=10485760  # 10MB
ALLOWED_FILE_TYPES=image/jpeg,image/png,image/gif,application/pdf
UPLOAD_EXPIRY_MINUTES=60
FILE_CLEANUP_DAYS=30
`

func TestSeedBlockPastedAsItStands(t *testing.T) {
	for name, text := range map[string]string{
		"as it stands":      seedBlock,
		"with Windows ends": "\ufeff" + strings.ReplaceAll(seedBlock, "\n", "\r\n"),
		"without last end":  strings.TrimSuffix(seedBlock, "\n"),
	} {
		t.Run(name, func(t *testing.T) {
			c, warnings, err := Load(Options{Dir: folder(t, map[string]string{".env": text})})
			if err != nil {
				t.Fatal(err)
			}
			if c.S3Enabled != EnabledTrue || c.BucketName != "your-bucket-name" || c.Region != "us-east-1" || c.EndpointURL != nil || c.ForcePathStyle {
				t.Errorf("backend: %+v", c)
			}
			if c.AccessKeyID != "your-access-key" || c.SecretAccessKey.Reveal() != "your-secret-key" || c.SessionToken.Reveal() != "your-session-token" {
				t.Error("keys differ")
			}
			if c.MaxFileSize != 10485760 || len(c.AllowedFileTypes) != 4 || c.Incomplete() != nil || !slices.Equal(c.ExposeBuckets, []string{"your-bucket-name"}) {
				t.Errorf("policy: %+v", c)
			}
			if len(warnings) != 1 || warnings[0].Name != "GATEWAY_ACCESS_KEY_ID" {
				t.Errorf("warnings %v, want that the S3 door refuses everyone", warnings)
			}
			if got := c.Source("MAX_FILE_SIZE"); got != ".env:11" {
				t.Errorf("source %q", got)
			}
		})
	}
}

func TestEnvironmentThenDotenvThenYAML(t *testing.T) {
	dir := folder(t, map[string]string{
		".env":     "MAX_FILE_SIZE=2\nUPLOAD_PREFIX=dotenv\nCONFIG_FILE=own.yaml\n",
		"own.yaml": "max_file_size: 3\nupload_prefix: yaml\nfile_cleanup_days: 7\n",
	})
	c, _, err := Load(Options{Dir: dir, Environ: []string{"MAX_FILE_SIZE=1", "UPLOAD_PREFIX=", "FILE_CLEANUP_DAYS= "}})
	if err != nil {
		t.Fatal(err)
	}
	if c.MaxFileSize != 1 || c.UploadPrefix != "dotenv" || c.FileCleanupDays != 7 {
		t.Errorf("got %d %s %d", c.MaxFileSize, c.UploadPrefix, c.FileCleanupDays)
	}
	for name, want := range map[string]string{"MAX_FILE_SIZE": "environment", "UPLOAD_PREFIX": ".env:2", "FILE_CLEANUP_DAYS": "own.yaml:3:1", "CACHE_TTL": "default"} {
		if got := c.Source(name); got != want {
			t.Errorf("source of %s is %q, want %q", name, got, want)
		}
	}
	if c.ConfigFile != filepath.Join(dir, "own.yaml") {
		t.Errorf("config file %s", c.ConfigFile)
	}
}

func TestFlagGoesBeforeCONFIG_FILE(t *testing.T) {
	dir := folder(t, map[string]string{"flag.yaml": "max_file_size: 5\n"})
	c, _, err := Load(Options{Dir: dir, ConfigFile: "flag.yaml", Environ: []string{"CONFIG_FILE=absent.yaml"}})
	if err != nil || c.MaxFileSize != 5 || c.Source("CONFIG_FILE") != "flag" {
		t.Fatalf("%v %+v", err, c)
	}
}

func TestNamedFilesMustBeThere(t *testing.T) {
	for name, o := range map[string]Options{
		"flag":        {ConfigFile: "absent.yaml"},
		"variable":    {Environ: []string{"CONFIG_FILE=absent.yaml"}},
		"named .env":  {DotEnv: "absent.env"},
		"a directory": {DotEnv: "."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := problems(t, o); !strings.Contains(got, "cannot be read") || strings.Count(got, "\n") != 0 {
				t.Errorf("got %q", got)
			}
		})
	}
}

func TestConfigFileTooLarge(t *testing.T) {
	dir := folder(t, map[string]string{".env": strings.Repeat("#", mostBytes+1)})
	if got := problems(t, Options{Dir: dir}); !strings.Contains(got, "larger than 1 MiB") {
		t.Error(got)
	}
}

func TestValuesThatPeopleWrite(t *testing.T) {
	c, _ := load(t,
		"S3_ENABLED=True", "S3_BUCKET_NAME= files\n", "S3_ENDPOINT_URL=HTTP://MinIO:9000/",
		"S3_ACCESS_KEY_ID=minio\n", "S3_SECRET_ACCESS_KEY=minio/123+=\n",
		"GATEWAY_ACCESS_KEY_ID=app", "GATEWAY_SECRET_ACCESS_KEY="+master,
		"MAX_FILE_SIZE=0", "ALLOWED_FILE_TYPES= Image/*, */* ,,", "LOG_LEVEL=Warning",
		"LISTEN_ADDR=:8000,unix:gw.sock,[::1]:0", "ADMIN_ADDR=OFF", "PUBLIC_URL=https://Files.example.com/",
		"API_KEYS=ci=0123456789abcdef=,web=fedcba9876543210", "UPLOAD_AUTH=Required",
		"S3_EXPOSE_BUCKETS=files,logs-*", "S3_DOMAIN=S3.example.com", "CDN_BASE_URL=https://cdn.example.com/x/",
		"CORS_ALLOWED_ORIGINS=https://App.example.com,https://*.example.org", "RATE_LIMIT=600/m:50",
		"TRUSTED_PROXIES=10.1.2.3/8,::ffff:192.0.2.1", "CACHE_TTL=5", "SHUTDOWN_TIMEOUT=1m30s",
		"TLS_CERT_FILE=c.pem", "TLS_KEY_FILE=/k.pem", "TLS_CLIENT_CA_FILE=ca.pem", "PROXY_PROTOCOL=yes", "PRESIGN_VIA=gateway", "UPLOAD_EXPIRY_MINUTES=10080")
	if c.EndpointURL.String() != "http://minio:9000" || c.PublicEndpointURL.String() != "http://minio:9000" || !c.ForcePathStyle || c.Region != "us-east-1" {
		t.Errorf("endpoint %v %v %v %v", c.EndpointURL, c.PublicEndpointURL, c.ForcePathStyle, c.Region)
	}
	if c.BucketName != "files" || c.AccessKeyID != "minio" || c.SecretAccessKey.Reveal() != "minio/123+=" {
		t.Error("a newline at the end of a mounted value counted")
	}
	if c.MaxFileSize != 0 || !slices.Equal(c.AllowedFileTypes, []string{"image/*", "*/*"}) || c.LogLevel != "warn" {
		t.Errorf("policy %v %v %v", c.MaxFileSize, c.AllowedFileTypes, c.LogLevel)
	}
	if len(c.ListenAddrs) != 3 || !strings.HasPrefix(c.ListenAddrs[1], "unix:/") || c.AdminAddr != "" {
		t.Errorf("addresses %v %q", c.ListenAddrs, c.AdminAddr)
	}
	if len(c.APIKeys) != 2 || c.APIKeys[0].Name != "ci" || c.APIKeys[0].Key.Reveal() != "0123456789abcdef=" || c.UploadAuth != "required" {
		t.Errorf("keys %v", c.APIKeys)
	}
	if c.RateLimit != (Rate{PerSecond: 10, Burst: 50}) || c.CacheTTL != 5*time.Second || c.ShutdownTimeout != 90*time.Second || c.UploadExpiry != 168*time.Hour {
		t.Errorf("amounts %v %v %v", c.RateLimit, c.CacheTTL, c.ShutdownTimeout)
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("192.0.2.1/32")}
	if !slices.Equal(c.TrustedProxies, want) {
		t.Errorf("proxies %v", c.TrustedProxies)
	}
	if c.PublicURL.String() != "https://files.example.com" || c.CDNBaseURL.String() != "https://cdn.example.com/x" || c.Domains[0] != "s3.example.com" || c.CORSAllowedOrigins[0] != "https://app.example.com" {
		t.Errorf("URLs %v %v %v %v", c.PublicURL, c.CDNBaseURL, c.Domains, c.CORSAllowedOrigins)
	}
	if !filepath.IsAbs(c.TLSCertFile) || c.TLSKeyFile != "/k.pem" || !filepath.IsAbs(c.TLSClientCAFile) || !c.ProxyProtocol || !slices.Equal(c.ExposeBuckets, []string{"files", "logs-*"}) {
		t.Errorf("files %v %v %v", c.TLSCertFile, c.TLSKeyFile, c.ExposeBuckets)
	}
}

func TestIncompleteIsNoError(t *testing.T) {
	for _, tt := range []struct{ name, environ, want string }{
		{"no bucket and region", "S3_ENABLED=true", "S3_BUCKET_NAME and S3_REGION"},
		{"no bucket", "S3_ENABLED=true S3_REGION=eu-central-1", "set for S3_BUCKET_NAME"},
		{"no region on AWS", "S3_ENABLED=true S3_BUCKET_NAME=files", "set for S3_REGION"},
		{"switched off", "S3_ENABLED=false", "S3_ENABLED=false"},
		{"no region with an endpoint", "S3_ENABLED=true S3_BUCKET_NAME=files S3_ENDPOINT_URL=http://minio:9000", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _ := load(t, strings.Fields(tt.environ)...)
			switch err := c.Incomplete(); {
			case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("Incomplete: %v, want %q", err, tt.want)
			}
		})
	}
}

func TestTrustInABackendOfItsOwnCA(t *testing.T) {
	c, warnings := load(t, "S3_ENABLED=true", "S3_BUCKET_NAME=files", "S3_ENDPOINT_URL=https://minio:9000", "S3_CA_FILE=ca.pem",
		"GATEWAY_ACCESS_KEY_ID=app", "GATEWAY_SECRET_ACCESS_KEY="+master)
	if !filepath.IsAbs(c.S3CAFile) || c.S3SkipTLSVerify || len(warnings) > 0 {
		t.Errorf("%q %v %v", c.S3CAFile, c.S3SkipTLSVerify, warnings)
	}
}
