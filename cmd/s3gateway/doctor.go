package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/internal/localstore"
)

// Run checks settings and backend, and says what it found and what to do.
func (doctorCommand) Run(ctx context.Context, cli *commands, p process) error {
	cfg, warnings, err := cli.load(p)
	if err != nil {
		return err
	}
	for _, w := range warnings {
		fmt.Fprintln(p.stdout, "warning:", w)
	}
	if _, err := tlsConfig(cfg, zerolog.New(p.stdout)); err != nil {
		return err
	}
	fmt.Fprintln(p.stdout, "settings: ok")
	fmt.Fprintln(p.stdout, "policy:  ", policyLine(cfg))
	a := &app{}
	defer a.close()
	err = a.openBackend(ctx, cfg, zerolog.New(io.Discard), time.Now)
	if used := (*localstore.InUseError)(nil); errors.As(err, &used) {
		return askRunning(ctx, cfg, used, p.stdout)
	}
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if err := a.monitor.Check(ctx); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if err := a.storeErr(); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	fmt.Fprintf(p.stdout, "storage:  bucket %s on %s accepts the gateway\n", cfg.BucketName, a.client.Name)
	if cfg.GatewayAccessKeyID == "" && !cfg.Embedded() {
		fmt.Fprintln(p.stdout, "S3 door:  refuses everyone until GATEWAY_ACCESS_KEY_ID and GATEWAY_SECRET_ACCESS_KEY are set")
	}
	return nil
}

// askTimeout bounds the question to a running gateway.
const askTimeout = 5 * time.Second

// askRunning asks the gateway that has the embedded store for its health. Its
// certificate is not checked: nothing is sent to it, and only its word is shown.
func askRunning(ctx context.Context, cfg *config.Config, used *localstore.InUseError, out io.Writer) error {
	network, address := "tcp", cfg.ListenAddrs[0]
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		network, address = "unix", path
	}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}}
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	scheme := "http"
	if cfg.TLSCertFile != "" {
		scheme, transport.TLSClientConfig = "https", &tls.Config{InsecureSkipVerify: true}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://localhost/api/v1/upload/health", nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return fmt.Errorf("storage: s3gateway runs on %s (pid %s), and does not answer at LISTEN_ADDR=%s: %w", used.Dir, used.PID, cfg.ListenAddrs[0], err)
	}
	defer resp.Body.Close()
	var health struct {
		Status, Detail string
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&health)
	if err != nil || health.Status != "healthy" {
		return fmt.Errorf("storage: s3gateway runs on %s (pid %s), and says that it is %s: %s", used.Dir, used.PID, cmp.Or(health.Status, resp.Status), health.Detail)
	}
	fmt.Fprintf(out, "storage:  s3gateway runs on %s (pid %s), and says that it is healthy\n", used.Dir, used.PID)
	return nil
}
