package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/rs/zerolog"
)

const (
	// settleTime is how long files must be still before they are read: an
	// editor writes in several steps.
	settleTime = 100 * time.Millisecond
	// lookAgain is how often files are compared where the file system tells
	// nothing, as network file systems do.
	lookAgain = 30 * time.Second
)

// watchFiles calls changed, from this goroutine, when the content of one of the
// files is another than was seen, and at each hangup, until ctx ends. Folders are watched, not
// files: most programs write a new file and rename it, and Kubernetes swaps a
// link beside it.
func watchFiles(ctx context.Context, log zerolog.Logger, files func() []string, seen []byte, hangups <-chan os.Signal, changed func()) {
	var events <-chan fsnotify.Event
	var lost <-chan error // of events: then the files are compared
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		log.Warn().Err(err).Dur("every", lookAgain).Msg("changes of the configuration cannot be told at once; its files are compared")
	} else {
		defer watcher.Close()
		events, lost = watcher.Events, watcher.Errors
	}
	watchFolders(watcher, files())
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	settled := time.NewTimer(0) // they may have changed before they were watched
	defer settled.Stop()
	for {
		asked := false
		select {
		case <-ctx.Done():
			return
		case _, open := <-events:
			if !open {
				events = nil
			}
			settled.Reset(settleTime)
			continue
		case <-lost:
			settled.Reset(settleTime)
			continue
		case <-hangups:
			asked = true
		case <-settled.C:
		case <-tick.C:
		}
		if !asked && bytes.Equal(contentOf(files()), seen) {
			continue
		}
		for {
			list := files()
			watchFolders(watcher, list)
			seen = contentOf(list) // before it is read: a change meanwhile is seen
			changed()
			if slices.Equal(list, files()) {
				break
			}
		}
	}
}

// watchFolders watches the folders of files, and those of what they link to.
func watchFolders(watcher *fsnotify.Watcher, files []string) {
	if watcher == nil {
		return
	}
	for _, file := range files {
		_ = watcher.Add(filepath.Dir(file)) // one that is not there is looked at later
		if target, err := filepath.EvalSymlinks(file); err == nil {
			_ = watcher.Add(filepath.Dir(target))
		}
	}
}

// contentOf tells one state of the files from another.
func contentOf(files []string) []byte {
	sum := sha256.New()
	for _, path := range files {
		one := sha256.New()
		if f, err := os.Open(path); err == nil {
			_, _ = io.Copy(one, io.LimitReader(f, 2<<20)) // more is no configuration
			_ = f.Close()
		} else {
			one.Write([]byte("no file"))
		}
		sum.Write(one.Sum(nil))
	}
	return sum.Sum(nil)
}
