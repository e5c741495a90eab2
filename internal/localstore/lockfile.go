package localstore

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// InUseError is returned where another process has the folder.
type InUseError struct {
	Dir string
	// PID is what that process wrote into the lock file. It is information
	// only: in containers every process may be 1.
	PID string
}

// Error says who has the folder.
func (e *InUseError) Error() string {
	return fmt.Sprintf("%s is in use by another s3gateway (pid %s): stop it, or set DATA_DIR to another folder", e.Dir, e.PID)
}

// lockFolder takes the lock of a store's folder and writes the pid into it.
func lockFolder(dir, path string, patience time.Duration) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		err = flock(file)
		if err == nil {
			break
		}
		if !errors.Is(err, errLocked) || time.Now().After(deadline) {
			pid, _ := os.ReadFile(path)
			file.Close()
			if errors.Is(err, errLocked) {
				return nil, &InUseError{Dir: dir, PID: strings.TrimSpace(string(pid))}
			}
			return nil, err
		}
	}
	if err := file.Truncate(0); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if _, err := fmt.Fprintln(file, os.Getpid()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// errLocked is returned by flock where another process has the lock.
var errLocked = errors.New("locked by another process")
