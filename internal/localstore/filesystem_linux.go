package localstore

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// networked are file systems on which neither flock nor a memory map is sure
// to see what another host does, by the magic numbers of statfs(2).
var networked = map[uint32]string{
	0x6969:     "NFS",
	0x517b:     "SMB",
	0xfe534d42: "SMB",
	0xff534d42: "CIFS",
	0x01021997: "9p",
}

// checkFileSystem refuses a folder on a network.
func checkFileSystem(dir string) error {
	var stat unix.Statfs_t
	if err := unix.Statfs(dir, &stat); err != nil {
		return err
	}
	if name, ok := networked[uint32(stat.Type)]; ok {
		return fmt.Errorf("%s is on %s: the embedded store needs a local disk; set DATA_DIR to a folder on one", dir, name)
	}
	return nil
}
