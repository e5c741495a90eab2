// Package model checks stores against an executable model of S3's rules.
//
// A [Program] is a list of requests, each an input of the AWS SDK. [Model]
// applies a request to its state and returns the answer that S3 documents: the
// status, the error code, and every field of the output that S3 fixes. [Run]
// sends the same requests to a store, compares each answer with the model's,
// and at the end compares everything that can be listed and read. [Shrink]
// drops requests from a failing program for as long as it still fails.
//
// Identifiers and times that only the store knows are symbols: "‹v12.1›" is the
// first version id that step 12 made, and a time before 1990 is the moment at
// which a version was made (see [stamp]). [Run] binds a symbol to the value in
// the answer that first contains it, and requires the same value from then on.
// A step that was dropped takes its symbols with it, and the steps that use
// them are not sent.
//
// Where S3's documentation leaves an answer open, [Want] lists the answers that
// are accepted, or the model does not send the request at all.
package model
