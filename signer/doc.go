// Package signer checks and makes AWS Signature Version 4 for S3.
//
// Inbound, a Verifier proves a request by its Authorization header or by its
// presigned query, on the untouched request line and headers; Auth.OpenBody
// then turns the body, in any of the payload modes of S3, into plain bytes
// whose last one leaves only after everything that came with them was checked.
// Outbound, Transport signs as the last step before the wire, and Presign makes
// links.
//
//	target, err := signer.ParseTarget(r.RequestURI)
//	auth, err := verifier.Verify(r, target)
//	body, err := auth.OpenBody(r, signer.BodyOptions{})
//
// The package owns the one S3 encoder of paths and queries. It never writes a
// response: its errors are *gateway.Error, for the doors to translate.
//
// Sources: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
// and the pages below it on header, query, chunked and trailing signatures.
package signer
