package api

import (
	"context"
	"math/bits"
	"sync"
	"time"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/fairshare"
)

const (
	// minBuffer and firstPart are the smallest buffer and that of an upload's
	// first part. S3 takes parts from 5 MiB on.
	minBuffer = 64 << 10
	firstPart = 8 << 20
	// bufferWait is how long an upload waits for its first buffer, and growWait
	// for a larger one: an upload under way is not given up as early.
	bufferWait = 10 * time.Second
	growWait   = 30 * time.Second
	// bufferRetry is what a client is told to wait that a busy backend refused.
	bufferRetry = 5 * time.Second
	// bufferGrowth is how many times larger a buffer is than the one that it
	// replaces. So much memory at most is held for each byte that arrived.
	bufferGrowth = 4
)

// Budget bounds the memory of all uploads together (UPLOAD_BUFFER_BYTES). It is
// safe for concurrent use. A nil *Budget has no bound.
type Budget struct {
	total int64
	// Memory is what is free of it, and who holds the rest.
	Memory *fairshare.Pool
	wait   time.Duration
	// pools hold used buffers by size: 64 KiB, 128 KiB … 8 MiB. Larger ones,
	// which only very large uploads have, are left to the collector.
	pools [8]sync.Pool
}

// NewBudget makes a budget of total bytes, at least the 8 MiB of one part.
func NewBudget(total int64) *Budget {
	total = max(total, firstPart)
	return &Budget{total: total, Memory: fairshare.NewMemory(total), wait: bufferWait}
}

// buffer is a piece of memory out of the budget.
type buffer struct {
	bytes  []byte
	budget *Budget
	grant  *fairshare.Grant
	// most is the length up to which the buffer grows.
	most int64
}

// rounded is the length of the buffer that is made for n bytes.
func (b *Budget) rounded(n int64) int64 {
	if class := sizeClass(n); class >= 0 {
		n = minBuffer << class
	}
	if b != nil {
		n = min(n, b.total)
	}
	return n
}

// memoryPool is nil for a nil Budget, which has no bound.
func (b *Budget) memoryPool() *fairshare.Pool {
	if b == nil {
		return nil
	}
	return b.Memory
}

// take waits for a buffer of at least n bytes, at most the whole budget. The
// error is a ServiceUnavailable with RetryAfter, or the context's.
func (b *Budget) take(ctx context.Context, n int64) (*buffer, error) {
	n = b.rounded(n)
	out := &buffer{budget: b, most: n}
	if b != nil {
		grant, err := b.Memory.Take(ctx, n, b.wait)
		if err != nil {
			return nil, fairshare.Busy(err)
		}
		out.grant = grant
	}
	out.bytes = b.memory(n)
	return out, nil
}

// open is take for a buffer that begins small and grows to n bytes as they
// arrive.
func (b *Budget) open(ctx context.Context, n int64) (*buffer, error) {
	out, err := b.take(ctx, min(n, minBuffer))
	if err == nil {
		out.most = b.rounded(n)
	}
	return out, err
}

// grow makes the buffer larger. What is in it stays. It reports false for one that
// has its full length.
func (b *buffer) grow(ctx context.Context) (bool, error) {
	return b.growTo(ctx, min(bufferGrowth*int64(len(b.bytes)), b.most))
}

func (b *buffer) growTo(ctx context.Context, n int64) (bool, error) {
	n = b.budget.rounded(n)
	if n <= int64(len(b.bytes)) {
		return false, nil
	}
	if b.grant != nil {
		if err := b.grant.Grow(ctx, n-int64(len(b.bytes)), growWait); err != nil {
			return false, fairshare.Busy(err)
		}
	}
	larger := b.budget.memory(n)
	copy(larger, b.bytes)
	b.budget.reuse(b.bytes)
	b.bytes = larger
	return true, nil
}

// restart makes the buffer small again, to grow to n bytes: what others wait for
// is theirs meanwhile.
func (b *buffer) restart(n int64) {
	b.most = b.budget.rounded(n)
	small := b.budget.rounded(min(n, minBuffer))
	if int64(len(b.bytes)) <= small {
		return
	}
	b.budget.reuse(b.bytes)
	freed := int64(len(b.bytes)) - small
	b.bytes = b.budget.memory(small)
	b.grant.Shrink(freed)
}

// release frees the memory. Calling it again does nothing.
func (b *buffer) release() {
	if b == nil || b.bytes == nil {
		return
	}
	bytes := b.bytes
	b.bytes = nil
	b.budget.reuse(bytes)
	b.grant.Release()
}

// memory returns n bytes, those of an earlier buffer where there are some.
func (b *Budget) memory(n int64) []byte {
	if class := sizeClass(n); b != nil && class >= 0 && n == minBuffer<<class {
		if pooled, ok := b.pools[class].Get().(*[]byte); ok {
			return *pooled
		}
	}
	return make([]byte, n)
}

func (b *Budget) reuse(bytes []byte) {
	if class := sizeClass(int64(len(bytes))); b != nil && class >= 0 && len(bytes) == minBuffer<<class {
		b.pools[class].Put(&bytes)
	}
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
