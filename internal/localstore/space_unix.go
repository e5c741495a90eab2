//go:build unix

package localstore

import "golang.org/x/sys/unix"

// freeBytes returns how many bytes of a folder's file system are free.
func freeBytes(dir string) (uint64, error) {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return 0, err
	}
	return uint64(stat.Bavail) * uint64(stat.Bsize), nil
}
