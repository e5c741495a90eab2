package main

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/internal/testbed"
)

// scrape gives what /metrics shows, by the admin door.
func (w *world) scrape() string {
	w.t.Helper()
	got := httptest.NewRecorder()
	w.app.admin.ServeHTTP(got, httptest.NewRequest("GET", "http://localhost/metrics", nil))
	if got.Code != 200 {
		w.t.Fatalf("/metrics: %d", got.Code)
	}
	return got.Body.String()
}

func TestMetrics(t *testing.T) {
	redis := testbed.StartRedis(t)
	w := newWorld(t, "REDIS_URL="+redis.URL, "ALLOWED_FILE_TYPES=*/*", "MAX_FILE_SIZE=1000", "RATE_LIMIT=0.01/s:5")
	do(t, w.signedPut("secret-key.txt", []byte("0123456789")))
	do(t, w.signedPut("secret-key.txt", make([]byte, 2000)))
	w.signed("HEAD", "secret-key.txt")
	w.signed("HEAD", "secret-key.txt")
	w.signed("GET", "secret-key.txt")
	w.signed("GET", "secret-key.txt")
	do(t, newRequest(t, "GET", w.rest("list"), nil))
	var shown string
	eventually(t, "every request is counted", func() bool {
		shown = w.scrape()
		return strings.Contains(shown, "s3gateway_requests_in_flight 0")
	})
	for _, want := range []string{
		`s3gateway_requests_total{door="s3",operation="PutObject",status="200"} 1`,
		`s3gateway_requests_total{door="s3",operation="PutObject",status="400"} 1`,
		`s3gateway_requests_total{door="rest",operation="ListFiles",status="200"} 1`,
		`s3gateway_refusals_total{code="EntityTooLarge",door="s3"} 1`,
		`s3gateway_refusals_total{code="SlowDown",door="s3"} 1`,
		`s3gateway_cache_requests_total{result="hit"} 1`,
		`s3gateway_cache_requests_total{result="miss"} 1`,
		`s3gateway_bytes_total{direction="in",door="s3"}`,
		"s3gateway_redis_up 1",
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(shown, "secret-key") || strings.Contains(shown, w.bucket) || strings.Contains(shown, testKeyID) {
		t.Error("a label names a key, a bucket or a caller")
	}
	redis.Stop()
	eventually(t, "Redis is seen to be away", func() bool {
		w.clock.Advance(100 * time.Second)
		w.signed("HEAD", "secret-key.txt")
		return strings.Contains(w.scrape(), "s3gateway_redis_up 0")
	})
	if t.Failed() {
		t.Log(shown)
	}
}
