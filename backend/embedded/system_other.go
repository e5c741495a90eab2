//go:build !linux && !darwin && !freebsd

package embedded

import (
	"errors"
	"os"
)

func systemError() error {
	return errors.New("embedded store: it needs a Unix system: set S3_ENABLED=true and the S3_* variables")
}

func tryLock(*os.File) error  { return systemError() }
func waitLock(*os.File) error { return systemError() }
func probeXattr(string) error { return systemError() }
func becomeChild()            {}

func setXattr(*os.File, string, []byte) error { return systemError() }
