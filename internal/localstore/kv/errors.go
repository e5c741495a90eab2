package kv

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"syscall"
)

// The kinds of failure. Errors of this package wrap one of them where it
// applies, together with the cause.
var (
	// ErrNoSpace reports that the disk or the quota is full. Nothing was stored.
	ErrNoSpace = errors.New("no space left for the database, nothing was stored")
	// ErrReadOnly reports that the file system cannot be written. Nothing was stored.
	ErrReadOnly = errors.New("the file system of the database is read-only, nothing was stored")
	// ErrIO reports another failed write. Nothing was stored.
	ErrIO = errors.New("the database cannot be written, nothing was stored")
	// ErrUnknownOutcome reports that a commit failed after its last write:
	// the operation is stored or is not, as a whole.
	ErrUnknownOutcome = errors.New("the database failed at the end of a commit, it is unknown whether the change is stored")
	// ErrUnavailable reports that the database is closed, or waits until a
	// commit succeeds again. Nothing was read or stored.
	ErrUnavailable = errors.New("the database is unavailable")
	// ErrInternal reports a panic in an operation. Nothing was stored.
	ErrInternal = errors.New("internal error in a database operation")

	errReadTx = errors.New("write in a read transaction")
	errDone   = errors.New("the transaction has ended")
)

// DamageError reports a row or a page that does not hold what was written.
type DamageError struct {
	Tree   Tree
	Key    []byte // nil if a page is damaged
	Reason string
}

// Error returns the location and the reason.
func (e *DamageError) Error() string {
	if e.Key == nil {
		return "the database is damaged: " + e.Reason
	}
	return fmt.Sprintf("the database is damaged: tree %q, key %q: %s", e.Tree, e.Key, e.Reason)
}

// guard runs fn and returns its error. A panic and a memory fault become an
// error and true. bbolt reads mapped memory: an unreadable sector is a fault.
func (d *DB) guard(fn func() error) (err error, panicked bool) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if v := recover(); v != nil {
			err, panicked = panicError(v), true
			d.count.panics.Add(1)
			d.o.Log.Error().Err(err).Bytes("stack", debug.Stack()).Msg("a database operation panicked")
		}
	}()
	return fn(), false
}

// panicError returns a *DamageError for a memory fault and for a page that
// bbolt refuses, and ErrInternal for any other panic.
func panicError(v any) error {
	if fault, ok := v.(interface{ Addr() uintptr }); ok {
		return &DamageError{Reason: fmt.Sprintf("a page cannot be read (address %#x)", fault.Addr())}
	}
	text := fmt.Sprint(v)
	for _, p := range pagePanics {
		if strings.HasPrefix(text, p) {
			return &DamageError{Reason: text}
		}
	}
	return fmt.Errorf("%w: %s", ErrInternal, text)
}

// pagePanics are the beginnings of bbolt's panics about a page.
var pagePanics = []string{"assertion failed: ", "invalid page type: ", "page ", "freepages: ", "bolt.DB.meta(): "}

// failure wraps the cause of a commit that was rolled back.
func failure(cause error) error {
	for _, f := range failures {
		for _, errno := range f.errnos {
			// bbolt formats some causes with %s, which drops the number.
			if errors.Is(cause, errno) || strings.Contains(cause.Error(), errno.Error()) {
				return fmt.Errorf("%w: %w", f.kind, cause)
			}
		}
	}
	return fmt.Errorf("%w: %w", ErrIO, cause)
}

var failures = []struct {
	kind   error
	errnos []syscall.Errno
}{
	{ErrNoSpace, []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT}},
	{ErrReadOnly, []syscall.Errno{syscall.EROFS, syscall.EACCES}},
}
