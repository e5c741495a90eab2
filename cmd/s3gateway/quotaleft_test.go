package main

import (
	"testing"

	"github.com/codeguardians/s3gateway/internal/testbed"
	"github.com/codeguardians/s3gateway/quota"
)

// A change that the store made counts, though the client hung up before it was
// told, and though the store answered it with a failure.
func TestQuotasCountWhatNobodyWasToldOf(t *testing.T) {
	real := testbed.Open(t)
	bucket := real.Bucket(t)
	store := newSlowStore(t, real)
	w := newWorldOn(t, store.Store, bucket, append([]string{"QUOTA_BYTES=1000"}, open...)...)
	w.used("QUOTA_BYTES")
	counts := func(bytes, objects int64) {
		t.Helper()
		eventually(t, "what is there is counted", func() bool { return w.used("QUOTA_BYTES") == quota.Usage{Bytes: bytes, Objects: objects} })
	}
	store.slow.Store(true)
	store.hangUp(t, w.signedPut("a", make([]byte, 600)))
	counts(600, 1)
	store.hangUp(t, w.signedPut("a", make([]byte, 700)))
	counts(700, 1)
	do(t, w.signedPut("b", make([]byte, 301))).isS3Error(t, 507, "QuotaExceeded")
	remove := newRequest(t, "DELETE", w.url+"/"+w.bucket+"/a", nil)
	sign(t, remove, hexSHA256(nil), testSecret, w.clock.Now())
	store.hangUp(t, remove)
	counts(0, 0)
	store.fate.Store(500)
	if a := do(t, w.signedPut("b", make([]byte, 301))); a.status != 503 {
		t.Fatal(a.status)
	}
	counts(301, 1)
	if there := real.Snapshot(t, bucket); len(there) != 1 {
		t.Errorf("%v: the test shows nothing", there)
	}
}
