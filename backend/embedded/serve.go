//go:build !slim

package embedded

import (
	"context"

	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

// Limits of the store. The gateway in front is the only client, so they only
// have to be higher than what it lets through.
const (
	maxConnections = 16384
	maxRequests    = 16384
	maxParts       = 10000
	// ioBuffer is what one request copies through, in bytes.
	ioBuffer = 256 << 10
)

// missingError is nil in a binary that holds the store.
func missingError() error { return nil }

// maxCopySource is S3's own limit on the source of one copy, in bytes.
const maxCopySource = 5 << 30

// serve runs the store until ctx ends.
func serve(ctx context.Context, cfg childConfig) error {
	options := posix.PosixOpts{
		VersioningDir: cfg.Versions,
		IOBufferSize:  ioBuffer,
		// The library's zero is a limit of no bytes, whatever it documents.
		CopyObjectThreshold: maxCopySource,
	}
	options.SetNewDirPerm(0o700)
	options.SetNewFilePerm(0o600)
	store, err := openStore(cfg, options)
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(ctx, identified{dated{store}}, &embedgw.Config{
		RootUserAccess:    cfg.AccessKeyID,
		RootUserSecret:    cfg.SecretAccessKey,
		Region:            cfg.Region,
		Ports:             []string{cfg.Socket},
		SocketPerm:        "0600",
		MaxConnections:    maxConnections,
		MaxRequests:       maxRequests,
		MultipartMaxParts: maxParts,
		KeepAlive:         true,
		Quiet:             true,
		S3Options:         []s3api.Option{s3api.WithMiddleware("/", knownIDs), s3api.WithMiddleware("/", wholeBodies)},
	})
}

// openStore gives the store with its metadata in the form that cfg says.
func openStore(cfg childConfig, options posix.PosixOpts) (backend.Backend, error) {
	var metadata meta.MetadataStorer = timed{versionsKept{dir: cfg.Versions}}
	if cfg.Sidecar != "" {
		files, err := newSidecar(cfg.Sidecar, cfg.Versions)
		if err != nil {
			return nil, err
		}
		metadata = timed{files}
	}
	store, err := posix.New(cfg.Buckets, metadata, options)
	if err != nil {
		return nil, err
	}
	var own backend.Backend = fitted{Posix: store, scratch: cfg.Versions}
	if cfg.Sidecar != "" {
		own = besideFiles{store, metadata}
	}
	return versionPages{newExclusive(exact{own}, cfg, metadata), cfg.Versions}, nil
}
