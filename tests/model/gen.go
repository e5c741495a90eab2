package model

import (
	"math/rand/v2"
	"slices"
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
	theme  theme
	big    bool   // whether parts are of the size that S3 demands
	bucket string // of the request that is being made
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
func Generate(t *Target, seed uint64) Program {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0)), target: t, model: New(t.MinPart)}
	for range 2 + g.IntN(6) {
		g.keys = append(g.keys, pick(g, t.Keys))
	}
	g.theme = pick(g, themes)
	g.big = g.theme == multipart && g.one(2)
	p := Program{Seed: seed}
	steps := 10 + g.IntN(51)
	for id := 1; len(p.Steps) < steps; id++ {
		g.body, g.header = nil, nil
		g.bucket = bucketNames[0]
		if other := bucketNames[1]; g.model.buckets[other] != nil && g.one(4) || g.one(40) {
			g.bucket = other
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
	if id < 10 && g.one(2) {
		return g.put()
	}
	for {
		c := pick(g, choices)
		weight := c.weight
		if c.theme == g.theme {
			weight *= 4
		}
		if g.IntN(maxWeight) < weight {
			return c.make(g)
		}
	}
}

// theme is what a program is mostly about.
type theme string

const (
	anything  theme = "anything"
	multipart theme = "multipart"
	listing   theme = "listing"
	locking   theme = "locking"
	reading   theme = "reading"
)

var themes = []theme{anything, anything, multipart, listing, locking, reading}

const maxWeight = 4 * 24

// choices are the requests that programs make, with how often, and four times as
// often in programs with the theme.
var choices = []struct {
	weight int
	theme  theme
	make   func(*generator) any
}{
	{22, "", (*generator).put},
	{10, reading, (*generator).get},
	{5, reading, (*generator).head},
	{10, "", (*generator).delete},
	{4, "", (*generator).deleteMany},
	{10, reading, (*generator).copy},
	{6, multipart, (*generator).create},
	{14, multipart, (*generator).part},
	{6, multipart, (*generator).copyPart},
	{3, multipart, (*generator).listParts},
	{10, multipart, (*generator).complete},
	{2, "", (*generator).abort},
	{3, listing, (*generator).list},
	{5, listing, (*generator).list2},
	{5, listing, (*generator).listVersions},
	{3, listing, (*generator).listUploads},
	{6, "", (*generator).versioning},
	{2, "", (*generator).newBucket},
	{1, "", (*generator).oldBucket},
	{2, "", (*generator).askBucket},
	{3, locking, (*generator).lockRule},
	{6, locking, (*generator).retention},
	{5, locking, (*generator).hold},
	{4, locking, (*generator).tags},
	{2, locking, (*generator).wait},
	{4, reading, (*generator).attributes},
}

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

// place returns a key, mostly that of an object, with one of its versions or none.
func (g *generator) place() (key, id *string) {
	key = g.key()
	b := g.at()
	all := b.sorted()
	if !g.one(4) {
		all = slices.DeleteFunc(all, func(key string) bool { return b.current(key) == nil })
	}
	if len(all) > 0 && !g.one(6) {
		key = aws.String(pick(g, all))
	}
	if !g.one(3) {
		return key, nil
	}
	return key, g.versionOf(*key)
}

// versionOf returns a version id for a request about key, nil if it has none.
func (g *generator) versionOf(key string) *string {
	b := g.at()
	switch {
	case g.one(12):
		return aws.String("null")
	case g.one(25):
		return aws.String("not-a-version")
	case g.one(12) && len(b.keys) > 0: // of another key
		return &b.keys[pick(g, b.sorted())][0].id
	}
	if all := b.keys[key]; len(all) > 0 {
		return &pick(g, all).id
	}
	return nil
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
	if g.model.buckets[g.bucket] != nil && g.one(2) {
		g.bucket = bucketNames[1]
	}
	return &s3.CreateBucketInput{Bucket: g.here(), ObjectLockEnabledForBucket: orNil(g.theme == locking || g.one(8))}
}

func orNil(set bool) *bool {
	if !set {
		return nil
	}
	return &set
}

func (g *generator) oldBucket() any { return &s3.DeleteBucketInput{Bucket: g.here()} }

func (g *generator) askBucket() any {
	switch g.IntN(4) {
	case 0:
		return &s3.HeadBucketInput{Bucket: g.here()}
	case 1:
		return &s3.GetBucketVersioningInput{Bucket: g.here()}
	case 2:
		return &s3.ListBucketsInput{Prefix: aws.String(allBuckets)}
	}
	return &s3.GetObjectLockConfigurationInput{Bucket: g.here()}
}

func (g *generator) versioning() any {
	to := types.BucketVersioningStatusEnabled
	if g.at().versioning == to && !g.one(4) {
		to = types.BucketVersioningStatusSuspended
	}
	return &s3.PutBucketVersioningInput{Bucket: g.here(), VersioningConfiguration: &types.VersioningConfiguration{Status: to}}
}

// here returns the name of the bucket that the request is about.
func (g *generator) here() *string { return aws.String(g.bucket) }
