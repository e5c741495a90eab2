package model

import (
	"net/http"
	"slices"
)

// Answer is what a request is answered with.
type Answer struct {
	// Status is the HTTP status.
	Status int
	// Code is the error code of S3, empty on success.
	Code string
	// Out is a pointer to an output of the SDK, nil on failure.
	Out any
	// Body is the body of a GET.
	Body []byte
	// Header holds the headers of a failure that S3 documents.
	Header map[string]string
}

// Want is the answer that S3's rules demand.
type Want struct {
	Answer
	// Or lists failures that are accepted as well.
	Or []string
	// Any lists the fields that S3 does not fix, as paths without indexes:
	// "Contents.Owner" covers every field in each owner.
	Any []string
	// Maybe lists the fields that may be absent, and otherwise are as in Out.
	Maybe []string
	// Sorted lists the slices of Out whose order S3 does not fix.
	Sorted []string
	// Encoded reports whether names in the answer are URL-encoded.
	Encoded bool
	// Opaque reports whether the error code cannot be read from the answer: it
	// has no body, or its XML holds a key that XML 1.0 cannot express.
	Opaque bool
}

// statuses are the statuses of S3's error codes.
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
var statuses = map[string]int{
	"AccessDenied":                         http.StatusForbidden,
	"BadDigest":                            http.StatusBadRequest,
	"BadRequest":                           http.StatusBadRequest,
	"BucketAlreadyOwnedByYou":              http.StatusConflict,
	"BucketNotEmpty":                       http.StatusConflict,
	"EntityTooSmall":                       http.StatusBadRequest,
	"InvalidArgument":                      http.StatusBadRequest,
	"InvalidBucketName":                    http.StatusBadRequest,
	"InvalidBucketState":                   http.StatusConflict,
	"InvalidDigest":                        http.StatusBadRequest,
	"InvalidPart":                          http.StatusBadRequest,
	"InvalidPartNumber":                    http.StatusRequestedRangeNotSatisfiable,
	"InvalidPartOrder":                     http.StatusBadRequest,
	"InvalidRange":                         http.StatusRequestedRangeNotSatisfiable,
	"InvalidRequest":                       http.StatusBadRequest,
	"InvalidTag":                           http.StatusBadRequest,
	"KeyTooLongError":                      http.StatusBadRequest,
	"MalformedXML":                         http.StatusBadRequest,
	"MetadataTooLarge":                     http.StatusBadRequest,
	"MethodNotAllowed":                     http.StatusMethodNotAllowed,
	"NoSuchBucket":                         http.StatusNotFound,
	"NoSuchKey":                            http.StatusNotFound,
	"NoSuchObjectLockConfiguration":        http.StatusNotFound,
	"NoSuchUpload":                         http.StatusNotFound,
	"NoSuchVersion":                        http.StatusNotFound,
	"NotImplemented":                       http.StatusNotImplemented,
	"NotModified":                          http.StatusNotModified,
	"ObjectLockConfigurationNotFoundError": http.StatusNotFound,
	"PreconditionFailed":                   http.StatusPreconditionFailed,
}

// fail returns a refusal with one of codes. S3 does not say which of several
// reasons it names.
func fail(codes ...string) *Want {
	return &Want{Answer: Answer{Status: statuses[codes[0]], Code: codes[0]}, Or: codes[1:]}
}

// done returns a success.
func done(status int, out any) *Want {
	return &Want{Answer: Answer{Status: status, Out: out}}
}

func (w *Want) any(paths ...string) *Want {
	w.Any = append(w.Any, paths...)
	return w
}

func (w *Want) maybe(paths ...string) *Want {
	w.Maybe = append(w.Maybe, paths...)
	return w
}

func (w *Want) header(name, value string) *Want {
	if w.Header == nil {
		w.Header = map[string]string{}
	}
	w.Header[name] = value
	return w
}

// problems are the error codes that apply to a request.
type problems []string

func (p *problems) add(applies bool, code string) {
	if applies && !slices.Contains(*p, code) {
		*p = append(*p, code)
	}
}

// want returns the refusal, nil if nothing is wrong.
func (p problems) want() *Want {
	if len(p) == 0 {
		return nil
	}
	return fail(p...)
}
