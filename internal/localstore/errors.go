package localstore

import (
	"errors"
	"fmt"
)

// Code is an error code of the S3 API
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
type Code string

// The codes that the store raises.
const (
	AccessDenied           Code = "AccessDenied"
	BadDigest              Code = "BadDigest"
	BucketAlreadyOwned     Code = "BucketAlreadyOwnedByYou"
	BucketNotEmpty         Code = "BucketNotEmpty"
	EntityTooLarge         Code = "EntityTooLarge"
	EntityTooSmall         Code = "EntityTooSmall"
	IncompleteBody         Code = "IncompleteBody"
	InternalError          Code = "InternalError"
	InvalidArgument        Code = "InvalidArgument"
	InvalidBucketName      Code = "InvalidBucketName"
	InvalidBucketState     Code = "InvalidBucketState"
	InvalidPart            Code = "InvalidPart"
	InvalidPartOrder       Code = "InvalidPartOrder"
	InvalidRange           Code = "InvalidRange"
	InvalidRequest         Code = "InvalidRequest"
	KeyTooLong             Code = "KeyTooLongError"
	MethodNotAllowed       Code = "MethodNotAllowed"
	NoSuchBucket           Code = "NoSuchBucket"
	NoSuchKey              Code = "NoSuchKey"
	NoSuchLockConfig       Code = "ObjectLockConfigurationNotFoundError"
	NoSuchObjectLock       Code = "NoSuchObjectLockConfiguration"
	NoSuchUpload           Code = "NoSuchUpload"
	NoSuchVersion          Code = "NoSuchVersion"
	NotImplemented         Code = "NotImplemented"
	OperationAborted       Code = "OperationAborted"
	PreconditionFailed     Code = "PreconditionFailed"
	ServiceUnavailable     Code = "ServiceUnavailable"
	SHA256Mismatch         Code = "XAmzContentSHA256Mismatch"
	InsufficientCapacity   Code = "InsufficientCapacity"
	ConditionalRequestConf Code = "ConditionalRequestConflict"
)

// Error is a refusal or a failure of the store.
type Error struct {
	Code    Code
	Message string
	// Marker is set where the request met a delete marker: its answer names
	// the marker's version.
	Marker *Version
	// Err is the cause, for the log.
	Err error
}

// Error returns code, message and cause.
func (e *Error) Error() string {
	s := string(e.Code) + ": " + e.Message
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// refuse returns an Error with a message for the client.
func refuse(code Code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// CodeOf returns the code of err: "" for nil, InternalError for an error that
// is not an Error.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return InternalError
}
