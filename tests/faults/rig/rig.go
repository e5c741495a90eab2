// Package rig runs store processes on disks that lose power.
//
// Three processes take part: the test, the server of the file system, and the
// store. The test binary is all three; its environment says which.
package rig

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/rpc"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/codeguardians/s3gateway/tests/faults/disk"
	"github.com/codeguardians/s3gateway/tests/faults/fusefs"
	"github.com/codeguardians/s3gateway/tests/faults/workload"
)

const (
	roleVar   = "S3GATEWAY_FAULTS_ROLE"
	socketVar = "S3GATEWAY_FAULTS_SOCKET"
	storeVar  = "S3GATEWAY_FAULTS_STORE"
)

// Main runs m in the process of the test, and its role in the others. Openers
// are the stores by their names.
func Main(m *testing.M, openers map[string]workload.Opener) int {
	var err error
	switch os.Getenv(roleVar) {
	case "disk":
		err = fusefs.Serve(os.Getenv(socketVar))
	case "store":
		err = workload.Child(context.Background(), os.Stdin, openers[os.Getenv(storeVar)])
	default:
		return m.Run()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Rig is a server of disks.
type Rig struct {
	tb     testing.TB
	dir    string
	socket string
	client *rpc.Client
	mu     sync.Mutex
	mounts int
}

// New starts a server, and ends it with the test. It skips the test where there
// is no FUSE.
func New(tb testing.TB) *Rig {
	tb.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil || os.Geteuid() != 0 {
		tb.Skipf("needs /dev/fuse and root: %v", err)
	}
	dir, err := os.MkdirTemp("", "faults-")
	must(tb, err)
	r := &Rig{tb: tb, dir: dir, socket: filepath.Join(dir, "control")}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleVar+"=disk", socketVar+"="+r.socket)
	cmd.Stderr = os.Stderr
	must(tb, cmd.Start())
	tb.Cleanup(func() {
		r.unmountAll()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = os.RemoveAll(dir)
	})
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if r.client, err = rpc.Dial("unix", r.socket); err == nil {
			return r
		}
		if time.Now().After(end) {
			tb.Fatalf("the file system does not start: %v", err)
		}
	}
}

func must(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// unmountAll detaches what a failed test left mounted.
func (r *Rig) unmountAll() {
	list, _ := filepath.Glob(filepath.Join(r.dir, "mnt-*"))
	for _, dir := range list {
		_ = syscall.Unmount(dir, syscall.MNT_DETACH)
	}
}

// call is a remote call that must not fail.
func call[Reply any](r *Rig, method string, arg any) Reply {
	r.tb.Helper()
	var reply Reply
	if err := r.client.Call("Disk."+method, arg, &reply); err != nil {
		r.tb.Fatalf("%s: %v", method, err)
	}
	return reply
}

// Disk is a disk of the server.
type Disk struct {
	rig *Rig
	id  int
	dir string // where it is mounted
}

// NewDisk returns an empty disk.
func (r *Rig) NewDisk() *Disk { return &Disk{rig: r, id: call[int](r, "New", fusefs.None{})} }

// Cut returns a new disk with what a power cut leaves of d now.
func (d *Disk) Cut(loss disk.Loss, seed uint64) *Disk {
	return &Disk{rig: d.rig, id: call[int](d.rig, "Cut", fusefs.CutArgs{ID: d.id, Loss: loss, Seed: seed})}
}

// Mount mounts the disk, if it is not mounted.
func (d *Disk) Mount() {
	if d.dir != "" {
		return
	}
	d.rig.mu.Lock()
	d.rig.mounts++
	d.dir = filepath.Join(d.rig.dir, fmt.Sprintf("mnt-%d", d.rig.mounts))
	d.rig.mu.Unlock()
	must(d.rig.tb, os.Mkdir(d.dir, 0o755))
	call[fusefs.None](d.rig, "Mount", fusefs.MountArgs{ID: d.id, Dir: d.dir})
}

// Dir returns where the disk is mounted.
func (d *Disk) Dir() string { return d.dir }

// Unmount unmounts the disk: nothing of it stays in the kernel's cache.
func (d *Disk) Unmount() {
	call[fusefs.None](d.rig, "Unmount", d.id)
	must(d.rig.tb, os.Remove(d.dir))
	d.dir = ""
}

// Drop unmounts and forgets the disk.
func (d *Disk) Drop() {
	if d.dir != "" {
		d.Unmount()
	}
	call[fusefs.None](d.rig, "Drop", d.id)
}

// Trap sets where the disk stands still.
func (d *Disk) Trap(t disk.Trap) {
	call[fusefs.None](d.rig, "Trap", fusefs.TrapArgs{ID: d.id, Trap: t})
}

// Untrap removes the trap.
func (d *Disk) Untrap() { call[fusefs.None](d.rig, "Untrap", d.id) }

// Hold makes the disk stand still, Release lets it go on, and Die turns its
// power off.
func (d *Disk) Hold() { call[fusefs.None](d.rig, "Hold", d.id) }

// Release lets a disk go on that stands still.
func (d *Disk) Release() { call[fusefs.None](d.rig, "Release", d.id) }

// Die makes all operations fail from now on.
func (d *Disk) Die() { call[fusefs.None](d.rig, "Die", d.id) }

// Revive makes a disk work again that died with its process.
func (d *Disk) Revive() { call[fusefs.None](d.rig, "Revive", d.id) }

// Inject adds a fault, and Lift removes all and returns how often they struck.
func (d *Disk) Inject(f disk.Fault) {
	call[fusefs.None](d.rig, "Inject", fusefs.FaultArgs{ID: d.id, Fault: f})
}

// Lift removes all faults and returns how many operations they refused.
func (d *Disk) Lift() int64 { return call[int64](d.rig, "Lift", d.id) }

// Space sets the capacity and what statfs reports as free; -1 leaves each.
func (d *Disk) Space(capacity, free int64) {
	call[fusefs.None](d.rig, "Space", fusefs.SpaceArgs{ID: d.id, Capacity: capacity, Free: free})
}

// Flip inverts a bit.
func (d *Disk) Flip(path string, bit int64) {
	call[fusefs.None](d.rig, "Flip", fusefs.FlipArgs{ID: d.id, Path: path, Bit: bit})
}

// State returns what the disk has and did.
func (d *Disk) State() fusefs.State { return call[fusefs.State](d.rig, "State", d.id) }

// Size returns the length of a file.
func (d *Disk) Size(path string) int64 {
	st := d.State()
	return st.Sizes[slices.Index(st.Files, path)]
}

// Read returns the bytes of a file.
func (d *Disk) Read(path string) []byte {
	return call[[]byte](d.rig, "Read", fusefs.ReadArgs{ID: d.id, Path: path})
}

// Held waits until the disk stands still.
func (d *Disk) Held() fusefs.HeldReply { return call[fusefs.HeldReply](d.rig, "Held", d.id) }

// Lines returns the notes from an index on.
func (d *Disk) Lines(from int) []workload.Line {
	var out []workload.Line
	for _, n := range call[[]disk.Note](d.rig, "Notes", fusefs.NotesArgs{ID: d.id, From: from}) {
		l, err := workload.ParseLine(n.Text)
		must(d.rig.tb, err)
		out = append(out, l)
	}
	return out
}

// Process is a store process.
type Process struct {
	rig    *Rig
	cmd    *exec.Cmd
	stdin  io.WriteCloser
	stderr bytes.Buffer
	done   chan struct{}
}

// Start starts a store of a kind on the mounted disk.
func (d *Disk) Start(kind string, c workload.Config) *Process {
	c.Dir, c.Socket, c.Disk = d.dir, d.rig.socket, d.id
	p := &Process{rig: d.rig, cmd: exec.Command(os.Args[0]), done: make(chan struct{})}
	p.cmd.Env = append(os.Environ(), roleVar+"=store", storeVar+"="+kind, "GOTRACEBACK=all")
	p.cmd.Stderr = &p.stderr
	var err error
	p.stdin, err = p.cmd.StdinPipe()
	must(d.rig.tb, err)
	must(d.rig.tb, p.cmd.Start())
	must(d.rig.tb, json.NewEncoder(p.stdin).Encode(c))
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	return p
}

// Go tells a process that waits for its parent to go on.
func (p *Process) Go() { must(p.rig.tb, json.NewEncoder(p.stdin).Encode(true)) }

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Stderr returns what the process printed. It must have ended.
func (p *Process) Stderr() string { return p.stderr.String() }

// Failed reports whether the process ended by itself and not well.
func (p *Process) Failed() bool { return p.cmd.ProcessState.ExitCode() > 0 }

// Kill sends SIGKILL. The process ends once the disk answers what it waits for.
func (p *Process) Kill() { _ = p.cmd.Process.Kill() }

// Stacks makes the process print its goroutines and end.
func (p *Process) Stacks() string {
	_ = p.cmd.Process.Signal(syscall.SIGQUIT)
	select {
	case <-p.done:
	case <-time.After(5 * time.Second):
		p.Kill()
		<-p.done
	}
	return p.stderr.String()
}
