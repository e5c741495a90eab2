package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestSecretsOfCallersFromSecretsManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.yaml")
	const src = "callers:\n  - name: web\n    access_keys:\n      - {id: WEBKEY, secret_aws: gateway/web}\n    api_keys:\n      - {key_aws: gateway/api}\n"
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	load := func(read func(string) (string, error)) (*Config, error) {
		c, _, err := Load(Options{Dir: t.TempDir(), ConfigFile: path, ReadSecret: read})
		return c, err
	}
	c, err := load(func(id string) (string, error) { return "the-secret-of-" + id + "\n", nil })
	if err != nil || c.Callers[0].AccessKeys[0].Secret.Reveal() != "the-secret-of-gateway/web" || c.Callers[0].APIKeys[0].Key.Reveal() != "the-secret-of-gateway/api" {
		t.Errorf("%v %v", c, err)
	}
	for name, read := range map[string]func(string) (string, error){
		"secret_aws: not allowed":                     func(string) (string, error) { return "", errors.New("not allowed") },
		"secret_aws: secrets are not read from there": nil,
		"secret_aws: shorter":                         func(string) (string, error) { return "hush-hush", nil },
	} {
		_, err := load(read)
		if err == nil || !strings.Contains(err.Error(), "c.yaml:4:") || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), strings.Split(name, ":")[0]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
