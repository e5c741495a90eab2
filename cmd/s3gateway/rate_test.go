package main

import (
	"strconv"
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
