package backend

import (
	"cmp"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	gateway "github.com/codeguardians/s3gateway"
)

// maxErrorDocument bounds what is read of an error answer.
const maxErrorDocument = 64 << 10

// MessageAccessDenied is what both doors say when the backend refuses the
// gateway itself, whatever it gave as its reason.
const MessageAccessDenied = "Access denied to S3 bucket"

// ownFault has the codes by which a backend refuses the gateway's own
// credentials, clock or address, and what an operator looks at then. A client can
// do nothing about them, and their texts name the backend's keys.
var ownFault = map[string]string{
	"InvalidAccessKeyId":           "see S3_ACCESS_KEY_ID",
	"SignatureDoesNotMatch":        "see S3_SECRET_ACCESS_KEY",
	"ExpiredToken":                 "the temporary credentials have ended",
	"InvalidToken":                 "see S3_SESSION_TOKEN",
	"RequestTimeTooSkewed":         "set the clock of this machine",
	"AuthorizationHeaderMalformed": "see S3_REGION",
	"PermanentRedirect":            "see S3_REGION and S3_ENDPOINT_URL",
	"TemporaryRedirect":            "see S3_REGION and S3_ENDPOINT_URL",
}

// document is the S3 error document
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
type document struct {
	XMLName xml.Name `xml:"Error"`
	Code    string   `xml:"Code"`
	Message string   `xml:"Message"`
	Rest    []member `xml:",any"`
}

type member struct {
	XMLName xml.Name
	Value   string `xml:",chardata"`
}

// ReadError turns an answer with a failing status into an error, and reads (a
// bounded part of) its body. It does not close it.
func ReadError(resp *http.Response) *gateway.Error {
	var d document
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxErrorDocument))
	if err == nil && len(raw) > 0 {
		err = xml.Unmarshal(raw, &d)
	}
	if d.Code == "" {
		if noAnswer(resp) {
			return Broken("it answered %s without a document: %q", resp.Status, raw[:min(len(raw), 200)])
		}
		d.Code = codeByStatus(resp)
	}
	e := Refused(resp.StatusCode, d.Code, d.Message, err)
	if e.Status == 0 { // of the gateway itself: nothing of the answer is shown
		if region := resp.Header.Get("X-Amz-Bucket-Region"); validRegion(region) {
			e.Err = fmt.Errorf("%w; the bucket is in the region %s: set that for its backend", e.Err, region)
		}
		return e
	}
	for _, m := range d.Rest {
		if shownDetails[m.XMLName.Local] {
			e.With(m.XMLName.Local, m.Value)
		}
	}
	if s, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 16); err == nil && s > 0 {
		e.RetryAfter = time.Duration(s) * time.Second
	}
	return e
}

// noAnswer reports a refusal without a document, of a status that S3 never has so:
// a server could not read the request, which the gateway wrote, or a proxy
// answered in the backend's place. S3's refusals of a HEAD have no document
// either, but they have a request ID.
func noAnswer(resp *http.Response) bool {
	if namedCode(resp.Header) != "" {
		return false
	}
	head := resp.Request != nil && resp.Request.Method == http.MethodHead
	switch resp.StatusCode {
	case http.StatusBadRequest:
		return !head || resp.Header.Get("X-Amz-Request-Id") == ""
	case http.StatusRequestTimeout:
		return true
	case http.StatusNotImplemented, http.StatusServiceUnavailable:
		return false
	}
	return resp.StatusCode >= http.StatusInternalServerError
}

// namedCode is the code that some stores put into a header.
func namedCode(h http.Header) gateway.Code {
	return gateway.Code(cmp.Or(h.Get("X-Amz-Error-Code"), h.Get("X-Minio-Error-Code")))
}

// codeOf returns the code of an error document, "" for anything else.
func codeOf(raw []byte) string {
	var d document
	if xml.Unmarshal(raw, &d) != nil {
		return ""
	}
	return d.Code
}

// shownDetails are the further elements of an error document that tell a client
// about its own request. Every other one (keys, hosts, signatures, request ids)
// is about the gateway's request to the backend.
var shownDetails = map[string]bool{
	"ActualObjectSize": true, "ArgumentName": true, "ArgumentValue": true, "Condition": true,
	"ETag": true, "MaxSizeAllowed": true, "Method": true, "MinSizeAllowed": true, "PartNumber": true,
	"ProposedSize": true, "RangeRequested": true, "ResourceType": true, "UploadId": true, "VersionId": true,
}

// Refused is the error for a backend's refusal: its own status, code and
// message, unless it refused the gateway and not the client.
func Refused(status int, code, message string, cause error) *gateway.Error {
	if status >= 300 && status < 400 && status != http.StatusNotModified {
		code = "PermanentRedirect"
	}
	// S3 has neither status: a server before it does not know the gateway.
	if status == http.StatusRequestTimeout || code == string(gateway.RequestTimeout) {
		// Of a client that stood still its own body tells. MinIO says so of its locks.
		return Broken("%s: %s", code, cmp.Or(message, "it waited too long"))
	}
	advice, own := ownFault[code]
	if status == http.StatusUnauthorized || status == http.StatusProxyAuthRequired {
		advice, own = "no S3 answers so: see S3_ENDPOINT_URL, and what is before it", true
	}
	if own {
		return &gateway.Error{
			Code:       gateway.ServiceUnavailable,
			Message:    MessageAccessDenied,
			RetryAfter: retryAfter,
			Err:        fmt.Errorf("the backend refused the gateway: %s: %s (%s)", code, cmp.Or(message, "no message"), advice),
		}
	}
	e := &gateway.Error{Code: gateway.Code(code), Message: message, Status: status, Err: cause}
	if status == http.StatusServiceUnavailable {
		e.RetryAfter = retryAfter
	}
	return e
}

// codeByStatus names an answer without a document, as HEAD answers are.
func codeByStatus(resp *http.Response) string {
	if code := namedCode(resp.Header); code != "" {
		return string(code)
	}
	switch resp.StatusCode {
	case http.StatusNotFound:
		return string(gateway.NoSuchKey)
	case http.StatusForbidden:
		return string(gateway.AccessDenied)
	case http.StatusPreconditionFailed:
		return string(gateway.PreconditionFailed)
	case http.StatusRequestedRangeNotSatisfiable:
		return string(gateway.InvalidRange)
	case http.StatusMethodNotAllowed:
		return string(gateway.MethodNotAllowed)
	case http.StatusConflict:
		return string(gateway.Conflict)
	case http.StatusBadRequest:
		return string(gateway.InvalidRequest)
	case http.StatusServiceUnavailable:
		return string(gateway.ServiceUnavailable)
	}
	return string(gateway.Internal)
}

// FromSDK turns an error of the typed client into the same errors that
// ReadError gives.
func FromSDK(err error) error {
	if err == nil {
		return nil
	}
	var own *gateway.Error
	if errors.As(err, &own) {
		return own
	}
	var api smithy.APIError
	var answer *awshttp.ResponseError
	if !errors.As(err, &answer) || answer.Response == nil || answer.Response.Response == nil {
		return unreachable(err)
	}
	if answer.HTTPStatusCode() < http.StatusMultipleChoices {
		return unreachable(err) // an answer that could not be read
	}
	code, message := codeByStatus(answer.Response.Response), ""
	// The SDK names an answer without a document after its status line, or
	// UnknownError; codeByStatus knows better.
	named := errors.As(err, &api) && api.ErrorCode() != "UnknownError" && api.ErrorCode() != "NotFound"
	if named && noAnswer(answer.Response.Response) && strings.EqualFold(api.ErrorCode(), strings.ReplaceAll(http.StatusText(answer.HTTPStatusCode()), " ", "")) {
		named = false // the SDK's word for the bare status
	}
	if named {
		code, message = api.ErrorCode(), api.ErrorMessage()
	} else if noAnswer(answer.Response.Response) {
		return unreachable(err)
	}
	return Refused(answer.HTTPStatusCode(), code, message, err)
}
