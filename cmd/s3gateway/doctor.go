package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/rs/zerolog"
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
	if err := a.openBackend(ctx, cfg, zerolog.New(io.Discard), time.Now); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if err := a.monitor.Check(ctx); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	fmt.Fprintf(p.stdout, "storage:  bucket %s on %s accepts the gateway\n", cfg.BucketName, a.client.Name)
	if cfg.GatewayAccessKeyID == "" && !cfg.Embedded() {
		fmt.Fprintln(p.stdout, "S3 door:  refuses everyone until GATEWAY_ACCESS_KEY_ID and GATEWAY_SECRET_ACCESS_KEY are set")
	}
	return nil
}
