package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	yaml "github.com/goccy/go-yaml"
	"github.com/rs/zerolog"
)

// leaks reports whether text shows the secret, also in hex, quoted or as bytes.
func leaks(text, secret string) bool {
	for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% x", secret), strings.Trim(fmt.Sprint([]byte(secret)), "[]")} {
		if strings.Contains(text, form) {
			return true
		}
	}
	return false
}

func TestNoVerbShowsASecret(t *testing.T) {
	c := &Config{SecretAccessKey: master, APIKeys: []APIKey{{Name: "ci", Key: master}}, RedisURL: master}
	for name, v := range map[string]any{
		"secret": Secret(master), "slice": []Secret{master}, "map key": map[Secret]Secret{master: master},
		"key": c.APIKeys[0], "config": *c, "pointer to config": c, "any": struct{ V any }{Secret(master)},
	} {
		for verb := '!'; verb < 0x7f; verb++ {
			// %p and %w of a value that is neither pointer nor error make fmt
			// look at the bare string; vet refuses both.
			if verb == 'p' || verb == 'w' || verb == '%' || strings.ContainsRune("+-#0123456789.*[", verb) {
				continue
			}
			for _, flags := range []string{"", "+", "#", "-20", "020", ".3", " "} {
				if got := fmt.Sprintf("%"+flags+string(verb), v); leaks(got, master) {
					t.Errorf("%s with %%%s%c: %s", name, flags, verb, got)
				}
			}
		}
		tooFew := strings.Repeat("x", 1) // a format that vet cannot see through
		if got := fmt.Sprint(v) + fmt.Sprintln(v) + fmt.Sprintf(tooFew, v); leaks(got, master) {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestNoEncoderShowsASecret(t *testing.T) {
	v := struct {
		Secret Secret
		Key    APIKey
		Ptr    *Secret
	}{master, APIKey{Name: "ci", Key: master}, new(Secret)}
	*v.Ptr = master
	var out bytes.Buffer
	logger := zerolog.New(&out)
	logger.Info().Interface("v", v).Any("s", v.Secret).Stringer("t", v.Secret).Msg("")
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", "s", v.Secret, "v", v)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "s", v.Secret, "v", v)
	for name, encode := range map[string]func(any) ([]byte, error){"json": json.Marshal, "yaml": yaml.Marshal, "xml": xml.Marshal} {
		text, err := encode(v.Key)
		if err != nil || !bytes.Contains(text, []byte(redacted)) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
		out.Write(text)
	}
	if leaks(out.String(), master) {
		t.Error(out.String())
	}
}

// TestNoOutputShowsASecret gives every secret setting, and those that get one by
// mistake, a value that is refused, in every source.
func TestNoOutputShowsASecret(t *testing.T) {
	const secret = "wJalrXUtnFEMI/K7MDENG bPxRfiCYEXAMPLEKEY"
	lines := func(format string, lower bool) string {
		var b strings.Builder
		for _, s := range settings {
			if s.secret || s.quiet {
				name := s.name
				if lower {
					name = strings.ToLower(name)
				}
				fmt.Fprintf(&b, format, name, secret)
			}
		}
		return b.String()
	}
	environ := []string{"S3_ENDPOINT_URL=http://user:" + master + "@h/", "PUBLIC_URL=https://h/x?token=" + master, "CDN_BASE_URL=https://u:" + master + "%zz@h", "CORS_ALLOWED_ORIGINS=https://a," + "https://u:" + master + "@b"}
	for name, files := range map[string]map[string]string{
		"a .env file":       {".env": lines("%s=%s\n", false)},
		"quoted":            {".env": lines("%s='%s' x\n", false)},
		"unclosed":          {".env": lines("%s=\"%s\n", false)},
		"without =":         {".env": secret + "\n" + master + "\nAPI KEYS=" + master},
		"YAML":              {".env": "CONFIG_FILE=c.yaml", "c.yaml": lines("%s: %s\n", true)},
		"YAML cut off":      {".env": "CONFIG_FILE=c.yaml", "c.yaml": "api_keys: [\"" + secret},
		"YAML out of order": {".env": "CONFIG_FILE=c.yaml", "c.yaml": "api_keys: " + secret + ": " + master + "\n  x"},
		"YAML as a map":     {".env": "CONFIG_FILE=c.yaml", "c.yaml": "api_keys:\n  - ci: " + secret + "\n" + secret + ": x\n? [" + master + "]\n: x\n"},
		"YAML text":         {".env": "CONFIG_FILE=c.yaml", "c.yaml": secret},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, files)
			_, warnings, err := Load(Options{Dir: dir, Environ: environ})
			if err == nil {
				t.Fatal("taken")
			}
			out := fmt.Sprintf("%v %+v %#v %v", err, err, err, warnings)
			if leaks(out, secret) || leaks(out, "K7MDENG") || leaks(out, master) {
				t.Error(out)
			}
		})
	}
}
