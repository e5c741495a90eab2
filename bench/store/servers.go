package main

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	bucket = "bench"
	keyID  = "BENCHBENCHBENCHBENCH"
	secret = "bench-bench-bench-bench-bench-bench-bench"
)

// server is a process under test.
type server struct {
	name, address string
	process       *exec.Cmd
	client        *http.Client
}

func startGateway(binary, folder string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	return start("embedded store", binary, address, nil, []string{
		"LISTEN_ADDR=" + address, "ADMIN_ADDR=off", "DATA_DIR=" + filepath.Join(folder, "gateway"), "S3_BUCKET_NAME=" + bucket,
		"GATEWAY_ACCESS_KEY_ID=" + keyID, "GATEWAY_SECRET_ACCESS_KEY=" + secret, "MAX_FILE_SIZE=0", "ALLOWED_FILE_TYPES=*/*", "LOG_LEVEL=OFF",
	})
}

func startMinIO(binary, folder string) (*server, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	data := filepath.Join(folder, "minio")
	if err := os.MkdirAll(filepath.Join(data, bucket), 0o700); err != nil {
		return nil, err
	}
	return start("MinIO", binary, address, []string{"server", "--quiet", "--address", address, data}, []string{
		"HOME=" + folder, "MINIO_ROOT_USER=" + keyID, "MINIO_ROOT_PASSWORD=" + secret, "MINIO_BROWSER=off", "MINIO_UPDATE=off",
		"MINIO_CI_CD=1", "MINIO_FS_OSYNC=on", "NO_PROXY=*",
	})
}

// start runs a server and waits until it answers.
func start(name, binary, address string, args, environ []string) (*server, error) {
	s := &server{
		name: name, address: address, process: exec.Command(binary, args...),
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, WriteBufferSize: 64 << 10, ReadBufferSize: 64 << 10}},
	}
	s.process.Env, s.process.Stderr = append(environ, "PATH="+os.Getenv("PATH")), os.Stderr
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	probe := load{name: "PUT probe", method: http.MethodPut, size: 16}
	var err error
	for range 300 {
		if err = s.request(probe, 0, bodyOf(16)); err == nil {
			return s, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.stop()
	return nil, fmt.Errorf("%s does not answer: %w", name, err)
}

func (s *server) stop() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// cpu returns the CPU seconds that the process has used, from proc(5). Linux
// counts in hundredths.
func (s *server) cpu() float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.Process.Pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(rest)
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / 100
}
