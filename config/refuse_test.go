package config

import (
	"strings"
	"testing"
)

func TestEveryProblemAtOnce(t *testing.T) {
	got := problems(t, Options{
		Dir:     folder(t, map[string]string{".env": "what is this\nFILE_CLEANUP_DAYS=soon\n", "c.yaml": "max_fil_size: 1\nupload_prefix: /x\n"}),
		Environ: []string{"CONFIG_FILE=c.yaml", "MAX_FILE_SIZE=10 apples", "S3_ENDPOINT_URL=minio:9000", "S3_ACCESS_KEY_ID=AKIA", "OIDC_ISSUER=https://issuer.example.com"},
	})
	want := []string{
		`.env:1: not a setting; write NAME=value`,
		`c.yaml:1:1: max_fil_size: unknown; did you mean max_file_size?`,
		`S3_ENDPOINT_URL="minio:9000": not http:// or https://; accepted: http`,
		`MAX_FILE_SIZE="10 apples": not a size; accepted: bytes, or`,
		`FILE_CLEANUP_DAYS="soon": not a whole number; accepted: a whole number from 0 to 36500 (.env:2)`,
		`UPLOAD_PREFIX="/x": has an empty, . or .. segment`,
		`S3_ENABLED: not set, so files would go`,
		`S3_ACCESS_KEY_ID="[redacted]": set without S3_SECRET_ACCESS_KEY; set both, or neither`,
		`OIDC_ISSUER="https://issuer.example.com": set without OIDC_AUDIENCE; set both, or neither`,
	}
	lines := strings.Split(got, "\n")
	if len(lines) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(lines), len(want), got)
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], want[i]) {
			t.Errorf("line %d is\n%s\nwant\n%s", i, lines[i], want[i])
		}
	}
}

func TestRefusedValues(t *testing.T) {
	long := strings.Repeat("a", 64)
	for name, values := range map[string][]string{
		"S3_ENABLED":             {"maybe", "2", "truefalse"},
		"S3_BUCKET_NAME":         {"api", "ab", long, "-ab", "a..b", "192.168.0.1", "a/b", "bücket", "Upper", "under_score", ".s3gateway"},
		"S3_EXPOSE_BUCKETS":      {"api", "files,api", "a/*", ","},
		"S3_REGION":              {"us east", "a/b"},
		"S3_ENDPOINT_URL":        {"s3://x", "http://", "https://:443", "http://h:0", "http://h:99999", "http://h:", "http://h/?x=1", "http://h/#f", "http://h/a/../b", "http://h/a b", "http://h/a%2Fb", "http://1.2.3", "http://[::1", "//h"},
		"PUBLIC_URL":             {"https://h/prefix", "files.example.com"},
		"MAX_FILE_SIZE":          {"-1", "10M", "10Mi", "1e6", "0x10", "1/2", "1.5", ".5MB", "1.MB", "MB", "1_000", "9223372036854775808", "8388608TiB", "1 2", "１０", strings.Repeat("9", 5000)},
		"ALLOWED_FILE_TYPES":     {"*", "pdf", ".pdf", "*/png", "image/", "/png", "image/png;q=1", "image/p*", "a/b/c", ",,"},
		"UPLOAD_EXPIRY_MINUTES":  {"0", "10081", "-5", "60m", "1.5", "+5", "99999999999999999999"},
		"FILE_CLEANUP_DAYS":      {"-1", "36501"},
		"LOG_LEVEL":              {"loud", "10"},
		"LISTEN_ADDR":            {"8000", "host", "h:65536", "h:-1", "h:http", "unix:", "unix:~/s", "::1:80", "a b:80", "unix:/" + strings.Repeat("d", 110), "127.0.0.1:9090"},
		"ADMIN_ADDR":             {"none", "127.0.0.1:8000", "unix:/" + strings.Repeat("d", 110)},
		"DATA_DIR":               {"~/data", "a\x00b"},
		"GATEWAY_ACCESS_KEY_ID":  {"GWLABC", "a/b", "a b", "a,b", "ab", "é-key"},
		"API_KEYS":               {"justakey", "=0123456789abcdef", "ci=short", "a b=0123456789abcdef", "a=0123456789abcdef,a=0123456789abcdeg", "a=0123456789abcdef,b=0123456789abcdef", ","},
		"UPLOAD_AUTH":            {"required", "open", "auto,none"},
		"S3_DOMAIN":              {"*.example.com", ".example.com", "https://s3.example.com", "s3.example.com:8000", "192.0.2.1", "::1"},
		"UPLOAD_PREFIX":          {"/", "a/", "/a", "a//b", ".", "a/../b", ".s3gateway", ".s3gateway/x", "a\tb", strings.Repeat("x", 257)},
		"POLICY_SCOPE":           {"some"},
		"CDN_BASE_URL":           {"https://cdn.example.com/?k=v", "cdn.example.com"},
		"CORS_ALLOWED_ORIGINS":   {"null", "app.example.com", "https://app.example.com/x", "https://a.*.com"},
		"RATE_LIMIT":             {"100", "0/s", "100/d", "100/s:", "100/s:0", "100/s:1.5", "-1/s", "1e3/s", "NaN/s", "Inf/s", "100 per s", "2000000000000000/s"},
		"RATE_LIMIT_ADDRESS":     {"x/s"},
		"UPLOAD_BUFFER_BYTES":    {"0", "8MB"},
		"CACHE_ENTRIES":          {"-1", "many"},
		"CACHE_TTL":              {"-1s", "25h", "forever", "1.5"},
		"TRUSTED_PROXIES":        {"10.0.0.0/33", "proxy", "::ffff:10.0.0.0/104", "fe80::1%eth0"},
		"SHUTDOWN_TIMEOUT":       {"2h", "-1"},
		"S3_FORCE_PATH_STYLE":    {"auto"},
		"S3_PUBLIC_ENDPOINT_URL": {"ftp://x"},
		"S3_SESSION_TOKEN":       {"alone"},
		"TLS_CERT_FILE":          {"alone.pem", "~/c.pem"},
		"TLS_KEY_FILE":           {"alone.pem"},
		"TLS_CLIENT_CA_FILE":     {"alone.pem", "~/ca.pem"},
		"S3_CA_FILE":             {"on-the-embedded-store.pem", "~/ca.pem"},
		"S3_SKIP_TLS_VERIFY":     {"maybe"},
		"PROXY_PROTOCOL":         {"true", "v2"},
		"OIDC_AUDIENCE":          {"x"},
		"PRESIGN_VIA":            {"backend", "cdn"},
		"RATE_LIMIT_BYTES":       {"50MiB", "50MiB/m", "x"},
		"REDIS_URL":              {"http://:pw@redis:6379", "x"},
		"CLAMD_ADDR":             {"clamd:3310"},
		"WEBHOOK_URL":            {"https://hooks.example.com/token"},
		"WEBHOOK_SECRET":         {master},
	} {
		for _, v := range values {
			t.Run(name+"="+v[:min(len(v), 24)], func(t *testing.T) {
				environ := []string{name + "=" + v}
				if name == "S3_ENDPOINT_URL" { // needs it, and says so on another line
					environ = append(environ, "S3_ENABLED=true")
				}
				got := problems(t, Options{Environ: environ})
				if !strings.Contains(got, name) && name != "LISTEN_ADDR" {
					t.Errorf("the problem names another setting: %s", got)
				}
				if strings.Count(got, "\n") > 0 || !strings.Contains(got, "; ") || len(got) > 600 {
					t.Errorf("not one short line that says what is accepted: %s", got)
				}
			})
		}
	}
}

func TestSettingsThatContradictEachOther(t *testing.T) {
	for _, tt := range []struct{ name, environ, want string }{
		{"a backend without S3_ENABLED", "S3_ENDPOINT_URL=http://minio:9000", "set S3_ENABLED=true, or remove S3_ENDPOINT_URL"},
		{"keys without S3_ENABLED", "S3_ACCESS_KEY_ID=a S3_SECRET_ACCESS_KEY=b", "or remove S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY"},
		{"a secret's id without S3_ENABLED", "S3_CREDENTIALS_SECRET_ID=arn", "or remove S3_CREDENTIALS_SECRET_ID"},
		{"a key without its secret", "S3_ENABLED=true S3_ACCESS_KEY_ID=a", "set without S3_SECRET_ACCESS_KEY"},
		{"a secret without its key", "S3_ENABLED=true S3_SECRET_ACCESS_KEY=b", "set without S3_ACCESS_KEY_ID"},
		{"links to the embedded store", "PRESIGN_VIA=backend GATEWAY_ACCESS_KEY_ID=abcdef GATEWAY_SECRET_ACCESS_KEY=" + master, "the embedded store is reached by this gateway alone"},
		{"links to the backend without a key", "PRESIGN_VIA=backend S3_ENABLED=true", "set without GATEWAY_SECRET_ACCESS_KEY"},
		{"gateway secret alone", "GATEWAY_SECRET_ACCESS_KEY=" + master, "set without GATEWAY_ACCESS_KEY_ID"},
		{"gateway secret too short", "GATEWAY_ACCESS_KEY_ID=app GATEWAY_SECRET_ACCESS_KEY=tooshort", "shorter than 16"},
		{"required without keys", "UPLOAD_AUTH=required", "no API_KEYS"},
		{"certificate without key", "TLS_CERT_FILE=/c.pem", "set without TLS_KEY_FILE"},
		{"client certificates without TLS", "TLS_CLIENT_CA_FILE=/ca.pem", "set without TLS_CERT_FILE"},
		{"PROXY protocol from nobody", "PROXY_PROTOCOL=true", "set TRUSTED_PROXIES to the networks of the proxies"},
		{"a CA for the embedded store", "S3_CA_FILE=/ca.pem", "the embedded store is reached without TLS"},
		{"a CA for a backend without TLS", "S3_ENABLED=true S3_ENDPOINT_URL=http://minio:9000 S3_CA_FILE=/ca.pem", "use an https:// S3_ENDPOINT_URL"},
		{"a CA that is not looked at", "S3_ENABLED=true S3_ENDPOINT_URL=https://minio:9000 S3_CA_FILE=/ca.pem S3_SKIP_TLS_VERIFY=true", "S3_CA_FILE is not looked at"},
		{"both doors and admin on one address", "LISTEN_ADDR=127.0.0.1:9090", "also in LISTEN_ADDR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := problems(t, Options{Environ: strings.Fields(tt.environ)}); !strings.Contains(got, tt.want) || strings.Contains(got, "\n") {
				t.Errorf("got %s", got)
			}
		})
	}
}

func TestOneMistakeGivesOneProblem(t *testing.T) {
	for _, environ := range []string{
		"S3_ENABLED=ture S3_ENDPOINT_URL=http://minio:9000 S3_BUCKET_NAME=My_Files",
		"S3_ENABLED=true S3_ACCESS_KEY_ID=a/b S3_SESSION_TOKEN=x S3_SECRET_ACCESS_KEY=b",
		"UPLOAD_AUTH=required API_KEYS=short",
		"PROXY_PROTOCOL=true TRUSTED_PROXIES=proxy",
		"S3_ENABLED=true S3_ENDPOINT_URL=minio S3_CA_FILE=/ca.pem",
	} {
		if got := problems(t, Options{Environ: strings.Fields(environ)}); strings.Contains(got, "\n") {
			t.Errorf("%s gives\n%s", environ, got)
		}
	}
}

func TestUpperCaseBucketOnARealBackend(t *testing.T) {
	if c, _ := load(t, "S3_ENABLED=true", "S3_BUCKET_NAME=My_Files", "S3_REGION=us-east-1"); c.BucketName != "My_Files" {
		t.Error(c.BucketName)
	}
}

func TestWarnings(t *testing.T) {
	for _, tt := range []struct{ name, environ, want string }{
		{"a misspelt name", "S3_BUCKET_NAM=x", "S3_BUCKET_NAM: not a setting of s3gateway, ignored; did you mean S3_BUCKET_NAME?"},
		{"a shortened name", "S3_ENDPOINT=x", "did you mean S3_ENDPOINT_URL?"},
		{"lower case", "s3_region=x", "did you mean S3_REGION?"},
		{"nothing near", "S3_FROBNICATION_FACTOR=x", "see `s3gateway config`"},
		{"one letter off without our beginning", "SHUTDOWN_TIMEOUTS=x", "did you mean SHUTDOWN_TIMEOUT?"},
		{"UPLOAD_DIR", "UPLOAD_DIR=/srv/uploads", "UPLOAD_DIR: does nothing here"},
		{"open to the network", "UPLOAD_AUTH=none LISTEN_ADDR=0.0.0.0:8000", "anybody who reaches LISTEN_ADDR"},
		{"open though keys are set", "UPLOAD_AUTH=none API_KEYS=ci=0123456789abcdef", "although there are API keys"},
		{"no key for the S3 door", "S3_ENABLED=true", "the S3 door refuses everyone"},
		{"image/jpg", "ALLOWED_FILE_TYPES=image/jpg", "write image/jpeg"},
		{"everybody is a proxy", "TRUSTED_PROXIES=0.0.0.0/0", "every client can claim any address"},
		{"a backend that is not verified", "S3_SKIP_TLS_VERIFY=true", "S3_SKIP_TLS_VERIFY: true: anyone on the way"},
		{"a secret beside keys", "S3_ENABLED=true GATEWAY_ACCESS_KEY_ID=app GATEWAY_SECRET_ACCESS_KEY=" + master + " S3_ACCESS_KEY_ID=a S3_SECRET_ACCESS_KEY=b S3_CREDENTIALS_SECRET_ID=x", "S3_ACCESS_KEY_ID counts first"},
		{"empty", "S3_BUCKET_NAME= UPLOAD_DIR=", ""},
		{"names of others", "PATH=/bin HOME=/ PORT=1 AWS_REGION=x TLS_REQCERT=never", ""},
		{"service links of Kubernetes", "GATEWAY_SERVICE_HOST=10.0.0.1 GATEWAY_SERVICE_PORT_HTTP=80 S3_PORT=tcp://10.0.0.1:80 S3_PORT_80_TCP_ADDR=10.0.0.1", ""},
		{"open on this machine only", "UPLOAD_AUTH=none LISTEN_ADDR=unix:/run/s.sock,localhost:8000,[::1]:80", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, warnings := load(t, strings.Fields(tt.environ)...)
			if tt.want == "" {
				if len(warnings) > 0 {
					t.Errorf("warned: %v", warnings)
				}
				return
			}
			if len(warnings) != 1 || !strings.Contains(warnings[0].String(), tt.want) {
				t.Errorf("warnings %v, want %q", warnings, tt.want)
			}
		})
	}
}

func TestEveryUnknownNameInDotenvWarns(t *testing.T) {
	dir := folder(t, map[string]string{".env": "AWS_ACCESS_KEY_ID=x\nPATH=/bin\nMAX_FILE_SIZE=1\nMAX_FILE_SIZE=2\n"})
	c, warnings, err := Load(Options{Dir: dir})
	if err != nil || c.MaxFileSize != 2 || len(warnings) != 3 {
		t.Fatalf("%v %v", err, warnings)
	}
	for i, want := range []string{"MAX_FILE_SIZE: given twice; the last one counts (.env:4)", "AWS_ACCESS_KEY_ID: not a setting of s3gateway, ignored; did you mean S3_ACCESS_KEY_ID? (.env:1)", "PATH: not a setting of s3gateway, ignored"} {
		if !strings.HasPrefix(warnings[i].String(), want) {
			t.Errorf("got %s, want %s", warnings[i], want)
		}
	}
}
