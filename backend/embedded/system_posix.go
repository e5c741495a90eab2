//go:build linux || darwin || freebsd

package embedded

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// systemError is nil where the embedded store can run.
func systemError() error { return nil }

// tryLock takes an exclusive lock on f or fails at once. flock binds the lock
// to the open file, which the child shares.
func tryLock(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
}

// waitLock takes an exclusive lock on f as soon as it is free.
func waitLock(f *os.File) error {
	for {
		if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// probeXattr sets, reads and removes an extended attribute in dir as the store
// would: reading alone succeeds on file systems that refuse to write.
func probeXattr(dir string) error {
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	const name = "user.s3gateway-probe"
	if err := setXattr(f, name, []byte("1")); err != nil {
		return fmt.Errorf("set an extended attribute: %w", err)
	}
	got := make([]byte, 8)
	n, err := unix.Fgetxattr(int(f.Fd()), name, got)
	if err != nil {
		return fmt.Errorf("get an extended attribute: %w", err)
	}
	if string(got[:n]) != "1" {
		return errors.New("an extended attribute came back changed")
	}
	return nil
}

func setXattr(f *os.File, name string, value []byte) error {
	return unix.Fsetxattr(int(f.Fd()), name, value, 0)
}

// becomeChild makes whatever the child creates its user's alone, and leaves
// signals to the whole group to the parent, which closes our input when it is
// ready.
func becomeChild() {
	unix.Umask(0o077)
	signal.Ignore(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
}
