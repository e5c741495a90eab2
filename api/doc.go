// Package api is the REST door, /api/v1/upload/…: JSON answers, refusals as
// problem+json (RFC 9457), files by direct upload, by link, and back again.
//
// Its one rule: nothing is visible before it passed. An upload is streamed
// through the policy's counting reader into buffers of one process-wide budget,
// and the request that makes the object appear (PutObject, or
// CompleteMultipartUpload) is sent only after the last byte of the file, and
// the rest of the form behind it, were read and judged.
//
// New builds the door; every handler returns an error, which one adapter turns
// into an answer (writeProblem).
//
// # File ids
//
// A file id is the object's key: uploads/2026/01/15/<uuid>-<safe name> for a
// file that the door stored, any key under the upload prefix for others. In a
// URL it is percent-decoded exactly once and then checked, never cleaned. %2F is
// a slash like any other, so both spellings that clients produce name the same
// file. The routes are matched before decoding: a literal /url at the end asks
// for a link, and an id that itself ends in /url is written with %2Furl.
package api
