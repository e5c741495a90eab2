// Package relay moves the bytes of answers to clients.
//
// A client that does not read its answer holds the buffer that the copy waits
// with. So only a few copies at once have a large buffer, which is fast; all others
// have a small one, and thousands of clients that stand still cost little.
package relay

import (
	"io"
	"sync"
	"sync/atomic"
)

const (
	// large is the buffer of the first copies, in bytes, and most how many they
	// are. small is that of all others.
	large, most = 128 << 10, 16
	small       = 8 << 10
)

var (
	largeBuffers = sync.Pool{New: func() any { b := make([]byte, large); return &b }}
	smallBuffers = sync.Pool{New: func() any { b := make([]byte, small); return &b }}
	// inUse counts the copies with a large buffer.
	inUse atomic.Int64
)

// Copy copies src to dst through a pooled buffer, whatever methods they have to
// copy by themselves.
func Copy(dst io.Writer, src io.Reader) (int64, error) {
	pool := &smallBuffers
	if inUse.Add(1) <= most {
		pool = &largeBuffers
		defer inUse.Add(-1)
	} else {
		inUse.Add(-1)
	}
	buf := pool.Get().(*[]byte)
	defer pool.Put(buf)
	return io.CopyBuffer(struct{ io.Writer }{dst}, struct{ io.Reader }{src}, *buf)
}
