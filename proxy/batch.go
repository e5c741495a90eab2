package proxy

import (
	"encoding/xml"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
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
	LastModifiedTime string  `xml:",omitempty"`
	Size             string  `xml:",omitempty"`
	VersionID        *string `xml:"VersionId,omitempty"`
}

// version is the version that an entry names, "" for the current one.
func (o deletedObject) version() string {
	if o.VersionID == nil {
		return ""
	}
	return *o.VersionID
}

// conditions are those of an entry.
func (o deletedObject) conditions() backend.DeleteConditions {
	return backend.DeleteConditions{Match: o.ETag, Modified: o.LastModifiedTime, Size: o.Size}
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
	request, err := d.readDelete(x)
	if err != nil {
		return err
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

// readDelete reads the document of a DeleteObjects.
func (d *Door) readDelete(x *exchange) (request deleteDocument, err error) {
	if !x.proven() {
		return request, gateway.Errorf(gateway.InvalidRequest, "Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
	}
	doc, err := d.readBody(x)
	if err != nil {
		return request, err
	}
	list := xmlList{root: documentRoots[x.op.Name], entry: "Object", most: maxDeleted}
	list.add = func(m members) error {
		object, err := m.object()
		request.Objects = append(request.Objects, object)
		return err
	}
	list.other = func(name, value string) (err error) {
		if name == "Quiet" {
			if request.Quiet, err = strconv.ParseBool(strings.TrimSpace(value)); err != nil {
				return malformed(err)
			}
		}
		return nil
	}
	if err := list.decode(doc.raw); err != nil {
		return request, err
	}
	if len(request.Objects) == 0 {
		return request, malformed(errors.New("a delete names 1 to 1000 objects"))
	}
	return request, nil
}

// object reads an entry of a batch from its members.
func (m members) object() (deletedObject, error) {
	o := deletedObject{ETag: m["ETag"], Key: m["Key"], LastModifiedTime: m["LastModifiedTime"], Size: strings.TrimSpace(m["Size"])}
	if version, named := m["VersionId"]; named {
		o.VersionID = &version
	}
	if o.Size == "" {
		return o, nil
	}
	if _, err := strconv.ParseInt(o.Size, 10, 64); err != nil {
		return o, malformed(err)
	}
	return o, nil
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
		if kept[name{o.Key, o.version()}] {
			continue
		}
		kept[name{o.Key, o.version()}] = true
		gone = append(gone, gateway.Judged{Action: x.deleteAction(o), Bucket: x.addr.Bucket, Key: o.Key, VersionID: o.version()})
	}
	return gone
}

// deleteAction is the right that deleting an entry of a batch needs.
func (x *exchange) deleteAction(o deletedObject) gateway.Action {
	if o.VersionID != nil {
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
	var conditional []deletedObject
	doc.Objects = slices.DeleteFunc(doc.Objects, func(o deletedObject) bool {
		if o.conditions().Empty() {
			return false
		}
		conditional = append(conditional, o)
		return true
	})
	var err error
	if len(doc.Objects) > 0 {
		err = d.fetch(x, rewritten(x, doc), result)
	}
	known = outcomeKnown(err)
	if err == nil && !d.deleteEach(x, conditional, result) {
		known = false
	}
	for i := range result.Deleted {
		result.Deleted[i].Key = strings.TrimPrefix(result.Deleted[i].Key, x.at.Prefix)
	}
	for i := range result.Errors {
		result.Errors[i].Key = strings.TrimPrefix(result.Errors[i].Key, x.at.Prefix)
		result.Errors[i].Message = x.at.unnamed(result.Errors[i].Message)
	}
	return err
}

// deletesAtOnce bounds how many entries with conditions one batch deletes at the
// same time.
const deletesAtOnce = 16

// deleteEach deletes entries with conditions one by one: stores pass over the
// conditions of a batch. known is false where the outcome of one is not.
func (d *Door) deleteEach(x *exchange, objects []deletedObject, result *deleteResult) (known bool) {
	var mu sync.Mutex
	var group errgroup.Group
	group.SetLimit(deletesAtOnce)
	known = true
	for _, o := range objects {
		group.Go(func() error {
			gone, err := d.deleteOne(x, o)
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				result.Deleted = append(result.Deleted, gone)
				return nil
			}
			result.Errors = append(result.Errors, o.failed(err))
			known = known && (outcomeKnown(err) || slices.Contains(nothingDone, gateway.CodeOf(err)))
			return nil
		})
	}
	_ = group.Wait() // each entry has its own answer
	return known
}

// nothingDone are the refusals of a conditional delete that come before it.
var nothingDone = []gateway.Code{gateway.PreconditionFailed, gateway.NoSuchKey, gateway.Conflict}

// deleteOne deletes one entry under its conditions.
func (d *Door) deleteOne(x *exchange, o deletedObject) (gone deletedEntry, err error) {
	header := http.Header{}
	for _, name := range []string{"X-Amz-Mfa", "X-Amz-Bypass-Governance-Retention", "X-Amz-Request-Payer", "X-Amz-Expected-Bucket-Owner"} {
		if v := x.out[name]; len(v) > 0 {
			header[name] = v
		}
	}
	req := backend.Request{Method: http.MethodDelete, Bucket: x.at.Bucket, Key: o.Key, Header: header}
	if o.VersionID != nil {
		req.Query = []signer.Param{{Key: "versionId", Value: o.version()}}
	}
	resp, err := x.at.Backend.DeleteIf(x.r.Context(), req, o.conditions())
	if err != nil {
		return gone, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= http.StatusMultipleChoices {
		return gone, backend.ReadError(resp)
	}
	gone = deletedEntry{Key: o.Key, VersionID: o.version()}
	if resp.Header.Get("X-Amz-Delete-Marker") == "true" {
		marker := true
		gone.DeleteMarker, gone.DeleteMarkerVersionID = &marker, resp.Header.Get("X-Amz-Version-Id")
	}
	return gone, nil
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
		refused = append(refused, o.failed(err))
	}
	return allowed, refused
}

// failed is the entry of the answer for an object that is not deleted.
func (o deletedObject) failed(err error) deleteError {
	_, doc := render(gateway.AsError(err))
	return deleteError{Code: doc.Code, Message: doc.Message, Key: o.Key, VersionID: o.version()}
}

func (d *Door) mayDelete(x *exchange, o deletedObject) error {
	if o.Key == "" {
		return gateway.Errorf(gateway.InvalidArgument, "A key is missing.")
	}
	if o.VersionID != nil && *o.VersionID == "" {
		return gateway.Errorf(gateway.InvalidArgument, "The VersionId of a key is empty: leave it out to delete the current object.")
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
	if o.version() == "" {
		return nil
	}
	return x.at.Backend.CheckVersion(o.version())
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
