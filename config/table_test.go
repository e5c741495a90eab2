package config

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"
)

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "1": 1, "007": 7, "1B": 1, "10KB": 10_000, "10 MB": 10_000_000, "2gb": 2_000_000_000, "1TB": 1e12,
		"10KiB": 10240, "10MiB": 10485760, "1.5GiB": 1610612736, "0.5KB": 500, "1tib": 1 << 40,
		"9223372036854775807": math.MaxInt64,
	} {
		if got, err := parseSize(text); err != nil || got != want {
			t.Errorf("%q is %d, %v; want %d", text, got, err, want)
		}
	}
}

func FuzzSize(f *testing.F) {
	for _, s := range []string{"0", "10MiB", "1.5 gb", "8388607TiB", "-1", "1e9", "0x1p4", "１"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		n, err := parseSize(text)
		if err != nil {
			return
		}
		if again, err := parseSize(showSize(n)); n < 0 || err != nil || again != n {
			t.Fatalf("%q is %d, shown %q, read %d, %v", text, n, showSize(n), again, err)
		}
	})
}

func FuzzRate(f *testing.F) {
	for _, s := range []string{"100/s", "100/s:250", "600/m", "0.5/h:3", "none", ":/", "1/s:"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := requestRate.parse(text)
		if err != nil || r.None() {
			return
		}
		if !(r.PerSecond > 0) || math.IsInf(r.PerSecond, 0) || r.Burst < 1 {
			t.Fatalf("%q is %+v", text, r)
		}
	})
}

func TestRates(t *testing.T) {
	for text, want := range map[string]Rate{
		"100/s": {100, 100}, "100/s:250": {100, 250}, "60/m": {1, 60}, "36/h:1": {0.01, 1},
		"0.5/s": {0.5, 1}, " 2 / s : 3 ": {2, 3}, "None": {},
	} {
		if got, err := requestRate.parse(text); err != nil || got != want {
			t.Errorf("%q is %+v, %v; want %+v", text, got, err, want)
		}
	}
	if got, err := byteRate.parse("50MiB/s:1GB"); err != nil || got != (Rate{50 << 20, 1e9}) {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := byteRate.parse("50MiB/m"); err == nil {
		t.Error("bytes per minute were taken")
	}
}

// TestRowsAreWhole holds every row to what the rest of the package builds on.
func TestRowsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range settings {
		if seen[s.name] || !variableName(s.name) || s.name != strings.ToUpper(s.name) {
			t.Errorf("%s: twice, or no name of a variable", s.name)
		}
		seen[s.name] = true
		if s.meaning == "" || strings.ContainsAny(s.meaning+s.derived, "|\n") {
			t.Errorf("%s: its meaning does not fit a table", s.name)
		}
		if s.value == nil {
			if s.ignored == "" {
				t.Errorf("%s: nothing reads it", s.name)
			}
			continue
		}
		if !strings.HasPrefix(s.value.accepted(), "accepted: ") {
			t.Errorf("%s: does not say what is accepted", s.name)
		}
		c := &Config{}
		if s.def == "" {
			continue
		}
		if err := s.value.set(c, s.def); err != nil {
			t.Errorf("%s: its own default is refused: %v", s.name, err)
		}
	}
}

// TestShownValuesReadBack sets each setting that can be shown, and reads what
// is shown again.
func TestShownValuesReadBack(t *testing.T) {
	for name, text := range map[string]string{
		"S3_ENABLED": "yes", "S3_ENDPOINT_URL": "http://h:9000/x/", "MAX_FILE_SIZE": "1536", "ALLOWED_FILE_TYPES": "a/b, */*",
		"UPLOAD_EXPIRY_MINUTES": "90", "LOG_LEVEL": "critical", "LISTEN_ADDR": "unix:/s,:1", "ADMIN_ADDR": "off",
		"RATE_LIMIT": "7/h:3", "RATE_LIMIT_BYTES": "1.5MB/s", "CACHE_TTL": "90", "TRUSTED_PROXIES": "::1,10.1.1.1/8", "S3_FORCE_PATH_STYLE": "0",
	} {
		s, _ := find(name)
		c, again := &Config{}, &Config{}
		if err := s.value.set(c, text); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		shown := s.value.show(c)
		if err := s.value.set(again, shown); err != nil || s.value.show(again) != shown {
			t.Errorf("%s=%s is shown as %s, which reads as %s, %v", name, text, shown, s.value.show(again), err)
		}
	}
}

func TestWriteShowsEverythingButSecrets(t *testing.T) {
	c, _, err := Load(Options{Dir: folder(t, map[string]string{".env": "GATEWAY_ACCESS_KEY_ID=app\nGATEWAY_SECRET_ACCESS_KEY=" + master + "\nAPI_KEYS=ci=" + master + "1\n"}), Environ: []string{"MAX_FILE_SIZE=20MB"}})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := c.Write(&out); err != nil {
		t.Fatal(err)
	}
	if leaks(out.String(), master) {
		t.Error("a secret was written")
	}
	text := strings.Join(strings.Fields(out.String()), " ") + " "
	for _, want := range []string{
		"S3_ENABLED - default ", "S3_BUCKET_NAME files default ", "MAX_FILE_SIZE 20000000 environment ",
		"GATEWAY_ACCESS_KEY_ID app .env:1 ", "GATEWAY_SECRET_ACCESS_KEY [redacted] .env:2 ", "API_KEYS ci=[redacted] .env:3 ",
		"WEBHOOK_SECRET - default ", "ADMIN_ADDR 127.0.0.1:9090 default ", "RATE_LIMIT none default ",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	if err := c.Write(broken{}); err == nil {
		t.Error("a broken writer went unnoticed")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, fmt.Errorf("broken") }

func TestReferenceHasEveryName(t *testing.T) {
	var out bytes.Buffer
	if err := Reference(&out); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(settings)+2 || strings.Join(lines[:2], "\n") != "| variable | default | meaning |\n|---|---|---|" {
		t.Fatalf("%d lines for %d settings", len(lines), len(settings))
	}
	for _, want := range []string{
		"| MAX_FILE_SIZE | `10485760` | ", "| UPLOAD_DIR | none | does nothing", "| CACHE_TTL | `30s` | ",
		"| CLAMD_ADDR | none | clamd that uploads are scanned with; not available in this version: refused |",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if err := Reference(broken{}); err == nil {
		t.Error("a broken writer went unnoticed")
	}
}
