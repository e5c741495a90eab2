package embedded

import "syscall"

// processAttributes puts the child into its own group, away from the terminal's
// signals, and has the kernel kill it when the thread that started it ends:
// whoever starts it keeps that thread (runtime.LockOSThread).
func processAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
