// Package gateway holds the words that every part of s3gateway shares: the
// error codes, the caller, the actions and the record of a request.
//
// The gateway is one process in front of S3 buckets. It has two doors, the REST
// door (/api/v1/upload/…, JSON) and the S3 door (everything else, SigV4 and S3
// XML), and one policy over both. Packages point one way:
//
//	cmd/s3gateway → proxy, api → policy, signer, cache, backend → gateway
//
// This package imports nothing but the standard library and decides nothing.
package gateway
