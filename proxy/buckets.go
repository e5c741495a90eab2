package proxy

import (
	"path"
	"slices"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
)

// Location is where a request goes: a backend and its own names.
type Location struct {
	Backend *backend.Client
	Bucket  string
	Key     string
}

// checkKey refuses a key that this place would confuse with another.
func (l Location) checkKey(what, key string) error {
	if key == "" || !l.Backend.FileKeys {
		return nil
	}
	return checkFileKey(what, key)
}

// Buckets is the map from the bucket names that clients see to the backend's.
// It is immutable and safe for concurrent use.
type Buckets struct {
	// Client is the backend of every bucket.
	Client *backend.Client
	// Exposed lists the buckets that clients see: names, patterns of
	// path.Match, or "*" for all, with which buckets may be made and removed.
	Exposed []string
}

// Service is the place of requests that name no bucket.
func (b *Buckets) Service() Location { return Location{Backend: b.Client} }

// Visible reports whether clients may know of a bucket.
func (b *Buckets) Visible(name string) bool {
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
	if b.Visible(name) {
		return Location{Backend: b.Client, Bucket: name}, nil
	}
	if create {
		return Location{}, mayNotChangeBuckets()
	}
	return Location{}, gateway.Errorf(gateway.NoSuchBucket, "")
}

func mayNotChangeBuckets() *gateway.Error {
	return gateway.Errorf(gateway.AccessDenied, "This gateway makes and removes buckets only with S3_EXPOSE_BUCKETS=*.")
}
