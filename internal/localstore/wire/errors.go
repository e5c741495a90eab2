package wire

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// statuses has the HTTP status of each code that is not a 400
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
var statuses = map[localstore.Code]int{
	"NotModified":                     304,
	localstore.AccessDenied:           403,
	"AccessForbidden":                 403,
	"InvalidObjectState":              403,
	localstore.NoSuchBucket:           404,
	localstore.NoSuchKey:              404,
	localstore.NoSuchLockConfig:       404,
	localstore.NoSuchObjectLock:       404,
	localstore.NoSuchUpload:           404,
	localstore.NoSuchVersion:          404,
	"NoSuchBucketPolicy":              404,
	"NoSuchConfiguration":             404,
	"NoSuchCORSConfiguration":         404,
	"NoSuchLifecycleConfiguration":    404,
	"NoSuchTagSet":                    404,
	"NoSuchWebsiteConfiguration":      404,
	"OwnershipControlsNotFoundError":  404,
	localstore.MethodNotAllowed:       405,
	localstore.BucketAlreadyOwned:     409,
	localstore.BucketNotEmpty:         409,
	localstore.ConditionalRequestConf: 409,
	localstore.InvalidBucketState:     409,
	localstore.OperationAborted:       409,
	"MissingContentLength":            411,
	localstore.PreconditionFailed:     412,
	localstore.InvalidRange:           416,
	"InvalidPartNumber":               416,
	localstore.InternalError:          500,
	localstore.NotImplemented:         501,
	localstore.ServiceUnavailable:     503,
	localstore.InsufficientCapacity:   507,

	"NoSuchPublicAccessBlockConfiguration":           404,
	"ReplicationConfigurationNotFoundError":          404,
	"ServerSideEncryptionConfigurationNotFoundError": 404,
}

// retryAfter is how many seconds a client is asked to wait while the store
// cannot serve.
const retryAfter = "2"

// hostID is S3's extended request ID, of which the store has none.
const hostID = "s3gateway"

// failure is a refusal with what its answer says beside code and message.
type failure struct {
	code    localstore.Code
	message string
	details []node      // further elements of the document
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
	f.details = append(f.details, leaf(name, value))
	return f
}

func invalidArgument(name, value, format string, args ...any) *failure {
	return refuse(localstore.InvalidArgument, format, args...).with("ArgumentName", name).with("ArgumentValue", value)
}

func invalidRequest(format string, args ...any) *failure {
	return refuse(localstore.InvalidRequest, format, args...)
}

func malformed() *failure {
	return refuse("MalformedXML", "The XML you provided was not well-formed or did not validate against our published schema.")
}

// unknown returns the refusal of a part of S3 that the store does not have, which
// it names.
func unknown(what string) *failure { return notImplemented("", what) }

// notImplemented is unknown for a header. Its message is S3's, as clients compare
// it.
func notImplemented(header, why string) *failure {
	f := refuse(localstore.NotImplemented, "A header you provided implies functionality that is not implemented.")
	f.details = []node{optional("Header", header), leaf("additionalMessage", why)}
	return f
}

// preconditionFailed names the condition that does not hold.
func preconditionFailed(condition string) *failure {
	return refuse(localstore.PreconditionFailed, "At least one of the pre-conditions you specified did not hold.").with("Condition", condition)
}

// failed translates an error of a handler into its answer: the only place that
// does.
func (x *exchange) failed(err error) *answer {
	f := x.failure(err)
	kids := append([]node{leaf("Code", string(f.code)), leaf("Message", f.message)}, f.details...)
	kids = append(kids, leaf("Resource", x.r.URL.Path), leaf("RequestId", x.id), leaf("HostId", hostID))
	a := documentOf(marshal(tree("Error", kids...)))
	switch {
	case f.code == "NotModified":
		a = empty(0) // RFC 9110 section 15.4.5
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
	a.status = cmp.Or(statuses[f.code], http.StatusBadRequest)
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
	if m := e.Marker; m != nil {
		f.header = http.Header{"X-Amz-Delete-Marker": {"true"}, "X-Amz-Version-Id": {m.ID}}
		if e.Code == localstore.MethodNotAllowed {
			f.header.Set("Allow", http.MethodDelete)
			f.header.Set("Last-Modified", httpDate(m.Modified))
			f.with("Method", x.r.Method).with("ResourceType", "DeleteMarker")
		}
	}
	for _, s := range subjects {
		if slices.Contains(s.codes, e.Code) {
			f.with(s.name, s.value(x))
		}
	}
	return f
}

// subjects are the elements by which an error document names what the request is
// about.
var subjects = []struct {
	name  string
	value func(*exchange) string
	codes []localstore.Code
}{
	{"BucketName", func(x *exchange) string { return x.bucket }, []localstore.Code{localstore.NoSuchBucket, localstore.BucketNotEmpty, localstore.BucketAlreadyOwned}},
	{"Key", func(x *exchange) string { return x.key }, []localstore.Code{localstore.NoSuchKey, localstore.NoSuchVersion}},
	{"VersionId", func(x *exchange) string { return x.get("versionId") }, []localstore.Code{localstore.NoSuchVersion}},
	{"UploadId", func(x *exchange) string { return x.get("uploadId") }, []localstore.Code{localstore.NoSuchUpload}},
}
