package config

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	gateway "github.com/codeguardians/s3gateway"
)

const ratesFile = `
rate_limit_bytes: 50MiB/s:1GiB
buckets:
  - {name: pictures, rate: 1000/s, rate_bytes: 1GiB/s, in_flight: 200}
callers:
  - name: webshop
    rate: none
    in_flight: 8
    rates: {list: 2/s, write: 30/m:5}
`

func TestRatesOfEntries(t *testing.T) {
	c, warnings, err := loadSections(t, ratesFile)
	if err != nil || len(warnings) > 0 {
		t.Fatal(err, warnings)
	}
	if c.RateLimitBytes != (Rate{PerSecond: 50 << 20, Burst: 1 << 30}) {
		t.Errorf("%+v", c.RateLimitBytes)
	}
	b, w := c.Buckets[0].Rates, c.Callers[0].Rates
	if *b.Requests != (Rate{1000, 1000}) || *b.Bytes != (Rate{1 << 30, 1 << 30}) || b.InFlight != 200 || len(b.Actions.ByAction()) != 0 {
		t.Errorf("%+v", b)
	}
	if w.Requests == nil || !w.Requests.None() || w.Bytes != nil || w.InFlight != 8 {
		t.Errorf("%+v", w)
	}
	want := map[gateway.Action]Rate{gateway.List: {2, 2}, gateway.Write: {0.5, 5}}
	if got := w.Actions.ByAction(); !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	var out bytes.Buffer
	if err := c.Write(&out); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"rate=1000/s:1000 rate_bytes=1073741824/s:1073741824 in_flight=200", "rate=none in_flight=8 rates={list: 2/s:2, write: 0.5/s:5}"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in\n%s", line, out.String())
		}
	}
}

func TestRatesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"rate: 5":               "rate",
		"rate_bytes: 5MiB/h":    "rate_bytes",
		"in_flight: -1":         "in_flight",
		"rates: 5/s":            "rates",
		"rates: {upload: 5/s}":  "upload",
		"rates: {read: [5/s]}":  "read",
		"rates: {read: 0/s}":    "read",
		"rates: [{read: 5/s}]":  "rates",
		"rates: {uploads: 1/s}": "unknown in rates",
	} {
		_, _, err := loadSections(t, "callers:\n  - name: a\n    "+text+"\n")
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "c.yaml:3") {
			t.Errorf("%s: %v", text, err)
		}
	}
}
