// Package backend reaches the S3 that holds the bytes: where it is, who the
// gateway is there, and how requests get on the wire.
//
// Both doors leave through Client. The S3 door forwards raw requests with
// Client.Do; the REST door calls the S3 API through Client.S3. Either way the
// same connections carry the request and the same credentials sign it, as the
// last thing before the wire.
package backend
