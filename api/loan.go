package api

import (
	"errors"
	"io"
	"sync"
)

// loan lends a buffer to the transport. After end no reader of it touches the
// buffer any more.
type loan struct {
	mu    sync.Mutex
	bytes []byte
	over  bool
}

var errLoanOver = errors.New("the buffer was given back")

func (l *loan) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.bytes, l.over = nil, true
}

func (l *loan) reader() io.ReadCloser { return &loanReader{loan: l} }

type loanReader struct {
	loan *loan
	at   int
}

// Read copies under the loan's lock.
func (r *loanReader) Read(p []byte) (int, error) {
	r.loan.mu.Lock()
	defer r.loan.mu.Unlock()
	if r.loan.over {
		return 0, errLoanOver
	}
	if r.at >= len(r.loan.bytes) {
		return 0, io.EOF
	}
	n := copy(p, r.loan.bytes[r.at:])
	r.at += n
	return n, nil
}

// Close does nothing: the loan ends with the request.
func (r *loanReader) Close() error { return nil }
