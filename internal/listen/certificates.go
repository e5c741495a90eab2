package listen

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// File is a PEM file and the setting that names it. An empty Path is no file.
type File struct{ Setting, Path string }

// mostPEM is the largest file that is read, in bytes: the system's bundle of
// authorities has about 200 KiB.
const mostPEM = 4 << 20

// lookAgain is how long what was seen of the files is believed.
const lookAgain = 5 * time.Second

// CertificateOptions say what a server presents and asks for.
type CertificateOptions struct {
	// Certificate is a chain, the server's own first, and Key its key.
	Certificate, Key File
	// ClientCAs are the authorities of the certificates that clients must
	// present. No file: none is asked for.
	ClientCAs File
	// Now is the time, for looking at the files and for warning of expiry.
	Now func() time.Time
	Log zerolog.Logger
}

// Certificates keeps the TLS configuration of a server up to date with its
// files. Handshakes look at them at most every five seconds. A new state that
// cannot be used is logged, and the last usable one stays in service. It is
// safe for concurrent use.
type Certificates struct {
	o       CertificateOptions
	current atomic.Pointer[tls.Config]

	looking   sync.Mutex // held by the one handshake that looks at the files
	looked    time.Time
	seen      []os.FileInfo // of the files that made current
	complaint string        // what was logged last, so that it is logged once
}

// LoadCertificates reads the files for the first time. Its error names the
// setting and the file.
func LoadCertificates(o CertificateOptions) (*Certificates, error) {
	c := &Certificates{o: o, looked: o.Now()}
	seen, err := c.stat()
	if err != nil {
		return nil, err
	}
	return c, c.load(seen)
}

// ServerConfig is for a server that speaks HTTP/2 and HTTP/1.1 from TLS 1.2 on
// (RFC 9325 section 3.1.1).
func (c *Certificates) ServerConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"h2", "http/1.1"}, // by it net/http knows to serve HTTP/2
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			c.refresh()
			return c.current.Load(), nil
		},
	}
}

// refresh loads the files again if they changed. One handshake does it; others
// go on with what there is, so that a slow disk delays no one else.
func (c *Certificates) refresh() {
	if !c.looking.TryLock() {
		return
	}
	defer c.looking.Unlock()
	now := c.o.Now()
	if now.Sub(c.looked) < lookAgain {
		return
	}
	c.looked = now
	seen, err := c.stat()
	if err == nil && !changed(c.seen, seen) {
		c.complaint = ""
		return
	}
	if err == nil {
		err = c.load(seen)
	}
	if err == nil {
		c.complaint = ""
		c.o.Log.Info().Time("expires", c.current.Load().Certificates[0].Leaf.NotAfter).Msg("TLS: the new certificate is in service")
		return
	}
	if text := err.Error(); text != c.complaint {
		c.complaint = text
		c.o.Log.Error().Err(err).Msg("TLS: the new files cannot be used, the old certificate stays in service")
	}
}

func (c *Certificates) files() []File {
	all := []File{c.o.Certificate, c.o.Key}
	if c.o.ClientCAs.Path != "" {
		all = append(all, c.o.ClientCAs)
	}
	return all
}

// stat follows symbolic links: Kubernetes renews a secret by pointing one at
// another folder.
func (c *Certificates) stat() (seen []os.FileInfo, err error) {
	for _, f := range c.files() {
		info, err := os.Stat(f.Path)
		if err != nil {
			return nil, f.wrong(err)
		}
		seen = append(seen, info)
	}
	return seen, nil
}

func changed(old, now []os.FileInfo) bool {
	for i := range now {
		if !os.SameFile(old[i], now[i]) || !old[i].ModTime().Equal(now[i].ModTime()) || old[i].Size() != now[i].Size() {
			return true
		}
	}
	return false
}

// load puts the files into service. What was seen of them was seen before they
// are read: a change in between is then noticed at the next look.
func (c *Certificates) load(seen []os.FileInfo) error {
	chain, err := c.o.Certificate.read()
	if err != nil {
		return err
	}
	key, err := c.o.Key.read()
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return fmt.Errorf("%v and %v: %w", c.o.Certificate, c.o.Key, err)
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		NextProtos:   []string{"h2", "http/1.1"},
		Certificates: []tls.Certificate{pair},
	}
	if c.o.ClientCAs.Path != "" {
		if config.ClientCAs, err = c.o.ClientCAs.Pool(); err != nil {
			return err
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	if end := pair.Leaf.NotAfter; c.o.Now().After(end) {
		c.o.Log.Warn().Time("expired", end).Msg("TLS: " + c.o.Certificate.String() + " has expired: clients will refuse it")
	}
	c.current.Store(config)
	c.seen = seen
	return nil
}

// String names the setting and the file.
func (f File) String() string { return fmt.Sprintf("%s=%q", f.Setting, f.Path) }

// wrong gives the reason alone: the path is named already.
func (f File) wrong(err error) error {
	var at *fs.PathError
	if errors.As(err, &at) {
		err = at.Err
	}
	return fmt.Errorf("%v: %w", f, err)
}

func (f File) read() ([]byte, error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, f.wrong(err)
	}
	defer func() { _ = file.Close() }()
	pem, err := io.ReadAll(io.LimitReader(file, mostPEM+1))
	if err == nil && len(pem) > mostPEM {
		err = errors.New("larger than 4 MiB")
	}
	if err != nil {
		return nil, f.wrong(err)
	}
	return pem, nil
}

// Pool reads the file as certificate authorities. Its error names the setting
// and the file.
func (f File) Pool() (*x509.CertPool, error) {
	pem, err := f.read()
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, f.wrong(errors.New("has no certificate in PEM form"))
	}
	return pool, nil
}
