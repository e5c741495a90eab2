package backend

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/precondition"
	"github.com/codeguardians/s3gateway/signer"
)

const (
	// ownWait is how long a conditional change waits for writes of its key.
	ownWait = 10 * time.Second
	// deleteTime bounds HEAD and DELETE together. It is shorter than a shared
	// lock lives whose owner is not heard of any more.
	deleteTime = 10 * time.Second
)

// DeleteConditions are what DeleteObject and an entry of DeleteObjects may ask
// of the object. The zero value asks nothing.
type DeleteConditions struct {
	Match    string // If-Match
	Modified string // the exact time of the last change, as RFC 9110 or RFC 3339 writes it
	Size     string // in bytes
}

// Empty reports whether nothing is asked.
func (c DeleteConditions) Empty() bool { return c == DeleteConditions{} }

// check compares an object with the conditions.
func (c DeleteConditions) check(o Held) error {
	failed := func(name string) error {
		return gateway.Errorf(gateway.PreconditionFailed, "At least one of the preconditions that you specified did not hold.").With("Condition", name)
	}
	switch {
	case !o.Exists && c.Match != "*":
		return gateway.Errorf(gateway.NoSuchKey, "The specified key does not exist.")
	case c.Match != "" && (!o.Exists || !precondition.MatchesAny(c.Match, o.ETag, false)):
		return failed("If-Match")
	case c.Size != "" && c.Size != strconv.FormatInt(o.Size, 10):
		return failed("x-amz-if-match-size")
	case c.Modified != "" && !sameTime(c.Modified, o.Modified):
		return failed("x-amz-if-match-last-modified-time")
	}
	return nil
}

// sameTime compares to the second, because HEAD tells no more.
func sameTime(asked string, modified time.Time) bool {
	at, err := http.ParseTime(asked)
	if err != nil {
		at, err = time.Parse(time.RFC3339, asked)
	}
	return err == nil && at.Truncate(time.Second).Equal(modified)
}

// DeleteIf sends a DELETE that is done only for an object which meets the
// conditions. The backend decides where it can. Elsewhere the object is asked
// for and deleted while the gateway's own writes of the key wait; writes that
// bypass the gateway are not covered. The error is a *gateway.Error:
// PreconditionFailed, NoSuchKey, Conflict while writes keep the key busy,
// ServiceUnavailable while Redis is away, or as for Do.
func (c *Client) DeleteIf(ctx context.Context, req Request, conditions DeleteConditions) (*http.Response, error) {
	if req.Header == nil {
		req.Header = http.Header{}
	}
	if c.ConditionalDeletes && conditions == (DeleteConditions{Match: conditions.Match}) && precondition.Single(conditions.Match) {
		req.Header.Set("If-Match", conditions.Match)
		return c.Do(ctx, req)
	}
	ctx, cancel := context.WithTimeout(ctx, ownWait+deleteTime)
	held, err := c.Hold(ctx, req)
	if err != nil {
		cancel()
		return nil, err
	}
	end := func() { held.Release(); cancel() }
	if err := conditions.check(*held); err != nil {
		end()
		return nil, err
	}
	if c.ConditionalDeletes {
		req.Header.Set("If-Match", held.ETag)
	}
	resp, err := c.Do(held.Context, req)
	if err != nil {
		end()
		return nil, err
	}
	resp.Body = &releasingBody{ReadCloser: resp.Body, release: end}
	return resp, nil
}

// Held is an object as it is while its key is held.
type Held struct {
	precondition.State
	Size int64
	// Header has what a HEAD of it answered, nil where it does not exist.
	Header http.Header
	// Context is for the requests that may change the key meanwhile.
	Context context.Context
	release func()
}

// Release lets the key go.
func (h *Held) Release() { h.release() }

// Hold keeps all other writes of a request's key waiting until Release is called,
// and returns the object that is there. Errors are those of DeleteIf.
func (c *Client) Hold(ctx context.Context, of Request) (*Held, error) {
	waiting, cancel := context.WithTimeout(ctx, ownWait)
	defer cancel()
	release, err := c.Locks.Own(waiting, c.lockName(of.Bucket, of.Key))
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, unreachable(context.Cause(ctx))
	case errors.Is(err, context.DeadlineExceeded):
		e := gateway.Errorf(gateway.Conflict, "Writes of this key keep it busy, so that a condition cannot be decided on. Try again.").Because(err)
		e.RetryAfter = retryAfter
		return nil, e
	case err != nil:
		e := gateway.Errorf(gateway.ServiceUnavailable, "The storage does not enforce this condition, and Redis, whose lock the gateway needs to do so, is away.").Because(err)
		e.RetryAfter = retryAfter
		return nil, e
	}
	held, err := c.Look(context.WithValue(ctx, owned{}, true), of)
	if err != nil {
		release()
		return nil, err
	}
	held.release = release
	return held, nil
}

// Look asks for the object that a request is about, without a lock.
func (c *Client) Look(ctx context.Context, of Request) (*Held, error) {
	header := http.Header{}
	for _, name := range askingHeaders {
		if v, ok := of.Header[name]; ok {
			header[name] = v
		}
	}
	var query []signer.Param
	for _, p := range of.Query {
		if p.Key == "versionId" {
			query = append(query, p)
		}
	}
	resp, err := c.Do(ctx, Request{Method: http.MethodHead, Bucket: of.Bucket, Key: of.Key, Query: query, Header: header})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	held := &Held{Context: ctx, release: func() {}}
	switch {
	case resp.StatusCode == http.StatusOK:
		held.State, held.Size, held.Header = precondition.StateOf(resp.Header), resp.ContentLength, resp.Header
		return held, nil
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusMethodNotAllowed: // the latter of a delete marker
		return held, nil
	}
	return nil, ReadError(resp)
}

// askingHeaders are the headers of a request that a HEAD of its object needs too.
var askingHeaders = []string{
	"X-Amz-Request-Payer", "X-Amz-Expected-Bucket-Owner", "X-Amz-Server-Side-Encryption-Customer-Algorithm",
	"X-Amz-Server-Side-Encryption-Customer-Key", "X-Amz-Server-Side-Encryption-Customer-Key-Md5",
}
