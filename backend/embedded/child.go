package embedded

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"
)

// childConfig is what the parent writes to the child's standard input, as one
// line of JSON. The input then stays open: its end is the child's end.
type childConfig struct {
	AccessKeyID     string
	SecretAccessKey string
	Region          string
	Socket          string
	Buckets         string
	Versions        string
	Sidecar         string // "" with metadata in extended attributes
}

// drainLimit is how long a child whose input ended may finish its requests.
const drainLimit = 3 * time.Second

// ChildMain is the hidden subcommand of the binary: it reads its configuration
// from stdin, serves until stdin ends, and gives the exit status of the
// process. It changes the working directory and the umask and may run once per
// process.
func ChildMain(stdin io.Reader, stderr io.Writer) int {
	becomeChild()
	var cfg childConfig
	if err := json.NewDecoder(stdin).Decode(&cfg); err != nil {
		fmt.Fprintln(stderr, "this subcommand is started by s3gateway itself, with its configuration on standard input")
		return 2
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()

	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, cfg) }()
	select {
	case err := <-ended:
		return exitStatus(err, stderr)
	case <-ctx.Done():
	}
	select {
	case err := <-ended:
		return exitStatus(err, stderr)
	case <-time.After(drainLimit):
		return 0
	}
}

func exitStatus(err error, stderr io.Writer) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, err)
	return 1
}
