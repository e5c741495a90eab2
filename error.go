package gateway

import (
	"errors"
	"fmt"
	"time"
)

// Code says what went wrong, in the words of the S3 API where it has one
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html). Each
// door translates a Code in one table: proxy.writeError and api.writeProblem.
type Code string

// The codes that the gateway itself raises. Codes lists them all; a backend's
// own codes travel as they are, in an Error with Status set.
const (
	AccessDenied                 Code = "AccessDenied"
	AccessForbidden              Code = "AccessForbidden"
	ACLNotSupported              Code = "AccessControlListNotSupported"
	AuthHeaderMalformed          Code = "AuthorizationHeaderMalformed"
	AuthQueryParametersError     Code = "AuthorizationQueryParametersError"
	BadDigest                    Code = "BadDigest"
	BucketAlreadyExists          Code = "BucketAlreadyExists"
	Conflict                     Code = "OperationAborted"
	EntityTooLarge               Code = "EntityTooLarge"
	EntityTooSmall               Code = "EntityTooSmall"
	ExpiredLink                  Code = "ExpiredLink"
	HeadersTooLarge              Code = "RequestHeaderSectionTooLarge"
	IncompleteBody               Code = "IncompleteBody"
	Internal                     Code = "InternalError"
	InvalidAccessKeyID           Code = "InvalidAccessKeyId"
	InvalidArgument              Code = "InvalidArgument"
	InvalidBucketName            Code = "InvalidBucketName"
	InvalidDigest                Code = "InvalidDigest"
	InvalidEncryptionAlgorithm   Code = "InvalidEncryptionAlgorithmError"
	InvalidPart                  Code = "InvalidPart"
	InvalidPartOrder             Code = "InvalidPartOrder"
	InvalidRange                 Code = "InvalidRange"
	InvalidRequest               Code = "InvalidRequest"
	InvalidStorageClass          Code = "InvalidStorageClass"
	InvalidToken                 Code = "InvalidToken"
	InvalidURI                   Code = "InvalidURI"
	KeyTooLong                   Code = "KeyTooLongError"
	InvalidPolicyDocument        Code = "InvalidPolicyDocument"
	MalformedPOSTRequest         Code = "MalformedPOSTRequest"
	MaxPostPreDataLengthExceeded Code = "MaxPostPreDataLengthExceeded"
	MalformedTrailer             Code = "MalformedTrailerError"
	MalformedPolicy              Code = "MalformedPolicy"
	MalformedXML                 Code = "MalformedXML"
	MetadataTooLarge             Code = "MetadataTooLarge"
	MethodNotAllowed             Code = "MethodNotAllowed"
	MissingContentLength         Code = "MissingContentLength"
	MissingSecurityHeader        Code = "MissingSecurityHeader"
	NameNotAllowed               Code = "NameNotAllowed"
	NoSuchBucket                 Code = "NoSuchBucket"
	NoSuchKey                    Code = "NoSuchKey"
	NoSuchUpload                 Code = "NoSuchUpload"
	NotAcceptable                Code = "NotAcceptable"
	NotImplemented               Code = "NotImplemented"
	PreconditionFailed           Code = "PreconditionFailed"
	QuotaExceeded                Code = "QuotaExceeded"
	RequestTimeTooSkewed         Code = "RequestTimeTooSkewed"
	RequestTimeout               Code = "RequestTimeout"
	SHA256Mismatch               Code = "XAmzContentSHA256Mismatch"
	// StreamEnded is a request that was ended because others waited for what it
	// held (internal/fairshare).
	StreamEnded                 Code = "StreamEnded"
	ServiceUnavailable          Code = "ServiceUnavailable"
	SignatureDoesNotMatch       Code = "SignatureDoesNotMatch"
	SlowDown                    Code = "SlowDown"
	TypeNotAllowed              Code = "TypeNotAllowed"
	Unauthenticated             Code = "Unauthenticated"
	UnprocessableValue          Code = "UnprocessableValue"
	UnsupportedMediaType        Code = "UnsupportedMediaType"
	UnsupportedSignatureVersion Code = "UnsupportedSignatureVersion"
	URITooLong                  Code = "RequestURITooLong"
)

// Codes lists every code that the gateway raises, so that a test can walk each
// of them through both doors.
func Codes() []Code {
	return []Code{
		AccessDenied, AccessForbidden, ACLNotSupported, AuthHeaderMalformed, AuthQueryParametersError, BadDigest,
		BucketAlreadyExists, Conflict, EntityTooLarge, EntityTooSmall,
		ExpiredLink, HeadersTooLarge, IncompleteBody, Internal, InvalidAccessKeyID,
		InvalidArgument, InvalidBucketName, InvalidDigest, InvalidEncryptionAlgorithm, InvalidPart,
		InvalidPartOrder, InvalidRange, InvalidRequest, InvalidStorageClass, InvalidToken, InvalidURI,
		KeyTooLong, MalformedTrailer, MalformedPolicy, MalformedXML, MetadataTooLarge,
		InvalidPolicyDocument, MalformedPOSTRequest, MaxPostPreDataLengthExceeded, MethodNotAllowed, MissingContentLength,
		MissingSecurityHeader, NameNotAllowed, NoSuchBucket, NoSuchKey, NoSuchUpload,
		NotAcceptable, NotImplemented, PreconditionFailed, QuotaExceeded,
		RequestTimeTooSkewed, RequestTimeout, SHA256Mismatch, StreamEnded,
		ServiceUnavailable, SignatureDoesNotMatch, SlowDown, TypeNotAllowed,
		Unauthenticated, UnprocessableValue, UnsupportedMediaType,
		UnsupportedSignatureVersion, URITooLong,
	}
}

// Error is a refusal or a failure that a client may be told about.
type Error struct {
	// Code says what it is; the zero value reads as Internal.
	Code Code
	// Message is for the client: what is wrong and what to do. It never
	// carries a secret. Empty means the door's standard text for Code.
	Message string
	// Field names the request field, header or parameter concerned, if one is.
	Field string
	// Details are further facts for the client, in the order they are shown:
	// XML elements on the S3 door, members of the problem on the REST door.
	Details []Detail
	// RetryAfter, when positive, becomes a Retry-After header.
	RetryAfter time.Duration
	// Status is set only for an answer of the backend that is passed on: it
	// is that answer's HTTP status, and Code and Message are the backend's.
	Status int
	// Err is the cause. It goes to the log and never to a client.
	Err error
}

// Detail is one further fact of an Error. Name is an S3 XML element name
// (CanonicalRequest, StringToSign, HeadersNotSigned, Region …).
type Detail struct{ Name, Value string }

// Error gives code, message and cause, for logs.
func (e *Error) Error() string {
	s := string(e.Code)
	if e.Message != "" {
		s += ": " + e.Message
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Detail gives the value of the detail with this name, "" without one.
func (e *Error) Detail(name string) string {
	for _, d := range e.Details {
		if d.Name == name {
			return d.Value
		}
	}
	return ""
}

// With returns e with one more detail.
func (e *Error) With(name, value string) *Error {
	e.Details = append(e.Details, Detail{Name: name, Value: value})
	return e
}

// Because returns e with its cause set.
func (e *Error) Because(cause error) *Error {
	e.Err = cause
	return e
}

// Errorf makes an Error with a message for the client.
func Errorf(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// AsError finds the Error in err's chain. An err without one becomes an
// Internal error whose text stays in Err, for the log; nil stays nil.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: Internal, Err: err}
}

// CodeOf gives the code of err: "" for nil, Internal for an error that is not
// ours.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	return AsError(err).Code
}
