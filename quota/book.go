package quota

import (
	"context"
	"errors"
	"sync"
)

// Over says which number of a quota a growth does not fit.
type Over int

// What a quota has no room for.
const (
	Fits Over = iota
	OverBytes
	OverObjects
)

// ErrNotCounted says that what is stored has not been counted yet.
var ErrNotCounted = errors.New("what is stored has not been counted yet")

// Ticket is a growth that was reserved.
type Ticket struct {
	Growth Usage
	// Count is the number of the counting that was the last one then.
	Count int64
	// Holder is the name under which it is held, in a book that several write.
	Holder string
	// Local says that the reservation is this process's alone.
	Local bool
}

// Book is where usage is written down, for the quotas by their names. It is safe
// for concurrent use.
type Book interface {
	// Reserve holds a growth, unless that would make more than most; what is 0
	// there, and what does not grow, always fits. The error is ErrNotCounted,
	// or that of a book which cannot be reached.
	Reserve(ctx context.Context, name string, growth, most Usage) (Ticket, Over, error)
	// Settle gives back what was reserved and writes down how usage changed. A
	// change that began before the last counting ended takes nothing away:
	// the counting may have seen it. It gives what is written down then.
	Settle(ctx context.Context, name string, tickets []Ticket, change Usage, count int64) (Usage, error)
	// Grown is the sum of all that was ever added, for Counted.
	Grown(ctx context.Context, name string) (Usage, error)
	// Counted writes down what a listing found. What was added since it began,
	// when Grown was before, counts on top: the listing may have missed it.
	Counted(ctx context.Context, name string, found, before Usage) error
	// Used is what is written down, and the number of countings so far. The
	// error is ErrNotCounted where that is 0, or as that of Reserve.
	Used(ctx context.Context, name string) (used Usage, count int64, err error)
}

// account is what is written down for one quota.
type account struct {
	used, held, grown Usage
	counted           bool  // used is what is there
	count             int64 // countings so far
}

func (a *account) over(growth, most Usage) Over {
	after := a.used.plus(a.held).plus(growth)
	switch {
	case most.Bytes > 0 && growth.Bytes > 0 && after.Bytes > most.Bytes:
		return OverBytes
	case most.Objects > 0 && growth.Objects > 0 && after.Objects > most.Objects:
		return OverObjects
	}
	return Fits
}

// Local is the book of one process. The zero value is ready.
type Local struct {
	mu       sync.Mutex
	accounts map[string]*account
}

// account gives the one of a name. The caller has the lock.
func (l *Local) account(name string) *account {
	a := l.accounts[name]
	if a == nil {
		if l.accounts == nil {
			l.accounts = map[string]*account{}
		}
		a = &account{}
		l.accounts[name] = a
	}
	return a
}

// Reserve is Book.Reserve.
func (l *Local) Reserve(_ context.Context, name string, growth, most Usage) (Ticket, Over, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(name)
	if !a.counted {
		return Ticket{}, Fits, ErrNotCounted
	}
	growth = growth.atLeast(Usage{})
	if over := a.over(growth, most); over != Fits {
		return Ticket{}, over, nil
	}
	a.held = a.held.plus(growth)
	return Ticket{Growth: growth, Count: a.count, Local: true}, Fits, nil
}

// Settle is Book.Settle. It never fails.
func (l *Local) Settle(_ context.Context, name string, tickets []Ticket, change Usage, count int64) (Usage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(name)
	for _, t := range tickets {
		a.held = a.held.minus(t.Growth)
	}
	added := change.atLeast(Usage{})
	if count != a.count {
		change = added
	}
	a.used = a.used.plus(change).atLeast(Usage{})
	a.grown = a.grown.plus(added)
	return a.used, nil
}

// Grown is Book.Grown.
func (l *Local) Grown(_ context.Context, name string) (Usage, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.account(name).grown, nil
}

// Counted is Book.Counted.
func (l *Local) Counted(_ context.Context, name string, found, before Usage) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(name)
	a.used, a.counted = found.plus(a.grown.minus(before)), true
	a.count++
	return nil
}

// Used is Book.Used.
func (l *Local) Used(_ context.Context, name string) (Usage, int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(name)
	if !a.counted {
		return Usage{}, 0, ErrNotCounted
	}
	return a.used, a.count, nil
}

// note writes down what another book says of a name.
func (l *Local) note(name string, used Usage) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.account(name)
	a.used, a.counted, a.count = used, true, max(a.count, 1)
}

// forget has a name counted before anything is reserved under it again.
func (l *Local) forget(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.account(name).counted = false
}
