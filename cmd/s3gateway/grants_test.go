package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/config"
)

// docsFolder is a working folder with the secrets that the examples name.
func docsFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "secrets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"webshop", "accounting", "releases", "auditor", "studio"} {
		if err := os.WriteFile(filepath.Join(dir, "secrets", name), []byte("secret-of-the-"+name+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func example(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs("../../docs/examples/policy-" + name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// command runs one command line in the folder of the examples' secrets.
func command(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	t.Chdir(docsFolder(t))
	return commandHere(args...)
}

// commandHere runs one command line in the working folder. It may be called by
// several at once.
func commandHere(args ...string) (code int, out string) {
	var stdout, stderr bytes.Buffer
	environ := []string{"PARTNER_SECRET_2026=correct-horse-battery", "PARTNER_SECRET_2027=correct-horse-staples"}
	code = run(context.Background(), process{args: args, environ: environ, stdout: &stdout, stderr: &stderr})
	return code, stdout.String() + stderr.String()
}

// Every example of docs/policy.md stands there as it is in its file, is taken,
// and does what the text beside it says.
func TestExamplesOfThePolicyDocument(t *testing.T) {
	doc, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ file, asked, want string }{
		{"images", "--caller webshop --action write --bucket pictures --key products/1.png", "allowed: grant 1 of caller webshop"},
		{"images", "--caller webshop --action write --bucket pictures --key products/1.png", "limits: up to 5242880 bytes (max_file_size of bucket pictures), types as in allowed_file_types of bucket pictures"},
		{"images", "--caller webshop --action delete --bucket pictures --key products/archive/1.png", "denied: grant 2 of caller webshop"},
		{"images", "--caller webshop --action read --bucket pictures --key products/archive/1.png", "allowed: grant 1"},
		{"images", "--caller webshop --action write --bucket pictures --key logo.png", "denied: no grant"},
		{"images", "--caller webshop --action write --bucket files --key products/1.png", "denied: no grant"},
		{"images", "--caller gateway --action manage --bucket files", "allowed: the caller may do everything"},
		{"partner", "--caller partner --action write --bucket exchange --key partner/in/a.csv --address 203.0.113.7", "limits: up to 100000000 bytes (max_file_size of caller partner), types as in allowed_file_types of caller partner"},
		{"partner", "--caller partner --action write --bucket exchange --key partner/in/a.csv --address 198.51.100.1", "denied: no grant"},
		{"partner", "--caller partner --action write --bucket exchange --key partner/in/a.csv", "denied: no grant"},
		{"partner", "--caller partner --action read --bucket exchange --key partner/in/a.csv --address 203.0.113.7", "denied: no grant"},
		{"partner", "--caller partner --action list --bucket exchange --key partner/in/ --address 203.0.113.7", "denied: no grant"},
		{"partner", "--caller accounting --action delete --bucket exchange --key partner/in/a.csv --time 2027-01-01T12:00:00Z", "denied: no grant"},
		{"partner", "--caller accounting --action delete --bucket exchange --key partner/in/a.csv --time 2027-01-01T21:00:00Z", "allowed: grant 2 of caller accounting"},
		{"public", "--action read --bucket downloads --key v1.tar.gz", "allowed: the bucket is public"},
		{"public", "--action list --bucket downloads", "denied: there is no authenticated caller"},
		{"public", "--action write --bucket downloads --key v1.tar.gz", "denied: there is no authenticated caller"},
		{"public", "--caller releases --action delete --bucket downloads --key v1.tar.gz", "denied: no grant"},
		{"public", "--caller auditor --action read --bucket downloads --key drafts/x", "denied: grant 2 of caller auditor"},
		{"public", "--caller auditor --action list --bucket downloads", "denied: grant 2 of caller auditor"},
		{"parts", "--caller studio --action write --bucket media --key a.png", "limits: up to 5242880 bytes (max_file_size of bucket media), types as in allowed_file_types of bucket media, at least 1 bytes (min_file_size of bucket media), no extensions exe, php, js (denied_extensions of bucket media)"},
		{"parts", "--caller studio --action write --bucket media --key film/a.mp4", `limits: up to 1073741824 bytes (max_file_size of caller studio in media, keys that begin "film/"), types as in allowed_file_types of bucket media, keys that begin "film/", at least 1 bytes`},
		{"parts", "--caller gateway --action write --bucket media --key invoices/a.pdf", `names invoice-*.pdf (allowed_names of bucket media, keys that begin "invoices/")`},
		{"parts", "--caller studio --action write --bucket media --key exports/a", `types all (allowed_file_types of bucket media, keys that begin "exports/"), at least 1 bytes (min_file_size of bucket media), bytes must be of the declared type, no extensions exe, php, js (denied_extensions of bucket media), no types of denied_file_types of bucket media, keys that begin "exports/"`},
	} {
		path := example(t, tt.file)
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(doc, src) {
			t.Errorf("docs/policy.md does not have %s as it is", path)
		}
		t.Run(tt.file+" "+tt.asked, func(t *testing.T) {
			code, out := command(t, append([]string{"--config", path, "policy", "check"}, strings.Fields(tt.asked)...)...)
			if !strings.Contains(out, tt.want) || (code == exitOK) != strings.HasPrefix(out, "allowed") {
				t.Errorf("%d: %s", code, out)
			}
		})
	}
}

func TestPolicyCheckRefusesWhatItCannotRead(t *testing.T) {
	for _, args := range []string{"--action fly", "--bucket b", "--action read --address here", "--action read --time noon"} {
		if code, out := command(t, append([]string{"policy", "check"}, strings.Fields(args)...)...); code != exitSettings {
			t.Errorf("%s: %d %s", args, code, out)
		}
	}
}

// What is printed can be pasted into a caller and is taken there.
func TestNewKeysCanBePasted(t *testing.T) {
	code, out := command(t, "keys", "new")
	if code != exitOK {
		t.Fatal(out)
	}
	indented := "    " + strings.ReplaceAll(strings.TrimSpace(out), "\n", "\n    ")
	dir := t.TempDir()
	path := filepath.Join(dir, "c.yaml")
	if err := os.WriteFile(path, []byte("callers:\n  - name: a\n"+indented+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, _, err := config.Load(config.Options{Dir: dir, ConfigFile: path})
	if err != nil {
		t.Fatal(err)
	}
	callers, err := newCallers(cfg, keys{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(out, "not shown again: ")
	key, _, _ := strings.Cut(after, "\n")
	if who, ok := callers.ByAPIKey(key); !ok || who.Name != "a" {
		t.Errorf("the API key %q is not known", key)
	}
	if secret, ok := callers.Secret(cfg.Callers[0].AccessKeys[0].ID); !ok || len(secret) != 40 {
		t.Error("the access key is not known")
	}
	if _, again := command(t, "keys", "new"); again == out {
		t.Error("the same keys again")
	}
	for kind, not := range map[string]string{"access-key": "sha256", "api-key": "secret:"} {
		if _, out := command(t, "keys", "new", "--kind", kind); strings.Contains(out, not) {
			t.Errorf("%s: %s", kind, out)
		}
	}
}

// The keys of a caller open the doors, and its grants hold there.
func TestGrantsHoldOnBothDoors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "c.yaml")
	src := `
allowed_file_types: ["*/*"]
buckets: [{name: files, public: read}]
callers:
  - name: web
    api_keys: [{key: api-key-of-the-web}]
    grants: [{bucket: files, prefix: uploads/, actions: [write, read]}]
  - name: this-year
    api_keys: [{key: api-key-of-this-year}]
    grants: [{bucket: files, prefix: uploads/` + time.Now().UTC().Format("2006") + `/, actions: [write]}]
  - name: other
    api_keys: [{key: api-key-of-other}, {key: old-key-of-other, disabled: true}]
`
	if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	g := start(t, t.TempDir(), []string{"CONFIG_FILE=" + file})
	g.healthy(t)
	defer g.end(t)
	post := func(key string) answer {
		body := "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n"
		r := newRequest(t, "POST", g.url+"/api/v1/upload/direct", strings.NewReader(body), "Content-Type", "multipart/form-data; boundary=x", "X-Api-Key", key)
		return do(t, r)
	}
	for key, want := range map[string]int{"api-key-of-this-year": 201, "api-key-of-other": 403, "old-key-of-other": 401, "": 401} {
		if got := post(key); got.status != want {
			t.Errorf("key %q: %d, want %d: %s", key, got.status, want, got.body)
		}
	}
	stored := post("api-key-of-the-web")
	if stored.status != http.StatusCreated {
		t.Fatalf("%d %s", stored.status, stored.body)
	}
	id, _ := stored.json(t)["file_id"].(string)
	if a := do(t, newRequest(t, "GET", g.url+"/files/"+id, nil)); a.status != http.StatusOK || string(a.body) != "hello" {
		t.Errorf("anonymous read of a public bucket: %d %s", a.status, a.body)
	}
	for _, r := range []*http.Request{
		newRequest(t, "GET", g.url+"/files?list-type=2", nil), newRequest(t, "DELETE", g.url+"/files/"+id, nil),
		newRequest(t, "PUT", g.url+"/files/x", strings.NewReader("x")), newRequest(t, "GET", g.url+"/", nil),
		newRequest(t, "GET", g.url+"/files/.s3gateway/x", nil),
		newRequest(t, "GET", g.url+"/files/"+id+"?tagging", nil), newRequest(t, "HEAD", g.url+"/files", nil),
	} {
		if a := do(t, r); a.status != http.StatusForbidden {
			t.Errorf("anonymous %s %s: %d %s", r.Method, r.URL, a.status, a.body)
		}
	}
}

// The command says all that holds: limits, rates, quotas, and where a key is kept.
func TestPolicyCheckSaysAllThatHolds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "policy.yaml")
	write(t, path, `
rate_limit: 100/s
quota_bytes: 5GiB
buckets:
  - {name: team, bucket: shared, prefix: team/a/, quota_bytes: 1MiB, in_flight: 7, limits: [{prefix: tmp/, quota_objects: 5}]}
callers:
  - name: web
    api_keys: [{key: api-key-of-the-web}, {key: old-key-of-the-web, expires: 2026-01-31T12:00:00Z}]
    rate_bytes: 1MiB/s
    rates: {write: 2/s:9, list: 1/s}
    quota_bytes: 500
    grants: [{bucket: team, prefix: tmp/, actions: [read, write]}]
  - name: gone
    access_keys: [{id: OFF, secret: secret-of-forty-characters-00000000000000, disabled: true}, {id: OLD, secret: secret-of-forty-characters-00000000000001, expires: 2026-01-31T12:00:00Z}]
    grants: [{bucket: team, actions: [read]}]
  - name: planned
    grants: [{bucket: team, actions: [read]}]
`)
	for asked, want := range map[string]string{
		"--caller web --action write --bucket team --key tmp/x": `allowed: grant 1 of caller web (PATH:12:15) allows read, write on team, keys that begin "tmp/"
key: API key sha256:HASH is expired
limits: up to 10485760 bytes (MAX_FILE_SIZE), types as in ALLOWED_FILE_TYPES
rate: 100 requests a second, 100 at once (RATE_LIMIT)
rate: 2 requests a second, 9 at once (rates.write of caller web)
rate: 1048576 bytes each way a second, 1048576 at once (rate_bytes of caller web)
rate: 7 requests under way (in_flight of bucket team)
quota: 1048576 bytes (quota_bytes of bucket team)
quota: 5 objects (quota_objects of bucket team, keys that begin "tmp/")
quota: 500 bytes (quota_bytes of caller web)
stored: team/a/tmp/x in bucket shared of backend default
`,
		"--caller gateway --action write --bucket files --key x": `allowed: the caller may do everything
limits: up to 10485760 bytes (MAX_FILE_SIZE), types as in ALLOWED_FILE_TYPES
rate: 100 requests a second, 100 at once (RATE_LIMIT)
quota: 5368709120 bytes (QUOTA_BYTES)
`,
		"--caller gone --action read --bucket team --key x": `denied: the caller has no key in use: access key OFF is disabled, access key OLD is expired
s3gateway: read is denied
`,
		"--caller gone --link --action read --bucket team --key x": `denied: the caller has no key in use: access key OFF is disabled, access key OLD is expired
s3gateway: read is denied
`,
		"--caller gone --action read --bucket team --key x --time 2026-01-31T11:59:59Z": `allowed: grant 1 of caller gone (PATH:15:15) allows read on team
key: access key OFF is disabled
rate: 100 requests a second, 100 at once (RATE_LIMIT)
rate: 7 requests under way (in_flight of bucket team)
stored: team/a/x in bucket shared of backend default
`,
		"--caller planned --action read --bucket team --key x": `allowed: grant 1 of caller planned (PATH:17:15) allows read on team
key: none, so nobody can come as this caller
rate: 100 requests a second, 100 at once (RATE_LIMIT)
rate: 7 requests under way (in_flight of bucket team)
stored: team/a/x in bucket shared of backend default
`,
		"--caller web --action read --bucket team --key other": `denied: no grant of the caller covers it, and the default is nothing
s3gateway: read is denied
`,
	} {
		_, out := command(t, append([]string{"--config", path, "policy", "check"}, strings.Fields(asked)...)...)
		got := regexp.MustCompile("sha256:[0-9a-f]{16}").ReplaceAllString(strings.ReplaceAll(out, path, "PATH"), "sha256:HASH")
		if got != want {
			t.Errorf("%s:\n%s\nwant\n%s", asked, got, want)
		}
	}
}
