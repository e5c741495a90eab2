package wire

import (
	"encoding/xml"
	"net/http"
	"strings"
	"time"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// readLock returns the object lock that a request's headers ask for.
func (x *exchange) readLock() (localstore.Lock, error) {
	mode, until := x.header.Get("X-Amz-Object-Lock-Mode"), x.header.Get("X-Amz-Object-Lock-Retain-Until-Date")
	var l localstore.Lock
	if hold := x.header.Get("X-Amz-Object-Lock-Legal-Hold"); hold != "" {
		if hold != "ON" && hold != "OFF" {
			return l, invalidArgument("x-amz-object-lock-legal-hold", hold, "Legal Hold must be either of 'ON' or 'OFF'")
		}
		l.Hold, l.HoldSet = hold == "ON", true
	}
	switch {
	case mode == "" && until == "":
		return l, nil
	case mode == "" || until == "":
		return l, invalidArgument("x-amz-object-lock-mode", mode, "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be supplied.")
	case mode != "GOVERNANCE" && mode != "COMPLIANCE":
		return l, invalidArgument("x-amz-object-lock-mode", mode, "Unknown wormMode directive.")
	}
	at, err := x.future("x-amz-object-lock-retain-until-date", until)
	l.Mode, l.Until = mode, at
	return l, err
}

// future returns a date of a retention, which must not have passed.
func (x *exchange) future(name, value string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, strings.TrimSpace(value))
	if err != nil {
		return at, invalidArgument(name, value, "The retain until date must be provided in ISO 8601 format")
	}
	if !at.After(x.now()) {
		return at, invalidArgument(name, value, "The retain until date must be in the future!")
	}
	return at, nil
}

// writeLock sets the headers of a version's lock.
func writeLock(h http.Header, l localstore.Lock) {
	if l.Mode != "" {
		h["X-Amz-Object-Lock-Mode"] = []string{l.Mode}
		h["X-Amz-Object-Lock-Retain-Until-Date"] = []string{lockDate(l.Until)}
	}
	if l.HoldSet {
		h["X-Amz-Object-Lock-Legal-Hold"] = []string{holdStatus(l)}
	}
}

func holdStatus(l localstore.Lock) string {
	if l.Hold {
		return "ON"
	}
	return "OFF"
}

func lockDate(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// bypass reports whether the request passes over a retention in GOVERNANCE mode.
func (x *exchange) bypass() bool {
	return strings.EqualFold(x.header.Get("X-Amz-Bypass-Governance-Retention"), "true")
}

func (x *exchange) getRetention() (*answer, error) {
	v, err := x.lockable()
	if err != nil {
		return nil, err
	}
	if v.Lock.Mode == "" {
		return nil, refuse(localstore.NoSuchObjectLock, "The specified object does not have a ObjectLock configuration.")
	}
	return document(tree("Retention", leaf("Mode", v.Lock.Mode), leaf("RetainUntilDate", lockDate(v.Lock.Until)))), nil
}

// lockable returns the version that the request names, in a bucket with object
// lock.
func (x *exchange) lockable() (localstore.Version, error) {
	v, err := x.store.Stat(x.lockRef())
	if err != nil {
		return v, err
	}
	b, err := x.store.Bucket(x.bucket)
	if err == nil && !b.Lock {
		err = invalidRequest("Bucket is missing Object Lock Configuration")
	}
	return v, err
}

// lockRef is ref, in which an empty version ID is the current version, as clients
// send it here.
func (x *exchange) lockRef() localstore.Ref {
	return localstore.Ref{Bucket: x.bucket, Key: x.key, VersionID: x.get("versionId")}
}

func (x *exchange) putRetention() (*answer, error) {
	var doc struct {
		XMLName               xml.Name `xml:"Retention"`
		Mode, RetainUntilDate string
		strict
	}
	if err := x.readDocument("Retention", &doc); err != nil {
		return nil, err
	}
	var until time.Time
	var err error
	switch {
	case doc.Mode == "" && doc.RetainUntilDate == "": // removes it
	case doc.Mode != "GOVERNANCE" && doc.Mode != "COMPLIANCE" || doc.RetainUntilDate == "":
		return nil, malformed()
	default:
		if until, err = x.future("RetainUntilDate", doc.RetainUntilDate); err != nil {
			return nil, err
		}
	}
	v, err := x.store.SetRetention(x.lockRef(), doc.Mode, until, x.bypass())
	if err != nil {
		return nil, err
	}
	return about(http.StatusOK, v), nil
}

func (x *exchange) getLegalHold() (*answer, error) {
	v, err := x.lockable()
	if err != nil {
		return nil, err
	}
	if !v.Lock.HoldSet {
		return nil, refuse(localstore.NoSuchObjectLock, "The specified object does not have a ObjectLock configuration.")
	}
	return document(tree("LegalHold", leaf("Status", holdStatus(v.Lock)))), nil
}

func (x *exchange) putLegalHold() (*answer, error) {
	var doc struct {
		XMLName xml.Name `xml:"LegalHold"`
		Status  string
		strict
	}
	if err := x.readDocument("LegalHold", &doc); err != nil {
		return nil, err
	}
	if doc.Status != "ON" && doc.Status != "OFF" {
		return nil, malformed()
	}
	v, err := x.store.SetLegalHold(x.lockRef(), doc.Status == "ON")
	if err != nil {
		return nil, err
	}
	return about(http.StatusOK, v), nil
}

type lockRule struct {
	strict
	DefaultRetention struct {
		Mode        string
		Days, Years *int
		strict
	}
}

func (x *exchange) getLockConfiguration() (*answer, error) {
	b, err := x.store.Bucket(x.bucket)
	if err != nil {
		return nil, err
	}
	if !b.Lock {
		return nil, refuse(localstore.NoSuchLockConfig, "Object Lock configuration does not exist for this bucket.").with("BucketName", x.bucket)
	}
	r := b.Retention
	return document(tree("ObjectLockConfiguration", leaf("ObjectLockEnabled", "Enabled"),
		when(r.Mode != "", tree("Rule", tree("DefaultRetention", leaf("Mode", r.Mode),
			when(r.Days > 0, number("Days", int64(r.Days))), when(r.Years > 0, number("Years", int64(r.Years)))))))), nil
}

// Bounds of a default retention
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html).
const (
	maxRetentionDays  = 36_500
	maxRetentionYears = 100
)

func (x *exchange) putLockConfiguration() (*answer, error) {
	var doc struct {
		XMLName           xml.Name `xml:"ObjectLockConfiguration"`
		ObjectLockEnabled string
		Rule              *lockRule
		strict
	}
	if err := x.readDocument("ObjectLockConfiguration", &doc); err != nil {
		return nil, err
	}
	if doc.ObjectLockEnabled != "Enabled" {
		return nil, malformed()
	}
	var r localstore.DefaultRetention
	if doc.Rule != nil {
		var err error
		if r, err = doc.Rule.retention(); err != nil {
			return nil, err
		}
	}
	if err := x.store.SetLock(x.bucket, r); err != nil {
		return nil, err
	}
	return empty(http.StatusOK), nil
}

func (r *lockRule) retention() (localstore.DefaultRetention, error) {
	d := r.DefaultRetention
	out := localstore.DefaultRetention{Mode: d.Mode}
	if d.Mode != "GOVERNANCE" && d.Mode != "COMPLIANCE" || (d.Days == nil) == (d.Years == nil) {
		return out, malformed()
	}
	name, n, limit, to := "Days", d.Days, maxRetentionDays, &out.Days
	if n == nil {
		name, n, limit, to = "Years", d.Years, maxRetentionYears, &out.Years
	}
	switch {
	case *n <= 0:
		return out, refuse(localstore.InvalidArgument, "Default retention period must be a positive integer value.").with("ArgumentName", name)
	case *n > limit:
		return out, refuse(localstore.InvalidArgument, "Default retention period too large.").with("ArgumentName", name)
	}
	*to = *n
	return out, nil
}
