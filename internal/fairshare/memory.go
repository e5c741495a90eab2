package fairshare

import (
	"context"
	"errors"
	"io"
	"time"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	// memoryWait is how long a request waits for memory.
	memoryWait = 10 * time.Second
	// memoryRetry is what a client is told that waited in vain.
	memoryRetry = 5 * time.Second
	// documentStart is the first buffer of a document, in bytes. It doubles.
	documentStart = 4 << 10
	// documentCost is what is held for each byte of a document's buffer: the
	// bytes, what is decoded of them, and what is written anew. The buffer is at
	// most twice as large as what arrived.
	documentCost = 4
)

// NewMemory returns the pool of the memory of all uploads and documents
// (UPLOAD_BUFFER_BYTES).
func NewMemory(total int64) *Pool {
	return NewPool("memory for uploads (UPLOAD_BUFFER_BYTES)", total, time.Now)
}

// Busy is the refusal of a request for which no memory became free. Other errors
// stay as they are.
func Busy(err error) error {
	if !errors.Is(err, ErrFull) {
		return err
	}
	return &gateway.Error{
		Code:       gateway.ServiceUnavailable,
		Message:    "Too many uploads are in flight (UPLOAD_BUFFER_BYTES). Please try again.",
		RetryAfter: memoryRetry,
		Err:        err,
	}
}

// ForAnswer takes n bytes, at most a quarter of all, for an answer that is made whole,
// before it is made: those who wait for memory hold none. A nil pool has no bound.
func (p *Pool) ForAnswer(ctx context.Context, n int64) (*Grant, error) {
	if p == nil {
		return nil, nil
	}
	grant, err := p.Take(ctx, min(n, p.total/4), memoryWait)
	return grant, Busy(err)
}

// Document is a small body in memory.
type Document struct {
	Raw   []byte
	grant *Grant
}

// Release frees the memory of the document. Calling it again, or of nil, does
// nothing.
func (d *Document) Release() {
	if d != nil {
		d.grant.Release()
	}
}

// Keep holds on to n bytes only: what was decoded is no longer needed.
func (d *Document) Keep(n int64) {
	if d != nil {
		d.grant.Keep(n)
	}
}

// ReadDocument reads a body of at most most bytes. What it holds of the pool grows
// with the bytes that arrive. A longer body is an EntityTooLarge without a
// message; a nil pool has no bound.
func (p *Pool) ReadDocument(ctx context.Context, body io.Reader, most int64) (*Document, error) {
	d := &Document{}
	err := d.read(ctx, p, body, most)
	if err == io.EOF {
		return d, nil
	}
	d.Release()
	return nil, err
}

// read returns io.EOF at the end of the body. A body that was cut off has another
// error, io.ErrUnexpectedEOF too.
func (d *Document) read(ctx context.Context, p *Pool, body io.Reader, most int64) error {
	for {
		if len(d.Raw) == cap(d.Raw) {
			if err := d.grow(ctx, p, most); err != nil {
				return err
			}
		}
		n, err := body.Read(d.Raw[len(d.Raw):cap(d.Raw)])
		d.Raw = d.Raw[:len(d.Raw)+n]
		switch {
		case int64(len(d.Raw)) > most:
			return &gateway.Error{Code: gateway.EntityTooLarge}
		case err != nil:
			return err
		}
	}
}

// grow makes room for more bytes.
func (d *Document) grow(ctx context.Context, p *Pool, most int64) (err error) {
	size := min(max(2*int64(cap(d.Raw)), documentStart), most+1)
	if p != nil {
		more := documentCost * (size - int64(cap(d.Raw)))
		more = min(more, p.total-d.grant.held())
		if d.grant == nil {
			d.grant, err = p.Take(ctx, more, memoryWait)
		} else {
			err = d.grant.Grow(ctx, more, memoryWait)
		}
		if err != nil {
			return Busy(err)
		}
	}
	larger := make([]byte, len(d.Raw), size)
	copy(larger, d.Raw)
	d.Raw = larger
	return nil
}

// held returns the units of a grant, 0 for nil.
func (g *Grant) held() int64 {
	if g == nil {
		return 0
	}
	return g.Units()
}
