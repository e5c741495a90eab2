package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/internal/listen"
	"github.com/codeguardians/s3gateway/shared"
)

// Bounds of a connection's beginning. What follows the header is guarded byte
// by byte (guardStalls).
const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeaderBytes    = 64 << 10
	// What HTTP/2 may hold of bodies that no handler has read yet. An upload
	// that waits must not fill the share of its connection's others, which it
	// does by net/http's default.
	streamBuffer     = 1 << 20
	connectionBuffer = 4 * streamBuffer
)

// Run serves until ctx ends, then lets requests finish within SHUTDOWN_TIMEOUT.
func (serveCommand) Run(ctx context.Context, cli *commands, p process) error {
	cfg, warnings, err := cli.load(p)
	if err != nil {
		return err
	}
	read := contentOf(cfg.Files())
	log := newLogger(p.stderr, cfg.LogLevel)
	for _, w := range warnings {
		log.Warn().Msg(w.String())
	}
	secure, err := tlsConfig(cfg, log)
	if err != nil {
		return err
	}
	listeners, err := bind(cfg, log)
	if err != nil {
		return err
	}
	defer closeAll(listeners)
	shared.Quiet()
	a, err := build(ctx, cfg, log)
	if err != nil {
		return err
	}
	defer a.close()
	if a.store != nil {
		// The store on this machine has just answered: asking it now spares the
		// first client a 503. A reason against it is logged by Run.
		_ = a.monitor.Check(ctx)
	}
	background, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { a.monitor.Run(background) })
	running.Go(func() { a.sweep(background) })
	running.Go(func() { a.quotas.Run(background) })
	if a.store != nil && cfg.StoreScrub.PerSecond > 0 {
		running.Go(func() { a.store.Scrub(background, cfg.StoreScrub.PerSecond, &a.scrub) })
	}
	running.Go(func() {
		watchFiles(background, log, a.configFiles, read, p.hangups, func() {
			a.reload(func() (*config.Config, []config.Warning, error) { return cli.load(p) })
		})
	})
	defer running.Wait()
	defer stop()

	announce(p.stderr, log, cfg, a, listeners)
	if p.started != nil {
		p.started(addresses(listeners))
	}
	return serve(ctx, cfg, log, a, secure, listeners)
}

// listener is one bound address and what it serves.
type listener struct {
	net.Listener
	admin, tls bool
}

// bind takes every address before anything is started, so that a taken port is
// the first thing that is said.
func bind(cfg *config.Config, log zerolog.Logger) (all []listener, err error) {
	defer func() {
		if err != nil {
			closeAll(all)
		}
	}()
	for _, address := range cfg.ListenAddrs {
		l, err := listen.Bind(address)
		if err != nil {
			return all, fmt.Errorf("LISTEN_ADDR=%q: %w", address, err)
		}
		if cfg.ProxyProtocol {
			l = listen.Proxied(l, cfg.TrustedProxies, log)
		}
		all = append(all, listener{Listener: l, tls: cfg.TLSCertFile != ""})
	}
	if cfg.AdminAddr == "" {
		return all, nil
	}
	l, err := listen.Bind(cfg.AdminAddr)
	if err != nil {
		return all, fmt.Errorf("ADMIN_ADDR=%q: %w", cfg.AdminAddr, err)
	}
	return append(all, listener{Listener: l, admin: true}), nil
}

// tlsConfig is what the doors are served with, nil for plain HTTP.
func tlsConfig(cfg *config.Config, log zerolog.Logger) (*tls.Config, error) {
	if cfg.TLSCertFile == "" {
		return nil, nil
	}
	certificates, err := listen.LoadCertificates(listen.CertificateOptions{
		Certificate: listen.File{Setting: "TLS_CERT_FILE", Path: cfg.TLSCertFile},
		Key:         listen.File{Setting: "TLS_KEY_FILE", Path: cfg.TLSKeyFile},
		ClientCAs:   listen.File{Setting: "TLS_CLIENT_CA_FILE", Path: cfg.TLSClientCAFile},
		Now:         time.Now, Log: log,
	})
	if err != nil {
		return nil, &exitError{code: exitSettings, err: err}
	}
	return certificates.ServerConfig(), nil
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

// webServer is a server and what its TLS listeners are served with, nil for
// plain HTTP only. It is not in the server's own TLSConfig: net/http changes
// that, and sets it on plain servers too.
type webServer struct {
	*http.Server
	secure *tls.Config
	log    zerolog.Logger
}

// newServer bounds what a connection may cost before a handler sees it. With
// secure it speaks HTTP/2 too.
func newServer(h http.Handler, secure *tls.Config, log zerolog.Logger) *webServer {
	quiet := zerolog.New(io.Discard)
	if log.GetLevel() <= zerolog.DebugLevel {
		quiet = log
	}
	server := &http.Server{
		Handler:           h,
		ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		HTTP2:    &http.HTTP2Config{MaxReceiveBufferPerStream: streamBuffer, MaxReceiveBufferPerConnection: connectionBuffer},
		ErrorLog: stdLogger(quiet),

		ConnContext: listen.WithConn,

		DisableGeneralOptionsHandler: true, // OPTIONS * is a request as any other
	}
	listen.AnswerUnreadable(server, answerUnreadable(log, time.Now))
	return &webServer{Server: server, secure: secure, log: quiet}
}

func serve(ctx context.Context, cfg *config.Config, log zerolog.Logger, a *app, secure *tls.Config, listeners []listener) error {
	doors, admin := newServer(a.handler, secure, log), newServer(a.admin, nil, log)
	failed := make(chan error, len(listeners))
	for _, l := range listeners {
		server := doors
		if l.admin {
			server = admin
		}
		go func() { failed <- serveOn(l, server) }()
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

// serveOn serves one address until its server is shut down.
func serveOn(l listener, server *webServer) error {
	inner := l.Listener
	if l.tls {
		inner = listen.Terminated(inner, server.secure, server.log)
	}
	if err := server.Serve(listen.Watched(inner)); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
