package embedded

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
)

const (
	socketName = "store.sock"
	// socketFolder begins the name of a socket folder outside the data folder.
	socketFolder = "s3gateway-"
	// maxSocketPath is the shortest sun_path in use less its NUL: 104 bytes on
	// macOS and the BSDs, 108 on Linux.
	maxSocketPath = 103
)

// socketPlace is the folder that the socket lives in.
type socketPlace struct {
	folder string
	note   string // file in run/ that names folder; "" inside the data folder
}

func (p socketPlace) path() string { return filepath.Join(p.folder, socketName) }

// remove takes the socket and a folder made for it away.
func (p socketPlace) remove() error {
	err := os.Remove(p.path())
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if p.note == "" {
		return err
	}
	return errors.Join(err, os.Remove(p.folder), os.Remove(p.note))
}

// placeSocket finds a folder where a unix socket works: run/ in the data
// folder, or, where that path is too long or its file system has no sockets
// (shared folders of virtual machines), a fresh one among the temporary files.
func placeSocket(l layout, getenv func(string) string) (socketPlace, error) {
	if err := privateFolder(l.run()); err != nil {
		return socketPlace{}, fmt.Errorf("embedded store: %w", err)
	}
	note := filepath.Join(l.run(), "socket-folder")
	removeForgotten(note)

	inside := socketPlace{folder: l.run()}
	problems := []error{probeSocket(inside.path())}
	if problems[0] == nil {
		return inside, nil
	}
	for _, parent := range []string{getenv("XDG_RUNTIME_DIR"), os.TempDir()} {
		if !filepath.IsAbs(parent) {
			continue
		}
		folder, err := os.MkdirTemp(parent, socketFolder)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		place := socketPlace{folder: folder, note: note}
		err = probeSocket(place.path())
		if err == nil {
			err = os.WriteFile(note, []byte(folder), 0o600)
		}
		if err == nil {
			return place, nil
		}
		os.Remove(folder)
		problems = append(problems, err)
	}
	return socketPlace{}, fmt.Errorf("embedded store: no folder for its socket: set XDG_RUNTIME_DIR or TMPDIR to a short writable path: %w", errors.Join(problems...))
}

// privateFolder makes dir a real folder of mode 0700, not one behind a link.
func privateFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	return os.Chmod(dir, 0o700)
}

// removeForgotten removes the socket folder of a run that was killed. Only a
// folder named like ours with nothing but a socket in it goes.
func removeForgotten(note string) {
	text, err := os.ReadFile(note)
	if err != nil {
		return
	}
	folder := string(text)
	if filepath.IsAbs(folder) && strings.HasPrefix(filepath.Base(folder), socketFolder) {
		os.Remove(filepath.Join(folder, socketName))
		os.Remove(folder)
	}
	os.Remove(note)
}

// probeSocket listens on path for a moment.
func probeSocket(path string) error {
	if len(path) > maxSocketPath {
		return fmt.Errorf("%s: longer than the %d bytes of a socket's path", path, maxSocketPath)
	}
	os.Remove(path)
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	return l.Close()
}
