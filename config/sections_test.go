package config

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

const sectionsFile = `
backends:
  - name: archive
    endpoint_url: https://minio.internal:9000
    access_key_id: AKARCHIVE
    secret_access_key_file: archive.secret
    ca_file: ca.pem
    trailers: false
    verify_payload: gateway
  - {name: aws, region: eu-west-1, secret_access_key_env: S3_AWS_SECRET, access_key_id: AKAWS}
buckets:
  - name: pictures
    backend: archive
    bucket: real-name
    prefix: team/a/
    max_file_size: 5MiB
    allowed_file_types: [image/*, application/pdf]
    public: read
    cors_allowed_origins: [https://Shop.example.com, "https://*.example.org"]
  - name: plain
callers:
  - name: webshop
    access_keys:
      - {id: AKNEW, secret: correct-horse-battery-new, expires: 2027-01-01T02:00:00+02:00}
      - {id: AKOLD, secret: correct-horse-battery-old, disabled: true}
    api_keys:
      - {key: correct-horse-battery-api}
      - sha256: 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
    max_file_size: 0
    limits:
      - {bucket: [pic*, plain], prefix: in/, min_file_size: 1KiB, allowed_extensions: [.PNG, gz], allowed_names: "*.png", denied_file_types: [text/html], denied_extensions: exe, verify_content: false}
    grants:
      - {bucket: pictures, prefix: incoming/, actions: [read, write, list], from: [10.0.0.0/8, 192.0.2.7], between: "22:00-06:00"}
      - deny: true
        bucket: [plain, logs-*]
        actions: delete
  - name: nobody
`

func loadSections(t *testing.T, src string, environ ...string) (*Config, []Warning, error) {
	t.Helper()
	dir := folder(t, map[string]string{"c.yaml": src, "archive.secret": master + "-archive\n"})
	return Load(Options{Dir: dir, ConfigFile: "c.yaml", Environ: environ})
}

func TestSections(t *testing.T) {
	c, warnings, err := loadSections(t, sectionsFile, "S3_AWS_SECRET="+master+"-aws")
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	a, w := c.Backends[0], c.Backends[1]
	if a.Region != "us-east-1" || a.SecretAccessKey.Reveal() != master+"-archive" || !a.ForcePathStyle || a.Trailers || a.VerifyPayload != "gateway" || !strings.HasPrefix(a.CAFile, "/") {
		t.Errorf("%+v", a)
	}
	if w.SecretAccessKey.Reveal() != master+"-aws" || w.ForcePathStyle || !w.Trailers || w.VerifyPayload != "backend" || w.EndpointURL != nil {
		t.Errorf("%+v", w)
	}
	p, q := c.Buckets[0], c.Buckets[1]
	if p.Bucket != "real-name" || p.Prefix != "team/a/" || *p.MaxFileSize != 5<<20 || len(p.AllowedFileTypes) != 2 || !p.PublicRead {
		t.Errorf("%+v", p)
	}
	if q.Backend != DefaultBackend || q.Bucket != "plain" || q.MaxFileSize != nil || q.PublicRead || q.Where != "c.yaml:20:5" {
		t.Errorf("%+v", q)
	}
	s := c.Callers[0]
	if !s.AccessKeys[0].Expires.Equal(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)) || s.AccessKeys[0].Disabled || !s.AccessKeys[1].Disabled {
		t.Errorf("%+v", s.AccessKeys)
	}
	if s.APIKeys[0].Key.Reveal() != master+"-api" || s.APIKeys[1].Key != "" || len(s.APIKeys[1].SHA256) != 64 || *s.MaxFileSize != 0 || !c.HasAPIKeys() {
		t.Errorf("%+v", s)
	}
	g, d := s.Grants[0], s.Grants[1]
	if g.Deny || g.Prefix != "incoming/" || !slices.Equal(g.Actions, []gateway.Action{gateway.Read, gateway.Write, gateway.List}) || len(g.From) != 2 || g.Between != (Hours{22 * 60, 6 * 60}) {
		t.Errorf("%+v", g)
	}
	if !d.Deny || !slices.Equal(d.Buckets, []string{"plain", "logs-*"}) || d.Prefix != "" || len(c.Callers[1].Grants) > 0 {
		t.Errorf("%+v", d)
	}
	var out bytes.Buffer
	if err := c.Write(&out); err != nil || leaks(out.String(), master) {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, line := range []string{
		"backend: name=archive endpoint_url=https://minio.internal:9000 region=us-east-1 access_key_id=AKARCHIVE secret_access_key=[redacted] ca_file=",
		"bucket: name=pictures backend=archive bucket=real-name prefix=team/a/ max_file_size=5MiB allowed_file_types=image/*,application/pdf public=read cors_allowed_origins=https://shop.example.com,https://*.example.org  (c.yaml:12:5)\n",
		"  limits: bucket=pic*,plain prefix=in/ min_file_size=1KiB denied_file_types=text/html allowed_extensions=png,gz denied_extensions=exe allowed_names=*.png verify_content=false  (c.yaml:31:10)\n",
		"caller: name=webshop max_file_size=0  (c.yaml:22:5)\n  access_keys: id=AKNEW secret=[redacted] expires=2027-01-01T00:00:00Z  (c.yaml:24:10)\n",
		"  grants: bucket=pictures prefix=incoming/ actions=read,write,list from=10.0.0.0/8,192.0.2.7/32 between=22:00-06:00  (",
		"  grants: deny=true bucket=plain,logs-* actions=delete  (",
	} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
}

func TestSectionRefusals(t *testing.T) {
	const key, caller = "callers: [{name: a, access_keys: [{id: AKA, ", "callers: [{name: a, grants: [{"
	for _, tt := range []struct{ name, src, want string }{
		{"a misspelt section", "bucket:\n  - name: abc\n", "c.yaml:1:1: bucket: unknown; did you mean buckets?"},
		{"a misspelt member", "buckets:\n  - name: abc\n    prefx: a/\n", "c.yaml:3:5: prefx: unknown in buckets; did you mean prefix?"},
		{"a member of nothing", "buckets: [{name: abc, frobnicate: 1}]", "unknown in buckets; known are name, backend, bucket, prefix"},
		{"a misspelt nested member", "callers:\n- name: a\n  grants:\n  - bukcet: b\n    bucket: abc\n    actions: read\n", "c.yaml:4:5: bukcet: unknown in grants; did you mean bucket?"},
		{"no list", "buckets: {name: abc}", "c.yaml:1:10: buckets: not a list"},
		{"a bare value in the list", "buckets: [abc]", "c.yaml:1:11: buckets: not an entry"},
		{"an anchor", "buckets: [&a {name: abc}]", "not an entry"},
		{"a merge key", "buckets: [{name: abc, <<: {a: b}}]", "not a name in buckets"},
		{"a doubled member", "buckets:\n  - name: abc\n    name: abd\n", "c.yaml:3:5: not YAML"},
		{"no name", "buckets: [{prefix: a/}]", "c.yaml:1:12: buckets: an entry without name; add name"},
		{"an empty name", "backends: [{name: '', region: r}]", "backends: an entry without name"},
		{"a smallest size above the largest", "buckets: [{name: abc, min_file_size: 2KB, max_file_size: 1KB}]", "bucket abc: min_file_size is larger than max_file_size"},
		{"a part of a bucket without its prefix", "buckets: [{name: abc, limits: [{max_file_size: 1KB}]}]", "limits: an entry without prefix"},
		{"a part of a bucket that names a bucket", "buckets: [{name: abc, limits: [{prefix: a/, bucket: b}]}]", "bucket: unknown in limits"},
		{"a part without a limit", "buckets: [{name: abc, limits: [{prefix: a/}]}]", "c.yaml:1:33: bucket abc: limits without a limit"},
		{"an extension with a dot inside", "callers: [{name: a, denied_extensions: tar.gz}]", "denied_extensions=\"tar.gz\": not an extension"},
		{"a pattern of names with a slash", "callers: [{name: a, allowed_names: [a/*]}]", "allowed_names=\"a/*\": not a name or pattern"},
		{"a denied type that is none", "callers: [{name: a, denied_file_types: [html]}]", "denied_file_types=\"html\": not a media type"},
		{"verify_content that is neither", "callers: [{name: a, limits: [{bucket: abc, verify_content: maybe}]}]", "verify_content=\"maybe\": neither true nor false"},
		{"a bucket twice", "buckets: [{name: abc}, {name: abc}]", "c.yaml:1:25: bucket abc: already at c.yaml:1:12"},
		{"a bucket on an unknown backend", "buckets: [{name: abc, backend: nope}]", "bucket abc: there is no backend nope"},
		{"a bucket called api", "buckets: [{name: api}]", `name="api": /api belongs`},
		{"a prefix without its slash", "buckets: [{name: abc, prefix: team}]", `prefix="team": does not end with a slash`},
		{"a prefix that is the root", "buckets: [{name: abc, prefix: /}]", "has an empty, . or .. segment"},
		{"a prefix that leaves", "buckets: [{name: abc, prefix: a/../b/}]", "has an empty, . or .. segment"},
		{"a prefix of the gateway's own", "buckets: [{name: abc, prefix: .s3gateway/tus/}]", ".s3gateway is reserved"},
		{"a size in apples", "buckets:\n  - name: abc\n    max_file_size: 10 apples\n", `c.yaml:3:20: max_file_size="10 apples": not a size`},
		{"an empty list of types", "buckets: [{name: abc, allowed_file_types: []}]", "a list without an item"},
		{"public write", "buckets: [{name: abc, public: write}]", "not one of the words; accepted: read"},
		{"upper case on the embedded store", "buckets: [{name: abc, bucket: ABC}]", "the embedded store takes no bucket ABC"},
		{"a backend called default", "backends: [{name: default, region: r}]", "backend default: already at the S3_* settings"},
		{"a backend from nowhere", "backends: [{name: b}]", "neither endpoint_url nor region"},
		{"half a pair", "backends: [{name: b, region: r, access_key_id: a}]", "access_key_id and secret_access_key go together"},
		{"keys beside a secret id", "backends: [{name: b, region: r, access_key_id: a, secret_access_key: b, credentials_secret_id: c}]", "is not used beside"},
		{"a CA without TLS", "backends: [{name: b, endpoint_url: 'http://h', ca_file: c}]", "ca_file does nothing"},
		{"a caller twice", "callers: [{name: a}, {name: a}]", "caller a: already at c.yaml:1:12"},
		{"the gateway's own name", "callers: [{name: local}]", "the name is the gateway's own"},
		{"a name of API_KEYS", "callers: [{name: ci}]", "caller ci: already at API_KEYS, whose callers may do everything"},
		{"an access key of links", "callers: [{name: a, access_keys: [{id: GWLABC, secret: 0123456789abcdef}]}]", "those of links"},
		{"the access key of GATEWAY_*", "callers: [{name: a, access_keys: [{id: AKGATEWAY, secret: 0123456789abcdef}]}]", "already at GATEWAY_ACCESS_KEY_ID"},
		{"an access key twice", key + "secret: 0123456789abcdef}, {id: AKA, secret: 0123456789abcdef}]}]", "the access key ID: already at"},
		{"a short secret", key + "secret: short}]}]", "secret: shorter than 16 characters"},
		{"no secret", key + "disabled: true}]}]", "an access key without a secret"},
		{"a secret twice", key + "secret: 0123456789abcdef, secret_file: archive.secret}]}]", "secret_file: the secret is given twice"},
		{"a secret file that is not there", key + "secret_file: nope}]}]", "secret_file: the file cannot be read: no such file"},
		{"a secret of a variable that is not set", key + "secret_env: NOPE}]}]", "secret_env: the variable is not set"},
		{"a date without a time", key + "secret: 0123456789abcdef, expires: 2027-01-01}]}]", "not a time; accepted"},
		{"an API key by nothing", "callers: [{name: a, api_keys: [{disabled: true}]}]", "an API key without key and sha256"},
		{"an API key by both", "callers: [{name: a, api_keys: [{key: 0123456789abcdef, sha256: " + strings.Repeat("a", 64) + "}]}]", "both key and sha256"},
		{"a hash of another length", "callers: [{name: a, api_keys: [{sha256: abc}]}]", "sha256=[redacted]: not a SHA-256"},
		{"an API key twice, once by its hash", "callers: [{name: a, api_keys: [{key: 0123456789abcdef}, {sha256: 9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f}]}]", "the API key: already at"},
		{"an API key of API_KEYS", "callers: [{name: a, api_keys: [{key: fedcba9876543210}]}]", "the API key: already at API_KEYS"},
		{"a grant without a bucket", caller + "actions: read}]}]", "grants: an entry without bucket"},
		{"a grant without actions", caller + "bucket: abc}]}]", "grants: an entry without actions"},
		{"an action that is none", caller + "bucket: abc, actions: [read, fly]}]}]", "not an action; accepted: list, read"},
		{"a pattern that is none", caller + "bucket: '[a]', actions: read}]}]", "not a bucket name"},
		{"a network that is none", caller + "bucket: abc, actions: read, from: 10.0.0.0/33}]}]", "not a network or address"},
		{"a network that is empty", caller + "bucket: abc, actions: read, from: ''}]}]", "from: without a value, so that it would not hold; give it one or remove it"},
		{"hours that are empty", caller + "bucket: abc, actions: read, between: }]}]", "between: without a value"},
		{"a denial that is empty", caller + "deny: , bucket: abc, actions: read}]}]", "deny: without a value"},
		{"an expiry that is empty", key + "secret: 0123456789abcdef, expires: ''}]}]", "expires: without a value"},
		{"networks that are all empty", caller + "bucket: abc, actions: read, from: ['', '']}]}]", "from: a list without an item"},
		{"a name with a comma", "callers: [{name: a, allowed_names: ['a,*.pdf']}]", "c.yaml:1:37: allowed_names: an item with a comma"},
		{"hours that are none", caller + "bucket: abc, actions: read, between: 8-18}]}]", "not a time of the day"},
		{"hours without length", caller + "bucket: abc, actions: read, between: '08:00-08:00'}]}]", "not a time of the day"},
		{"a control character in a prefix", caller + "bucket: abc, actions: read, prefix: \"a\\nb\"}]}]", "has control characters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := loadSections(t, tt.src, "API_KEYS=ci=fedcba9876543210", "GATEWAY_ACCESS_KEY_ID=AKGATEWAY", "GATEWAY_SECRET_ACCESS_KEY="+master)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got\n%v\nwant\n%s", err, tt.want)
			}
		})
	}
}

func TestEveryProblemOfTheSectionsAtOnce(t *testing.T) {
	_, _, err := loadSections(t, "buckets:\n- {name: ab, prefix: x}\n- {name: abc, backend: b}\ncallers:\n- {name: open}\n- {nme: x}\n")
	for _, want := range []string{`c.yaml:2:10: name="ab"`, `c.yaml:2:22: prefix="x"`, "there is no backend b", "caller open: the name", "did you mean name?", "without name"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in\n%v", want, err)
		}
	}
}

// A secret often stands in the wrong place: as the file's path, the variable's
// name, the key's ID, a member's name.
func TestNoSectionProblemShowsASecret(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG"
	for _, src := range []string{
		"callers: [{name: a, access_keys: [{id: " + secret + ", secret: " + secret + " x}]}]",
		"callers: [{name: a, access_keys: [{id: AKA, secret_file: /" + secret + "}]}]",
		"callers: [{name: a, access_keys: [{id: AKA, secret_env: " + secret + "}]}]",
		"callers: [{name: a, access_keys: [{id: AKA, " + secret + ": x}]}]",
		"callers: [{name: a, access_keys: [{id: AKA, secret: [" + secret + "]}]}]",
		"callers: [{name: a, access_keys: [" + secret + "]}]",
		"callers: [{name: a, api_keys: [{sha256: " + secret + "}, {key: " + secret + " x}, {key: {" + secret + ": x}}]}]",
		"backends: [{name: b, access_key_id: " + secret + ", secret_access_key: '" + secret + " x', endpoint_url: 'https://u:" + secret + "@h'}]",
	} {
		if _, w, err := loadSections(t, src); err == nil || strings.Contains(err.Error(), "MDENG") || len(w) > 0 {
			t.Errorf("%s\n%v %v", src, err, w)
		}
	}
}

func TestSectionWarnings(t *testing.T) {
	for _, tt := range []struct{ name, src, want string }{
		{"two buckets with one place", "buckets: [{name: abc}, {name: abd, bucket: abc, prefix: x/}]", "buckets: abc and abd hold the same objects"},
		{"two folders beside each other", "buckets: [{name: abc, bucket: xyz, prefix: a/}, {name: abd, bucket: xyz, prefix: ab/}]", ""},
		{"a variable that an entry names", "callers: [{name: a, access_keys: [{id: AKA, secret_env: S3_WEBSHOP}]}]", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			environ := []string{}
			if strings.Contains(tt.src, "S3_WEBSHOP") {
				environ = append(environ, "S3_WEBSHOP=0123456789abcdef")
			}
			_, w, err := loadSections(t, tt.src, environ...)
			if err != nil || (tt.want == "") != (len(w) == 0) || len(w) > 0 && !strings.Contains(w[0].String(), tt.want) {
				t.Errorf("%v %v", err, w)
			}
		})
	}
}

func TestAuthRequiredWithKeysOfCallers(t *testing.T) {
	src := "upload_auth: required\ncallers: [{name: a, api_keys: [{key: 0123456789abcdef, disabled: true}]}]\n"
	if c, _, err := loadSections(t, src); err != nil || !c.HasAPIKeys() {
		t.Error(err)
	}
}
