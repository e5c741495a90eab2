package quota

import (
	"context"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

const (
	// versioningLife is how long it is believed whether a bucket keeps versions.
	versioningLife = 30 * time.Second
	// versioningMost bounds the buckets of which it is known.
	versioningMost = 1000
)

// versioning knows which buckets keep versions. The zero value is ready, and is safe
// for concurrent use.
type versioning struct {
	mu    sync.Mutex
	known map[string]keptVersions
}

type keptVersions struct {
	kept bool
	at   time.Time
}

// kept reports whether a bucket keeps what is written over. Where that cannot be
// learned it is taken to: then no quota is overrun.
func (v *versioning) kept(ctx context.Context, client *s3.Client, bucket string, now time.Time) bool {
	v.mu.Lock()
	k, ok := v.known[bucket]
	v.mu.Unlock()
	if ok && now.Sub(k.at) < versioningLife {
		return k.kept
	}
	ctx, cancel := context.WithTimeout(ctx, measureTimeout)
	defer cancel()
	out, err := client.GetBucketVersioning(ctx, &s3.GetBucketVersioningInput{Bucket: &bucket})
	switch {
	case unsupported(err):
		k = keptVersions{at: now}
	case err != nil:
		return true
	default:
		k = keptVersions{kept: out.Status == types.BucketVersioningStatusEnabled, at: now}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.known == nil || len(v.known) >= versioningMost {
		v.known = map[string]keptVersions{}
	}
	v.known[bucket] = k
	return k.kept
}

// forget has a bucket asked again: somebody changes whether it keeps versions.
func (v *versioning) forget(bucket string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.known, bucket)
}
