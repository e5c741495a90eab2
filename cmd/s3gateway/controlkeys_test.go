package main

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/codeguardians/s3gateway/quota"
)

// XML cannot hold every key that S3 can. One of them spoils no listing: neither a
// client's, nor the upload API's, nor that which a quota is counted by.
func TestAKeyThatXMLCannotHoldSpoilsNoListing(t *testing.T) {
	w := newWorld(t, append(slices.Clone(open), "QUOTA_BYTES=1000")...)
	keys := []string{"uploads/a\x01b.txt", "uploads/\x1f", "below/.s3gateway/x", "uploads/z.txt"}
	for _, key := range keys {
		got := do(t, w.signedPut(url.PathEscape(key), []byte("hello")))
		if got.status != 200 {
			t.Fatalf("put %q: %d %s", key, got.status, got.body)
		}
	}
	// The answer names the key, and the SDK cannot read it.
	made := w.signed("POST", "uploads/%02?uploads")
	_, rest, _ := strings.Cut(string(made.body), "<UploadId>")
	upload, _, ok := strings.Cut(rest, "</UploadId>")
	if made.status != 200 || !ok {
		t.Fatalf("%d %s", made.status, made.body)
	}
	for _, query := range []string{"", "?list-type=2", "?versions"} {
		got := w.signed("GET", query)
		if got.status != 200 || strings.Count(string(got.body), "<Key>") != len(keys) || !strings.Contains(string(got.body), "<Key>uploads/a&#x1;b.txt</Key>") {
			t.Errorf("%s: %d %s", query, got.status, got.body)
		}
	}
	if got := w.signed("GET", "?list-type=2&encoding-type=url"); got.status != 200 || !strings.Contains(string(got.body), "<Key>uploads/a%01b.txt</Key>") {
		t.Errorf("encoded: %d %s", got.status, got.body)
	}
	if got := w.ask("GET", "/list", ""); got.status != 200 || !strings.Contains(string(got.body), `"uploads/z.txt"`) || strings.Contains(string(got.body), "b.txt") {
		t.Errorf("upload API: %d %s", got.status, got.body)
	}
	past := w.store.Client(t)
	if _, err := past.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &w.bucket, Key: aws.String("past"), Body: strings.NewReader("another")}); err != nil {
		t.Fatal(err)
	}
	w.clock.Advance(time.Hour)
	w.app.quotas.Use(quotasOf(w.app.current.Load().config, w.app.client.Name))
	eventually(t, "it is counted again", func() bool { return w.used("QUOTA_BYTES") == quota.Usage{Bytes: 27, Objects: 5} })
	if _, err := past.AbortMultipartUpload(t.Context(), &s3.AbortMultipartUploadInput{Bucket: &w.bucket, Key: aws.String("uploads/\x02"), UploadId: &upload}); err != nil {
		t.Error(err)
	}
	for _, key := range keys { // the store's own tidying up lists them
		if _, err := past.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: &w.bucket, Key: &key}); err != nil {
			t.Error(err)
		}
	}
}
