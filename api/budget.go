package api

import (
	"context"
	"math/bits"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	gateway "github.com/codeguardians/s3gateway"
)

const (
	// minBuffer and firstPart are the smallest buffer and that of an upload's
	// first part. S3 takes parts from 5 MiB on.
	minBuffer = 64 << 10
	firstPart = 8 << 20
	// bufferWait is how long an upload waits for a buffer.
	bufferWait = 10 * time.Second
	// bufferRetry is what a client is told that waited in vain.
	bufferRetry = 5 * time.Second
)

// Budget bounds the memory of all uploads together (UPLOAD_BUFFER_BYTES). It is
// safe for concurrent use. A nil *Budget has no bound.
type Budget struct {
	total int64
	free  *semaphore.Weighted
	wait  time.Duration
	// pools hold used buffers by size: 64 KiB, 128 KiB … 8 MiB. Larger ones,
	// which only very large uploads have, are left to the collector.
	pools [8]sync.Pool
}

// NewBudget makes a budget of total bytes, at least the 8 MiB of one part.
func NewBudget(total int64) *Budget {
	total = max(total, firstPart)
	return &Budget{total: total, free: semaphore.NewWeighted(total), wait: bufferWait}
}

// buffer is a piece of memory out of the budget.
type buffer struct {
	bytes  []byte
	budget *Budget
	class  int
}

// take waits for a buffer of at least n bytes, at most the whole budget. The
// error is a ServiceUnavailable with RetryAfter, or the context's.
func (b *Budget) take(ctx context.Context, n int64) (*buffer, error) {
	class := sizeClass(n)
	if class >= 0 {
		n = minBuffer << class
	}
	if b == nil {
		return &buffer{bytes: make([]byte, n), class: -1}, nil
	}
	n = min(n, b.total)
	waiting, cancel := context.WithTimeout(ctx, b.wait)
	defer cancel()
	if err := b.free.Acquire(waiting, n); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, &gateway.Error{
			Code:       gateway.ServiceUnavailable,
			Message:    "Too many uploads are in flight (UPLOAD_BUFFER_BYTES). Please try again.",
			RetryAfter: bufferRetry,
			Err:        err,
		}
	}
	out := &buffer{budget: b, class: class}
	if class >= 0 {
		if pooled, ok := b.pools[class].Get().(*[]byte); ok {
			out.bytes = *pooled
			return out, nil
		}
	}
	out.bytes = make([]byte, n)
	return out, nil
}

// release gives the memory back. Calling it again does nothing.
func (b *buffer) release() {
	if b == nil || b.bytes == nil {
		return
	}
	bytes := b.bytes
	b.bytes = nil
	if b.budget == nil {
		return
	}
	if b.class >= 0 {
		b.budget.pools[b.class].Put(&bytes)
	}
	b.budget.free.Release(int64(len(bytes)))
}

// sizeClass is the pool for n bytes, -1 when none is large enough.
func sizeClass(n int64) int {
	class := bits.Len64(uint64(max(n-1, 0)) / minBuffer)
	if class > 7 {
		return -1
	}
	return class
}

// partSize is the size of a part of an upload of unknown length: 8 MiB, and 11
// MiB more after each hundred parts, so that 10,000 of them hold 5 TiB. Half of
// the budget is the most that one upload gets.
func (b *Budget) partSize(number int) int64 {
	const step, every = 11 << 20, 100
	size := int64(firstPart) + int64(number-1)/every*step
	if b != nil {
		size = min(size, max(b.total/2, firstPart))
	}
	return size
}

const (
	// statePart is the size of the parts of a resumable upload, of which less
	// than one is kept with its state: the smallest that S3 takes.
	statePart = 5 << 20
	stateStep = 1 << 20
)

// fixedPart is the size of the parts of a resumable upload of a known length:
// 5 MiB, or as many whole MiB as 10,000 parts need. 0 stands for a length that
// is not known (-1), whose parts grow. It fails when no buffer holds such a part.
func (b *Budget) fixedPart(length int64) (int64, error) {
	if length < 0 {
		return 0, nil
	}
	size := max(statePart, (length/(maxParts-1)+stateStep)/stateStep*stateStep)
	if size > b.largestPart() {
		return 0, gateway.Errorf(gateway.EntityTooLarge, "The file has more than %d parts of the largest size (UPLOAD_BUFFER_BYTES).", maxParts)
	}
	return size, nil
}

// growingPart is the size of a part by its number, as partSize has it, but from
// 5 MiB on.
func (b *Budget) growingPart(number int) int64 {
	const step, every = 11 << 20, 100
	return min(statePart+int64(number-1)/every*step, b.largestPart())
}

func (b *Budget) largestPart() int64 {
	if b == nil {
		return maxSinglePut
	}
	return max(b.total/2, firstPart)
}
