package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

const (
	backoffFirst = 100 * time.Millisecond
	backoffLast  = 5 * time.Second
	// steadyAfter is how long a child has to serve before its end counts as
	// the first in a row.
	steadyAfter = 30 * time.Second
	// answerLimit is how long a new child may take to answer.
	answerLimit = 20 * time.Second
	answerPoll  = 10 * time.Millisecond
)

// supervise runs one child after the other until ctx ends. On Linux a child is
// killed when the thread that forked it ends, so this goroutine keeps its
// thread.
func (s *Store) supervise(ctx context.Context) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(s.done)
	wait := backoffFirst
	for {
		served, err := s.runChild(ctx)
		if ctx.Err() != nil {
			return
		}
		s.setErr(unavailable("is restarting", err))
		s.tellStart(err)
		if served >= steadyAfter {
			wait = backoffFirst
		}
		s.options.Log.Warn().Err(err).Dur("served", served).Dur("wait", wait).Msg("embedded store ended, starting it again")
		select {
		case <-ctx.Done():
			return
		case <-s.options.After(wait):
		}
		wait = min(2*wait, backoffLast)
	}
}

// tellStart gives Start the fate of the first child; later ones go unheard.
func (s *Store) tellStart(err error) {
	select {
	case s.started <- err:
	default:
	}
}

// runChild starts one child and waits for its end. It gives how long the child
// served and why it ended, never nil.
func (s *Store) runChild(ctx context.Context) (served time.Duration, err error) {
	cmd := exec.CommandContext(ctx, s.options.Executable, s.options.Args...)
	lines := &lineLog{log: s.options.Log, secret: s.credentials.SecretAccessKey}
	cmd.Stderr = lines
	cmd.Dir = "/"
	cmd.Env = childEnvironment(os.Environ())
	cmd.SysProcAttr = processAttributes()
	cmd.ExtraFiles = []*os.File{s.lock} // an orphan keeps the folder locked
	input, err := cmd.StdinPipe()
	if err != nil {
		return 0, err
	}
	cmd.Cancel = input.Close
	cmd.WaitDelay = drainLimit + time.Second
	if err := cmd.Start(); err != nil {
		return 0, err
	}

	watch, cancel := context.WithCancel(ctx)
	ready := make(chan time.Time, 1)
	go func() {
		defer close(ready)
		s.watchStart(watch, cmd.Process, input, ready)
	}()
	err = cmd.Wait()
	ended := s.options.Now()
	cancel()
	if since, ok := <-ready; ok {
		served = ended.Sub(since)
	}
	return served, endOf(err, lines.close())
}

// endOf says why a child ended, with the last words it wrote.
func endOf(err error, lastLine string) error {
	if err == nil {
		err = errors.New("exit status 0")
	}
	if lastLine != "" {
		err = fmt.Errorf("%w: %s", err, lastLine)
	}
	return err
}

// watchStart hands the child its configuration and waits until it answers: then
// Err is nil and the moment goes to ready. A child that does not answer in time
// is killed.
func (s *Store) watchStart(ctx context.Context, child *os.Process, input io.Writer, ready chan<- time.Time) {
	if err := json.NewEncoder(input).Encode(s.childConfig()); err != nil {
		return // it ended; Wait says how
	}
	deadline := s.options.Now().Add(answerLimit)
	for ctx.Err() == nil {
		err := s.control.answers(ctx)
		if err == nil {
			s.setErr(nil)
			ready <- s.options.Now()
			s.tellStart(nil)
			return
		}
		if !s.options.Now().Before(deadline) {
			s.options.Log.Error().Err(err).Msg("embedded store does not answer, ending it")
			_ = child.Kill()
			return
		}
		select {
		case <-ctx.Done():
		case <-s.options.After(answerPoll):
		}
	}
}

func (s *Store) childConfig() childConfig {
	cfg := childConfig{
		AccessKeyID:     s.credentials.AccessKeyID,
		SecretAccessKey: s.credentials.SecretAccessKey,
		Region:          Region,
		Socket:          s.place.path(),
		Buckets:         s.layout.buckets(),
		Versions:        s.layout.versions(),
	}
	if s.metadata == Sidecar {
		cfg.Sidecar = s.layout.metadata()
	}
	return cfg
}

// childVariables are what a child may see of the environment: settings of the
// Go runtime, nothing that could be a secret.
var childVariables = []string{"GOCOVERDIR", "GODEBUG", "GOGC", "GOMAXPROCS", "GOMEMLIMIT", "GORACE", "GOTRACEBACK", "TMPDIR", "TZ"}

func childEnvironment(environ []string) []string {
	kept := []string{}
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		if slices.Contains(childVariables, name) {
			kept = append(kept, entry)
		}
	}
	return kept
}
