package lifecycle

import (
	"context"
	"errors"
	"time"

	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/localstore"
)

// maxJump is by how much the clock may differ from the time that has passed. A
// clock that jumps further is wrong before or after, and a day's rules would
// delete what is young.
const maxJump = 24 * time.Hour

// Deletion is what is due. Exactly one of these is meant: the upload UploadID; the
// version VersionID; or, with neither, the current version, and only while it has
// this ETag and time.
type Deletion struct {
	Bucket, Key, VersionID, UploadID string
	ETag                             string
	Modified                         time.Time
	Rule                             string // its ID
}

// Runner carries out the rules of all buckets. Its fields are set before the first
// Run; one Run at a time.
type Runner struct {
	Store *localstore.Store
	// Delete carries out one deletion.
	Delete func(context.Context, Deletion) error
	Now    func() time.Time
	// Elapsed is the time that has passed since some moment, whatever becomes of
	// the clock.
	Elapsed func() time.Duration
	Log     zerolog.Logger

	began struct {
		clock   time.Time
		elapsed time.Duration
	}
	paused time.Duration // by Elapsed, until when
}

// Run deletes what is due now and returns how much that was. After a jump of the
// clock by more than a day it does nothing for a day.
func (r *Runner) Run(ctx context.Context) (deleted int, err error) {
	if r.jumped() {
		return 0, nil
	}
	now := r.Now()
	for after := ""; ; {
		buckets, more, err := r.Store.Buckets("", after, localstore.MaxListed)
		if err != nil {
			return deleted, err
		}
		for _, b := range buckets {
			n, err := r.bucket(ctx, b.Name, now)
			deleted += n
			if err != nil {
				return deleted, err
			}
			after = b.Name
		}
		if !more {
			return deleted, nil
		}
	}
}

// jumped compares the clock with the time that has passed since the last run.
func (r *Runner) jumped() bool {
	clock, elapsed := r.Now(), r.Elapsed()
	last := r.began
	r.began.clock, r.began.elapsed = clock, elapsed
	if !last.clock.IsZero() {
		if jump := clock.Sub(last.clock) - (elapsed - last.elapsed); jump.Abs() > maxJump {
			r.paused = elapsed + maxJump
			r.Log.Error().Dur("jump", jump).Msg("the clock jumped by more than a day: lifecycle rules pause for a day. Set the clock right, and start again if it is")
		}
	}
	return elapsed < r.paused
}

func (r *Runner) bucket(ctx context.Context, name string, now time.Time) (int, error) {
	document, err := r.Store.Setting(name, Setting)
	if localstore.CodeOf(err) == localstore.NoSuchBucket || err == nil && document == nil {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	rules, err := enabled(document)
	if err != nil {
		r.Log.Error().Err(err).Str("bucket", name).Msg("the lifecycle document of the bucket cannot be read; put it again")
		return 0, nil
	}
	if len(rules) == 0 {
		return 0, nil
	}
	s := &sweep{Runner: r, ctx: ctx, bucket: name, rules: rules, now: now}
	err = errors.Join(s.versions(), s.uploads())
	return s.deleted, err
}

// sweep is one run over one bucket.
type sweep struct {
	*Runner
	ctx     context.Context
	bucket  string
	rules   []rule
	now     time.Time
	deleted int

	// What was seen of the key at hand.
	key      string
	newer    localstore.Version // the version before the one at hand
	replaced int                // noncurrent versions so far
	marker   *localstore.Version
}

// versions goes through all versions, the newest of each key first.
func (s *sweep) versions() error {
	in := localstore.ListInput{Bucket: s.bucket, Max: localstore.MaxListed}
	for {
		page, err := s.Store.ListVersions(in)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			if err := s.version(e.Version); err != nil {
				return err
			}
		}
		if !page.Truncated {
			return s.lone()
		}
		in.After, in.AfterID = page.Next, page.NextID
	}
}

func (s *sweep) version(v localstore.Version) error {
	if v.Key != s.key {
		if err := s.lone(); err != nil {
			return err
		}
		s.key, s.replaced = v.Key, 0
		s.newer = v
		if v.Marker {
			s.marker = &v
			return nil
		}
		return s.current(v)
	}
	s.marker = nil // it hides this version
	replaced, before := s.newer.Modified, s.replaced
	s.newer = v
	s.replaced++
	for _, r := range s.rules {
		if r.retires(v, replaced, before, s.now) {
			return s.remove(Deletion{Key: v.Key, VersionID: v.ID, ETag: v.ETag, Modified: v.Modified, Rule: r.ID})
		}
	}
	return nil
}

func (s *sweep) current(v localstore.Version) error {
	for _, r := range s.rules {
		if r.expires(v, s.now) {
			return s.remove(Deletion{Key: v.Key, ETag: v.ETag, Modified: v.Modified, Rule: r.ID})
		}
	}
	return nil
}

// lone clears the delete marker of the key before, if it hides nothing.
func (s *sweep) lone() error {
	marker := s.marker
	s.marker = nil
	if marker == nil {
		return nil
	}
	for _, r := range s.rules {
		if r.clears(*marker, s.now) {
			return s.remove(Deletion{Key: marker.Key, VersionID: marker.ID, Modified: marker.Modified, Rule: r.ID})
		}
	}
	return nil
}

func (s *sweep) uploads() error {
	in := localstore.ListInput{Bucket: s.bucket, Max: localstore.MaxListed}
	for {
		page, err := s.Store.ListUploads(in)
		if err != nil {
			return err
		}
		for _, e := range page.Entries {
			for _, r := range s.rules {
				if !r.ends(e.Upload, s.now) {
					continue
				}
				if err := s.remove(Deletion{Key: e.Upload.Key, UploadID: e.Upload.ID, Rule: r.ID}); err != nil {
					return err
				}
				break
			}
		}
		if !page.Truncated {
			return nil
		}
		in.After, in.AfterID = page.Next, page.NextID
	}
}

// remove carries out a deletion. One that is refused, by object lock or because
// the object changed, is left.
func (s *sweep) remove(d Deletion) error {
	if err := context.Cause(s.ctx); err != nil {
		return err
	}
	if gateway.Reserved(d.Key) {
		return nil
	}
	d.Bucket = s.bucket
	err := s.Delete(s.ctx, d)
	if err == nil {
		s.deleted++
		return nil
	}
	if context.Cause(s.ctx) != nil {
		return err
	}
	s.Log.Debug().Err(err).Str("bucket", d.Bucket).Str("key", d.Key).Str("rule", d.Rule).Msg("a lifecycle rule could not delete")
	return nil
}
