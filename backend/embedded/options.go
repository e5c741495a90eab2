package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rs/zerolog"
)

// Subcommand is the hidden argument under which the binary runs ChildMain.
const Subcommand = "embedded-store"

// Region is the region of the embedded store, the only one it signs for.
const Region = "us-east-1"

// Metadata is the form in which the store keeps the metadata of objects.
type Metadata string

// The forms. The zero value lets Start choose.
const (
	Xattr   Metadata = "xattr"   // extended attributes, user.*
	Sidecar Metadata = "sidecar" // files under metadata/
)

// Options say where the store lives and how it is run.
type Options struct {
	// Dir is the data folder, absolute. It is created with mode 0700 if it is
	// missing; the mode of an existing folder is left alone, what is made
	// inside is for this user only.
	Dir string
	// Bucket is created by Start if it is missing. Empty: none is.
	Bucket string
	// Executable is the binary to run as the child. Empty: this one.
	Executable string
	// Args make the binary run ChildMain. Nil: Subcommand.
	Args []string
	// Metadata forces the form of the metadata of a new folder. Empty: what
	// the file system can. A folder that has another form already is refused.
	Metadata Metadata
	// Log takes what happens to the child, and its stderr line by line. The
	// zero value logs to nobody.
	Log zerolog.Logger
	// Random makes keys. Nil: crypto/rand.
	Random io.Reader
	// Now is the clock. Nil: time.Now.
	Now func() time.Time
	// After waits before a restart and between two looks at a starting child.
	// Nil: time.After.
	After func(time.Duration) <-chan time.Time
}

// withDefaults checks o and fills in what was left out.
func (o Options) withDefaults() (Options, error) {
	if !filepath.IsAbs(o.Dir) {
		return o, fmt.Errorf("embedded store: data folder %q is not an absolute path", o.Dir)
	}
	switch o.Metadata {
	case "", Xattr, Sidecar:
	default:
		return o, fmt.Errorf("embedded store: unknown metadata form %q", o.Metadata)
	}
	if o.Executable == "" {
		path, err := os.Executable()
		if err != nil {
			return o, errors.Join(errors.New("embedded store: cannot find this binary"), err)
		}
		o.Executable = path
	}
	if o.Args == nil {
		o.Args = []string{Subcommand}
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	return o, nil
}
