package model

import (
	"math/rand/v2"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// generator makes a program. It runs the model beside it, so that requests are
// about what is there.
type generator struct {
	*rand.Rand
	target *Target
	model  *Model
	keys   []string // a few of the target's, so that requests meet
	bucket string   // of the request that is being made
	body   []byte
	header map[string]string
}

// bytesOf is where bodies are cut from.
var bytesOf = func() []byte {
	b := make([]byte, 8<<20)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}()

// Generate returns the program of a seed, of 10 to 60 steps.
func Generate(t *Target, seed uint64, now time.Time) Program {
	now = now.UTC().Truncate(time.Second)
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), target: t, model: New(t.MinPart, now)}
	for range 2 + g.IntN(6) {
		g.keys = append(g.keys, pick(g, t.Keys))
	}
	p := Program{Seed: seed, Now: now}
	steps := 10 + g.IntN(51)
	for id := 1; len(p.Steps) < steps; id++ {
		g.body, g.header = nil, nil
		g.bucket = bucketNames[0]
		if g.one(8) {
			g.bucket = bucketNames[1]
		}
		s := Step{ID: id, Input: g.input(id)}
		s.Body, s.Header = g.body, g.header
		if s.Input == nil || t.skips(g.model, s) >= 0 {
			continue
		}
		if _, ok := g.model.Apply(s); ok {
			p.Steps = append(p.Steps, s)
		}
	}
	return p
}

// input returns the next request, nil if the one it chose is not possible.
func (g *generator) input(id int) any {
	switch id {
	case 1:
		return g.newBucket()
	case 2:
		if g.one(2) {
			return g.versioning()
		}
	}
	n := g.IntN(weightOfAll)
	for _, c := range choices {
		if n -= c.weight; n < 0 {
			return c.make(g)
		}
	}
	return nil
}

// choices are the requests that programs make, with how often.
var choices = []struct {
	weight int
	make   func(*generator) any
}{
	{24, (*generator).put},
	{10, (*generator).get},
	{5, (*generator).head},
	{14, (*generator).delete},
	{5, (*generator).deleteMany},
	{10, (*generator).copy},
	{7, (*generator).create},
	{11, (*generator).part},
	{4, (*generator).copyPart},
	{3, (*generator).listParts},
	{9, (*generator).complete},
	{2, (*generator).abort},
	{3, (*generator).list},
	{5, (*generator).list2},
	{5, (*generator).listVersions},
	{3, (*generator).listUploads},
	{6, (*generator).versioning},
	{2, (*generator).newBucket},
	{1, (*generator).oldBucket},
	{2, (*generator).askBucket},
	{2, (*generator).lockRule},
	{4, (*generator).retention},
	{3, (*generator).hold},
	{4, (*generator).tags},
	{3, (*generator).attributes},
}

var weightOfAll = func() (all int) {
	for _, c := range choices {
		all += c.weight
	}
	return all
}()

// one reports true once in n times.
func (g *generator) one(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *generator, from []T) T { return from[g.IntN(len(from))] }

// at returns the bucket of the request, an empty one if it does not exist.
func (g *generator) at() *bucket {
	if b := g.model.buckets[g.bucket]; b != nil {
		return b
	}
	return &bucket{}
}

func (g *generator) key() *string {
	k := pick(g, g.keys)
	if g.one(150) {
		k = tooLong
	}
	return &k
}

// place returns a key, one that exists more often, with one of its versions or
// none.
func (g *generator) place() (key, id *string) {
	key = g.key()
	b := g.at()
	if all := b.sorted(); len(all) > 0 && !g.one(5) {
		key = aws.String(pick(g, all))
	}
	if !g.one(3) {
		return key, nil
	}
	switch {
	case g.one(12):
		return key, aws.String("null")
	case g.one(25):
		return key, aws.String("not-a-version")
	case g.one(12) && len(b.keys) > 0: // of another key, or deleted
		for _, other := range b.sorted() {
			return key, aws.String(b.keys[other][0].id)
		}
	}
	if all := b.keys[*key]; len(all) > 0 {
		return key, aws.String(pick(g, all).id)
	}
	return key, nil
}

// etagOf returns an ETag for a condition on key: mostly the right one.
func (g *generator) etagOf(v *version) *string {
	switch {
	case v == nil || g.one(3):
		return aws.String(pick(g, []string{etag(nil), `"d41d8cd98f00b204e9800998ecf8427f"`}))
	case g.one(10):
		return aws.String(v.etag[1 : len(v.etag)-1])
	}
	return aws.String(v.etag)
}

// moment returns a time for a condition: long ago, far ahead, or the one at
// which v was made.
func (g *generator) moment(v *version, ahead bool) *time.Time {
	t := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
	switch {
	case ahead && g.one(3):
		t = time.Date(2101, 2, 3, 4, 5, 6, 0, time.UTC)
	case v != nil && g.model.seen[v.serial] && g.one(2):
		t = *stamp(v.serial, 0)
	}
	return &t
}

func (g *generator) bytes() []byte {
	n := g.IntN(40)
	switch {
	case g.one(12):
		n = 0
	case g.one(60):
		n = pick(g, []int{1<<16 - 1, 1 << 16, 1<<16 + 1, 100_000, 200_000})
	}
	at := g.IntN(1 << 20)
	return bytesOf[at : at+n : at+n]
}

func (g *generator) newBucket() any {
	return &s3.CreateBucketInput{Bucket: &g.bucket, ObjectLockEnabledForBucket: orNil(g.one(4))}
}

func orNil(set bool) *bool {
	if !set {
		return nil
	}
	return &set
}

func (g *generator) oldBucket() any { return &s3.DeleteBucketInput{Bucket: &g.bucket} }

func (g *generator) askBucket() any {
	switch g.IntN(4) {
	case 0:
		return &s3.HeadBucketInput{Bucket: &g.bucket}
	case 1:
		return &s3.GetBucketVersioningInput{Bucket: &g.bucket}
	case 2:
		return &s3.ListBucketsInput{Prefix: aws.String(allBuckets)}
	}
	return &s3.GetObjectLockConfigurationInput{Bucket: &g.bucket}
}

func (g *generator) versioning() any {
	to := types.BucketVersioningStatusEnabled
	if g.at().versioning == to && !g.one(4) {
		to = types.BucketVersioningStatusSuspended
	}
	return &s3.PutBucketVersioningInput{Bucket: &g.bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: to}}
}
