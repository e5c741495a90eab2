// Package wire answers S3 requests from a localstore.Store within the process.
//
// New returns an http.RoundTripper, so that S3 clients use it in place of a
// connection: there is no socket and no goroutine per request, and signatures
// are not checked, because only the gateway itself makes these requests. Buckets
// are the first segment of the path.
//
// A request is found in one table (operations.go) by its method, by whether it
// names a bucket and a key, and by the query parameters and headers that select
// an operation. What the table does not know is refused by name with
// NotImplemented. Each handler parses its headers and documents, calls the
// engine and returns an answer; one translator (errors.go) writes every error.
//
// Bodies stream both ways. A body that fails stores nothing, and its error is
// returned by RoundTrip as it is: this is how the gateway refuses at the end of
// a body. The answer's body of GetObject verifies each block before a byte of it
// is read.
//
// Answers follow the Amazon S3 API reference
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html).
package wire
