//go:build !unix

package localstore

import "os"

// flock relies on the lock of the database file, which bbolt takes everywhere.
func flock(*os.File) error { return nil }
