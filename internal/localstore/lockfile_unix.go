//go:build unix

package localstore

import (
	"os"

	"golang.org/x/sys/unix"
)

// flock takes the lock of an open file. The kernel drops it with the process.
func flock(file *os.File) error {
	err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == unix.EWOULDBLOCK {
		return errLocked
	}
	return err
}
