//go:build darwin || freebsd

package embedded

import "syscall"

// processAttributes puts the child into its own group, away from the terminal's
// signals. It ends with its standard input.
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
