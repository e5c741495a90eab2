package testbed

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	minioRegion = "us-east-1"
	// minioLimit is how long MinIO may take to be ready.
	minioLimit = time.Minute
	// minioTries is how many ports are tried: another process may take the one
	// that was free a moment ago.
	minioTries = 3
)

// launchMinIO starts the MinIO binary on a free loopback port with data, keys
// and settings of its own, and without calls to the outside.
func launchMinIO(binary string) (*Store, error) {
	if binary == "" {
		return nil, fmt.Errorf("%s is not set: run `make minio`, then set it to the path of the binary it made", MinIOVariable)
	}
	binary, err := filepath.Abs(binary)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%s: %w: run `make minio`", MinIOVariable, err)
	}
	var problems []error
	for range minioTries {
		store, err := runMinIO(binary)
		if err == nil {
			return store, nil
		}
		problems = append(problems, err)
	}
	return nil, fmt.Errorf("MinIO does not start: %w", errors.Join(problems...))
}

func runMinIO(binary string) (*Store, error) {
	dir, err := os.MkdirTemp("", "s3gateway-minio-")
	if err != nil {
		return nil, err
	}
	address, err := freeAddress()
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	user, password := rand.Text(), rand.Text()
	process, err := startProcess(minioCommand(binary, dir, address, user, password))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	store := newStore("minio", transport())
	store.Endpoint = &url.URL{Scheme: "http", Host: address}
	store.Region, store.AccessKeyID, store.SecretAccessKey = minioRegion, user, password
	store.close = func() {
		process.stop()
		os.RemoveAll(dir)
	}
	if err := process.waitFor(store.answers); err != nil {
		store.shutdown()
		return nil, err
	}
	return store, nil
}

func minioCommand(binary, dir, address, user, password string) *exec.Cmd {
	cmd := exec.Command(binary, "server", "--quiet",
		"--address", address, "--certs-dir", filepath.Join(dir, "certs"), filepath.Join(dir, "data"))
	cmd.Dir = dir
	cmd.Env = []string{
		"HOME=" + dir,
		"PATH=" + os.Getenv("PATH"),
		"TMPDIR=" + os.TempDir(),
		"MINIO_ROOT_USER=" + user,
		"MINIO_ROOT_PASSWORD=" + password,
		"MINIO_REGION=" + minioRegion,
		"MINIO_BROWSER=off",
		"MINIO_UPDATE=off",
		"MINIO_CI_CD=1", // data on the root disk is fine
		"MINIO_COMPRESSION_ENABLE=off",
		"_MINIO_STATIC_SCANNER=off",
		"NO_PROXY=*",
	}
	return cmd
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// process is a server that ends with this process.
type process struct {
	cmd    *exec.Cmd
	output strings.Builder // read it only after ended
	ended  chan struct{}
}

// startProcess starts cmd from a goroutine that keeps its thread: on Linux the
// server is killed when that thread ends.
func startProcess(cmd *exec.Cmd) (*process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = &p.output, &p.output
	cmd.SysProcAttr = processAttributes()
	cmd.WaitDelay = time.Second
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return p, <-started
}

func (p *process) stop() {
	_ = p.cmd.Process.Kill()
	<-p.ended
}

// waitFor asks until the server answers. MinIO's health check is of no use here:
// it says ready a moment before the server takes a signed request.
func (p *process) waitFor(answers func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), minioLimit)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.ended:
			return fmt.Errorf("it ended: %v: %s", p.cmd.ProcessState, p.output.String())
		case <-ctx.Done():
			return fmt.Errorf("it is not ready after %v: %w", minioLimit, err)
		case <-tick.C:
		}
	}
}
