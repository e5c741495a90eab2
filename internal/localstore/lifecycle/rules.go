// Package lifecycle carries out the lifecycle rules of the embedded store's
// buckets: it finds what is due and has it deleted by the way that a client's
// delete takes, so that the cache, quotas and the audit log learn of it.
//
// It knows expiration of current and noncurrent versions, of delete markers that
// hide nothing, and of unfinished uploads
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-rules.html).
// Keys under .s3gateway/ are the gateway's own and never due.
package lifecycle

import (
	"strings"
	"time"

	"github.com/codeguardians/s3gateway/internal/localstore"
	"github.com/codeguardians/s3gateway/internal/localstore/wire"
)

// Setting is the kind under which a bucket keeps its lifecycle document.
const Setting = "lifecycle"

// rule is one enabled rule.
type rule struct {
	wire.LifecycleRule
	of wire.LifecycleConditions
}

// enabled returns the rules of a document that are in force.
func enabled(document []byte) (rules []rule, err error) {
	parsed, err := wire.ParseLifecycle(document)
	if err != nil {
		return nil, err
	}
	for _, r := range parsed.Rules {
		if r.Status == "Enabled" {
			rules = append(rules, rule{r, r.Conditions()})
		}
	}
	return rules, nil
}

// concerns reports whether a rule is about a key.
func (r *rule) concerns(key string) bool {
	return r.of.Prefix == nil || strings.HasPrefix(key, *r.of.Prefix)
}

// covers reports whether a rule is about a version. Delete markers have neither
// tags nor a size, so a rule that asks for them is not about markers.
func (r *rule) covers(v localstore.Version) bool {
	more, less := r.of.GreaterThan, r.of.LessThan
	switch {
	case !r.concerns(v.Key):
		return false
	case v.Marker:
		return len(r.of.Tags) == 0 && more == nil && less == nil
	case more != nil && v.Size <= *more, less != nil && v.Size >= *less:
		return false
	}
	return hasAll(v.Tags, r.of.Tags)
}

func hasAll(have []localstore.Pair, want []wire.LifecycleTag) bool {
	values := map[string]string{}
	for _, t := range have {
		values[t.Name] = t.Value
	}
	for _, t := range want {
		if value, ok := values[t.Key]; !ok || value != t.Value {
			return false
		}
	}
	return true
}

// due returns when something that began at a time is so many days old: at the
// midnight that follows, as S3 counts.
func due(began time.Time, days int) time.Time {
	at := began.UTC().AddDate(0, 0, days)
	midnight := at.Truncate(24 * time.Hour)
	if midnight.Before(at) {
		midnight = midnight.AddDate(0, 0, 1)
	}
	return midnight
}

// expires reports whether a current version is due. A Date is of the form that
// wire checked.
func (r *rule) expires(v localstore.Version, now time.Time) bool {
	e := r.Expiration
	if e == nil || !r.covers(v) {
		return false
	}
	if date, err := time.Parse(time.RFC3339, e.Date); err == nil {
		return !now.Before(date)
	}
	return e.Days != nil && !now.Before(due(v.Modified, *e.Days))
}

// clears reports whether a delete marker that hides nothing is due.
func (r *rule) clears(marker localstore.Version, now time.Time) bool {
	e := r.Expiration
	if e == nil || !r.covers(marker) {
		return false
	}
	always := e.ExpiredObjectDeleteMarker != nil && *e.ExpiredObjectDeleteMarker
	return always || e.Days != nil && !now.Before(due(marker.Modified, *e.Days))
}

// retires reports whether a version that was replaced at a time, and has so many
// newer ones that were replaced too, is due.
func (r *rule) retires(v localstore.Version, replaced time.Time, newer int, now time.Time) bool {
	e := r.NoncurrentVersionExpiration
	if e == nil || e.NoncurrentDays == nil || !r.covers(v) {
		return false
	}
	if e.NewerNoncurrentVersions != nil && newer < *e.NewerNoncurrentVersions {
		return false
	}
	return !now.Before(due(replaced, *e.NoncurrentDays))
}

// ends reports whether an unfinished upload is due.
func (r *rule) ends(u localstore.Upload, now time.Time) bool {
	e := r.AbortIncompleteMultipartUpload
	return e != nil && e.DaysAfterInitiation != nil && r.concerns(u.Key) && !now.Before(due(u.Initiated, *e.DaysAfterInitiation))
}
