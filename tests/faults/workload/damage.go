package workload

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Checker is a store that can look for damage.
type Checker interface {
	// Check returns what is damaged, a line each.
	Check(ctx context.Context) ([]string, error)
}

// Damage is what a store on a damaged disk showed. None of it is a violation:
// what is served as right and is not is one.
type Damage struct {
	Refused  string   // why the store did not open; "": it did
	Served   int      // versions that were read and right
	Failed   int      // versions whose GET failed with 5xx
	Missing  int      // versions whose GET was a 404
	Problems []string // of the check
}

// damaged reads everything on a disk with a flipped bit.
func (k *child) damaged(ctx context.Context) {
	var d Damage
	for _, p := range slices.Sorted(maps.Keys(k.State.Keys)) {
		h := k.State.histories(p)
		if len(h) != 1 {
			continue
		}
		bucket, key := split(p)
		for _, v := range h[0] {
			if !v.Marker {
				k.readDamaged(ctx, &d, bucket, key, v)
			}
		}
	}
	if c, ok := k.store.(Checker); ok {
		var err error
		if d.Problems, err = c.Check(ctx); err != nil {
			d.Problems = append(d.Problems, err.Error())
		}
	}
	k.note(Line{Damage: &d})
}

// readDamaged reads a version whole, and its second half as a range.
func (k *child) readDamaged(ctx context.Context, d *Damage, bucket, key string, v Version) {
	in := &s3.GetObjectInput{Bucket: &bucket, Key: &key, VersionId: &v.ID}
	if !k.compare(ctx, d, in, v, v.Value) {
		return
	}
	if n := v.Value.Size(); n > 1 {
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", n/2))
		k.compare(ctx, d, in, v, v.Value.Slice(n/2, n-n/2))
	}
}

// compare sends a GET and reports whether it succeeded.
func (k *child) compare(ctx context.Context, d *Damage, in *s3.GetObjectInput, v Version, want Value) bool {
	o, err := get(ctx, k.client, in)
	switch {
	case StatusOf(err) == 404:
		d.Missing++
	case err != nil: // 5xx, or a body that breaks off
		d.Failed++
	case sum(o.body) != want.Sum() || o.note != v.Note:
		k.bad(Corrupt, "%s/%s version %s: served with headers of %q, wanted %q; bytes are right: %t",
			*in.Bucket, *in.Key, v.ID, o.note, v.Note, sum(o.body) == want.Sum())
	default:
		d.Served++
	}
	return err == nil
}
