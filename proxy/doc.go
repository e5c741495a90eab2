// Package proxy is the S3 door: it takes the requests of S3 clients, decides
// them by the operation table and forwards them to the backend, re-signed and
// streamed.
//
// The way of a request is the list of stages in door.go. What an operation is
// called, who may use it, which parameters and headers it knows, whether it
// carries an object and what it changes stands in one table, operations.go;
// nothing else looks at methods and query keys. No router and no net/url query
// map touches a request here: both change bytes that the client has signed.
package proxy
