package localstore

import (
	"errors"
	"syscall"
)

// defaultReserve is how much of the disk is closed to PUT, in bytes: the
// database needs new pages even to delete, so that without a reserve nobody
// could make room on a full disk.
const defaultReserve = 64 << 20

// space refuses what would use the last of the disk.
type space struct {
	reserve uint64
	free    func() (uint64, error)
}

// room refuses so many further bytes where they would reach into the reserve.
func (s space) room(bytes int64) error {
	free, err := s.free()
	if err != nil {
		return diskError(err)
	}
	if free < s.reserve+uint64(bytes) {
		return noSpace(nil)
	}
	return nil
}

func noSpace(cause error) error {
	return &Error{
		Code: InsufficientCapacity, Err: cause,
		Message: "The disk of the store is full. Delete objects, or give DATA_DIR more space.",
	}
}

// diskError returns what an error of the file system means to a client.
func diskError(err error) error {
	var number syscall.Errno
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return noSpace(err)
	case errors.As(err, &number):
		return &Error{Code: ServiceUnavailable, Message: "The store cannot use its disk.", Err: err}
	}
	return err
}
