package config

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"regexp"
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

// A file with a mistake is in the log with all that is wrong in it: not with a
// secret that the mistake made a part of something else.
func TestAMistakeInTheFileShowsNoSecret(t *testing.T) {
	const secret = "TheSecretOfTheWeb0123456789"
	for name, src := range map[string]string{
		"a text that begins as a block":      "callers:\n  - name: web\n    access_keys:\n      - id: WEB\n        secret: >" + secret + "\n",
		"the same of a setting":              "gateway_secret_access_key: |" + secret + "\n",
		"a comma without quotes":             "callers: [{name: web, access_keys: [{id: WEB, secret: 0123456789abcdef, " + secret + "}]}]\n",
		"an indent too deep":                 "callers:\n  - name: web\n      - key: " + secret + "\n",
		"the same below a setting":           "max_file_size: 5MiB\n  - key: " + secret + "\n",
		"the same within a list":             "allowed_file_types:\n  - image/png\n    - key: " + secret + "\n",
		"the same within a list of an entry": "buckets:\n  - name: abc\n    allowed_names:\n      - a/b\n        - key: " + secret + "\n",
		"a block":                            "max_file_size: |\n  5MiB\n  " + secret + "\n",
		"a key twice":                        "callers: [{name: web, api_keys: [{" + secret + ": a, " + secret + ": b}]}]\n",
	} {
		y := parseYAML("c.yaml", src, outside{})
		l := loader{cfg: &Config{sources: map[string]string{}}, values: y.values, bad: map[string]bool{}}
		for _, s := range settings {
			l.apply(s)
		}
		said := append(y.problems, l.problems...)
		if len(said) == 0 || strings.Contains(said.Error(), secret[:8]) || !strings.Contains(said.Error(), "c.yaml:") {
			t.Errorf("%s: %v", name, said)
		}
	}
}

// Whatever is mistyped, left out or moved in a file, no refusal shows a secret of
// it, and each says where.
func TestNoMutationOfAFileShowsASecret(t *testing.T) {
	const file = `gateway_access_key_id: ROOT
gateway_secret_access_key: HIDDENAAAAAAAAAAAAAAAAAAAA
buckets:
  - name: pics
    max_file_size: 1MiB
backends:
  - name: far
    region: us-east-1
    access_key_id: AK
    secret_access_key: HIDDENBBBBBBBBBBBBBBBBBBBB
callers:
  - name: web
    access_keys:
      - {id: WEB, secret: HIDDENCCCCCCCCCCCCCCCCCCCC, expires: 2027-01-01T00:00:00Z}
      - id: WEB2
        secret: "HIDDENDDDDDDDDDDDDDDDDDDDD"
    api_keys:
      - key: HIDDENEEEEEEEEEEEEEEEEEEEE
    grants:
      - {bucket: pics, prefix: a/, actions: [list, read], from: [10.0.0.0/8], between: "08:00-18:00"}
`
	part := regexp.MustCompile(`HIDDEN|AAAAAA|BBBBBB|CCCCCC|DDDDDD|EEEEEE`)
	const marks = " \n:-[]{}&*!|>'\"%@`,#?0="
	random := rand.New(rand.NewPCG(6, 3))
	for range 5000 {
		text := file
		for range random.IntN(3) + 1 {
			at := random.IntN(len(text))
			switch mark := marks[random.IntN(len(marks)):][:1]; random.IntN(5) {
			case 0:
				text = text[:at] + text[at+1:]
			case 1:
				text = text[:at] + mark + text[at:]
			case 2:
				text = text[:at] + mark + text[at+1:]
			case 3:
				text = text[:at+1]
			case 4:
				lines := strings.Split(text, "\n")
				a, b := random.IntN(len(lines)), random.IntN(len(lines))
				lines[a], lines[b] = lines[b], lines[a]
				text = strings.Join(lines, "\n")
			}
			text += "\n"
		}
		y := parseYAML("c.yaml", text, outside{})
		l := loader{cfg: &Config{sources: map[string]string{}}, values: y.values, bad: map[string]bool{}}
		for _, s := range settings {
			l.apply(s)
		}
		for _, p := range append(y.problems, l.problems...) {
			if part.MatchString(p.Error()) || !strings.Contains(p.Error(), "c.yaml:") {
				t.Fatalf("%v of\n%s", p, text)
			}
		}
	}
}
