package main

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/rs/zerolog"

	"github.com/codeguardians/s3gateway/config"
	"github.com/codeguardians/s3gateway/internal/listen"
	"github.com/codeguardians/s3gateway/policy"
)

// announce says what is served, under which policy, and what an operator should
// know before the first request.
func announce(stderr io.Writer, log zerolog.Logger, cfg *config.Config, a *app, listeners []listener) {
	for _, l := range listeners {
		what := "both doors"
		if l.admin {
			what = "admin"
		}
		log.Info().Str("address", l.Addr().String()).Str("version", version()).Msg("serving " + what)
	}
	log.Info().Str("policy", policyLine(cfg)).Msg("policy in force")
	warnOpen(log, cfg, listeners)
	if cfg.UploadAuth == policy.AuthAuto && !listen.KnowsPeers {
		log.Info().Msg("this system does not say who connects: without API_KEYS any local program counts as the user, a reverse proxy that leaves no mark too")
	}
	switch {
	case a.keys.accessKeyID == "":
		log.Warn().Msg("the S3 door refuses everyone: set GATEWAY_ACCESS_KEY_ID and GATEWAY_SECRET_ACCESS_KEY to the key pair that its clients shall use")
	case a.keys.made && isTerminal(stderr):
		fmt.Fprint(stderr, welcome(cfg, a.keys, baseURL(listeners)))
	case a.keys.file != "":
		log.Info().Str("access_key_id", a.keys.accessKeyID).Str("file", a.keys.file).Msg("the S3 door's key pair is in this file")
	}
}

// policyLine names the policy and the settings that open it.
func policyLine(cfg *config.Config) string {
	size := "of any size"
	if cfg.MaxFileSize > 0 {
		size = "up to " + strconv.FormatInt(cfg.MaxFileSize, 10) + " bytes"
	}
	return "files " + size + " (MAX_FILE_SIZE; 0 for no limit), types " +
		strings.Join(cfg.AllowedFileTypes, ",") + " (ALLOWED_FILE_TYPES; */* for all)"
}

// warnOpen warns of a REST door that anyone can use.
func warnOpen(log zerolog.Logger, cfg *config.Config, listeners []listener) {
	if cfg.UploadAuth != policy.AuthNone {
		return
	}
	for _, l := range listeners {
		if !l.admin && !isLoopback(l.Addr()) {
			log.Warn().Str("address", l.Addr().String()).Msg("UPLOAD_AUTH=none: everyone who reaches this address can store, read and delete files")
		}
	}
}

func isLoopback(a net.Addr) bool {
	if a.Network() == "unix" {
		return true
	}
	at, err := netip.ParseAddrPort(a.String())
	return err == nil && at.Addr().IsLoopback()
}

// baseURL is how a person on this machine reaches the first TCP address.
func baseURL(listeners []listener) string {
	for _, l := range listeners {
		if at, err := netip.ParseAddrPort(l.Addr().String()); err == nil && !l.admin {
			host := at.Addr().String()
			if at.Addr().IsUnspecified() {
				host = "127.0.0.1"
			}
			return "http://" + net.JoinHostPort(host, strconv.Itoa(int(at.Port())))
		}
	}
	return "http://127.0.0.1:8000"
}

// samplePNG is a picture of one pixel, so that the examples work under the
// default policy without a file at hand.
const samplePNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="

// welcome is the text of the first start on a terminal: the one time that the
// secret is shown.
func welcome(cfg *config.Config, k keys, base string) string {
	scheme := "http"
	if cfg.TLSCertFile != "" {
		scheme = "https"
	}
	base = scheme + strings.TrimPrefix(base, "http")
	return fmt.Sprintf(`
  s3gateway is ready on %[1]s and stores files in %[2]s.
  Policy: %[3]s.

  Try the upload API:
    echo %[4]s | base64 -d > pixel.png
    curl -F file=@pixel.png %[1]s/api/v1/upload/direct

  Try S3 (this key pair was made now and is kept in %[5]s):
    export AWS_ACCESS_KEY_ID=%[6]s
    export AWS_SECRET_ACCESS_KEY=%[7]s
    export AWS_DEFAULT_REGION=us-east-1
    aws --endpoint-url %[1]s s3 cp pixel.png s3://%[8]s/pixel.png
    aws --endpoint-url %[1]s s3 ls s3://%[8]s/

`, base, cfg.DataDir, policyLine(cfg), samplePNG, k.file, k.accessKeyID, k.secret, cfg.BucketName)
}
