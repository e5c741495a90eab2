package main

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRateLimitOfACallerHoldsOnBothDoors(t *testing.T) {
	w := newWorld(t, append(open, "RATE_LIMIT=10/s:3")...)
	for i := range 3 {
		if got := w.signed("GET", "missing"); got.status != 404 {
			t.Fatalf("request %d: %d", i, got.status)
		}
	}
	refused := w.signed("GET", "missing")
	refused.isS3Error(t, 503, "SlowDown")
	retryAfter(t, refused)
	for i := range 3 {
		if got := do(t, newRequest(t, "GET", w.rest("list"), nil)); got.status != 200 {
			t.Fatalf("another caller, request %d: %d", i, got.status)
		}
	}
	slow := do(t, newRequest(t, "GET", w.rest("list"), nil))
	slow.isProblem(t, 429, "RATE_LIMIT")
	w.clock.Advance(time.Duration(retryAfter(t, slow)) * time.Second)
	if got := do(t, newRequest(t, "GET", w.rest("list"), nil)); got.status != 200 {
		t.Errorf("after Retry-After: %d", got.status)
	}
}

func TestRateLimitOfAnAddressComesBeforeTheSignature(t *testing.T) {
	w := newWorld(t, append(open, "RATE_LIMIT_ADDRESS=1/s:2")...)
	for range 2 {
		do(t, newRequest(t, "GET", w.url+"/"+w.bucket+"/x", nil)).isS3Error(t, 403, "AccessDenied")
	}
	do(t, newRequest(t, "GET", w.url+"/"+w.bucket+"/x", nil)).isS3Error(t, 503, "SlowDown")
	do(t, newRequest(t, "GET", w.rest("health"), nil)).isProblem(t, 429, "RATE_LIMIT_ADDRESS")
}

func retryAfter(t *testing.T, a answer) int {
	t.Helper()
	n, err := strconv.Atoi(a.header.Get("Retry-After"))
	if err != nil || n < 1 {
		t.Errorf("Retry-After %q", a.header.Get("Retry-After"))
	}
	return n
}

func TestRatesOfTheFileHoldOnBothDoors(t *testing.T) {
	w := newFiled(t, `
buckets:
  - {name: BUCKET, rate: 0.1/s:6}
callers:
  - name: shop
    api_keys: [{key: key-of-the-shop-000}]
    in_flight: 4
    rates: {list: 0.1/s:2}
    grants: [{bucket: BUCKET, actions: [list, read]}]
`)
	list := func() answer {
		return do(t, newRequest(t, "GET", w.rest("list"), nil, "X-API-Key", "key-of-the-shop-000"))
	}
	for i := range 2 {
		got := list()
		if got.status != 200 || !strings.HasPrefix(got.header.Get("RateLimit"), `"caller-list";r=`) {
			t.Fatalf("list %d: %d, RateLimit %q", i, got.status, got.header.Get("RateLimit"))
		}
	}
	slow := list()
	slow.isProblem(t, 429, "rates.list of caller shop")
	if !strings.Contains(slow.header.Get("RateLimit"), `"caller-list";r=0;t=10`) {
		t.Errorf("RateLimit %q", slow.header.Get("RateLimit"))
	}
	// Refused by the caller's own rate, and so not counted for the bucket.
	for i := range 4 {
		if got := w.signed("GET", "missing"); got.status != 404 {
			t.Fatalf("another caller, request %d: %d", i, got.status)
		}
	}
	refused := w.signed("GET", "missing")
	refused.isS3Error(t, 503, "SlowDown")
	if !strings.Contains(string(refused.body), "rate of bucket") || retryAfter(t, refused) != 10 {
		t.Errorf("%s", refused.body)
	}
}

func TestBytesPerSecondSlowBothDoorsAndCutNothing(t *testing.T) {
	const size = 96 << 10
	w := newWorld(t, append(open, "RATE_LIMIT_BYTES=128KiB/s:16KiB")...)
	body := bytes.Repeat([]byte("0123456789abcdef"), size/16)
	for _, s := range []struct {
		name string
		do   func() answer
	}{
		{"S3 upload", func() answer { return do(t, w.signedPut("a", body)) }},
		{"REST upload", func() answer {
			return do(t, newRequest(t, "PUT", w.rest("direct?filename=a.bin"), bytes.NewReader(body)))
		}},
		{"S3 download", func() answer { return w.signed("GET", "a") }},
	} {
		began := time.Now()
		got := s.do()
		if took := time.Since(began); got.status/100 != 2 || took < 500*time.Millisecond || took > 10*time.Second {
			t.Errorf("%s: %d after %v, want success after about 0.6 s", s.name, got.status, took)
		}
		if s.name == "S3 download" && !bytes.Equal(got.body, body) {
			t.Errorf("%s: %d bytes", s.name, len(got.body))
		}
	}
}
