package wire

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"time"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// Limits of lifecycle rules
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketLifecycleConfiguration.html).
const (
	maxRules              = 1000
	maxRuleID             = 255
	maxNoncurrentVersions = 100
)

// Lifecycle is the lifecycle configuration of a bucket, as it is kept in the
// setting "lifecycle". Every rule has an ID and at least one action.
type Lifecycle struct {
	XMLName xml.Name        `xml:"LifecycleConfiguration"`
	Xmlns   string          `xml:"xmlns,attr"`
	Rules   []LifecycleRule `xml:"Rule"`
	strict
}

// LifecycleRule is one rule. Actions that are nil are not taken.
type LifecycleRule struct {
	ID     string
	Prefix *string // the older form of a filter
	Filter *LifecycleFilter
	Status string // Enabled or Disabled

	Expiration                     *LifecycleExpiration
	NoncurrentVersionExpiration    *NoncurrentExpiration
	AbortIncompleteMultipartUpload *AbortUploads

	Transition, NoncurrentVersionTransition []unknownElement // refused by name
	strict
}

// LifecycleFilter selects objects: by one of its fields, or by all those in And.
type LifecycleFilter struct {
	LifecycleConditions
	And *LifecycleConditions
}

// LifecycleConditions are conditions of a filter, all of which must hold.
type LifecycleConditions struct {
	Prefix      *string
	Tags        []LifecycleTag `xml:"Tag"`
	GreaterThan *int64         `xml:"ObjectSizeGreaterThan"` // bytes, exclusive
	LessThan    *int64         `xml:"ObjectSizeLessThan"`    // bytes, exclusive
	strict
}

// LifecycleTag is a tag that an object must have.
type LifecycleTag struct{ Key, Value string }

// LifecycleExpiration ends current versions. One of its fields is set.
type LifecycleExpiration struct {
	Days *int
	// Date is midnight UTC, in RFC 3339.
	Date                      string `xml:",omitempty"`
	ExpiredObjectDeleteMarker *bool
	strict
}

// NoncurrentExpiration ends versions so many days after they were replaced, but
// for a number of newer ones.
type NoncurrentExpiration struct {
	NoncurrentDays          *int
	NewerNoncurrentVersions *int
	strict
}

// AbortUploads ends multipart uploads so many days after they began.
type AbortUploads struct {
	DaysAfterInitiation *int
	strict
}

// ParseLifecycle decodes the setting "lifecycle" of a bucket.
func ParseLifecycle(setting []byte) (Lifecycle, error) {
	var l Lifecycle
	return l, xml.Unmarshal(setting, &l)
}

// Conditions returns what the rule's objects have in common.
func (r *LifecycleRule) Conditions() LifecycleConditions {
	switch {
	case r.Filter == nil:
		return LifecycleConditions{Prefix: r.Prefix}
	case r.Filter.And != nil:
		return *r.Filter.And
	}
	return r.Filter.LifecycleConditions
}

// readLifecycle checks a lifecycle configuration and completes the IDs of its
// rules.
func (x *exchange) readLifecycle() ([]byte, error) {
	var doc Lifecycle
	if err := x.readDocument("LifecycleConfiguration", &doc); err != nil {
		return nil, err
	}
	if len(doc.Rules) == 0 || len(doc.Rules) > maxRules {
		return nil, malformed()
	}
	ids := map[string]bool{}
	for i := range doc.Rules {
		r := &doc.Rules[i]
		if err := r.check(); err != nil {
			return nil, err
		}
		r.ID = cmp.Or(r.ID, fmt.Sprintf("%s-%d", x.id, i+1))
		if ids[r.ID] {
			return nil, refuse(localstore.InvalidArgument, "Rule ID must be unique. Found same ID for more than one rule")
		}
		ids[r.ID] = true
	}
	doc.Xmlns = namespace
	return marshalSetting(doc)
}

func (r *LifecycleRule) check() error {
	switch {
	case len(r.Transition)+len(r.NoncurrentVersionTransition) > 0:
		return unknown("The store does not have Transition in a lifecycle rule, because it keeps all objects alike")
	case len(r.ID) > maxRuleID:
		return refuse(localstore.InvalidArgument, "ID length should not exceed allowed limit of 255")
	case r.Status != "Enabled" && r.Status != "Disabled", (r.Filter == nil) == (r.Prefix == nil):
		return malformed()
	case r.Expiration == nil && r.NoncurrentVersionExpiration == nil && r.AbortIncompleteMultipartUpload == nil:
		return invalidRequest("At least one action needs to be specified in a rule")
	}
	if err := r.Filter.check(); err != nil {
		return err
	}
	for _, action := range []interface {
		check(LifecycleConditions) error
	}{r.Expiration, r.NoncurrentVersionExpiration, r.AbortIncompleteMultipartUpload} {
		if err := action.check(r.Conditions()); err != nil {
			return err
		}
	}
	return nil
}

func (f *LifecycleFilter) check() error {
	if f == nil {
		return nil
	}
	single := f.LifecycleConditions.count()
	if f.And == nil {
		if single > 1 {
			return malformed()
		}
		return f.LifecycleConditions.check()
	}
	if single > 0 || f.And.count() < 2 {
		return malformed()
	}
	return f.And.check()
}

func (c LifecycleConditions) count() int {
	n := len(c.Tags)
	for _, set := range []bool{c.Prefix != nil, c.GreaterThan != nil, c.LessThan != nil} {
		if set {
			n++
		}
	}
	return n
}

func (c LifecycleConditions) check() error {
	var tags []localstore.Pair
	seen := map[string]bool{}
	for _, t := range c.Tags {
		if seen[t.Key] {
			return invalidRequest("Duplicate Tag Keys are not allowed.")
		}
		seen[t.Key] = true
		tags = append(tags, localstore.Pair{Name: t.Key, Value: t.Value})
	}
	switch {
	case c.GreaterThan != nil && *c.GreaterThan < 0, c.LessThan != nil && *c.LessThan <= 0:
		return invalidRequest("'ObjectSizeGreaterThan' and 'ObjectSizeLessThan' have to be numbers of bytes")
	case c.GreaterThan != nil && c.LessThan != nil && *c.LessThan <= *c.GreaterThan:
		return invalidRequest("'ObjectSizeLessThan' has to be a value greater than 'ObjectSizeGreaterThan'.")
	}
	return checkTags(tags)
}

func (e *LifecycleExpiration) check(c LifecycleConditions) error {
	if e == nil {
		return nil
	}
	set := 0
	for _, given := range []bool{e.Days != nil, e.Date != "", e.ExpiredObjectDeleteMarker != nil} {
		if given {
			set++
		}
	}
	switch {
	case set != 1:
		return malformed()
	case e.Days != nil:
		return positive(e.Days, "'Days' for Expiration action must be a positive integer")
	case e.ExpiredObjectDeleteMarker != nil && len(c.Tags) > 0:
		return invalidRequest("ExpiredObjectDeleteMarker cannot be specified with Tags")
	case e.Date == "":
		return nil
	}
	at, err := time.Parse(time.RFC3339, e.Date)
	if err != nil {
		if at, err = time.Parse(time.DateOnly, e.Date); err != nil {
			return malformed()
		}
	}
	if !at.Equal(at.UTC().Truncate(24 * time.Hour)) {
		return refuse(localstore.InvalidArgument, "'Date' must be at midnight GMT")
	}
	e.Date = at.UTC().Format(time.RFC3339)
	return nil
}

func (e *NoncurrentExpiration) check(LifecycleConditions) error {
	if e == nil {
		return nil
	}
	if e.NoncurrentDays == nil {
		return malformed()
	}
	if n := e.NewerNoncurrentVersions; n != nil && (*n <= 0 || *n > maxNoncurrentVersions) {
		return refuse(localstore.InvalidArgument, "'NewerNoncurrentVersions' for NoncurrentVersionExpiration action must be a positive integer of at most 100")
	}
	return positive(e.NoncurrentDays, "'NoncurrentDays' for NoncurrentVersionExpiration action must be a positive integer")
}

func (e *AbortUploads) check(c LifecycleConditions) error {
	switch {
	case e == nil:
		return nil
	case e.DaysAfterInitiation == nil:
		return malformed()
	case len(c.Tags) > 0:
		return invalidRequest("AbortIncompleteMultipartUpload cannot be specified with Tags")
	case c.GreaterThan != nil || c.LessThan != nil:
		return invalidRequest("AbortIncompleteMultipartUpload cannot be specified with Object Size")
	}
	return positive(e.DaysAfterInitiation, "'DaysAfterInitiation' for AbortIncompleteMultipartUpload action must be a positive integer")
}

func positive(n *int, message string) error {
	if *n <= 0 {
		return refuse(localstore.InvalidArgument, "%s", message)
	}
	return nil
}
