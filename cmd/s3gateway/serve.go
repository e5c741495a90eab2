package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/config"
)

// Bounds of a connection's beginning. What follows the header is guarded byte
// by byte (guardStalls).
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
)

// Run serves until ctx ends, then lets requests finish within SHUTDOWN_TIMEOUT.
func (serveCommand) Run(ctx context.Context, cli *commands, p process) error {
	cfg, warnings, err := cli.load(p)
	if err != nil {
		return err
	}
	log := newLogger(p.stderr, cfg.LogLevel)
	for _, w := range warnings {
		log.Warn().Msg(w.String())
	}
	listeners, err := listen(cfg)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	a, err := build(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer a.close()
	background, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.monitor.Run(background) })
	defer running.Wait()
	defer stop()

	announce(p.stderr, log, cfg, a, listeners)
	if p.started != nil {
		p.started(addresses(listeners))
	}
	return serve(ctx, cfg, log, a, listeners)
}

// listener is one bound address and what it serves.
type listener struct {
	net.Listener
	admin bool
}

// listen binds every address before anything is started, so that a taken port
// is the first thing that is said.
func listen(cfg *config.Config) (all []listener, err error) {
	defer func() {
		if err != nil {
			closeAll(all)
		}
	}()
	bind := func(address string, admin bool) error {
		l, err := listenOn(address)
		if err != nil {
			name := "LISTEN_ADDR"
			if admin {
				name = "ADMIN_ADDR"
			}
			return fmt.Errorf("%s=%q: %w", name, address, err)
		}
		all = append(all, listener{Listener: l, admin: admin})
		return nil
	}
	for _, address := range cfg.ListenAddrs {
		if err := bind(address, false); err != nil {
			return all, err
		}
	}
	if cfg.AdminAddr != "" {
		return all, bind(cfg.AdminAddr, true)
	}
	return all, nil
}

func listenOn(address string) (net.Listener, error) {
	path, ok := strings.CutPrefix(address, "unix:")
	if !ok {
		return net.Listen("tcp", address)
	}
	// A socket file that nobody answers on is left from a process that died.
	if conn, err := net.Dial("unix", path); err == nil {
		conn.Close()
		return nil, errors.New("another process serves this socket")
	}
	if info, err := os.Lstat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return net.Listen("unix", path)
}

func closeAll(listeners []listener) {
	for _, l := range listeners {
		l.Close()
	}
}

func addresses(listeners []listener) (all []string) {
	for _, l := range listeners {
		if !l.admin {
			all = append(all, l.Addr().String())
		}
	}
	return all
}

func serve(ctx context.Context, cfg *config.Config, log zerolog.Logger, a *app, listeners []listener) error {
	quiet := zerolog.New(io.Discard)
	if log.GetLevel() <= zerolog.DebugLevel {
		quiet = log
	}
	newServer := func(h http.Handler) *http.Server {
		return &http.Server{
			Handler: h, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
			ErrorLog: stdLogger(quiet),
		}
	}
	doors, admin := newServer(a.handler), newServer(a.admin)
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		go func() { failed <- serveOn(cfg, l, doors, admin) }()
	}
	var err error
	select {
	case <-ctx.Done():
		log.Info().Dur("within", cfg.ShutdownTimeout).Msg("stopping: requests may finish")
	case err = <-failed:
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.ShutdownTimeout)
	defer cancel()
	if e := doors.Shutdown(grace); e != nil {
		log.Warn().Msg("SHUTDOWN_TIMEOUT is over: requests were cut off")
		doors.Close()
	}
	admin.Close()
	return err
}

func serveOn(cfg *config.Config, l listener, doors, admin *http.Server) error {
	var err error
	switch {
	case l.admin:
		err = admin.Serve(l)
	case cfg.TLSCertFile != "":
		err = doors.ServeTLS(l, cfg.TLSCertFile, cfg.TLSKeyFile)
	default:
		err = doors.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
