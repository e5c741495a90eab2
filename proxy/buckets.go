package proxy

import (
	"path"
	"slices"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
)

// Location is where a request goes: a backend and its own names.
type Location struct {
	Backend *backend.Client
	Bucket  string
	// Prefix stands before every key of the bucket at the backend.
	Prefix string
	// Key is the whole key at the backend, Prefix included.
	Key string
	// renamed is true when the backend's names are not the client's, so that
	// answers which carry them are written anew.
	renamed bool
}

// unnamed gives a text of the backend for a client, and nothing of one that tells
// where the bucket is there.
func (l Location) unnamed(text string) string {
	if l.renamed && (strings.Contains(text, l.Bucket) || l.Prefix != "" && strings.Contains(text, strings.TrimSuffix(l.Prefix, "/"))) {
		return ""
	}
	return text
}

// at gives the place of one of the bucket's keys, as clients name it. what says
// where the key came from, for a refusal: a key that the backend would confuse
// with another, or one that could climb out of a prefix.
func (l Location) at(what, key string) (Location, error) {
	if key == "" {
		return l, nil
	}
	if l.Prefix != "" && hasDotSegment(key) {
		return Location{}, gateway.Errorf(gateway.InvalidArgument, "The %s has a dot segment, which this bucket does not take.", what)
	}
	if len(l.Prefix)+len(key) > maxKey {
		return Location{}, gateway.Errorf(gateway.KeyTooLong, "")
	}
	l.Key = l.Prefix + key
	return l, nil
}

func hasDotSegment(key string) bool {
	return slices.ContainsFunc(strings.Split(key, "/"), func(s string) bool { return s == "." || s == ".." })
}

// Bucket is one row of the bucket map: a bucket under a name, or with a part of
// its keys, of its own.
type Bucket struct {
	// Name is what clients call it.
	Name string
	// Backend holds it under the name Bucket, with Prefix before every key;
	// Prefix is empty or ends with a slash.
	Backend *backend.Client
	Bucket  string
	Prefix  string
}

// Buckets is the map from the bucket names that clients see to the backends'.
// It is immutable and safe for concurrent use.
type Buckets struct {
	// Client is the backend of every bucket that is not in Mapped.
	Client *backend.Client
	// Exposed lists the buckets of Client that clients see under their own
	// names: names, patterns of path.Match, or "*" for all, with which buckets
	// may be made and removed.
	Exposed []string
	// Mapped are further buckets, by the clients' names. They are always seen,
	// and hide a bucket of Client with the same name.
	Mapped map[string]Bucket
}

// Service is the place of requests that name no bucket.
func (b *Buckets) Service() Location { return Location{Backend: b.Client} }

// Visible reports whether clients may know of a bucket of Client under its own
// name.
func (b *Buckets) Visible(name string) bool {
	if _, hidden := b.Mapped[name]; hidden {
		return false
	}
	return slices.ContainsFunc(b.Exposed, func(pattern string) bool {
		ok, _ := path.Match(pattern, name)
		return ok
	})
}

// open reports whether every bucket is exposed.
func (b *Buckets) open() bool { return slices.Contains(b.Exposed, "*") }

// Locate finds a bucket. A name that is not exposed does not exist, except to a
// caller that wants to create it, who is told.
func (b *Buckets) Locate(name string, create bool) (Location, error) {
	if m, ok := b.Mapped[name]; ok {
		return Location{Backend: m.Backend, Bucket: m.Bucket, Prefix: m.Prefix, renamed: m.Prefix != "" || m.Bucket != name}, nil
	}
	if b.Visible(name) {
		return Location{Backend: b.Client, Bucket: name}, nil
	}
	if create {
		return Location{}, mayNotChangeBuckets()
	}
	return Location{}, gateway.Errorf(gateway.NoSuchBucket, "")
}

// mayChange reports whether a bucket may be made or removed by clients.
func (b *Buckets) mayChange(name string) error {
	if _, mapped := b.Mapped[name]; mapped || !b.open() {
		return mayNotChangeBuckets()
	}
	return nil
}

func mayNotChangeBuckets() *gateway.Error {
	return gateway.Errorf(gateway.AccessDenied, "This gateway makes and removes buckets only with S3_EXPOSE_BUCKETS=*, and none of its bucket map.")
}
