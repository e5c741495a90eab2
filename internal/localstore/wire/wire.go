package wire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/internal/localstore"
)

// Options configures New. The zero value is ready to use.
type Options struct {
	Region string           // of all buckets; "": us-east-1
	Owner  string           // canonical ID of the owner of everything; "": defaultOwner
	Log    zerolog.Logger   // failures that are not the client's
	Now    func() time.Time // nil: time.Now
}

const (
	defaultRegion = "us-east-1"
	defaultOwner  = "s3gateway"
)

// server answers requests. It is safe for concurrent use.
type server struct {
	store         *localstore.Store
	region, owner string
	log           zerolog.Logger
	now           func() time.Time
	requests      atomic.Uint64 // how many there were, for their IDs
}

// New returns a RoundTripper that answers S3 requests from s. It is safe for
// concurrent use.
func New(s *localstore.Store, o Options) http.RoundTripper {
	srv := &server{store: s, region: cmp.Or(o.Region, defaultRegion), owner: cmp.Or(o.Owner, defaultOwner), log: o.Log, now: o.Now}
	if srv.now == nil {
		srv.now = time.Now
	}
	srv.requests.Store(uint64(srv.now().UnixNano()))
	return srv
}

// exchange is one request with what was parsed of it.
type exchange struct {
	*server
	r           *http.Request
	ctx         context.Context
	header      http.Header // the request's, with the x-amz-* parameters of its query
	bucket, key string
	query       []param
	id          string
}

// answer is what a handler returns for a request that succeeded.
type answer struct {
	status int // 0: 200
	header http.Header
	// body has length bytes. nil is an empty body; length is then only what a
	// HEAD request says of it.
	body   io.ReadCloser
	length int64
}

// RoundTrip answers a request. It closes the request's body. It returns an error
// only where the body could not be read or the request's context has ended;
// every refusal is a response.
func (s *server) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	x := &exchange{server: s, r: r, ctx: r.Context(), header: r.Header, id: fmt.Sprintf("%016X", s.requests.Add(1))}
	if err := context.Cause(x.ctx); err != nil {
		return nil, err
	}
	defer func() {
		if p := recover(); p != nil {
			s.log.Error().Str("method", r.Method).Str("path", r.URL.Path).Bytes("stack", debug.Stack()).Msgf("panic in the embedded store: %v", p)
			resp, err = x.response(x.failed(fmt.Errorf("panic: %v", p))), nil
		}
	}()
	a, err := x.serve()
	if err == nil {
		return x.response(a), nil
	}
	if cause := x.unanswerable(err); cause != nil {
		return nil, cause
	}
	return x.response(x.failed(err)), nil
}

// unanswerable returns the error of RoundTrip for an error of a handler: the
// context's, or that of reading the request's body. It is nil for all others.
func (x *exchange) unanswerable(err error) error {
	var broken *sourceError
	switch {
	case errors.As(err, &broken):
		return broken.err
	case x.ctx.Err() != nil && localstore.BodyError(err) != nil:
		return context.Cause(x.ctx)
	}
	return nil
}

// serve parses the request's target and calls the operation's handler.
func (x *exchange) serve() (*answer, error) {
	if err := x.parse(); err != nil {
		return nil, err
	}
	op, err := find(x)
	if err != nil {
		return nil, err
	}
	if x.bucket != "" && !validBucketName(x.bucket) {
		return nil, refuse(localstore.InvalidBucketName, "The specified bucket is not valid.").with("BucketName", x.bucket)
	}
	for _, name := range []string{"X-Amz-Expected-Bucket-Owner", "X-Amz-Source-Expected-Bucket-Owner"} {
		if expected := x.header.Get(name); expected != "" && expected != x.owner {
			return nil, refuse(localstore.AccessDenied, "Access Denied.")
		}
	}
	if x.bucket != "" && len(op.tells) > 0 { // whose documents would be refused first
		if _, err := x.store.Bucket(x.bucket); err != nil {
			return nil, err
		}
	}
	return op.handle(x)
}

// response turns an answer into what an http.Transport would return.
func (x *exchange) response(a *answer) *http.Response {
	status := cmp.Or(a.status, http.StatusOK)
	h := a.header
	if h == nil {
		h = http.Header{}
	}
	if x.r.Method != http.MethodOptions {
		x.allowPage(h, x.r.Method, nil)
	}
	h["X-Amz-Request-Id"] = []string{x.id}
	h["X-Amz-Id-2"] = []string{hostID}
	resp := &http.Response{
		Status: strconv.Itoa(status) + " " + http.StatusText(status), StatusCode: status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: h, Body: a.body, ContentLength: a.length, Request: x.r,
	}
	if a.body == nil {
		resp.Body = http.NoBody
	} else if x.r.Method == http.MethodHead {
		a.body.Close()
		resp.Body = http.NoBody
	}
	if status == http.StatusNoContent || status == http.StatusNotModified {
		resp.ContentLength = 0
	} else {
		h["Content-Length"] = []string{strconv.FormatInt(a.length, 10)}
	}
	return resp
}

// empty returns an answer without a body.
func empty(status int) *answer { return &answer{status: status, header: http.Header{}} }
