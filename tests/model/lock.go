package model

import (
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// lockOf checks and returns the protection that a request asks for. The serial
// number of a default retention is set when the version is made.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
func (m *Model) lockOf(p *problems, b *bucket, mode types.ObjectLockMode, until *time.Time, hold types.ObjectLockLegalHoldStatus) lockState {
	l := lockState{mode: mode, until: until, hold: hold}
	p.add((mode == "") != (until == nil), "InvalidArgument")
	p.add((mode == "") != (until == nil), "InvalidRequest")
	if until != nil {
		l.ends, _ = hoursOf(*until)
		p.add(l.ends <= m.elapsed, "InvalidArgument")
	}
	if b == nil {
		return l
	}
	p.add(b.lock == nil && (mode != "" || until != nil || hold != ""), "InvalidRequest")
	if b.lock != nil && b.lock.mode != "" && mode == "" {
		// The next version to be made is this one.
		l.mode, l.until = types.ObjectLockMode(b.lock.mode), stamp(m.step*perStep+m.serial+1, int(b.lock.days))
		l.ends = m.elapsed + 24*int(b.lock.days)
	}
	return l
}

// putLock is PutObjectLockConfiguration.
func (m *Model) putLock(_ Step, in *s3.PutObjectLockConfigurationInput) *Want {
	b := m.buckets[*in.Bucket]
	if b == nil {
		return fail("NoSuchBucket")
	}
	c := in.ObjectLockConfiguration
	if c == nil || c.ObjectLockEnabled != types.ObjectLockEnabledEnabled {
		return fail("MalformedXML")
	}
	if len(b.uploads) > 0 {
		return nil // S3 does not document which rule applies to their objects
	}
	if b.versioning != types.BucketVersioningStatusEnabled {
		return fail("InvalidBucketState")
	}
	b.lock = &lockRule{}
	if c.Rule != nil {
		b.lock.mode, b.lock.days = c.Rule.DefaultRetention.Mode, *c.Rule.DefaultRetention.Days
	}
	return done(http.StatusOK, &s3.PutObjectLockConfigurationOutput{})
}

// getLock is GetObjectLockConfiguration.
func (m *Model) getLock(_ Step, in *s3.GetObjectLockConfigurationInput) *Want {
	b := m.buckets[*in.Bucket]
	if b == nil {
		return fail("NoSuchBucket")
	}
	if b.lock == nil {
		return fail("ObjectLockConfigurationNotFoundError")
	}
	c := &types.ObjectLockConfiguration{ObjectLockEnabled: types.ObjectLockEnabledEnabled}
	if b.lock.mode != "" {
		c.Rule = &types.ObjectLockRule{DefaultRetention: &types.DefaultRetention{Mode: b.lock.mode, Days: &b.lock.days}}
	}
	return done(http.StatusOK, &s3.GetObjectLockConfigurationOutput{ObjectLockConfiguration: c})
}

// lockable returns the version that a request about locks names.
func (m *Model) lockable(bucket, key, id *string) (*version, *Want) {
	b, v, w := m.find(bucket, key, id)
	if b != nil && b.lock == nil {
		if w == nil {
			return nil, fail("InvalidRequest")
		}
		w.Or = append(w.Or, "InvalidRequest")
	}
	if v != nil && v.marker {
		w.Header = nil
		w.Or = append(w.Or, "MethodNotAllowed")
	}
	return v, w
}

// putRetention is PutObjectRetention.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html
func (m *Model) putRetention(_ Step, in *s3.PutObjectRetentionInput) *Want {
	v, w := m.lockable(in.Bucket, in.Key, in.VersionId)
	r := in.Retention
	mode := types.ObjectLockMode(r.Mode)
	ends, _ := hoursOf(*r.RetainUntilDate)
	switch {
	case w != nil:
		if ends <= m.elapsed {
			w.Or = append(w.Or, "InvalidArgument")
		}
		return w
	case ends <= m.elapsed:
		return fail("InvalidArgument")
	}
	held := v.until != nil && v.ends > m.elapsed && (v.mode != mode || ends < v.ends)
	if held && (v.mode == types.ObjectLockModeCompliance || !val(in.BypassGovernanceRetention)) {
		return fail("AccessDenied")
	}
	v.mode, v.until, v.ends = mode, r.RetainUntilDate, ends
	return done(http.StatusOK, &s3.PutObjectRetentionOutput{})
}

// getRetention is GetObjectRetention.
func (m *Model) getRetention(_ Step, in *s3.GetObjectRetentionInput) *Want {
	v, w := m.lockable(in.Bucket, in.Key, in.VersionId)
	if w != nil {
		return w
	}
	if v.until == nil {
		return fail("NoSuchObjectLockConfiguration")
	}
	return done(http.StatusOK, &s3.GetObjectRetentionOutput{Retention: &types.ObjectLockRetention{
		Mode: types.ObjectLockRetentionMode(v.mode), RetainUntilDate: v.until}})
}

// putHold is PutObjectLegalHold.
func (m *Model) putHold(_ Step, in *s3.PutObjectLegalHoldInput) *Want {
	v, w := m.lockable(in.Bucket, in.Key, in.VersionId)
	if w != nil {
		return w
	}
	v.hold = in.LegalHold.Status
	return done(http.StatusOK, &s3.PutObjectLegalHoldOutput{})
}

// getHold is GetObjectLegalHold.
func (m *Model) getHold(_ Step, in *s3.GetObjectLegalHoldInput) *Want {
	v, w := m.lockable(in.Bucket, in.Key, in.VersionId)
	if w != nil {
		return w
	}
	if v.hold == "" {
		return fail("NoSuchObjectLockConfiguration")
	}
	w = done(http.StatusOK, &s3.GetObjectLegalHoldOutput{LegalHold: &types.ObjectLockLegalHold{Status: v.hold}})
	if v.hold == types.ObjectLockLegalHoldStatusOff {
		w.Or = []string{"NoSuchObjectLockConfiguration"} // see Model.get
	}
	return w
}

// taggable returns the version that a request about tags names.
func (m *Model) taggable(bucket, key, id *string) (*bucket, *version, *Want) {
	b, v, w := m.find(bucket, key, id)
	if v != nil && v.marker {
		w.Header = nil
		w.Or = append(w.Or, "MethodNotAllowed")
	}
	return b, v, w
}

// putTags is PutObjectTagging.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html
func (m *Model) putTags(_ Step, in *s3.PutObjectTaggingInput) *Want {
	b, v, w := m.taggable(in.Bucket, in.Key, in.VersionId)
	var p problems
	if w != nil {
		p = append(problems{w.Code}, w.Or...)
	}
	tags := map[string]string{}
	p.add(len(in.Tagging.TagSet) > maxTags, "BadRequest")
	for _, t := range in.Tagging.TagSet {
		_, twice := tags[*t.Key]
		p.add(twice || !goodTag(*t.Key, *t.Value), "InvalidTag")
		tags[*t.Key] = *t.Value
	}
	if w := p.want(); w != nil {
		return w
	}
	v.tags = tags
	return done(http.StatusOK, &s3.PutObjectTaggingOutput{VersionId: b.shown(v)}).maybe("VersionId")
}

// getTags is GetObjectTagging.
func (m *Model) getTags(_ Step, in *s3.GetObjectTaggingInput) *Want {
	b, v, w := m.taggable(in.Bucket, in.Key, in.VersionId)
	if w != nil {
		return w
	}
	out := &s3.GetObjectTaggingOutput{VersionId: b.shown(v)}
	for key, value := range v.tags {
		out.TagSet = append(out.TagSet, types.Tag{Key: aws.String(key), Value: aws.String(value)})
	}
	w = done(http.StatusOK, out).maybe("VersionId")
	w.Sorted = []string{"TagSet"}
	return w
}

// deleteTags is DeleteObjectTagging.
func (m *Model) deleteTags(_ Step, in *s3.DeleteObjectTaggingInput) *Want {
	b, v, w := m.taggable(in.Bucket, in.Key, in.VersionId)
	if w != nil {
		return w
	}
	v.tags = nil
	return done(http.StatusNoContent, &s3.DeleteObjectTaggingOutput{VersionId: b.shown(v)}).maybe("VersionId")
}
