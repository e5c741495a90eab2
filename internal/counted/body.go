// Package counted counts the bytes of a body that somebody else reads.
package counted

import (
	"io"
	"sync/atomic"
)

// Body is a body of which is known how much was read. A transport may still read
// it while it is asked, and when the request is over.
type Body struct {
	io.ReadCloser
	n atomic.Int64
}

// Read counts what was read.
func (b *Body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n.Add(int64(n))
	return n, err
}

// Bytes is how many were read so far.
func (b *Body) Bytes() int64 { return b.n.Load() }
