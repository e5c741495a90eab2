package embedded

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/rs/zerolog"

	gateway "github.com/codeguardians/s3gateway"
	"github.com/codeguardians/s3gateway/internal/testlog"
)

func TestStoreKeepsObjectsOverARestart(t *testing.T) {
	for _, form := range []Metadata{"", Sidecar} {
		t.Run("metadata form "+string(form), func(t *testing.T) {
			dir := dataDir(t)
			s := start(t, dir, func(o *Options) { o.Metadata = form })
			put(t, client(t, s), "a/b c/ü.txt", "hello")
			first := s.Credentials()
			if err := s.Close(); err != nil {
				t.Fatalf("Close: %v", err)
			}
			if s.Err() == nil {
				t.Error("Err of a closed store is nil")
			}
			again := start(t, dir) // the form is remembered
			if again.Metadata() != s.Metadata() {
				t.Errorf("metadata form flipped from %q to %q", s.Metadata(), again.Metadata())
			}
			if again.Credentials().SecretAccessKey == first.SecretAccessKey {
				t.Error("root keys are the same after a restart")
			}
			wantObject(t, client(t, again), "a/b c/ü.txt", "hello")
			text, err := os.ReadFile(filepath.Join(dir, "buckets/files/a/b c/ü.txt"))
			if err != nil || string(text) != "hello" {
				t.Errorf("the object is no plain file: %q, %v", text, err)
			}
		})
	}
}

func TestMetadataFormCannotChange(t *testing.T) {
	dir := dataDir(t)
	if err := start(t, dir, func(o *Options) { o.Metadata = Sidecar }).Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Start(t.Context(), Options{Dir: dir, Metadata: Xattr})
	if err == nil || !strings.Contains(err.Error(), "sidecar") {
		t.Errorf("Start with another form: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "store.json")); err != nil {
		t.Fatal(err)
	}
	if got := start(t, dir).Metadata(); got != Sidecar {
		t.Errorf("without store.json a sidecar folder is read as %q", got)
	}
}

func TestStoreFormThatIsNotUnderstoodIsRefused(t *testing.T) {
	for name, text := range map[string]string{
		"newer version": `{"version":2,"metadata":"xattr"}`,
		"unknown form":  `{"version":1,"metadata":"database"}`,
		"cut off":       `{"version":1,`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "store.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := Start(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "store.json") {
				t.Errorf("Start: %v", err)
			}
		})
	}
}

// What the metadata in files cannot do is said at each start.
func TestASidecarWarns(t *testing.T) {
	for _, form := range forms {
		var log testlog.Buffer
		start(t, dataDir(t), func(o *Options) { o.Metadata, o.Log = form, zerolog.New(&log) })
		if warned := strings.Contains(log.String(), `"level":"warn"`); warned != (form == Sidecar) {
			t.Errorf("%s: %s", form, log.String())
		}
	}
}

func TestSecondStoreOnTheFolderIsRefused(t *testing.T) {
	dir := dataDir(t)
	start(t, dir)
	_, err := Start(t.Context(), Options{Dir: dir})
	if err == nil {
		t.Fatal("a second store started on the same folder")
	}
	for _, want := range []string{dir, strconv.Itoa(os.Getpid()), "in use"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
}

func TestFoldersAndSocketAreForThisUserOnly(t *testing.T) {
	dir := dataDir(t)
	s := start(t, dir, func(o *Options) { o.Metadata = Sidecar })
	put(t, client(t, s), "folder/object", "hello")
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{s.Socket(): 0o600 | fs.ModeSocket, filepath.Dir(s.Socket()): 0o700 | fs.ModeDir, dir: 0o700 | fs.ModeDir} {
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
}

func TestLongDataFolderGetsAShortSocket(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30), "data")
	runtimeDir := t.TempDir()
	if len(runtimeDir) > 60 {
		runtimeDir = "/tmp"
	}
	t.Setenv("XDG_RUNTIME_DIR", runtimeDir)
	s := start(t, dir)
	if len(s.Socket()) > maxSocketPath || !strings.HasPrefix(s.Socket(), runtimeDir) {
		t.Errorf("socket %q", s.Socket())
	}
	folder := filepath.Dir(s.Socket())
	if info, err := os.Lstat(folder); err != nil || info.Mode() != 0o700|fs.ModeDir {
		t.Errorf("%s: %v, %v", folder, info.Mode(), err)
	}
	put(t, client(t, s), "k", "hello")
	wantObject(t, client(t, s), "k", "hello")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(folder); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket's folder outlives the store: %v", err)
	}
}

func TestSocketFolderOfAKilledRunIsRemoved(t *testing.T) {
	parent := t.TempDir()
	ours, other := filepath.Join(parent, "s3gateway-123"), filepath.Join(parent, "precious")
	for _, dir := range []string{ours, other} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	note := filepath.Join(parent, "note")
	for _, dir := range []string{ours, other} {
		if err := os.WriteFile(note, []byte(dir), 0o600); err != nil {
			t.Fatal(err)
		}
		removeForgotten(note)
	}
	if _, err := os.Stat(ours); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("forgotten folder: %v", err)
	}
	if _, err := os.Stat(other); err != nil {
		t.Errorf("a folder that is not ours went: %v", err)
	}
}

func TestStartRefuses(t *testing.T) {
	link := filepath.Join(t.TempDir(), "linked")
	if err := os.MkdirAll(link, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(t.TempDir(), filepath.Join(link, "run")); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		o    Options
		want string
	}{
		{"a relative folder", Options{Dir: "data"}, "not an absolute path"},
		{"an unknown form of metadata", Options{Dir: t.TempDir(), Metadata: "x"}, "unknown metadata form"},
		{"a binary that is missing", Options{Dir: t.TempDir(), Executable: "/nowhere/s3gateway"}, "no such file"},
		{"a child that dies at once", Options{Dir: t.TempDir(), Args: []string{"die"}}, "exit status 3: panic: of bad input"},
		{"a socket folder behind a link", Options{Dir: link}, "is not a folder"},
		{"a bucket name that S3 does not allow", Options{Dir: t.TempDir(), Bucket: "No_Good"}, "InvalidBucketName"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Start(t.Context(), tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Start: %v; want %q", err, tt.want)
			}
			if s != nil {
				t.Error("a store came with the error")
			}
		})
	}
}

func TestStartEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("enough")
	var o Options
	o.Dir, o.Args = t.TempDir(), []string{"sleep"}
	o.After = func(d time.Duration) <-chan time.Time { cancel(cause); return time.After(d) }
	if _, err := Start(ctx, o); !errors.Is(err, cause) {
		t.Errorf("Start: %v", err)
	}
}

func TestChildThatDoesNotAnswerIsEnded(t *testing.T) {
	began := time.Now()
	var calls atomic.Int64
	o := Options{Dir: t.TempDir(), Args: []string{"sleep"}}
	o.Now = func() time.Time { // from the lock's and the start's deadline on, time flies
		if calls.Add(1) <= 2 {
			return began
		}
		return began.Add(time.Hour)
	}
	_, err := Start(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("Start: %v", err)
	}
}

func TestErrSaysUnavailable(t *testing.T) {
	cause := errors.New("exit status 2")
	err := unavailable("is restarting", cause)
	if gateway.CodeOf(err) != gateway.ServiceUnavailable || !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	if e := gateway.AsError(err); strings.Contains(e.Message, "exit status") || e.RetryAfter <= 0 {
		t.Errorf("message %q, retry after %v", e.Message, e.RetryAfter)
	}
}

func TestVersioning(t *testing.T) {
	for _, form := range []Metadata{Xattr, Sidecar} {
		t.Run(string(form), func(t *testing.T) {
			s := start(t, dataDir(t), func(o *Options) { o.Metadata = form })
			c := client(t, s)
			bucket := aws.String("files")
			setVersioning(t, c, types.BucketVersioningStatusEnabled)
			put(t, c, "k", "one")
			put(t, c, "k", "two")
			wantObject(t, c, "k", "two")
			list, err := c.ListObjectVersions(t.Context(), &s3.ListObjectVersionsInput{Bucket: bucket})
			if err != nil || len(list.Versions) != 2 {
				t.Fatalf("versions %v, %v", list, err)
			}
			old, err := c.GetObject(t.Context(), &s3.GetObjectInput{Bucket: bucket, Key: aws.String("k"), VersionId: list.Versions[1].VersionId})
			if err != nil || aws.ToInt64(old.ContentLength) != 3 {
				t.Fatalf("old version: %v", err)
			}
			old.Body.Close()
		})
	}
}
