package embedded

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// lockWait is how long a start waits for the folder's lock: a store whose
// parent was killed this moment is about to end.
const lockWait = time.Second

// lockFolder takes the lock of the data folder and writes this process' pid
// into it. The lock is gone when every process that has the returned file open
// closed it or ended.
func lockFolder(o Options, l layout) (*os.File, error) {
	f, err := os.OpenFile(l.lock(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	deadline := o.Now().Add(lockWait)
	for {
		err = tryLock(f)
		if err == nil {
			break
		}
		if !o.Now().Before(deadline) {
			defer f.Close()
			return nil, fmt.Errorf("embedded store: %s is in use by %s: stop it, or use another DATA_DIR: %w", o.Dir, lockOwner(f), err)
		}
		<-o.After(lockWait / 20)
	}
	if err := writeOwner(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	return f, nil
}

func writeOwner(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// lockOwner names who holds the lock, as far as the file tells.
func lockOwner(f *os.File) string {
	text := make([]byte, 32)
	n, _ := f.ReadAt(text, 0)
	pid, err := strconv.Atoi(strings.TrimSpace(string(text[:n])))
	if err != nil {
		return "another process"
	}
	return "the process with pid " + strconv.Itoa(pid)
}
