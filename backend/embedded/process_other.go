//go:build !linux && !darwin && !freebsd

package embedded

import "syscall"

func processAttributes() *syscall.SysProcAttr { return nil }
