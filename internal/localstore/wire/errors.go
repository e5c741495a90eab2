package wire

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// The codes of this package beside those of the engine.
const (
	aclNotSupported      localstore.Code = "AccessControlListNotSupported"
	badRequest           localstore.Code = "BadRequest"
	illegalVersioning    localstore.Code = "IllegalVersioningConfigurationException"
	invalidDigest        localstore.Code = "InvalidDigest"
	invalidLocation      localstore.Code = "InvalidLocationConstraint"
	invalidPartNumber    localstore.Code = "InvalidPartNumber"
	invalidRedirect      localstore.Code = "InvalidRedirectLocation"
	invalidStorageClass  localstore.Code = "InvalidStorageClass"
	invalidTag           localstore.Code = "InvalidTag"
	invalidURI           localstore.Code = "InvalidURI"
	malformedTrailer     localstore.Code = "MalformedTrailerError"
	malformedXML         localstore.Code = "MalformedXML"
	metadataTooLarge     localstore.Code = "MetadataTooLarge"
	missingBody          localstore.Code = "MissingRequestBodyError"
	missingContentLength localstore.Code = "MissingContentLength"
	notModified          localstore.Code = "NotModified"
	noSuchConfiguration  localstore.Code = "NoSuchConfiguration"
	noSuchCORS           localstore.Code = "NoSuchCORSConfiguration"
	noSuchEncryption     localstore.Code = "ServerSideEncryptionConfigurationNotFoundError"
	noSuchLifecycle      localstore.Code = "NoSuchLifecycleConfiguration"
	noSuchOwnership      localstore.Code = "OwnershipControlsNotFoundError"
	noSuchPolicy         localstore.Code = "NoSuchBucketPolicy"
	noSuchPublicBlock    localstore.Code = "NoSuchPublicAccessBlockConfiguration"
	noSuchReplication    localstore.Code = "ReplicationConfigurationNotFoundError"
	noSuchTagSet         localstore.Code = "NoSuchTagSet"
	noSuchWebsite        localstore.Code = "NoSuchWebsiteConfiguration"
)

// statuses has the HTTP status of each code; a code that is not here is a 400
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
var statuses = map[localstore.Code]int{
	localstore.AccessDenied:           http.StatusForbidden,
	localstore.BucketAlreadyOwned:     http.StatusConflict,
	localstore.BucketNotEmpty:         http.StatusConflict,
	localstore.InternalError:          http.StatusInternalServerError,
	localstore.InvalidBucketState:     http.StatusConflict,
	localstore.InvalidRange:           http.StatusRequestedRangeNotSatisfiable,
	invalidPartNumber:                 http.StatusRequestedRangeNotSatisfiable,
	localstore.MethodNotAllowed:       http.StatusMethodNotAllowed,
	localstore.NoSuchBucket:           http.StatusNotFound,
	localstore.NoSuchKey:              http.StatusNotFound,
	localstore.NoSuchLockConfig:       http.StatusNotFound,
	localstore.NoSuchObjectLock:       http.StatusNotFound,
	localstore.NoSuchUpload:           http.StatusNotFound,
	localstore.NoSuchVersion:          http.StatusNotFound,
	localstore.NotImplemented:         http.StatusNotImplemented,
	localstore.OperationAborted:       http.StatusConflict,
	localstore.PreconditionFailed:     http.StatusPreconditionFailed,
	localstore.ServiceUnavailable:     http.StatusServiceUnavailable,
	localstore.InsufficientCapacity:   http.StatusInsufficientStorage,
	localstore.ConditionalRequestConf: http.StatusConflict,
	missingContentLength:              http.StatusLengthRequired,
	notModified:                       http.StatusNotModified,
	noSuchConfiguration:               http.StatusNotFound,
	noSuchCORS:                        http.StatusNotFound,
	noSuchEncryption:                  http.StatusNotFound,
	noSuchLifecycle:                   http.StatusNotFound,
	noSuchOwnership:                   http.StatusNotFound,
	noSuchPolicy:                      http.StatusNotFound,
	noSuchPublicBlock:                 http.StatusNotFound,
	noSuchReplication:                 http.StatusNotFound,
	noSuchTagSet:                      http.StatusNotFound,
	noSuchWebsite:                     http.StatusNotFound,
}

// retryAfter is how many seconds a client is asked to wait while the store
// cannot serve.
const retryAfter = "2"

// failure is a refusal with what its answer says beside code and message.
type failure struct {
	code    localstore.Code
	message string
	details []element   // further elements of the document
	header  http.Header // further headers
}

// Error returns code and message.
func (f *failure) Error() string { return string(f.code) + ": " + f.message }

// refuse returns a failure with a message for the client.
func refuse(code localstore.Code, format string, args ...any) *failure {
	return &failure{code: code, message: fmt.Sprintf(format, args...)}
}

// with returns f with one more element.
func (f *failure) with(name, value string) *failure {
	f.details = append(f.details, element{XMLName: xml.Name{Local: name}, Value: text(value)})
	return f
}

func invalidArgument(name, value, format string, args ...any) *failure {
	return refuse(localstore.InvalidArgument, format, args...).with("ArgumentName", name).with("ArgumentValue", value)
}

func invalidRequest(format string, args ...any) *failure {
	return refuse(localstore.InvalidRequest, format, args...)
}

func malformed() *failure {
	return refuse(malformedXML, "The XML you provided was not well-formed or did not validate against our published schema")
}

// unknown returns the refusal of a part of S3 that the store does not have.
func unknown(what string) *failure {
	return refuse(localstore.NotImplemented, "A header or parameter you provided implies functionality that is not implemented: %s.", what)
}

// preconditionFailed names the condition that does not hold.
func preconditionFailed(condition string) *failure {
	return refuse(localstore.PreconditionFailed, "At least one of the pre-conditions you specified did not hold").with("Condition", condition)
}

type errorDocument struct {
	XMLName   xml.Name `xml:"Error"`
	Code      localstore.Code
	Message   text
	Details   []element
	Resource  text
	RequestID string `xml:"RequestId"`
	HostID    string `xml:"HostId"`
}

// failed translates an error of a handler into its answer: the only place that
// does.
func (x *exchange) failed(err error) *answer {
	f := x.failure(err)
	status, known := statuses[f.code]
	if !known {
		status = http.StatusBadRequest
	}
	a := documentOf(marshal(errorDocument{
		Code: f.code, Message: text(f.message), Details: f.details,
		Resource: text(x.r.URL.Path), RequestID: x.id, HostID: "s3gateway",
	}))
	switch {
	case f.code == notModified:
		a = &answer{header: http.Header{}} // RFC 9110 section 15.4.5
	case x.r.Method == http.MethodHead:
		// There is no document to read the code from, and a status alone does not
		// tell a missing bucket from a missing key.
		a.header["X-Amz-Error-Code"] = []string{string(f.code)}
		a.body = nil
	}
	if f.code == localstore.ServiceUnavailable {
		a.header.Set("Retry-After", retryAfter)
	}
	maps.Copy(a.header, f.header)
	a.status = status
	return a
}

// failure returns what an error says to the client. What the client did not
// cause is logged, and an error without a code is an InternalError.
func (x *exchange) failure(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var e *localstore.Error
	if !errors.As(err, &e) {
		e = &localstore.Error{Code: localstore.InternalError, Err: err}
	}
	if status := statuses[e.Code]; status >= 500 && status != http.StatusNotImplemented {
		x.log.Error().Err(err).Str("method", x.r.Method).Str("path", x.r.URL.Path).Msg("the embedded store failed")
	}
	f = refuse(e.Code, "%s", cmp.Or(e.Message, "We encountered an internal error, please try again."))
	if e.Marker != nil {
		f.header = markerHeader(e.Marker)
		if e.Code == localstore.MethodNotAllowed {
			f.header.Set("Allow", http.MethodDelete)
			f.header.Set("Last-Modified", httpDate(e.Marker.Modified))
			f.with("Method", x.r.Method).with("ResourceType", "DeleteMarker")
		}
	}
	for _, d := range named {
		if slices.Contains(d.codes, e.Code) {
			f.with(d.name, d.value(x))
		}
	}
	return f
}

// named are the elements by which an error document names what the request did.
var named = []struct {
	name  string
	codes []localstore.Code
	value func(*exchange) string
}{
	{"BucketName", []localstore.Code{localstore.NoSuchBucket, localstore.BucketNotEmpty, localstore.BucketAlreadyOwned}, func(x *exchange) string { return x.bucket }},
	{"Key", []localstore.Code{localstore.NoSuchKey, localstore.NoSuchVersion}, func(x *exchange) string { return x.key }},
	{"VersionId", []localstore.Code{localstore.NoSuchVersion}, func(x *exchange) string { return x.get("versionId") }},
	{"UploadId", []localstore.Code{localstore.NoSuchUpload}, func(x *exchange) string { return x.get("uploadId") }},
}

// markerHeader returns the headers about a delete marker.
func markerHeader(v *localstore.Version) http.Header {
	return http.Header{"X-Amz-Delete-Marker": {"true"}, "X-Amz-Version-Id": {v.ID}}
}
