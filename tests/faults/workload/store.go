package workload

import (
	"context"
	"net/http"
)

// Store is what a program runs against, in its own process.
type Store interface {
	// Transport answers S3 requests.
	Transport() http.RoundTripper
	// Settle waits until what runs in the background has ended, and returns what
	// is left over: files and rows that nothing names.
	Settle(ctx context.Context) ([]string, error)
	// Health returns nil while the store takes writes, and else why not.
	Health() error
	// Close ends the store.
	Close() error
}

// Opener opens the store in a folder.
type Opener func(dir string) (Store, error)
