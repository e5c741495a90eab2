package proxy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/backend"
	"github.com/codeguardians/s3gateway/signer"
)

// send passes one request on and gives the answer, or the refusal when the
// backend's answer is one.
func (d *Door) send(x *exchange, req backend.Request) (*http.Response, error) {
	resp, err := x.at.Backend.Do(x.r.Context(), x.fromPage(req))
	if err != nil {
		return nil, clientGone(x.r.Context(), err)
	}
	gateway.RecordFrom(x.r.Context()).Update(func(f *gateway.Fields) {
		f.Backend = resp.Header.Get("X-Amz-Request-Id")
	})
	x.allowPage(resp.Header)
	d.nameRegion(resp.Header)
	if x.at.renamed {
		resp.Header.Del("X-Amz-Bucket-Arn") // names the bucket at the backend
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		defer resp.Body.Close()
		return nil, refusal(x, resp)
	}
	return resp, nil
}

// sendChange is send for an operation whose answer's headers mean that it is
// done. What it changes is announced to the cache before the request leaves and
// ended before the client hears of it.
func (d *Door) sendChange(x *exchange, req backend.Request) (*http.Response, error) {
	end, known := d.beginChange(x), false
	defer func() { end(known) }() // also when something below panics
	resp, err := d.send(x, req)
	known = outcomeKnown(err)
	return resp, err
}

// outcomeKnown reports whether a change was made or not, for certain. A server
// error leaves that open, and so does no answer.
func outcomeKnown(err error) bool {
	if err == nil {
		return true
	}
	status := gateway.AsError(err).Status
	return status != 0 && status < http.StatusInternalServerError
}

// refusal is the backend's failing answer as this door's error. The headers
// that tell about the object stay: a 304 carries its ETag, a delete marker its
// version. Of a refusal of the gateway itself nothing stays.
func refusal(x *exchange, resp *http.Response) error {
	if resp.StatusCode == http.StatusNotModified {
		copyAnswer(x.w.Header(), resp.Header)
		x.completeNotModified(resp.Header)
		return errNotModified
	}
	e := backend.ReadError(resp)
	if e.Status != 0 {
		e.Message = x.at.unnamed(e.Message)
		copyAmz(x.w.Header(), resp.Header)
		for _, name := range refusedHeaders[resp.StatusCode] {
			if v := resp.Header.Get(name); v != "" {
				x.w.Header().Set(name, v)
			}
		}
	}
	if e.Code == gateway.NoSuchKey && x.addr.Key == "" {
		e.Code = gateway.NoSuchBucket
	}
	return e
}

// refusedHeaders tell of the object that a condition or a range did not fit, where
// the backend does.
var refusedHeaders = map[int][]string{
	http.StatusPreconditionFailed:           {"Etag", "Last-Modified"},
	http.StatusRequestedRangeNotSatisfiable: {"Etag", "Last-Modified", "Content-Range", "Accept-Ranges"},
}

// completeNotModified adds what a 304 must carry (RFC 9110 section 15.4.5) where
// the backend left it out. MinIO and the embedded store do not.
func (x *exchange) completeNotModified(answered http.Header) {
	if answered.Get("Etag") != "" {
		return
	}
	resp, err := x.at.Backend.Do(x.r.Context(), backend.Request{Method: http.MethodHead, Bucket: x.at.Bucket, Key: x.at.Key, Query: x.version()})
	if err != nil {
		return // a 304 without its ETag is still one
	}
	resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		for _, name := range []string{"Etag", "Last-Modified", "Cache-Control", "Expires"} {
			if v := resp.Header.Get(name); v != "" {
				x.w.Header().Set(name, v)
			}
		}
	}
}

// version is the query that names the version asked for, if one was.
func (x *exchange) version() []signer.Param {
	if id := get(x.query, "versionId"); id != "" {
		return []signer.Param{{Key: "versionId", Value: id}}
	}
	return nil
}

// errNotModified carries a 304 to the one place that writes refusals.
var errNotModified = &gateway.Error{Code: gateway.PreconditionFailed, Status: http.StatusNotModified}

// clientGone names the failure of a request whose client left, so that it does
// not count as the backend's. What the backend said itself stays.
func clientGone(ctx context.Context, err error) error {
	if ctx.Err() == nil || gateway.AsError(err).Status != 0 {
		return err
	}
	return gateway.Errorf(gateway.RequestTimeout, "").Because(fmt.Errorf("the client left: %w", err))
}

// beginChange announces what the operation changes to the cache. The function
// that it returns ends the change; known tells whether its outcome is.
func (d *Door) beginChange(x *exchange) func(known bool) {
	switch x.op.Effect {
	case ChangesObject:
		return d.beginObject(x, x.at.Key)
	case ChangesBucket:
		return d.Cache.ChangeBucket(x.at.Backend.Name, x.at.Bucket).Done
	}
	return func(bool) {}
}

// beginObject announces a change of one key, and of the key that a store which
// cleans keys would change in its place.
func (d *Door) beginObject(x *exchange, key string) func(known bool) {
	return d.Cache.Change(x.at.Backend.Name, x.at.Bucket, changed(key)...).Done
}

// changed are the keys that a change of one may change.
func changed(key string) []string {
	if clean := cleanKey(key); clean != key {
		return []string{key, clean}
	}
	return []string{key}
}

// forward sends a request and streams the answer back.
func (d *Door) forward(x *exchange, req backend.Request) error {
	send := d.sendChange
	if x.op.Shows == ShowsObject {
		send = d.sendRead
	}
	resp, err := send(x, req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return d.stream(x, resp)
}

// stream copies an answer to the client through a pooled buffer.
func (d *Door) stream(x *exchange, resp *http.Response) error {
	copyAnswer(x.w.Header(), resp.Header)
	if x.op.Name == "GetObject" && !UnderDomain(d.Domains, x.r.Host) {
		// Here this door shares its origin with the pages of the other.
		x.w.Header().Set("X-Content-Type-Options", "nosniff")
		x.w.Header().Set("Content-Security-Policy", "sandbox")
	}
	x.w.WriteHeader(resp.StatusCode)
	buf := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	if _, err := io.CopyBuffer(writerOnly{x.w}, resp.Body, *buf); err != nil {
		return broken(x, err)
	}
	return nil
}

// broken ends an answer that has begun: the connection is cut, because only
// that tells the client that what it got is not all.
func broken(x *exchange, err error) error {
	gateway.RecordFrom(x.r.Context()).Update(func(f *gateway.Fields) { f.Err = clientGone(x.r.Context(), err) })
	panic(http.ErrAbortHandler)
}

// writerOnly hides ReadFrom, which would bring a buffer of its own.
type writerOnly struct{ io.Writer }

const copyBufferSize = 128 << 10

// copyBuffers are shared by all requests; a request holds one at a time.
var copyBuffers = sync.Pool{New: func() any { b := make([]byte, copyBufferSize); return &b }}

// upload sends the bytes of an object or part. admitted gives the body's bytes
// after the policy looked at them; body knows its length and its proofs. Where
// the client gave a trailing checksum and the backend takes one, it travels on.
func (d *Door) upload(x *exchange, body *signer.Body, admitted io.Reader) error {
	req := x.request()
	req.Body, req.Length, req.PayloadHash = readCloser{admitted, body}, body.Length(), body.PayloadHash()
	switch {
	case body.TrailerName() != "" && body.Length() == 0:
		// Nothing to frame: the end is here, and what it proved fits a header.
		if _, err := io.Copy(io.Discard, admitted); err != nil {
			return err
		}
		req.Header.Set(body.TrailerName(), body.TrailerValue())
	case body.TrailerName() != "" && x.at.Backend.Trailers:
		req.Body, req.Length = signer.FrameTrailer(admitted, body)
		req.PayloadHash = signer.StreamingUnsignedTrailer
		req.Header.Set("X-Amz-Trailer", body.TrailerName())
		req.Header.Set("X-Amz-Decoded-Content-Length", decimal(body.Length()))
		addEncoding(req.Header, "aws-chunked")
	case body.TrailerName() != "":
		req.Header.Del("X-Amz-Sdk-Checksum-Algorithm")
	}
	resp, err := d.sendChange(x, req)
	if cause := body.Err(); cause != nil {
		// What went wrong with the client's body explains what followed.
		if resp != nil {
			resp.Body.Close()
		}
		return cause
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return d.stream(x, resp)
}

type readCloser struct {
	io.Reader
	io.Closer
}

func addEncoding(h http.Header, token string) {
	if v := h.Get("Content-Encoding"); v != "" {
		token += "," + v
	}
	h.Set("Content-Encoding", token)
}
