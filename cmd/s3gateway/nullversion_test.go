package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/internal/localstore/lifecycle"
	"github.com/codeguardians/s3gateway/internal/localstore/wire"
	"github.com/codeguardians/s3gateway/internal/testbed"
)

// A null version that takes the place of one that is due is not the one that is due.
func TestALifecycleRuleDeletesNoNewNullVersion(t *testing.T) {
	for _, what := range []string{"noncurrent", "lone marker"} {
		t.Run(what, func(t *testing.T) {
			c := &clock{now: time.Now()}
			store, err := localstore.Open(t.Context(), localstore.Options{Dir: t.TempDir(), Bucket: "files", NoSync: true, Log: zerolog.Nop(), Now: c.Now})
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			client := backend.New(storeEndpoint(wire.New(store, wire.Options{Log: zerolog.Nop(), Now: c.Now})), zerolog.Nop(), c.Now)
			a := &app{store: store, client: client}
			a.log = zerolog.Nop()
			s, bucket, key := client.S3(), aws.String("files"), aws.String("k")
			put := func(body string) {
				t.Helper()
				if _, err := s.PutObject(t.Context(), &s3.PutObjectInput{Bucket: bucket, Key: key, Body: strings.NewReader(body)}); err != nil {
					t.Fatal(err)
				}
			}
			versioning := func(status types.BucketVersioningStatus) {
				t.Helper()
				if _, err := s.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{Bucket: bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: status}}); err != nil {
					t.Fatal(err)
				}
			}
			put("old")
			rule := types.LifecycleRule{ID: aws.String("r"), Status: types.ExpirationStatusEnabled, Filter: &types.LifecycleRuleFilter{Prefix: aws.String("")}}
			if what == "noncurrent" {
				versioning(types.BucketVersioningStatusEnabled)
				put("newer")
				versioning(types.BucketVersioningStatusSuspended)
				rule.NoncurrentVersionExpiration = &types.NoncurrentVersionExpiration{NoncurrentDays: aws.Int32(1)}
			} else {
				versioning(types.BucketVersioningStatusSuspended)
				if _, err := s.DeleteObject(t.Context(), &s3.DeleteObjectInput{Bucket: bucket, Key: key}); err != nil {
					t.Fatal(err)
				}
				rule.Expiration = &types.LifecycleExpiration{ExpiredObjectDeleteMarker: aws.Bool(true)}
			}
			if _, err := s.PutBucketLifecycleConfiguration(t.Context(), &s3.PutBucketLifecycleConfigurationInput{Bucket: bucket, LifecycleConfiguration: &types.BucketLifecycleConfiguration{Rules: []types.LifecycleRule{rule}}}); err != nil {
				t.Fatal(err)
			}
			c.Advance(72 * time.Hour)
			runner := &lifecycle.Runner{Store: store, Now: c.Now, Elapsed: func() time.Duration { return 0 }, Log: zerolog.Nop(), Delete: func(ctx context.Context, d lifecycle.Deletion) error {
				put("stored and acknowledged a moment ago")
				return a.deleteDue(ctx, d)
			}}
			n, err := runner.Run(t.Context())
			out, got := s.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: key})
			body := ""
			if got == nil {
				raw, _ := io.ReadAll(out.Body)
				body = string(raw)
			}
			if body != "stored and acknowledged a moment ago" {
				t.Errorf("deleted %d (%v); the key has %q %v", n, err, body, got)
			}
		})
	}
}

// What was there before its bucket kept versions stays when it is written over, so
// that the room for both is needed.
func TestTheQuotaHoldsWhereVersionsBegin(t *testing.T) {
	store := testbed.Open(t)
	bucket := store.Bucket(t)
	w := newWorldOn(t, store, bucket, append([]string{"QUOTA_BYTES=1000"}, open...)...)
	for i := range 10 {
		if a := do(t, w.signedPut(fmt.Sprint("k", i), make([]byte, 100))); a.status != 200 {
			t.Fatal(a.status, string(a.body))
		}
	}
	setVersioning(t, store, bucket, types.BucketVersioningStatusEnabled)
	w.clock.Advance(time.Minute)
	for i := range 10 {
		if a := do(t, w.signedPut(fmt.Sprint("k", i), make([]byte, 100))); a.status == 200 {
			t.Errorf("k%d: stored beyond the quota: %+v", i, w.stored(nil))
		}
	}
	w.countedRight("writing over what was there before versions")
}
