// Package kills runs the gateway's program under load of both frontends and
// kills it, again and again.
package kills

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

const (
	accessKey = "GWFAULTSFAULTSFAULTS"
	secretKey = "faults-faults-faults-faults-faults-1"
	apiKey    = "faults-key-of-the-upload-api"
)

// Gateway is the program under test, on one folder and one port. It may be
// killed and started any number of times.
type Gateway struct {
	Program string
	Data    string // DATA_DIR
	URL     string
	// Settings are further variables of its environment, such as those of an S3
	// backend in the place of the embedded store.
	Settings []string

	mu     sync.Mutex
	cmd    *exec.Cmd
	output bytes.Buffer
	done   chan struct{}
}

// NewGateway returns a gateway that is not started. Its data lies in dir.
func NewGateway(program, dir string) (*Gateway, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("find a port: %w", err)
	}
	defer l.Close()
	return &Gateway{Program: program, Data: filepath.Join(dir, "data"), URL: "http://" + l.Addr().String()}, nil
}

// Keys returns the credentials of the S3 endpoint.
func (g *Gateway) Keys() aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(accessKey, secretKey, "")
}

// Start starts the program.
func (g *Gateway) Start() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.output.Reset()
	cmd := exec.Command(g.Program)
	cmd.Dir = filepath.Dir(g.Data)
	cmd.Env = append(os.Environ(),
		"DATA_DIR="+g.Data, "LISTEN_ADDR="+g.URL[len("http://"):], "ADMIN_ADDR=off", "LOG_LEVEL=ERROR",
		"GATEWAY_ACCESS_KEY_ID="+accessKey, "GATEWAY_SECRET_ACCESS_KEY="+secretKey, "API_KEYS=app="+apiKey,
		"MAX_FILE_SIZE=0", "ALLOWED_FILE_TYPES=*/*")
	cmd.Env = append(cmd.Env, g.Settings...)
	cmd.Stdout, cmd.Stderr = &g.output, &g.output
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the gateway: %w", err)
	}
	g.cmd, g.done = cmd, make(chan struct{})
	go func(done chan struct{}) {
		_ = cmd.Wait()
		close(done)
	}(g.done)
	return nil
}

// Kill sends SIGKILL and waits for the end of the process.
func (g *Gateway) Kill() {
	g.mu.Lock()
	defer g.mu.Unlock()
	_ = g.cmd.Process.Kill()
	<-g.done
}

// Ask sends a request to the upload API, at a path below its base, and returns
// the status and the body. The status is 0 without an answer.
func (g *Gateway) Ask(ctx context.Context, method, at string, body []byte) (int, string) {
	u := &uploader{base: g.URL, http: http.DefaultClient}
	a := u.send(ctx, method, uploadPath+at, body, "Content-Type", "application/octet-stream")
	return a.status, string(a.body)
}

// Ready waits until the gateway serves. It fails if the program ends, or after
// 30 s.
func (g *Gateway) Ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if status, _ := g.Ask(ctx, http.MethodGet, "/health", nil); status == http.StatusOK {
			return nil
		}
		select {
		case <-g.done:
			return fmt.Errorf("the gateway ended: %s", g.output.String())
		case <-ctx.Done():
			return fmt.Errorf("the gateway does not get ready: %w", ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}
