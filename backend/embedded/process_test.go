//go:build linux

package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// childrenOf finds the store processes whose parent is pid.
func childrenOf(t *testing.T, pid int) []int {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	found := []int{}
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[0] == "Z" || fields[1] != strconv.Itoa(pid) {
			continue
		}
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		line, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(child), "cmdline"))
		if strings.HasSuffix(string(line), "\x00"+Subcommand+"\x00") {
			found = append(found, child)
		}
	}
	return found
}

// childOf gives the one store process of this test.
func childOf(t *testing.T, pid int) int {
	t.Helper()
	var found []int
	eventually(t, "there is one child", func() bool {
		found = childrenOf(t, pid)
		return len(found) == 1
	})
	return found[0]
}

func alive(pid int) bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(text), ") Z ")
}

func TestKilledChildComesBack(t *testing.T) {
	hold := make(chan time.Time)
	s := start(t, dataDir(t), func(o *Options) {
		o.After = func(d time.Duration) <-chan time.Time {
			if d == backoffFirst { // the backoff lasts until the test has looked
				return hold
			}
			return time.After(d)
		}
	})
	c := client(t, s)
	put(t, c, "k", "hello")
	socket, pid := s.Socket(), childOf(t, os.Getpid())
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, "Err says so", func() bool { return s.Err() != nil })
	if err := s.Err(); !strings.Contains(err.Error(), "signal: killed") {
		t.Errorf("Err: %v", err)
	}
	close(hold)
	eventually(t, "it serves again", func() bool { return s.Err() == nil })
	if s.Socket() != socket {
		t.Error("the socket moved")
	}
	wantObject(t, client(t, s), "k", "hello")
	if again := childOf(t, os.Getpid()); again == pid {
		t.Error("the child was not replaced")
	}
}

func TestBackoffGrowsToItsLimit(t *testing.T) {
	waits := make(chan time.Duration, 100)
	s := &Store{
		options: Options{Executable: "/nowhere", Now: time.Now, After: func(d time.Duration) <-chan time.Time {
			waits <- d
			now := make(chan time.Time, 1)
			now <- time.Time{}
			return now
		}},
		started: make(chan error, 1), done: make(chan struct{}),
	}
	ctx, cancel := context.WithCancel(t.Context())
	go s.supervise(ctx)
	want := []time.Duration{100, 200, 400, 800, 1600, 3200, 5000, 5000}
	for i, w := range want {
		if got := <-waits; got != w*time.Millisecond {
			t.Errorf("wait %d is %v, want %v", i, got, w*time.Millisecond)
		}
	}
	cancel()
	drained(s.done, waits)
}

func TestSignalsToTheGroupAreTheParents(t *testing.T) {
	s := start(t, dataDir(t))
	pid := childOf(t, os.Getpid())
	if group, err := syscall.Getpgid(pid); err != nil || group == syscall.Getpgrp() {
		t.Errorf("the child is in our process group %d, %v", group, err)
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	put(t, client(t, s), "k", "hello")
	if s.Err() != nil || childOf(t, os.Getpid()) != pid {
		t.Errorf("the child ended of a signal: %v", s.Err())
	}
}

func TestChildCarriesNoSecret(t *testing.T) {
	t.Setenv("GATEWAY_SECRET_ACCESS_KEY", "the-gateways-own-secret")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "a-cloud-secret")
	s := start(t, dataDir(t))
	pid := childOf(t, os.Getpid())
	secrets := []string{s.Credentials().SecretAccessKey, s.Credentials().AccessKeyID, "the-gateways-own-secret", "a-cloud-secret"}
	for _, name := range []string{"cmdline", "environ"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range secrets {
			if strings.Contains(string(text), secret) {
				t.Errorf("/proc/%d/%s carries a secret", pid, name)
			}
		}
	}
	err := filepath.WalkDir(s.layout.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, secret := range secrets {
			if strings.Contains(string(text), secret) {
				t.Errorf("%s carries a secret", path)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestCloseLeavesNoProcess(t *testing.T) {
	s := start(t, dataDir(t))
	pid := childOf(t, os.Getpid())
	c := client(t, s)
	put(t, c, "k", "hello") // leaves an idle connection
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if alive(pid) {
		t.Error("the child lives after Close")
	}
	if _, err := os.Lstat(s.Socket()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is still there: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
}

func TestChildEndsWithItsParent(t *testing.T) {
	dir := dataDir(t)
	parent := exec.Command(os.Args[0], parentMode, dir)
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	line := readLine(t, bufio.NewReader(out))
	if !strings.HasPrefix(line, "socket ") {
		t.Fatalf("helper says %q", line)
	}
	pid := childOf(t, parent.Process.Pid)

	_, err = Start(t.Context(), Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), strconv.Itoa(parent.Process.Pid)) {
		t.Errorf("second process: %v, want it to name pid %d", err, parent.Process.Pid)
	}

	if err := parent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = parent.Wait()
	eventually(t, "the child of a killed parent is gone", func() bool { return !alive(pid) })
	put(t, client(t, start(t, dir)), "k", "hello")
}

func TestOrphanKeepsTheFolderLocked(t *testing.T) {
	dir := dataDir(t)
	s := start(t, dir)
	if err := s.lock.Close(); err != nil { // as if this process had ended
		t.Fatal(err)
	}
	if _, err := Start(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("Start beside an orphan: %v", err)
	}
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	s.lock = f // for Close
}
