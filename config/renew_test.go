package config

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Whatever is not live stays, and is named; whatever is live comes.
func TestRenew(t *testing.T) {
	dir := t.TempDir()
	load := func(environ ...string) *Config {
		c, _, err := Load(Options{Dir: dir, Environ: environ})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	old := load("MAX_FILE_SIZE=1", "LISTEN_ADDR=127.0.0.1:1", "S3_BUCKET_NAME=one", "S3_ENABLED=true", "S3_REGION=r")
	fresh := load("MAX_FILE_SIZE=2", "LISTEN_ADDR=127.0.0.1:2", "S3_BUCKET_NAME=two", "S3_ENABLED=true", "S3_REGION=r", "API_KEYS=a="+master)
	got, fixed := old.Renew(fresh)
	if !slices.Equal(fixed, []string{"S3_BUCKET_NAME", "LISTEN_ADDR"}) {
		t.Errorf("fixed: %v", fixed)
	}
	if got.MaxFileSize != 2 || len(got.APIKeys) != 1 || got.BucketName != "one" || !slices.Equal(got.ListenAddrs, old.ListenAddrs) {
		t.Errorf("%+v", got)
	}
	if !slices.Equal(got.ExposeBuckets, []string{"one"}) {
		t.Errorf("what follows from S3_BUCKET_NAME does not stay with it: %v", got.ExposeBuckets)
	}
	if fresh.BucketName != "two" || old.MaxFileSize != 1 {
		t.Error("a configuration was changed")
	}
}

func TestRenewKeepsBackends(t *testing.T) {
	dir := t.TempDir()
	load := func(src string) *Config {
		if err := os.WriteFile(filepath.Join(dir, "c.yaml"), []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _, err := Load(Options{Dir: dir, ConfigFile: "c.yaml"})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	old := load("backends: [{name: a, region: r}]\n")
	if _, fixed := old.Renew(load("\n\nbackends: [{name: a, region: r}]\n")); len(fixed) > 0 {
		t.Errorf("a line further down: %v", fixed)
	}
	got, fixed := old.Renew(load("backends: [{name: a, region: s}]\nbuckets: [{name: abc, backend: a}]\n"))
	if !slices.Equal(fixed, []string{"backends"}) || got.Backends[0].Region != "r" || len(got.Buckets) != 1 {
		t.Errorf("%v %+v", fixed, got.Backends)
	}
}

func TestFilesOfAConfiguration(t *testing.T) {
	c, _, err := loadSections(t, "backends: [{name: a, region: r, access_key_id: AK, secret_access_key_file: archive.secret}]\n")
	if err != nil {
		t.Fatal(err)
	}
	for i, suffix := range []string{"/.env", "/c.yaml", "/archive.secret"} {
		if files := c.Files(); len(files) != 3 || !filepath.IsAbs(files[i]) || !strings.HasSuffix(files[i], suffix) {
			t.Errorf("%v", files)
		}
	}
}

// The document names what a change of the file can change, and nothing else.
func TestTheDocumentNamesTheLiveSettings(t *testing.T) {
	doc, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(doc), "come anew, and the settings ")
	list, _, _ := strings.Cut(after, ". What else")
	for _, s := range settings {
		if named := strings.Contains(list, "`"+s.name+"`"); named != s.live {
			t.Errorf("%s: named %v, live %v", s.name, named, s.live)
		}
	}
}
