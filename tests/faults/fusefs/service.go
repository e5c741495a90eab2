package fusefs

import (
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/codeguardians/s3gateway/tests/faults/disk"
)

// None is an empty argument or reply.
type None struct{}

// Service is the control of a server process: its exported methods are remote
// calls. A disk is named by the number that New or Cut returned.
type Service struct {
	mu    sync.Mutex
	disks map[int]*disk.Disk
	mount map[int]*mounted
	last  int
}

type mounted struct {
	server *fuse.Server
	gone   chan struct{}
}

// Serve answers calls at a unix socket until the listener fails.
func Serve(socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return fmt.Errorf("listen for control: %w", err)
	}
	s := rpc.NewServer()
	if err := s.RegisterName("Disk", &Service{disks: map[int]*disk.Disk{}, mount: map[int]*mounted{}}); err != nil {
		return fmt.Errorf("register control: %w", err)
	}
	s.Accept(l)
	return nil
}

func (s *Service) add(d *disk.Disk) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.last++
	s.disks[s.last] = d
	return s.last
}

func (s *Service) get(id int) *disk.Disk {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disks[id]
}

// New makes an empty disk.
func (s *Service) New(_ None, id *int) error {
	*id = s.add(disk.New())
	return nil
}

// CutArgs says how to cut the power of a disk.
type CutArgs struct {
	ID   int
	Loss disk.Loss
	Seed uint64
}

// Cut makes a disk of what a power cut leaves of another.
func (s *Service) Cut(a CutArgs, id *int) error {
	*id = s.add(s.get(a.ID).Cut(a.Loss, a.Seed))
	return nil
}

// Drop forgets a disk that is not mounted.
func (s *Service) Drop(id int, _ *None) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.disks, id)
	return nil
}

// MountArgs says where to mount a disk.
type MountArgs struct {
	ID  int
	Dir string
}

// Mount mounts a disk.
func (s *Service) Mount(a MountArgs, _ *None) error {
	server, err := Mount(s.get(a.ID), a.Dir)
	if err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mount[a.ID] = &mounted{server, make(chan struct{})}
	return nil
}

// Unmount unmounts a disk. It tries again for ten seconds while the folder is
// in use: a killed process takes a moment to end.
func (s *Service) Unmount(id int, _ *None) error {
	s.mu.Lock()
	m := s.mount[id]
	delete(s.mount, id)
	s.mu.Unlock()
	if m == nil {
		return errors.New("disk is not mounted")
	}
	close(m.gone)
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if err = m.server.Unmount(); err == nil {
			return nil
		}
	}
	return fmt.Errorf("unmount: %w", err)
}

// TrapArgs sets a trap.
type TrapArgs struct {
	ID   int
	Trap disk.Trap
}

// Trap sets the trap of a disk.
func (s *Service) Trap(a TrapArgs, _ *None) error {
	s.get(a.ID).SetTrap(&a.Trap)
	return nil
}

// Untrap removes the trap.
func (s *Service) Untrap(id int, _ *None) error {
	s.get(id).SetTrap(nil)
	return nil
}

// HeldReply names the operation at which a disk stands still.
type HeldReply struct {
	Held  bool
	Event disk.Event
}

// Held waits until the disk stands still or is unmounted.
func (s *Service) Held(id int, r *HeldReply) error {
	s.mu.Lock()
	m := s.mount[id]
	s.mu.Unlock()
	if m == nil {
		return nil
	}
	if e := s.get(id).Held(m.gone); e != nil {
		r.Held, r.Event = true, *e
	}
	return nil
}

// Release lets a disk that stands still go on.
func (s *Service) Release(id int, _ *None) error {
	s.get(id).Release()
	return nil
}

// Hold makes a disk stand still.
func (s *Service) Hold(id int, _ *None) error {
	s.get(id).Hold()
	return nil
}

// Die makes all operations of a disk fail.
func (s *Service) Die(id int, _ *None) error {
	s.get(id).Die()
	return nil
}

// Revive turns a disk on again that died.
func (s *Service) Revive(id int, _ *None) error {
	s.get(id).Revive()
	return nil
}

// FaultArgs adds a fault.
type FaultArgs struct {
	ID    int
	Fault disk.Fault
}

// Inject adds a fault to a disk.
func (s *Service) Inject(a FaultArgs, _ *None) error {
	s.get(a.ID).Inject(a.Fault)
	return nil
}

// Lift removes all faults and returns how many operations they refused.
func (s *Service) Lift(id int, hits *int64) error {
	*hits = s.get(id).Lift()
	return nil
}

// SpaceArgs sets sizes of a disk. A negative Capacity leaves it.
type SpaceArgs struct {
	ID             int
	Capacity, Free int64
}

// Space sets the capacity and the free space that statfs reports.
func (s *Service) Space(a SpaceArgs, _ *None) error {
	d := s.get(a.ID)
	if a.Capacity >= 0 {
		d.SetCapacity(a.Capacity)
	}
	d.SetFree(a.Free)
	return nil
}

// State is what a disk has and did.
type State struct {
	Ops, Used int64
	Files     []string
	Sizes     []int64 // of Files
	Recent    []disk.Event
}

// State returns what a disk has and did.
func (s *Service) State(id int, r *State) error {
	d := s.get(id)
	files, sizes := d.Files()
	*r = State{d.Ops(), d.Used(), files, sizes, d.Recent()}
	return nil
}

// NoteArgs is a note of a process that uses a disk.
type NoteArgs struct {
	ID   int
	Text string
}

// Note writes a note between the operations of a disk. It reports false when
// the power is off.
func (s *Service) Note(a NoteArgs, ok *bool) error {
	*ok = s.get(a.ID).Note(a.Text)
	return nil
}

// Notes returns the notes from one index on.
func (s *Service) Notes(a NotesArgs, r *[]disk.Note) error {
	if all := s.get(a.ID).Notes(); a.From < len(all) {
		*r = all[a.From:]
	}
	return nil
}

// NotesArgs asks for notes from an index on.
type NotesArgs struct{ ID, From int }

// FlipArgs names one bit of a file.
type FlipArgs struct {
	ID   int
	Path string
	Bit  int64
}

// Flip inverts one bit of a file of a disk that is not mounted.
func (s *Service) Flip(a FlipArgs, _ *None) error {
	d := s.get(a.ID)
	n := d.Find(a.Path)
	if n == nil {
		return fmt.Errorf("flip: no file %s", a.Path)
	}
	d.Flip(n, a.Bit)
	return nil
}

// ReadArgs names a file.
type ReadArgs struct {
	ID   int
	Path string
}

// Read returns the bytes of a file.
func (s *Service) Read(a ReadArgs, r *[]byte) error {
	d := s.get(a.ID)
	n := d.Find(a.Path)
	if n == nil {
		return fmt.Errorf("read: no file %s", a.Path)
	}
	*r = make([]byte, d.Stat(n).Size)
	if _, errno := d.ReadAt(n, *r, 0); errno != 0 {
		return errno
	}
	return nil
}
