//go:build !linux

package testbed

import "syscall"

func processAttributes() *syscall.SysProcAttr { return nil }
