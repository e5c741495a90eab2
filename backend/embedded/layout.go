package embedded

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// layout names the parts of a data folder. The store refuses a sidecar folder
// whose path begins with that of the buckets, so no name begins with another.
type layout struct{ dir string }

func (l layout) buckets() string  { return filepath.Join(l.dir, "buckets") }
func (l layout) versions() string { return filepath.Join(l.dir, "versions") }
func (l layout) metadata() string { return filepath.Join(l.dir, "metadata") }
func (l layout) run() string      { return filepath.Join(l.dir, "run") }
func (l layout) lock() string     { return filepath.Join(l.dir, "lock") }
func (l layout) form() string     { return filepath.Join(l.dir, "store.json") }

// storeForm is the content of store.json.
type storeForm struct {
	Version  int      `json:"version"`
	Metadata Metadata `json:"metadata"`
}

const formVersion = 1

// prepare makes the folders of the store and settles the form of its metadata.
// The caller holds the folder's lock.
func (l layout) prepare(forced Metadata) (Metadata, error) {
	for _, dir := range []string{l.buckets(), l.versions()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", fmt.Errorf("embedded store: %w", err)
		}
	}
	kept, err := l.readForm()
	if err != nil {
		return "", err
	}
	form, err := l.chooseForm(kept, forced)
	if err != nil {
		return "", err
	}
	if form == Sidecar {
		if err := os.MkdirAll(l.metadata(), 0o700); err != nil {
			return "", fmt.Errorf("embedded store: %w", err)
		}
	}
	if kept == form {
		return form, nil
	}
	return form, l.writeForm(form)
}

// chooseForm decides: what the folder has, else what the caller forces, else
// what the file system can.
func (l layout) chooseForm(kept, forced Metadata) (Metadata, error) {
	if kept != "" && forced != "" && kept != forced {
		return "", fmt.Errorf("embedded store: %s keeps its metadata as %s, not as %s", l.dir, kept, forced)
	}
	form := kept
	if form == "" {
		form = forced
	}
	if form == Sidecar {
		return form, nil
	}
	probe := probeXattr(l.buckets())
	switch {
	case probe == nil:
		return Xattr, nil
	case form == Xattr:
		return "", fmt.Errorf("embedded store: %s keeps its metadata in extended attributes, but they cannot be set there: "+
			"move the folder back to a file system that has them: %w", l.dir, probe)
	default:
		return Sidecar, nil
	}
}

// readForm gives the form that an earlier start chose, "" if there was none.
func (l layout) readForm() (Metadata, error) {
	text, err := os.ReadFile(l.form())
	if errors.Is(err, fs.ErrNotExist) {
		return l.formWithoutRecord()
	}
	if err != nil {
		return "", fmt.Errorf("embedded store: %w", err)
	}
	var form storeForm
	if err := json.Unmarshal(text, &form); err != nil {
		return "", fmt.Errorf("embedded store: %s cannot be read: %w", l.form(), err)
	}
	if form.Version != formVersion || form.Metadata != Xattr && form.Metadata != Sidecar {
		return "", fmt.Errorf("embedded store: %s is of another version (%d, %q) of this program", l.form(), form.Version, form.Metadata)
	}
	return form.Metadata, nil
}

// formWithoutRecord is for a folder whose store.json was lost, in a restored
// backup say: a sidecar folder is never ignored.
func (l layout) formWithoutRecord() (Metadata, error) {
	switch _, err := os.Stat(l.metadata()); {
	case err == nil:
		return Sidecar, nil
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	default:
		return "", fmt.Errorf("embedded store: %w", err)
	}
}

func (l layout) writeForm(form Metadata) error {
	text, err := json.Marshal(storeForm{Version: formVersion, Metadata: form})
	if err != nil {
		return err
	}
	if err := replaceFile(l.form(), append(text, '\n')); err != nil {
		return fmt.Errorf("embedded store: %w", err)
	}
	return nil
}

// replaceFile writes a file of mode 0600 so that a reader sees all of it or the
// one before.
func replaceFile(path string, content []byte) error {
	temp, err := writeTemp(path, content)
	if err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		os.Remove(temp)
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeTemp writes content, synced, to a new file of mode 0600 beside path.
func writeTemp(path string, content []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// syncDir makes a new name in a folder last. Not every file system can do that,
// and none needs it for correctness while it is up, so failures don't count.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}
