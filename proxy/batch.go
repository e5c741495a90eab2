package proxy

import (
	"encoding/xml"
	"errors"
	"net/http"
	"slices"
	"strings"

	gateway "github.com/codeguardians/s3gateway"
)

// deleteDocument is the body of DeleteObjects
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html).
type deleteDocument struct {
	XMLName xml.Name        `xml:"Delete"`
	Xmlns   string          `xml:"xmlns,attr,omitempty"`
	Objects []deletedObject `xml:"Object"`
	Quiet   bool            `xml:",omitempty"`
}

type deletedObject struct {
	ETag             string `xml:",omitempty"`
	Key              string
	LastModifiedTime string `xml:",omitempty"`
	Size             *int64 `xml:",omitempty"`
	VersionID        string `xml:"VersionId,omitempty"`
}

// deleteResult is its answer.
type deleteResult struct {
	XMLName xml.Name `xml:"DeleteResult"`
	Xmlns   string   `xml:"xmlns,attr,omitempty"`
	Deleted []deletedEntry
	Errors  []deleteError `xml:"Error"`
}

type deletedEntry struct {
	DeleteMarker          *bool  `xml:",omitempty"`
	DeleteMarkerVersionID string `xml:"DeleteMarkerVersionId,omitempty"`
	Key                   string `xml:",omitempty"` // MinIO leaves it out for one that was named twice
	VersionID             string `xml:"VersionId,omitempty"`
}

type deleteError struct {
	Code      gateway.Code
	Key       string
	Message   string
	VersionID string `xml:"VersionId,omitempty"`
}

const maxDeleted = 1000

// deleteObjects decides each key by itself: those that are refused are answered
// here, the others go on in a document of the gateway's own.
func (d *Door) deleteObjects(x *exchange) error {
	doc, err := d.readDocument(x)
	if err != nil {
		return err
	}
	if !x.proven() {
		return gateway.Errorf(gateway.InvalidRequest, "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	var request deleteDocument
	if err := doc.parse(&request); err != nil {
		return err
	}
	if n := len(request.Objects); n == 0 || n > maxDeleted {
		return malformed(errors.New("a delete names 1 to 1000 objects"))
	}
	allowed, refused := d.judgeDeletes(x, request.Objects)
	result := deleteResult{Xmlns: xmlns}
	if len(allowed) > 0 {
		gateway.RecordFrom(x.r.Context()).Asks(x.deleted(allowed, nil)...)
		if err := d.deleteAllowed(x, deleteDocument{Xmlns: xmlns, Objects: slices.Clone(allowed), Quiet: request.Quiet}, &result); err != nil {
			return err
		}
	}
	// The backend's answer need not name what is gone: a quiet one tells of failures alone.
	gateway.RecordFrom(x.r.Context()).Changed(x.deleted(allowed, result.Errors)...)
	result.XMLName, result.Xmlns = xml.Name{Local: "DeleteResult"}, xmlns
	result.Errors = append(result.Errors, refused...)
	if request.Quiet {
		result.Deleted = nil // not every store leaves them out
	}
	return x.answerXML(http.StatusOK, result)
}

// deleted are the audit log's entries for what was asked and did not fail, one
// for each however often the batch names it.
func (x *exchange) deleted(asked []deletedObject, failed []deleteError) []gateway.Judged {
	type name struct{ key, version string }
	kept := map[name]bool{} // no entry, or none any more
	for _, e := range failed {
		kept[name{e.Key, e.VersionID}] = true
	}
	gone := make([]gateway.Judged, 0, len(asked))
	for _, o := range asked {
		if kept[name{o.Key, o.VersionID}] {
			continue
		}
		kept[name{o.Key, o.VersionID}] = true
		gone = append(gone, gateway.Judged{Action: x.deleteAction(o), Bucket: x.addr.Bucket, Key: o.Key, VersionID: o.VersionID})
	}
	return gone
}

// deleteAction is the right that deleting an entry of a batch needs.
func (x *exchange) deleteAction(o deletedObject) gateway.Action {
	if o.VersionID != "" {
		return gateway.DeleteVersion
	}
	return x.op.Action
}

// deleteAllowed has the backend delete and reads its answer.
func (d *Door) deleteAllowed(x *exchange, doc deleteDocument, result *deleteResult) error {
	for i := range doc.Objects {
		doc.Objects[i].Key = x.at.Prefix + doc.Objects[i].Key
	}
	end, known := d.beginDeletes(x, doc.Objects), false
	defer func() { end(known) }()
	err := d.fetch(x, rewritten(x, doc), result)
	known = outcomeKnown(err)
	for i := range result.Deleted {
		result.Deleted[i].Key = strings.TrimPrefix(result.Deleted[i].Key, x.at.Prefix)
	}
	for i := range result.Errors {
		result.Errors[i].Key = strings.TrimPrefix(result.Errors[i].Key, x.at.Prefix)
		result.Errors[i].Message = x.at.unnamed(result.Errors[i].Message)
	}
	return err
}

// judgeDeletes parts the objects of a batch into those that go on and the
// answers for those that do not. A key that aliases another is refused whole.
func (d *Door) judgeDeletes(x *exchange, objects []deletedObject) (allowed []deletedObject, refused []deleteError) {
	for _, o := range objects {
		err := d.mayDelete(x, o)
		if err == nil {
			allowed = append(allowed, o)
			continue
		}
		_, doc := render(gateway.AsError(err))
		refused = append(refused, deleteError{Code: doc.Code, Message: doc.Message, Key: o.Key, VersionID: o.VersionID})
	}
	return allowed, refused
}

func (d *Door) mayDelete(x *exchange, o deletedObject) error {
	if o.Key == "" {
		return gateway.Errorf(gateway.InvalidArgument, "A key is missing.")
	}
	if err := checkObjectName(o.Key); err != nil {
		return err
	}
	if _, err := x.at.at("key", o.Key); err != nil {
		return err
	}
	// MinIO cleans it, here alone: "in/../a" would delete "a". The store in the
	// process keeps keys as they are.
	cleans := x.at.Backend.Transport == nil
	dots := gateway.Errorf(gateway.InvalidArgument, "A key with a dot segment is not deleted in a batch: delete it by itself.")
	if cleans && cleanKey(o.Key) == "" {
		return dots // there is no other key to ask for
	}
	if err := d.may(x, x.deleteAction(o), x.addr.Bucket, o.Key); err != nil {
		return err
	}
	if cleans && hasDotSegment(o.Key) {
		return dots
	}
	if o.VersionID == "" {
		return nil
	}
	return x.at.Backend.CheckVersion(o.VersionID)
}

// beginDeletes announces every key of a batch to the cache, all at once: replicas
// are told in one call.
func (d *Door) beginDeletes(x *exchange, objects []deletedObject) func(known bool) {
	var keys []string
	for _, o := range objects {
		keys = append(keys, changed(o.Key)...)
	}
	return d.Cache.Change(x.at.Backend.Name, x.at.Bucket, keys...).Done
}
