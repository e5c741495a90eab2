package embedded

import (
	"context"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"

	gateway "github.com/codeguardians/s3gateway"
)

// Store is a running embedded store. Its methods are safe for concurrent use.
type Store struct {
	options     Options
	layout      layout
	metadata    Metadata
	credentials aws.Credentials
	place       socketPlace
	lock        *os.File
	control     *control

	mu  sync.Mutex
	err error // why it does not serve, nil while it does

	stop    context.CancelFunc
	started chan error    // what became of the first child; room for one
	done    chan struct{} // closed when the last child is gone
	closing func() error
}

// Start locks the data folder, starts the store and waits until it answers and
// has its bucket. ctx bounds the starting only. A folder that another process
// has locked, a form of metadata that the folder cannot keep, and a child that
// ends before it answers are errors, and then nothing is left running.
func Start(ctx context.Context, o Options) (*Store, error) {
	if err := errors.Join(systemError(), missingError()); err != nil {
		return nil, err
	}
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := open(o)
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	go s.supervise(running)
	if err := s.finishStart(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	o.Log.Info().Str("dir", o.Dir).Str("metadata", string(s.metadata)).Msg("embedded store is up")
	if s.metadata == Sidecar {
		o.Log.Warn().Str("dir", o.Dir).Msg("the file system of DATA_DIR has no extended attributes: an object stored over another keeps those of " +
			"its Content-Encoding, Cache-Control, Content-Disposition, tags and metadata that it does not set itself, and a multipart upload replaces no version. " +
			"Move DATA_DIR to a file system that has them, such as ext4, XFS, Btrfs or APFS, and begin anew there")
	}
	return s, nil
}

// open takes everything that a running store needs and starts nothing.
func open(o Options) (*Store, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded store: %w", err)
	}
	s := &Store{
		options: o,
		layout:  layout{dir: o.Dir},
		err:     unavailable("is starting", nil),
		started: make(chan error, 1),
		done:    make(chan struct{}),
	}
	s.closing = sync.OnceValue(s.close)
	var err error
	if s.credentials, err = newCredentials(o.Random); err != nil {
		return nil, err
	}
	if s.lock, err = lockFolder(o, s.layout); err != nil {
		return nil, err
	}
	if s.metadata, err = s.layout.prepare(o.Metadata); err == nil {
		s.place, err = placeSocket(s.layout, os.Getenv)
	}
	if err != nil {
		return nil, errors.Join(err, s.lock.Close())
	}
	s.control = newControl(s.place.path(), s.credentials, o.Now)
	return s, nil
}

// finishStart waits for the first child and makes the bucket.
func (s *Store) finishStart(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return fmt.Errorf("embedded store: it did not start: %w", context.Cause(ctx))
	case err := <-s.started:
		if err != nil {
			return fmt.Errorf("embedded store: it did not start: %w", err)
		}
	}
	if s.options.Bucket == "" {
		return nil
	}
	if err := s.control.makeBucket(ctx, s.options.Bucket); err != nil {
		return fmt.Errorf("embedded store: cannot make bucket %q: %w", s.options.Bucket, err)
	}
	return nil
}

// Socket is the path of the unix socket that the store listens on. It stays the
// same for the life of s.
func (s *Store) Socket() string { return s.place.path() }

// Credentials are the root keys of the store, valid for the life of s.
func (s *Store) Credentials() aws.Credentials { return s.credentials }

// Region is the region to sign for.
func (s *Store) Region() string { return Region }

// Metadata is the form in which the folder keeps metadata.
func (s *Store) Metadata() Metadata { return s.metadata }

// Err is nil while the store serves. Otherwise it is a *gateway.Error of code
// ServiceUnavailable whose cause says what happened: starting, exit status,
// closed.
func (s *Store) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Close ends the child and gives the folder's lock back. Requests that are
// still in the store get three seconds. Further calls give the same result.
func (s *Store) Close() error { return s.closing() }

func (s *Store) close() error {
	s.stop()
	<-s.done
	s.setErr(unavailable("is closed", nil))
	return errors.Join(s.place.remove(), s.lock.Close())
}

func (s *Store) setErr(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// unavailable is what Err gives while the store does not serve.
func unavailable(state string, cause error) error {
	return &gateway.Error{
		Code:       gateway.ServiceUnavailable,
		Message:    "The embedded store " + state + ". Please try again.",
		RetryAfter: time.Second,
		Err:        cause,
	}
}

// newCredentials makes root keys: 128 and 256 random bits.
func newCredentials(random io.Reader) (aws.Credentials, error) {
	bits := make([]byte, 48)
	if _, err := io.ReadFull(random, bits); err != nil {
		return aws.Credentials{}, fmt.Errorf("embedded store: no random numbers: %w", err)
	}
	return aws.Credentials{
		AccessKeyID:     base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(bits[:16]),
		SecretAccessKey: base64.RawURLEncoding.EncodeToString(bits[16:]),
		Source:          "embedded store",
	}, nil
}
