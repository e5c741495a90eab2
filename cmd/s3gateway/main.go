// Command s3gateway serves an upload API and an S3 endpoint in front of an S3
// bucket. Run it without arguments for a working gateway on local disk, and
// with --help for everything else.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes.
const (
	exitOK       = 0
	exitFailed   = 1
	exitSettings = 2 // wrong arguments or settings: starting again will not help
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	p := process{args: os.Args[1:], environ: os.Environ(), stdout: os.Stdout, stderr: os.Stderr}
	// A terminal that is closed ends what runs in it; a service is asked by the
	// same signal to read its configuration again.
	if !isTerminal(os.Stderr) {
		hangups := make(chan os.Signal, 1)
		signal.Notify(hangups, syscall.SIGHUP)
		p.hangups = hangups
	}
	code := run(ctx, p)
	stop()
	os.Exit(code)
}

// process is what a run takes from the operating system.
type process struct {
	args    []string
	environ []string
	stdout  io.Writer
	stderr  io.Writer
	// started, when set, is told the addresses once they are served.
	started func([]string)
	// hangups ask a service to read its configuration again; nil: nobody does.
	hangups <-chan os.Signal
}

// exitError ends a run with a code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func settingsError(format string, args ...any) error {
	return &exitError{code: exitSettings, err: fmt.Errorf(format, args...)}
}
